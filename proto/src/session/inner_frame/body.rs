//! What GRANT, ACCEPT, OPEN and the answers carry: their types and their fields on the wire.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU64,
    str::FromStr,
};

use bytes::{BufMut, Bytes, BytesMut};

use super::super::{
    files::{self, DevicePath, FileAct},
    wire::{self, Fields, FrameError, codes},
};
use crate::{
    FlowId,
    grant::SignedGrant,
    payload::{Feature, Host, HostName, Network, Protocol, ServiceName},
};

pub(super) const MAX_CONSENT: usize = 4096;
pub(super) const MAX_TARGET: usize = 512;
pub(super) const MAX_SENTENCE: usize = 512;
const MAX_COMMAND: usize = 4096;
const MAX_SERVICES: usize = 128;
const MAX_NETWORKS: usize = 32;
const MAX_LISTENS: usize = 32;
const TARGET_SERVICE: u8 = 1;
const TARGET_ADDRESS: u8 = 2;
const TARGET_ECHO: u8 = 3;
const TARGET_CALL: u8 = 4;
const TARGET_FILE: u8 = 6;
const TARGET_TERMINAL: u8 = 5;
const TARGET_DISCOVER: u8 = 7;
const TARGET_CERTIFY: u8 = 8;
const TARGET_BLIND: u8 = 9;
/// From this version on, ACCEPT names networks, and OPEN may ask for more than services.
const WITH_NETWORKS: u16 = 2;
/// Follows the code of `OpenError::Limit`: the target's own limit is meant.
const TARGETS_LIMIT: u8 = 1;
/// The same: look-ups of names are meant.
const NAMES_LIMIT: u8 = 2;

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
    /// What may be opened as a whole: the grant's networks that the device itself lists. Said from version 2 on.
    pub networks: Vec<Network>,
    /// Where the device listens for the installation's calls, as long as this session lives.
    pub listens: Vec<ServiceName>,
    /// How many bytes a second the device carries each way at most, when its own settings say so.
    pub rate: Option<NonZeroU64>,
    /// What the session may do beside that: the grant's features that the device's own settings let it have.
    pub features: Vec<Feature>,
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
    /// A port in one of the grant's networks. Not before version 2.
    Address {
        /// How it is spoken to.
        protocol: Protocol,
        /// Where; a name is the device's to resolve.
        host: Host,
        /// The port.
        port: u16,
    },
    /// Whether an address in one of the grant's networks answers to ping: each datagram is one echo request's payload,
    /// and what comes back is the answer's. Not before version 2.
    Echo {
        /// Whom to ask.
        address: IpAddr,
    },
    /// The device's own word to the technician: somebody of the installation calls. Not before version 2.
    Call {
        /// At which of the device's ports.
        listen: ServiceName,
        /// Who.
        caller: SocketAddr,
    },
    /// A file or folder of the device; the stream carries [`FileFrame`](super::super::files::FileFrame)s. Only where
    /// ACCEPT names the feature.
    File {
        /// Where; nowhere lists the folders themselves.
        path: Option<DevicePath>,
        /// What is to be done there.
        act: FileAct,
    },
    /// A program in a terminal on the device itself, recorded there; the stream carries
    /// [`TerminalFrame`](super::super::terminal::TerminalFrame)s. Only where ACCEPT names the feature.
    Terminal {
        /// Of the technician's window.
        size: Size,
        /// What the technician's terminal understands.
        term: TerminalType,
        /// What to run instead of a shell at which somebody types.
        command: Option<Command>,
    },
    /// What there is on the session's networks; the stream carries [`FindFrame`](super::super::finds::FindFrame)s. Only
    /// where ACCEPT names the feature.
    Discover,
    /// The device is to answer browsers under a name by itself, with a key that it makes; the stream carries
    /// [`BlindWord`](crate::web::blind::BlindWord)s for as long as it does. Only where ACCEPT names the feature, and once.
    Certify {
        /// Below the vendor's domain for pages.
        name: HostName,
    },
    /// A browser's connection for that name, TLS and all.
    Blind,
}

/// The size of a terminal's window in characters; neither is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Characters a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// The name of a kind of terminal (`TERM`): letters, digits, `-`, `_`, `.` and `+`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TerminalType(String);

