//! What GRANT, ACCEPT, OPEN and the answers carry: their types and their fields on the wire.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::wire::{self, Fields, FrameError, codes};
use crate::{FlowId, grant::SignedGrant, payload::ServiceName};

pub(super) const MAX_CONSENT: usize = 4096;
pub(super) const MAX_TARGET: usize = 512;
pub(super) const MAX_SENTENCE: usize = 512;
const MAX_SERVICES: usize = 128;
const TARGET_SERVICE: u8 = 1;

/// A grant and the customer's proof of consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warrant {
    /// Signed by the cloud.
    pub grant: SignedGrant,
    /// Signed by the customer; empty where consent is the cloud's word.
    pub consent: Bytes,
}

/// The device agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// The device's frame version.
    pub version: u16,
    /// Streams it carries at once.
    pub max_streams: u16,
    /// Seconds until the session ends, by the device's count.
    pub seconds_left: u32,
    /// What may be opened: the grant's services that the device itself lists.
    pub services: Vec<ServiceName>,
}

/// What to reach, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Pairs the audit rows of both ends.
    pub flow: FlowId,
    /// The target.
    pub target: Target,
    /// Who goes first when the carrier is full.
    pub class: Class,
    /// Bytes the opener takes before it gives CREDIT.
    pub credit: u32,
}

/// A target of OPEN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One of the grant's services.
    Service(ServiceName),
}

/// Who goes first when the carrier is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Somebody waits for each answer.
    Interactive,
    /// Somebody waits for the last byte.
    Bulk,
}

/// Why a target is not connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OpenError {
    /// Not in the grant or not in the device's allow-list, or at an address no session may reach.
    #[error("this session may not reach it")]
    NotAllowed,
    /// It refused the connection.
    #[error("it refuses connections; is it switched on and listening?")]
    Refused,
    /// It did not answer.
    #[error("it does not answer")]
    TimedOut,
    /// There is no way to it.
    #[error("there is no way to it from the device")]
    Unreachable,
    /// Its name has no address.
    #[error("the device finds no address for its name")]
    NoSuchName,
    /// Too many streams, or too many a second.
    #[error("too many connections at once")]
    Limit,
    /// The customer's consent does not cover it.
    #[error("the customer has not allowed it")]
    Consent,
}

/// Why a stream was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetCode {
    /// The local connection broke.
    Broken,
    /// Nobody wants the bytes any more.
    Cancelled,
    /// The session is ending.
    Ending,
}

/// Why a device denies a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// The grant is not signed by the cloud, or cannot be read.
    Grant,
    /// The grant is for another device, session, ownership or key.
    Binding,
    /// It is too early or too late.
    Time,
    /// Nothing that the grant names is in the device's own allow-list.
    Services,
    /// The customer's consent is closed on the device.
    Consent,
    /// The device carries no more sessions.
    Busy,
}

/// What one end has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes towards the technician.
    pub bytes_up: u64,
    /// Bytes towards the installation.
    pub bytes_down: u64,
    /// Open streams.
    pub streams: u16,
    /// Last measured round trip, in microseconds; 0 before the first.
    pub round_trip_us: u32,
}

codes!(class_code, class, Class, "class", { Class::Interactive = 0, Class::Bulk = 1 });
codes!(open_error_code, open_error, OpenError, "open error", {
    OpenError::NotAllowed = 1,
    OpenError::Refused = 2,
    OpenError::TimedOut = 3,
    OpenError::Unreachable = 4,
    OpenError::NoSuchName = 5,
    OpenError::Limit = 6,
    OpenError::Consent = 7,
});
codes!(reset_code, reset, ResetCode, "reset code", {
    ResetCode::Broken = 1,
    ResetCode::Cancelled = 2,
    ResetCode::Ending = 3,
});
codes!(denial_code, denial, Denial, "denial", {
    Denial::Grant = 1,
    Denial::Binding = 2,
    Denial::Time = 3,
    Denial::Services = 4,
    Denial::Consent = 5,
    Denial::Busy = 6,
});

pub(super) fn warrant(fields: &mut Fields) -> Result<Warrant, FrameError> {
    let grant = fields.text(crate::grant::MAX_BYTES, "grant")?;
    Ok(Warrant {
        grant: grant.parse().map_err(|_| FrameError::Field("grant"))?,
        consent: fields.bytes(MAX_CONSENT, "consent")?,
    })
}

pub(super) fn put_warrant(out: &mut BytesMut, warrant: &Warrant) {
    wire::put_bytes(out, warrant.grant.as_str().as_bytes());
    wire::put_bytes(out, &warrant.consent[..warrant.consent.len().min(MAX_CONSENT)]);
}

pub(super) fn accept(fields: &mut Fields) -> Result<Accept, FrameError> {
    let (version, max_streams, seconds_left) = (fields.u16()?, fields.u16()?, fields.u32()?);
    let count = usize::from(fields.u16()?);
    if count > MAX_SERVICES {
        return Err(FrameError::Field("list of services"));
    }
    let services = (0..count).map(|_| service(fields)).collect::<Result<_, _>>()?;
    Ok(Accept { version, max_streams, seconds_left, services })
}

pub(super) fn put_accept(out: &mut BytesMut, accept: &Accept) {
    out.put_u16(accept.version);
    out.put_u16(accept.max_streams);
    out.put_u32(accept.seconds_left);
    let services = &accept.services[..accept.services.len().min(MAX_SERVICES)];
    out.put_u16(u16::try_from(services.len()).unwrap_or(0));
    for name in services {
        wire::put_bytes(out, name.as_str().as_bytes());
    }
}

pub(super) fn open(fields: &mut Fields) -> Result<Open, FrameError> {
    let flow = FlowId::from_uuid(uuid::Uuid::from_bytes(fields.array()?));
    let class = class(fields.u8()?)?;
    let credit = fields.u32()?;
    let target = match fields.u8()? {
        TARGET_SERVICE => Target::Service(service(fields)?),
        _ => return Err(FrameError::Field("target")),
    };
    Ok(Open { flow, target, class, credit })
}

pub(super) fn put_open(out: &mut BytesMut, open: &Open) {
    out.put_slice(open.flow.uuid().as_bytes());
    out.put_u8(class_code(open.class));
    out.put_u32(open.credit);
    match &open.target {
        Target::Service(name) => {
            out.put_u8(TARGET_SERVICE);
            wire::put_bytes(out, name.as_str().as_bytes());
        }
    }
}

fn service(fields: &mut Fields) -> Result<ServiceName, FrameError> {
    fields.text(MAX_TARGET, "service")?.parse().map_err(|_| FrameError::Field("service"))
}

pub(super) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
