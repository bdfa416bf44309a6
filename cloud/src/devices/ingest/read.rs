//! What a message says, read before the transaction that takes it in. Pure.

use gatelodge_proto::{
    CertificateSerial, DeviceId,
    payload::{self, CommandResult, Correlation, Event, InvalidPayload, Placed, Position, Renew, Report, Status},
    topics::{Topic, Up},
};
use serde::de::DeserializeOwned;

use crate::mqtt::Incoming;

/// One message of a group.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    pub(super) topic: &'a str,
    pub(super) payload: &'a [u8],
    pub(super) correlation: Option<Correlation>,
    /// The certificate it came by; `None` behind somebody else's broker, which does not tell.
    pub(super) certificate: Option<&'a CertificateSerial>,
    /// Who says it; `None` on a topic that is none of ours.
    pub(super) sender: Option<(DeviceId, Up)>,
    /// What it says, or why nobody can read it.
    pub(super) said: Result<Said, String>,
}

/// What a device says.
#[derive(Debug)]
pub(super) enum Said {
    /// Presence, which has no place in its history.
    Presence(Status),
    /// Everything else.
    Placed(Position, Body),
}

/// What a message with a place carries.
#[derive(Debug)]
pub(super) enum Body {
    Report(Box<Report>),
    Result(CommandResult),
    Event(Event),
    Renew(Renew),
}

impl Body {
    /// The word of its kind in the table of messages.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Report(_) => "report",
            Self::Result(_) => "result",
            Self::Event(_) => "event",
            Self::Renew(_) => "renew",
        }
    }
}

impl<'a> Heard<'a> {
    /// Reads one message; `None` for what is none.
    pub(super) fn read(incoming: &'a Incoming) -> Option<Self> {
        let Incoming::Message { topic, payload, correlation, certificate } = incoming else { return None };
        let (sender, said) = match topic.parse() {
            Ok(Topic::Up(device, kind)) => (Some((device, kind)), said(kind, payload)),
            Ok(Topic::Down(..)) | Err(_) => (None, Err("no such topic".to_owned())),
        };
        Some(Self { topic, payload, correlation: *correlation, certificate: certificate.as_ref(), sender, said })
    }
}

fn said(kind: Up, bytes: &[u8]) -> Result<Said, String> {
    let said = match kind {
        Up::Status => payload::decode(bytes).map(Said::Presence),
        Up::Report => placed(bytes, |report| Body::Report(Box::new(report))),
        Up::Result => placed(bytes, Body::Result),
        Up::Event => placed(bytes, Body::Event),
        Up::Renew => placed(bytes, Body::Renew),
    };
    match said.map_err(|error| error.to_string())? {
        Said::Placed(position, _) if i64::try_from(position.seq.max(position.boot)).is_err() => {
            Err("its position is beyond any count".to_owned())
        }
        said => Ok(said),
    }
}

fn placed<T: DeserializeOwned>(bytes: &[u8], body: fn(T) -> Body) -> Result<Said, InvalidPayload> {
    payload::decode::<Placed<T>>(bytes).map(|placed| Said::Placed(placed.position, body(placed.body)))
}
