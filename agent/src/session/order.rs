//! The words between an agent and a session's process: the order on standard input, everything later by its socket.

use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf, time::Duration};

use gatelodge_proto::{
    Timestamp,
    consent::{ConsentKind, Proof},
    enrol::Credentials,
    grant::{Grant, SignedGrant},
    payload::{Consent, EndReason, Feature, Happening, Listen, Network, Service, SessionOrder},
    session::{
        carrier::Proxy,
        handshake::{HandshakeError, Identity, certificates},
        mux::Settings,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{
    admit::{Denied, Here, Terms, admit, signed},
    discover::Looks,
    files::OwnFolder,
    places::Places,
    terminal::OwnTerminal,
};
use crate::{
    consent::{Gate, Moments},
    state::PrivateKey,
    status::LiveSession,
};

/// What the process writes once its socket is open.
pub(crate) const READY: &[u8; 6] = b"ready\n";

/// The line of the process's input.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// What the cloud asks.
    pub order: SessionOrder,
    /// The device's key.
    pub key: PrivateKey,
    /// Its certificate, and whom to trust.
    pub credentials: Credentials,
    /// The ownership epoch the agent is in.
    pub epoch: u64,
    /// The device's own allow-list.
    pub services: Vec<Service>,
    /// What one session may cost.
    pub limits: Limits,
    /// Its networks that may be reached as a whole.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Where its installation calls a technician's computer.
    #[serde(default)]
    pub listens: Vec<Listen>,
    /// What its own settings let a session do beside that.
    #[serde(default)]
    pub features: Vec<Feature>,
    /// What its own settings say about terminals.
    #[serde(default)]
    pub terminal: Option<OwnTerminal>,
    /// Which of its services take few connections.
    #[serde(default)]
    pub places: Places,
    /// Its folders that files are sent from and taken in.
    #[serde(default)]
    pub folders: Vec<OwnFolder>,
    /// How it looks around.
    #[serde(default)]
    pub looks: Looks,
    /// The way out of the site.
    #[serde(default)]
    pub proxy: Option<Proxy>,
    /// Roots for the cloud's HTTPS certificate; public ones when absent.
    pub ca_file: Option<PathBuf>,
    /// What the system's clock lacks, in microseconds.
    pub clock_lacks_us: i64,
    /// What the customer's consent is held against.
    #[serde(default)]
    pub gate: Gate,
    /// Where the device's own page listens, which no session reaches.
    #[serde(default)]
    pub page: Option<SocketAddr>,
}

/// Sessions that one device carries at a time.
pub const SESSIONS_AT_ONCE: usize = 4;

/// What one session may cost, by the device's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Streams at once.
    pub streams: u16,
    /// Streams opened a second.
    pub opens_per_second: u32,
    /// How long it lasts at most, in seconds, whatever was agreed.
    pub longest_s: u32,
    /// Bytes a second, each way.
    #[serde(default)]
    pub rate: Option<NonZeroU64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { streams: 64, opens_per_second: 50, longest_s: 24 * 3600, rate: None }
    }
}

impl Limits {
    /// How long a session lasts at most.
    pub(super) const fn longest(self) -> Duration {
        Duration::from_secs(self.longest_s as u64)
    }

    /// The mux that keeps to them.
    pub(super) fn settings(self) -> Settings {
        Settings { max_streams: usize::from(self.streams), opens_per_second: self.opens_per_second, ..Settings::DEVICE }
    }
}

/// A newer grant of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newer {
    /// Signed by the cloud.
    pub grant: SignedGrant,
    /// What the customer's key has signed for it.
    pub proof: Option<Box<Proof>>,
    /// What the customer's consent is held against now.
    pub gate: Gate,
}

impl Newer {
    /// What it comes to under the terms that hold, and by how much the session lasts longer, where it is good and the
    /// customer consents; `None` for the grant that holds already.
    pub(super) fn agreed(
        &self,
        terms: &Terms,
        grant_key: &str,
        moments: Moments,
    ) -> Result<Option<(Terms, Duration)>, Denied> {
        let Some((terms, longer)) = terms.extended(&self.grant, grant_key)? else { return Ok(None) };
        self.gate.prove(&self.grant, &terms.grant, self.proof.as_deref(), moments)?;
        Ok(Some((terms, longer)))
    }
}

/// What an agent says to a session, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// End the session.
    Stop(EndReason),
    /// A newer grant of the session, for the session to judge.
    Extend(Box<Newer>),
    /// What happened up to this number is on disk here.
    Taken(u64),
}

/// What is wished of a session while it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// That it ends.
    End(EndReason),
    /// That it lasts longer, by this grant.
    Extend(Box<Newer>),
}

