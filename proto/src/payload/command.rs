//! What the cloud asks of a device, and what became of it.

use serde::{Deserialize, Serialize};

use super::{DeviceState, EndReason};
use crate::{CommandId, SessionId, Timestamp, grant::SignedGrant};

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
    },
    /// The shown on-site code is used up; show a new one.
    RenewOnSiteCode,
}

/// How to join a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOrder {
    /// What was allowed, signed by the cloud.
    pub grant: SignedGrant,
    /// The relay's address (`wss://...`).
    pub relay: String,
    /// One-use join ticket, 128 bits in hex, good for 30 s.
    pub ticket: String,
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
