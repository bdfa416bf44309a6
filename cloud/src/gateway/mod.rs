//! Web pages of panels in a browser with nothing installed: the gateway asks for a session like a technician's program,
//! joins it through the relay like one, and passes the pages on under an origin of their own (decision 0019). It can read
//! what passes, and the consent says so. Owns no table: a session's key lives in this node's memory alone.
//!
//! [`open`] asks and lets in, [`place`] is an address that somebody types (pure), [`visit`] is one such session, [`name`]
//! says under which origin (pure), [`host`] answers there, [`blind`] passes on what it cannot read, [`portal`] is the pages
//! that lead there. [`terminal`] is the same for terminals, which need no origin; [`finds`] is what there is to open, and
//! opens it within its own session.

mod blind;
mod course;
pub mod finds;
mod host;
pub mod name;
pub mod open;
mod own_relay;
pub mod place;
pub mod portal;
pub mod terminal;
mod visit;
mod wish;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{Router, extract::Request};
use gatelodge_proto::{OrganisationId, SessionId, UserId};
use rustls_pki_types::CertificateDer;
use tokio::sync::Semaphore;

pub use self::host::divide;
use self::{
    finds::Look,
    name::{Label, Naming},
    own_relay::OwnRelay,
    terminal::Terminal,
    visit::Visit,
};
use crate::{accounts::model::Member, kits::Kits, pki::BlindCa};

/// The gateway of this node. Clones are the same one.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    kits: Kits,
    naming: Naming,
    relay: OwnRelay,
    /// Signs for pages that only the device can read.
    blind: Option<BlindCa>,
    visits: Mutex<Visits>,
    terminals: Mutex<HashMap<SessionId, Arc<Terminal>>>,
    terminal_places: Arc<Semaphore>,
    looks: Mutex<HashMap<SessionId, Arc<Look>>>,
    look_places: Arc<Semaphore>,
}

/// The sessions whose keys are here.
#[derive(Default)]
struct Visits {
    by_session: HashMap<SessionId, Arc<Visit>>,
    /// A device's web address may have several: one for each browser.
    by_label: HashMap<Label, Vec<Arc<Visit>>>,
}

impl Gateway {
    /// The gateway of a node that listens there with this certificate.
    pub fn new(
        kits: Kits,
        https: SocketAddr,
        certificate: CertificateDer<'static>,
        blind: Option<BlindCa>,
    ) -> Result<Self, rustls::Error> {
        let naming = Naming::of(&kits.config);
        let relay = OwnRelay::at(https, certificate)?;
        let places = |most: u32| {
            let most = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
            Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)))
        };
        Ok(Self(Arc::new(Inner {
            terminal_places: places(kits.config.gateway.terminals),
            look_places: places(kits.config.gateway.pages),
            kits,
            naming,
            relay,
            blind,
            visits: Mutex::default(),
            terminals: Mutex::default(),
            looks: Mutex::default(),
        })))
    }

    /// Which ports have to be listened on beside the node's own.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        let range = self.0.kits.config.gateway.ports.filter(|_| self.0.naming.is_on());
        range.into_iter().flat_map(|range| range.first..=range.last)
    }

    /// What is served at one of them: the page that has it, else a calm answer.
    pub fn at_port(&self, port: u16) -> Router {
        let gateway = self.clone();
        Router::new().fallback(move |request: Request| {
            let gateway = gateway.clone();
            async move { gateway.answer(&Label::Port(port), request).await }
        })
    }

    fn kits(&self) -> &Kits {
        &self.0.kits
    }

    fn visits(&self) -> MutexGuard<'_, Visits> {
        held(&self.0.visits)
    }

    fn terminals(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Terminal>>> {
        held(&self.0.terminals)
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Look>>> {
        held(&self.0.looks)
    }
}

/// Does something when it is dropped, unless it is let off: a browser that goes drops what was asked for it.
struct OnDrop<F: FnMut()>(Option<F>);

impl<F: FnMut()> OnDrop<F> {
    const fn new(act: F) -> Self {
        Self(Some(act))
    }

    fn let_off(mut self) {
        self.0 = None;
    }
}

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(act) = &mut self.0 {
            act();
        }
    }
}

/// Whose a session of the gateway's is: a person's, for the organisation in whose name they asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner(UserId, OrganisationId);

impl From<&Member> for Owner {
    fn from(member: &Member) -> Self {
        Self(member.user_id, member.organisation_id)
    }
}

/// Whatever panicked with it left it whole: each is set at once.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateway")
    }
}

impl Visits {
    fn insert(&mut self, visit: &Arc<Visit>) {
        self.by_session.insert(visit.session, visit.clone());
        self.insert_beside(visit);
    }

    /// One more page of a session that is there already.
    fn insert_beside(&mut self, visit: &Arc<Visit>) {
        self.by_label.entry(visit.label.clone()).or_default().push(visit.clone());
    }

    /// Lets go of those whose end everybody had time to read, and of those that nobody answered.
    fn prune(&mut self, gone: impl Fn(&Visit) -> bool) {
        self.by_session.retain(|_, visit| !gone(visit));
        self.by_label.retain(|_, visits| {
            visits.retain(|visit| !gone(visit));
            !visits.is_empty()
        });
    }
}