/// Hears the wishes. One that the session may last longer is kept until the session runs.
pub(super) struct Ears {
    wishes: mpsc::Receiver<Wish>,
    kept: Option<Box<Newer>>,
}

impl Ears {
    pub(super) const fn new(wishes: mpsc::Receiver<Wish>) -> Self {
        Self { wishes, kept: None }
    }

    /// Waits until the session is to end.
    pub(super) async fn stopped(&mut self) -> EndReason {
        loop {
            match self.heard().await {
                Wish::End(reason) => return reason,
                Wish::Extend(grant) => self.kept = Some(grant),
            }
        }
    }

    /// The next wish.
    pub(super) async fn next(&mut self) -> Wish {
        match self.kept.take() {
            Some(grant) => Wish::Extend(grant),
            None => self.heard().await,
        }
    }

    async fn heard(&mut self) -> Wish {
        // Without anybody to stop it, a session has no business going on.
        self.wishes.recv().await.unwrap_or(Wish::End(EndReason::Device))
    }
}

/// What a session says to whichever agent comes, a line each; first its card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// Which session it is.
    Card(Card),
    /// Something for the cloud. Said again to another agent until one has taken it.
    Happened {
        /// Counts from 1 in each session.
        number: u64,
        /// What.
        what: Happening,
    },
}

/// What an agent must know of a session that it did not open itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    /// For the device's own page.
    pub(crate) shown: LiveSession,
    /// The rule under which it was opened.
    pub(crate) consent: Consent,
}

impl Card {
    /// Of the session that this grant opens.
    pub(crate) fn of(grant: &Grant, kind: ConsentKind) -> Self {
        let shown = LiveSession {
            session: grant.session,
            technician: grant.technician.name.clone(),
            organisation: grant.technician.organisation_name.clone(),
            since: grant.from,
            until: grant.until,
            reason: grant.reason.clone(),
            consent_kind: kind,
            opened: Vec::new(),
            break_glass: grant.break_glass,
        };
        Self { shown, consent: grant.consent }
    }
}

impl Start {
    /// The grant of the order, if it is good for this device now. Whether the customer consents is another question.
    pub(crate) fn grant(&self, now: Timestamp) -> Result<Grant, Denied> {
        admit(&self.order.grant, &Here::of(self), now).map(|terms| terms.grant)
    }

    /// The terms of the order, if it is good for this device now and the customer consents.
    pub(super) fn terms(&self, now: Timestamp) -> Result<Terms, Denied> {
        let terms = admit(&self.order.grant, &Here::of(self), now)?;
        self.proven(&terms.grant, now)?;
        Ok(terms)
    }

    fn proven(&self, grant: &Grant, now: Timestamp) -> Result<ConsentKind, Denied> {
        let moments = Moments::of(now, self.clock_lacks_us);
        Ok(self.gate.prove(&self.order.grant, grant, self.order.proof.as_deref(), moments)?)
    }

    /// Whom the agent shows at the device; `None` for a grant that its cloud did not sign, or the customer's key.
    pub(super) fn card(&self, now: Timestamp) -> Option<Card> {
        let grant = signed(&self.order.grant, &self.credentials.grant_key).ok()?;
        let kind = self.proven(&grant, now).ok()?;
        Some(Card::of(&grant, kind))
    }

    /// Certificate chain and key for the inner TLS.
    pub(super) fn identity(&self) -> Result<Identity, Unusable> {
        Ok(Identity { chain: certificates(&self.credentials.chain)?, key: self.key.der()? })
    }
}

/// Key or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Certificate(#[from] HandshakeError),
    #[error(transparent)]
    Key(#[from] crate::state::KeyError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_names_its_reason() {
        let stop: Control = serde_json::from_str(r#"{"stop":"device"}"#).unwrap();
        assert_eq!(stop, Control::Stop(EndReason::Device));
        assert!(serde_json::from_str::<Control>(r#"{"go":"on"}"#).is_err());
    }

    #[tokio::test]
    async fn a_wish_for_more_time_waits_until_the_session_runs_and_a_stop_does_not() {
        let (say, wishes) = mpsc::channel(4);
        let mut ears = Ears::new(wishes);
        let grant = "e30.AA".parse().unwrap();
        let newer = Box::new(Newer { grant, proof: None, gate: Gate::default() });
        say.send(Wish::Extend(newer.clone())).await.unwrap();
        say.send(Wish::End(EndReason::Customer)).await.unwrap();
        drop(say);
        assert_eq!(ears.stopped().await, EndReason::Customer);
        assert_eq!(ears.next().await, Wish::Extend(newer));
        assert_eq!(ears.next().await, Wish::End(EndReason::Device), "nobody is left to stop it");
    }
}
