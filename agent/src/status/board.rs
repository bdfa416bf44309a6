//! Where the running parts write what they know, and the page reads it.

use std::sync::Arc;

use gatelodge_proto::Timestamp;
use tokio::sync::watch;

use super::{IdentityShown, LinkState, SessionLimits, Stage, Status};
use crate::{config::Config, identity::Identity, session::SESSIONS_AT_ONCE};

/// The current picture; clones show the same one.
#[derive(Debug, Clone)]
pub struct Board(Arc<watch::Sender<Status>>);

impl Board {
    /// The picture right after the start.
    pub fn new(identity: &Identity, config: &Config, started_at: Timestamp) -> Self {
        let status = Status {
            agent_version: env!("CARGO_PKG_VERSION").into(),
            started_at,
            identity: IdentityShown::from(identity),
            stage: Stage::Enrolling { wait: None },
            on_site_code: None,
            registration: None,
            link: LinkState::Idle,
            certificate_until: None,
            waiting_messages: 0,
            remote_access: config.remote_access.enabled,
            limits: Some(SessionLimits {
                max_minutes: config.remote_access.max_minutes.get(),
                at_once: SESSIONS_AT_ONCE,
                rate: config.remote_access.rate,
            }),
            services: config.offered(),
            networks: config.networks.clone(),
            sessions: Vec::new(),
            consent: super::ConsentShown::default(),
            problem: None,
        };
        Self(Arc::new(watch::channel(status).0))
    }

    /// Changes the picture.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(change);
    }

    /// The picture now.
    pub fn status(&self) -> Status {
        self.0.borrow().clone()
    }

    /// Wakes at each change.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }
}
