//! What the MQTT messages carry: JSON (RFC 8259), content type `application/json`, at most [`MAX_BYTES`].
//!
//! Readers ignore unknown fields, so that neighbouring versions understand each other.

mod command;
mod device_state;
mod event;
mod feature;
mod network;
mod profile;
mod report;

pub use command::{Command, CommandResult, Order, Outcome, SessionOrder};
pub use device_state::{Consent, DeviceState, Life};
pub use event::{EndReason, Event, FlowOutcome, FlowRow, Forgot, Happening, KeptEnd, NotLonger};
pub use feature::{Feature, InvalidTicketNumber, TicketNumber};
pub use network::{Host, HostName, InvalidHost, InvalidSubnet, Listen, Network, Subnet};
pub use profile::{InvalidTitle, Preset, Profile, Scheme, ServiceKind, Title, is_hidden};
pub use report::{Interface, Protocol, Report, Service, ServiceName};

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// The largest payload either side accepts, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// The content type of every payload.
pub const CONTENT_TYPE: &str = "application/json";

/// Where a message stands in its device's history. The later of two has the higher `(boot, seq)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// How often this agent has started; kept on disk, never goes back under one enrolment.
    pub boot: u64,
    /// Random per start; tells two machines apart that were cloned from one disk.
    pub boot_id: Uuid,
    /// Counts the messages of one start from 1.
    pub seq: u64,
}

impl Position {
    /// The order in which messages happened, whenever they arrive.
    pub const fn order(&self) -> (u64, u64) {
        (self.boot, self.seq)
    }
}

/// The correlation data of a message and its receipt: `boot_id:seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Correlation {
    /// The start during which the message was made.
    pub boot_id: Uuid,
    /// Its number within that start.
    pub seq: u64,
}

impl From<Position> for Correlation {
    fn from(position: Position) -> Self {
        Self { boot_id: position.boot_id, seq: position.seq }
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.boot_id.as_simple(), self.seq)
    }
}

impl FromStr for Correlation {
    type Err = InvalidPayload;
    fn from_str(text: &str) -> Result<Self, InvalidPayload> {
        let bad = || InvalidPayload("the correlation data is not boot_id:seq".into());
        let (boot_id, seq) = text.split_once(':').ok_or_else(bad)?;
        Ok(Self { boot_id: Uuid::try_parse(boot_id).map_err(|_| bad())?, seq: seq.parse().map_err(|_| bad())? })
    }
}

/// What every message but `status` is wrapped in: its place and its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed<T> {
    /// Where it stands.
    pub position: Position,
    /// The message.
    #[serde(flatten)]
    pub body: T,
}

/// Presence as the device or its last will says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether the device is there.
    pub online: bool,
    /// The start that says so; an old will never overrules a newer start.
    pub boot_id: Uuid,
}

/// The registrar has committed a message, or has parked it for good; the device may forget it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The start of the message.
    pub boot_id: Uuid,
    /// Its number.
    pub seq: u64,
    /// Why the registrar could not use the message, when it could not. It is kept for a person to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<String>,
}

/// A CSR for the next certificate (PKCS #10, RFC 2986).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// PEM text. Only its key counts; the identity comes from the current certificate.
    pub csr: String,
}

/// The renewed certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// PEM chain, the device's own certificate first.
    pub chain: String,
}

/// The bytes are no such message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPayload(String);

/// Reads a message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InvalidPayload> {
    if bytes.len() > MAX_BYTES {
        return Err(InvalidPayload(format!("the message has {} bytes, at most {MAX_BYTES} are taken", bytes.len())));
    }
    if has_nul(bytes) {
        return Err(InvalidPayload(
            "the message has a text with a NUL character, which none of its texts may have".into(),
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| InvalidPayload(format!("the message cannot be read: {error}")))
}

/// Whether a text in this JSON says NUL, which PostgreSQL keeps in no text (<https://www.postgresql.org/docs/current/datatype-json.html>).
pub fn has_nul(json: &[u8]) -> bool {
    let mut escaped = false;
    json.iter().enumerate().any(|(at, byte)| {
        let begins = escaped && json[at..].starts_with(b"u0000");
        escaped = *byte == b'\\' && !escaped;
        begins
    })
}

/// Writes a message.
#[expect(clippy::expect_used, reason = "our payload types have string keys only, which JSON can always say")]
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("payload types are JSON")
}

#[cfg(test)]
mod tests;