impl TerminalType {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TerminalType {
    type Err = FrameError;
    fn from_str(text: &str) -> Result<Self, FrameError> {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
        if (1..=64).contains(&text.len()) && text.chars().all(sound) {
            Ok(Self(text.to_owned()))
        } else {
            Err(FrameError::Field("terminal type"))
        }
    }
}

/// A line for the shell of a device: not empty, at most 4 KiB, without a zero byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command(String);

impl Command {
    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Command {
    type Err = FrameError;
    fn from_str(text: &str) -> Result<Self, FrameError> {
        if (1..=MAX_COMMAND).contains(&text.len()) && !text.contains('\0') {
            Ok(Self(text.to_owned()))
        } else {
            Err(FrameError::Field("command"))
        }
    }
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
    /// It takes no more connections at a time, and all are in use. To version 1 the same as a limit.
    #[error("it is in use and takes no more connections at a time; end another one first")]
    Busy,
    /// The device looks up as many names as it may. To version 1 the same as a limit.
    #[error("the device is looking up too many names at once; try again, or name an address")]
    Names,
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
codes!(protocol_code, protocol, Protocol, "protocol", { Protocol::Tcp = 1, Protocol::Udp = 2 });
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

/// A code, and where one of version 1 stands for more than one error, a second byte that version 1 ignores.
pub(super) fn open_error(fields: &mut Fields) -> Result<OpenError, FrameError> {
    Ok(match fields.u8()? {
        1 => OpenError::NotAllowed,
        2 => OpenError::Refused,
        3 => OpenError::TimedOut,
        4 => OpenError::Unreachable,
        5 => OpenError::NoSuchName,
        6 => match fields.u8() {
            Ok(TARGETS_LIMIT) => OpenError::Busy,
            Ok(NAMES_LIMIT) => OpenError::Names,
            Ok(_) | Err(_) => OpenError::Limit,
        },
        7 => OpenError::Consent,
        _ => return Err(FrameError::Field("open error")),
    })
}

pub(super) fn put_open_error(out: &mut BytesMut, error: OpenError) {
    match error {
        OpenError::NotAllowed => out.put_u8(1),
        OpenError::Refused => out.put_u8(2),
        OpenError::TimedOut => out.put_u8(3),
        OpenError::Unreachable => out.put_u8(4),
        OpenError::NoSuchName => out.put_u8(5),
        OpenError::Limit => out.put_u8(6),
        OpenError::Consent => out.put_u8(7),
        OpenError::Busy => out.put_slice(&[6, TARGETS_LIMIT]),
        OpenError::Names => out.put_slice(&[6, NAMES_LIMIT]),
    }
}

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
    let networks = if version >= WITH_NETWORKS { networks(fields)? } else { Vec::new() };
    // What a version has no words for is not read out of what comes after its own.
    let has_more = |fields: &Fields| version >= WITH_NETWORKS && !fields.is_empty();
    let listens = if has_more(fields) { listens(fields)? } else { Vec::new() };
    let rate = if has_more(fields) { NonZeroU64::new(fields.u64()?) } else { None };
    let features = if has_more(fields) { features(fields.u8()?) } else { Vec::new() };
    Ok(Accept { version, max_streams, seconds_left, services, networks, listens, rate, features })
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
    if accept.version >= WITH_NETWORKS {
        let networks = &accept.networks[..accept.networks.len().min(MAX_NETWORKS)];
        out.put_u16(u16::try_from(networks.len()).unwrap_or(0));
        for network in networks {
            wire::put_bytes(out, network.name.as_str().as_bytes());
            wire::put_bytes(out, network.subnet.to_string().as_bytes());
        }
        let listens = &accept.listens[..accept.listens.len().min(MAX_LISTENS)];
        let features = accept.features.iter().copied().map(feature_bit).fold(0, |bits, bit| bits | bit);
        if !listens.is_empty() || accept.rate.is_some() || features != 0 {
            out.put_u16(u16::try_from(listens.len()).unwrap_or(0));
            for name in listens {
                wire::put_bytes(out, name.as_str().as_bytes());
            }
            if accept.rate.is_some() || features != 0 {
                out.put_u64(accept.rate.map_or(0, NonZeroU64::get));
            }
            if features != 0 {
                out.put_u8(features);
            }
        }
    }
}

const fn feature_bit(feature: Feature) -> u8 {
    match feature {
        Feature::Terminal => 1,
        Feature::Files => 2,
        Feature::Discovery => 4,
        Feature::Web => 8,
        Feature::WebBlind => 16,
    }
}

/// A bit that this version does not know is a feature that it does not use.
fn features(bits: u8) -> Vec<Feature> {
    Feature::ALL.into_iter().filter(|feature| bits & feature_bit(*feature) != 0).collect()
}

fn listens(fields: &mut Fields) -> Result<Vec<ServiceName>, FrameError> {
    let count = usize::from(fields.u16()?);
    if count > MAX_LISTENS {
        return Err(FrameError::Field("list of ports that are called"));
    }
    (0..count).map(|_| service(fields)).collect()
}

fn networks(fields: &mut Fields) -> Result<Vec<Network>, FrameError> {
    let count = usize::from(fields.u16()?);
    if count > MAX_NETWORKS {
        return Err(FrameError::Field("list of networks"));
    }
    let network = |fields: &mut Fields| {
        let name = service(fields)?;
        let subnet = fields.text(MAX_TARGET, "network")?.parse().map_err(|_| FrameError::Field("network"))?;
        Ok(Network { name, subnet })
    };
    (0..count).map(|_| network(fields)).collect()
}

pub(super) fn open(fields: &mut Fields) -> Result<Open, FrameError> {
    let flow = FlowId::from_uuid(uuid::Uuid::from_bytes(fields.array()?));
    let class = class(fields.u8()?)?;
    let credit = fields.u32()?;
    let target = match fields.u8()? {
        TARGET_SERVICE => Target::Service(service(fields)?),
        TARGET_ADDRESS => {
            Target::Address { protocol: protocol(fields.u8()?)?, port: fields.u16()?, host: parsed(fields, "host")? }
        }
        TARGET_ECHO => Target::Echo { address: parsed(fields, "address")? },
        TARGET_CALL => Target::Call { listen: service(fields)?, caller: parsed(fields, "caller")? },
        TARGET_DISCOVER => Target::Discover,
        TARGET_CERTIFY => Target::Certify { name: parsed(fields, "host")? },
        TARGET_BLIND => Target::Blind,
        TARGET_FILE => {
            let act = files::act(fields)?;
            Target::File { path: if fields.is_empty() { None } else { Some(files::path(fields)?) }, act }
        }
        TARGET_TERMINAL => Target::Terminal {
            size: size(fields)?,
            term: fields.text(MAX_TARGET, "terminal type")?.parse()?,
            command: match fields.text(MAX_COMMAND, "command")? {
                none if none.is_empty() => None,
                command => Some(command.parse()?),
            },
        },
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
        Target::Address { protocol, host, port } => {
            out.put_u8(TARGET_ADDRESS);
            out.put_u8(protocol_code(*protocol));
            out.put_u16(*port);
            wire::put_bytes(out, host.to_string().as_bytes());
        }
        Target::Echo { address } => {
            out.put_u8(TARGET_ECHO);
            wire::put_bytes(out, address.to_string().as_bytes());
        }
        Target::Call { listen, caller } => {
            out.put_u8(TARGET_CALL);
            wire::put_bytes(out, listen.as_str().as_bytes());
            wire::put_bytes(out, caller.to_string().as_bytes());
        }
        Target::Discover => out.put_u8(TARGET_DISCOVER),
        Target::Certify { name } => {
            out.put_u8(TARGET_CERTIFY);
            wire::put_bytes(out, name.as_str().as_bytes());
        }
        Target::Blind => out.put_u8(TARGET_BLIND),
        Target::File { path, act } => {
            out.put_u8(TARGET_FILE);
            files::put_act(out, *act);
            if let Some(path) = path {
                wire::put_bytes(out, path.to_string().as_bytes());
            }
        }
        Target::Terminal { size, term, command } => {
            out.put_u8(TARGET_TERMINAL);
            out.put_u16(size.columns);
            out.put_u16(size.rows);
            wire::put_bytes(out, term.as_str().as_bytes());
            wire::put_bytes(out, command.as_ref().map_or("", Command::as_str).as_bytes());
        }
    }
}

pub(in crate::session) fn size(fields: &mut Fields) -> Result<Size, FrameError> {
    match (fields.u16()?, fields.u16()?) {
        (0, _) | (_, 0) => Err(FrameError::Field("window size")),
        (columns, rows) => Ok(Size { columns, rows }),
    }
}

fn service(fields: &mut Fields) -> Result<ServiceName, FrameError> {
    parsed(fields, "service")
}

fn parsed<T: FromStr>(fields: &mut Fields, field: &'static str) -> Result<T, FrameError> {
    fields.text(MAX_TARGET, field)?.parse().map_err(|_| FrameError::Field(field))
}

pub(super) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
