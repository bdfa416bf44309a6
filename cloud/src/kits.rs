//! What every service is handed: the kits of this node, in one cheap clone. Knows no feature.

use std::sync::Arc;

use gatelodge_proto::{Random, Timestamp};

use crate::{clock::Clock, config::Config, db::Db, jobs::Bell, limits::Limits, mail::Mailer, mqtt::Endpoint, pki::Pki};

/// The kits of this node.
#[derive(Debug, Clone)]
pub struct Kits {
    /// The settings.
    pub config: Arc<Config>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where randomness comes from.
    pub random: Random,
    /// The database.
    pub db: Db,
    /// Keys and certificates.
    pub pki: Arc<Pki>,
    /// How mail leaves. Only job handlers send, so that nothing leaves before its commit.
    pub mailer: Mailer,
    /// The device endpoint; silent until it has started.
    pub endpoint: Endpoint,
    /// Wakes the worker after a commit that wrote a job.
    pub jobs: Bell,
    /// Who is over a limit.
    pub limits: Limits,
}

impl Kits {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
