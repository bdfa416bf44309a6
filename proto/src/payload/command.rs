//! What the cloud asks of a device, and what became of it.

use serde::{Deserialize, Serialize};

use super::{DeviceState, EndReason};
use crate::{
    CommandId, SessionId, Timestamp,
    consent::{Assertion, PinnedKey, Proof, SignedRule},
    grant::SignedGrant,
};

/// One command. It is sent again until its result is there; carrying it out twice equals once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its id, echoed in the result.
    pub id: CommandId,
    /// When the cloud made it.
    pub issued_at: Timestamp,
    /// After this it is void and refused as `late`.
    pub deadline: Timestamp,
    /// The ownership epoch it was made in; another epoch refuses it.
    pub epoch: u64,
    /// What to do.
    pub order: Order,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Order {
    /// Take this as your registration state.
    State(DeviceState),
    /// Join a session.
    OpenSession(Box<SessionOrder>),
    /// End a session.
    StopSession {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
    },
    /// A session's end has moved: the grant of the same session, whose end alone is another.
    ExtendSession {
        /// Signed by the cloud.
        grant: SignedGrant,
        /// What the customer's key has signed for it, where one is pinned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Box<Proof>>,
    },
    /// The shown on-site code is used up; show a new one.
    RenewOnSiteCode,
    /// The customer wants this key pinned: show its fingerprint, and pin it when somebody at the device says so.
    OfferKey {
        /// The key.
        key: PinnedKey,
    },
    /// Somebody wants to enter, or to stay: show it, and take the answer of whoever is at the device.
    ConsentWanted {
        /// What would be granted.
        draft: SignedGrant,
    },
    /// The answer came from elsewhere, or nobody wants to enter any more.
    ConsentGone {
        /// For which session.
        session: SessionId,
    },
    /// The newest of the customer's standing rules: older ones are taken back.
    StandingRule {
        /// Signed by the pinned key.
        rule: SignedRule,
    },
    /// The customer's key says itself that the device is to forget it.
    ReleaseKey {
        /// Over the hash of a release.
        assertion: Assertion,
    },
}

/// How to join a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOrder {
    /// What was allowed, signed by the cloud.
    pub grant: SignedGrant,
    /// What the customer's key has signed for it, where one is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Box<Proof>>,
    /// The relay's address (`wss://...`).
    pub relay: String,
    /// One-use join ticket, 128 bits in hex, good for 30 s.
    pub ticket: String,
    /// For what the cloud takes the recordings of this session's terminals, each once; absent without a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// Which command.
    pub command: CommandId,
    /// Its end.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The end of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Carried out.
    Done,
    /// The device will not: too late, wrong epoch, consent closed, local switch.
    Refused {
        /// In a sentence.
        reason: String,
        /// How the session ends that the device was told to open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<EndReason>,
    },
    /// The device tried and could not.
    Failed {
        /// In a sentence.
        reason: String,
    },
}
