//! One session of the gateway's: its key, which browser it is for, and where it stands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatelodge_proto::{
    Random, SessionId, Timestamp,
    api::Join,
    payload::{EndReason, Feature},
    session::{
        client::{Client, ClientError, Inside},
        inner_frame::Target,
    },
    web::{Door, Face, Panel, Passage, wire::SessionDial},
};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use super::{Gateway, Owner, blind::BlindWay, name::Label};
use crate::{
    accounts::{model::PortalSessionId, tokens::Secret},
    clock::Clock,
};

/// Requests of one page at once, web sockets and streams that stay included.
const REQUESTS_AT_ONCE: usize = 48;

/// The key of one session; it never leaves this memory.
pub(super) struct SessionKey(KeyPair);

impl SessionKey {
    pub(super) fn make() -> Result<Self, rcgen::Error> {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map(Self)
    }

    /// PKCS #10 in PEM.
    pub(super) fn csr(&self) -> Result<String, rcgen::Error> {
        CertificateParams::default().serialize_request(&self.0)?.pem()
    }

    pub(super) fn der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}

/// Where it stands.
#[derive(Clone)]
pub(super) enum Stage {
    /// Nobody has come in yet; the customer may not have answered.
    Asked,
    /// On the way to the device.
    Joining,
    /// The panel can be asked.
    Inside(Way),
    /// Over; why, and when.
    Over(EndReason, Timestamp),
}

/// By which way the panel's pages come.
#[derive(Clone)]
pub(super) enum Way {
    /// Through this node, which can read them.
    Readable(Arc<Passage>),
    /// By the device, and this node passes bytes on.
    Blind(Arc<BlindWay>),
}

/// The browser for which it is, by its sign-in at the portal.
#[derive(Clone)]
pub(super) struct Holder {
    pub(super) browser: PortalSessionId,
    pub(super) secret: Secret,
    /// When it was last seen that this browser is still signed in.
    pub(super) seen: Instant,
}

/// One session of the gateway's.
pub(super) struct Visit {
    pub(super) session: SessionId,
    pub(super) owner: Owner,
    pub(super) label: Label,
    pub(super) face: Face,
    /// What the device is asked to reach.
    pub(super) target: Target,
    pub(super) panel: Panel,
    pub(super) asked_at: Timestamp,
    pub(super) requests: Arc<Semaphore>,
    /// A page within a session that somebody else carries has none.
    key: Option<SessionKey>,
    stage: watch::Sender<Stage>,
    door: Mutex<Door>,
    holder: Mutex<Option<Holder>>,
}

impl Visit {
    pub(super) fn new(
        (session, owner): (SessionId, Owner),
        (label, face): (Label, Face),
        (target, panel): (Target, Panel),
        key: SessionKey,
        asked_at: Timestamp,
    ) -> Self {
        Self {
            session,
            owner,
            label,
            face,
            target,
            panel,
            asked_at,
            requests: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
            key: Some(key),
            stage: watch::Sender::new(Stage::Asked),
            door: Mutex::default(),
            holder: Mutex::default(),
        }
    }

    /// A page within a session that is open already.
    pub(super) fn within(
        (session, owner): (SessionId, Owner),
        (label, face): (Label, Face),
        (target, panel): (Target, Panel),
        passage: Passage,
        now: Timestamp,
    ) -> Self {
        Self {
            session,
            owner,
            label,
            face,
            target,
            panel,
            asked_at: now,
            requests: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
            key: None,
            stage: watch::Sender::new(Stage::Inside(Way::Readable(Arc::new(passage)))),
            door: Mutex::default(),
            holder: Mutex::default(),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Follows where it stands.
    pub(super) fn stages(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(super) fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn holder(&self) -> MutexGuard<'_, Option<Holder>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the step from asked to joining, once.
    pub(super) fn sets_out(&self) -> bool {
        self.stage.send_if_modified(|stage| {
            let first = matches!(stage, Stage::Asked);
            if first {
                *stage = Stage::Joining;
            }
            first
        })
    }

    /// What could not be joined may be tried again.
    pub(super) fn comes_back(&self) {
        self.stage.send_if_modified(|stage| {
            let joining = matches!(stage, Stage::Joining);
            if joining {
                *stage = Stage::Asked;
            }
            joining
        });
    }

    pub(super) fn is_inside(&self, way: Way) {
        self.stage.send_replace(Stage::Inside(way));
    }

    pub(super) fn is_over(&self, reason: EndReason, now: Timestamp) {
        self.stage.send_if_modified(|stage| {
            let goes_on = !matches!(stage, Stage::Over(..));
            if goes_on {
                *stage = Stage::Over(reason, now);
            }
            goes_on
        });
    }

    /// Carries the session until its end, like a technician's program.
    pub(super) async fn carry(self: Arc<Self>, join: Join, gateway: Gateway) {
        let Some(key) = self.key.as_ref().map(SessionKey::der) else { return };
        let (relay, kits) = (gateway.0.relay.clone(), gateway.kits());
        let (clock, random) = (kits.clock.clone(), kits.random.clone());
        let join = Join { relay: relay.address, ..join };
        let provider = relay.provider.clone();
        let client = Client { join, key, tls: relay.tls, provider, proxy: None, random: random.clone() };
        let work = async |inside: Inside| {
            if self.label.is_blind() {
                if let Err(error) = gateway.goes_blind(&self, &inside).await {
                    tracing::info!(session = %self.session, %error, "a page that the portal cannot read is over");
                }
                return;
            }
            let passage = self.passage(&inside, relay.provider, clock.clone(), random);
            if let Some(passage) = passage {
                self.is_inside(Way::Readable(Arc::new(passage)));
                std::future::pending::<()>().await;
            }
        };
        let outcome = client.run(|| {}, work, std::future::pending()).await;
        let reason = match outcome {
            Ok(ending) | Err(ClientError::Ended(ending)) => ending.reason,
            Err(error) => {
                tracing::info!(session = %self.session, error = &error as &dyn std::error::Error, "a web page's session did not come up");
                error.reason()
            }
        };
        self.is_over(reason, clock.now());
    }

    /// `None` when the device does not let browsers in, whatever it was asked.
    fn passage(
        &self,
        inside: &Inside,
        provider: Arc<rustls::crypto::CryptoProvider>,
        clock: Clock,
        random: Random,
    ) -> Option<Passage> {
        if !inside.accept.features.contains(&Feature::Web) {
            tracing::info!(session = %self.session, "the device lets no browser in");
            return None;
        }
        let target = self.target.clone();
        let dial =
            SessionDial { handle: inside.handle.clone(), target, clock, random, running: inside.running.clone() };
        Passage::new(self.panel.clone(), self.face.clone(), dial, provider).ok()
    }
}
