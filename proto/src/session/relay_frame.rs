//! Frames between one end of a session and the relay: one per web socket binary message.
//!
//! `u8 type, u8 flags (0)`, then the fields. DATA, ACK and SYNC pass through the relay untouched, so `seq` and `next`
//! are counted between the two ends: they are byte offsets into one direction's ciphertext, and outlive a carrier.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    Role,
    wire::{self, Fields, FrameError, codes},
};
use crate::payload::EndReason;

/// The largest relay frame, header included.
pub const MAX_BYTES: usize = 64 * 1024;
/// From this version on ends name their pairings, pledge a secret and join again.
pub const RESUMES: u16 = 2;
/// Bytes before the payload of a DATA frame.
pub const DATA_HEADER: usize = 10;
/// The largest payload of a DATA frame.
pub const MAX_DATA: usize = MAX_BYTES - DATA_HEADER;

const MAX_TICKET: usize = 256;
const MAX_ADDRESS: usize = 512;
const MAX_ALTERNATES: usize = 8;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayFrame {
    /// First word of each end.
    Hello(Hello),
    /// The relay took the ticket.
    Welcome(Welcome),
    /// The other end is here too; DATA may flow. Said anew whenever a carrier of either end was replaced.
    PeerUp {
        /// Its frame version.
        version: u16,
        /// Random name of this pairing, the same for both ends; 0 with an end of version 1, which is paired once.
        epoch: u64,
    },
    /// The other end is gone.
    PeerDown {
        /// How.
        loss: PeerLoss,
        /// How long the relay waits for it to come back; 0 when it does not.
        retry_ms: u32,
    },
    /// Ciphertext.
    Data {
        /// Offset of the first byte in this direction.
        seq: u64,
        /// The bytes.
        payload: Bytes,
    },
    /// Everything before `next` has arrived.
    Ack {
        /// Offset of the next byte that is expected.
        next: u64,
    },
    /// First word of an end to the other in each pairing: what arrived before it belongs to an earlier one.
    Sync {
        /// Of this pairing.
        epoch: u64,
        /// Offset of the next byte that is expected: DATA goes on from there.
        next: u64,
    },
    /// The relay is about to stop; move within the time.
    GoAway {
        /// Milliseconds until it stops.
        drain_ms: u32,
        /// Where to go.
        alternates: Vec<String>,
    },
    /// The session ends now. An end may send it too, to say why it leaves.
    Revoke {
        /// Why.
        reason: EndReason,
    },
    /// The relay takes at most this much from here on.
    Rate {
        /// Bytes a second; 0 lifts the limit.
        bytes_per_s: u64,
    },
    /// Are you there? Either way; answered by PONG with the same stamp.
    Ping {
        /// Anything.
        stamp: u64,
    },
    /// The answer to PING.
    Pong {
        /// The stamp of the PING.
        stamp: u64,
    },
    /// The relay will not serve this connection.
    Error {
        /// Why.
        code: RelayError,
        /// Try again after this; 0 for never with this ticket.
        retry_ms: u32,
    },
}

/// First word of each end.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// Frame version, see [`super::VERSION`].
    pub version: u16,
    /// Which end.
    pub role: Role,
    /// Which carrier of the session; 0 for the first.
    pub carrier: u8,
    /// One-use join ticket; with `resume` the secret that was pledged.
    pub ticket: String,
    /// Set when this carrier replaces a lost one: offset of the next byte that is expected.
    pub resume: Option<u64>,
    /// SHA-256 of the secret that this end shows when it joins again. None before version 2.
    pub pledge: Option<[u8; 32]>,
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello").field("version", &self.version).field("role", &self.role).finish_non_exhaustive()
    }
}

/// The relay took the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Random name of this leg at the relay, for its logs.
    pub slot: u32,
    /// Largest frame the relay takes.
    pub max_frame: u32,
    /// Most bytes the relay holds for a direction.
    pub buffer: u32,
    /// Seconds the relay waits for the other end.
    pub wait_s: u32,
    /// Other relays of this session.
    pub alternates: Vec<String>,
}

/// How a peer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerLoss {
    /// Its connection broke or fell silent.
    Lost,
    /// It closed in order.
    Left,
}

/// Why the relay will not serve a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// Unknown, used or late ticket.
    #[error("the join ticket is unknown, used or too old")]
    Ticket,
    /// This end has joined already.
    #[error("this end of the session has joined already")]
    Taken,
    /// The session is over.
    #[error("the session is over")]
    Over,
    /// Frame version not understood.
    #[error("the relay does not understand this version")]
    Version,
    /// The connection broke the rules of the frames.
    #[error("the relay could not read what it was sent")]
    Protocol,
    /// Too many sessions or connections.
    #[error("the relay is full")]
    Full,
    /// The cloud could not look the ticket up or write its audit row.
    #[error("the cloud could not open the session")]
    Unavailable,
}

codes!(loss_code, loss, PeerLoss, "peer loss", { PeerLoss::Lost = 1, PeerLoss::Left = 2 });
codes!(error_code, error, RelayError, "error code", {
    RelayError::Ticket = 1,
    RelayError::Taken = 2,
    RelayError::Over = 3,
    RelayError::Version = 4,
    RelayError::Protocol = 5,
    RelayError::Full = 6,
    RelayError::Unavailable = 7,
});

mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const WELCOME: u8 = 2;
    pub(super) const PEER_UP: u8 = 3;
    pub(super) const PEER_DOWN: u8 = 4;
    pub(super) const DATA: u8 = 5;
    pub(super) const ACK: u8 = 6;
    pub(super) const GO_AWAY: u8 = 7;
    pub(super) const REVOKE: u8 = 8;
    pub(super) const RATE: u8 = 9;
    pub(super) const PING: u8 = 10;
    pub(super) const PONG: u8 = 11;
    pub(super) const ERROR: u8 = 12;
    pub(super) const SYNC: u8 = 13;
}

/// What the relay must know of a frame that it may pass on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// DATA with this many bytes of payload.
    Data(usize),
    /// ACK or SYNC.
    Word,
    /// Everything else is between the end and the relay.
    No,
}

/// The whole of an ACK: type, flags, offset.
const ACK_BYTES: usize = 10;
/// The whole of a SYNC: type, flags, epoch, offset.
const SYNC_BYTES: usize = 18;

impl Passing {
    /// Looks at a frame without reading more than its head.
    pub fn of(message: &[u8]) -> Self {
        match message.first() {
            Some(&kind::DATA) if message.len() >= DATA_HEADER => Self::Data(message.len() - DATA_HEADER),
            // To the byte: what follows would go uncounted.
            Some(&kind::ACK) if message.len() == ACK_BYTES => Self::Word,
            Some(&kind::SYNC) if message.len() == SYNC_BYTES => Self::Word,
            _ => Self::No,
        }
    }
}

/// The head of a DATA frame whose payload is appended by the caller.
pub fn put_data_header(out: &mut BytesMut, seq: u64) {
    out.put_u8(kind::DATA);
    out.put_u8(0);
    out.put_u64(seq);
}

impl RelayFrame {
    /// Reads one web socket message; `None` is a hint of a later version that may be skipped.
    pub fn decode(message: Bytes) -> Result<Option<Self>, FrameError> {
        if message.len() > MAX_BYTES {
            return Err(FrameError::TooLong(message.len()));
        }
        let mut fields = Fields::new(message);
        let kind = fields.u8()?;
        let _flags = fields.u8()?;
        Ok(Some(match kind {
            kind::HELLO => Self::Hello(hello(&mut fields)?),
            kind::WELCOME => Self::Welcome(Welcome {
                slot: fields.u32()?,
                max_frame: fields.u32()?,
                buffer: fields.u32()?,
                wait_s: fields.u32()?,
                alternates: alternates(&mut fields)?,
            }),
            kind::PEER_UP => {
                let version = fields.u16()?;
                Self::PeerUp { version, epoch: if version >= RESUMES { fields.u64()? } else { 0 } }
            }
            kind::PEER_DOWN => Self::PeerDown { loss: loss(fields.u8()?)?, retry_ms: fields.u32()? },
            kind::DATA => Self::Data { seq: fields.u64()?, payload: fields.rest() },
            kind::ACK => Self::Ack { next: fields.u64()? },
            kind::SYNC => Self::Sync { epoch: fields.u64()?, next: fields.u64()? },
            kind::GO_AWAY => Self::GoAway { drain_ms: fields.u32()?, alternates: alternates(&mut fields)? },
            kind::REVOKE => Self::Revoke { reason: wire::reason(fields.u8()?)? },
            kind::RATE => Self::Rate { bytes_per_s: fields.u64()? },
            kind::PING => Self::Ping { stamp: fields.u64()? },
            kind::PONG => Self::Pong { stamp: fields.u64()? },
            kind::ERROR => Self::Error { code: error(fields.u8()?)?, retry_ms: fields.u32()? },
            wire::SKIPPABLE.. => return Ok(None),
            unknown => return Err(FrameError::UnknownType(unknown)),
        }))
    }

    /// The bytes of one web socket message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        let mut head = |kind: u8| {
            out.put_u8(kind);
            out.put_u8(0);
        };
        match self {
            Self::Hello(hello) => {
                head(kind::HELLO);
                out.put_u16(hello.version);
                out.put_u8(wire::role_code(hello.role));
                out.put_u8(hello.carrier);
                wire::put_bytes(&mut out, hello.ticket.as_bytes());
                out.put_u8(u8::from(hello.resume.is_some()));
                if let Some(next) = hello.resume {
                    out.put_u64(next);
                }
                if hello.version >= RESUMES {
                    out.put_u8(u8::from(hello.pledge.is_some()));
                    out.put_slice(hello.pledge.as_ref().map_or(&[], |pledge| pledge.as_slice()));
                }
            }
            Self::Welcome(welcome) => {
                head(kind::WELCOME);
                out.put_u32(welcome.slot);
                out.put_u32(welcome.max_frame);
                out.put_u32(welcome.buffer);
                out.put_u32(welcome.wait_s);
                put_alternates(&mut out, &welcome.alternates);
            }
            Self::PeerUp { version, epoch } => {
                head(kind::PEER_UP);
                out.put_u16(*version);
                if *version >= RESUMES {
                    out.put_u64(*epoch);
                }
            }
            Self::PeerDown { loss, retry_ms } => {
                head(kind::PEER_DOWN);
                out.put_u8(loss_code(*loss));
                out.put_u32(*retry_ms);
            }
            Self::Data { seq, payload } => {
                out.reserve(DATA_HEADER + payload.len());
                put_data_header(&mut out, *seq);
                out.put_slice(payload);
            }
            Self::Ack { next } => {
                head(kind::ACK);
                out.put_u64(*next);
            }
            Self::Sync { epoch, next } => {
                head(kind::SYNC);
                out.put_u64(*epoch);
                out.put_u64(*next);
            }
            Self::GoAway { drain_ms, alternates } => {
                head(kind::GO_AWAY);
                out.put_u32(*drain_ms);
                put_alternates(&mut out, alternates);
            }
            Self::Revoke { reason } => {
                head(kind::REVOKE);
                out.put_u8(wire::reason_code(*reason));
            }
            Self::Rate { bytes_per_s } => {
                head(kind::RATE);
                out.put_u64(*bytes_per_s);
            }
            Self::Ping { stamp } => {
                head(kind::PING);
                out.put_u64(*stamp);
            }
            Self::Pong { stamp } => {
                head(kind::PONG);
                out.put_u64(*stamp);
            }
            Self::Error { code, retry_ms } => {
                head(kind::ERROR);
                out.put_u8(error_code(*code));
                out.put_u32(*retry_ms);
            }
        }
        out.freeze()
    }
}

fn hello(fields: &mut Fields) -> Result<Hello, FrameError> {
    let version = fields.u16()?;
    let hello = Hello {
        version,
        role: wire::role(fields.u8()?)?,
        carrier: fields.u8()?,
        ticket: fields.text(MAX_TICKET, "ticket")?,
        resume: if fields.u8()? == 0 { None } else { Some(fields.u64()?) },
        pledge: None,
    };
    let pledged = version >= RESUMES && fields.u8()? != 0;
    Ok(if pledged { Hello { pledge: Some(fields.array()?), ..hello } } else { hello })
}

fn alternates(fields: &mut Fields) -> Result<Vec<String>, FrameError> {
    let count = usize::from(fields.u8()?);
    if count > MAX_ALTERNATES {
        return Err(FrameError::Field("list of relays"));
    }
    (0..count).map(|_| fields.text(MAX_ADDRESS, "relay address")).collect()
}

fn put_alternates(out: &mut BytesMut, alternates: &[String]) {
    let taken = &alternates[..alternates.len().min(MAX_ALTERNATES)];
    out.put_u8(u8::try_from(taken.len()).unwrap_or(0));
    for address in taken {
        wire::put_bytes(out, address.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn any_reason() -> impl Strategy<Value = EndReason> {
        proptest::sample::select(EndReason::ALL.as_slice())
    }

    fn any_frame() -> impl Strategy<Value = RelayFrame> {
        let addresses = || vec("[ -~]{0,80}", 0..=MAX_ALTERNATES);
        let role = prop_oneof![Just(Role::Technician), Just(Role::Device)];
        let losses = prop_oneof![Just(PeerLoss::Lost), Just(PeerLoss::Left)];
        prop_oneof![
            (0u16..4, role, any::<u8>(), "\\PC{0,40}", any::<Option<u64>>(), any::<Option<[u8; 32]>>()).prop_map(
                |(version, role, carrier, ticket, resume, pledge)| RelayFrame::Hello(Hello {
                    version,
                    role,
                    carrier,
                    ticket,
                    resume,
                    pledge: pledge.filter(|_| version >= RESUMES),
                })
            ),
            (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>(), addresses()).prop_map(
                |(slot, max_frame, buffer, wait_s, alternates)| RelayFrame::Welcome(Welcome {
                    slot,
                    max_frame,
                    buffer,
                    wait_s,
                    alternates
                })
            ),
            (0u16..4, any::<u64>()).prop_map(|(version, epoch)| RelayFrame::PeerUp {
                version,
                epoch: if version >= RESUMES { epoch } else { 0 },
            }),
            (any::<u64>(), any::<u64>()).prop_map(|(epoch, next)| RelayFrame::Sync { epoch, next }),
            (losses, any::<u32>()).prop_map(|(loss, retry_ms)| RelayFrame::PeerDown { loss, retry_ms }),
            (any::<u64>(), vec(any::<u8>(), 0..2000))
                .prop_map(|(seq, payload)| RelayFrame::Data { seq, payload: payload.into() }),
            any::<u64>().prop_map(|next| RelayFrame::Ack { next }),
            (any::<u32>(), addresses()).prop_map(|(drain_ms, alternates)| RelayFrame::GoAway { drain_ms, alternates }),
            any_reason().prop_map(|reason| RelayFrame::Revoke { reason }),
            any::<u64>().prop_map(|bytes_per_s| RelayFrame::Rate { bytes_per_s }),
            any::<u64>().prop_map(|stamp| RelayFrame::Ping { stamp }),
            any::<u64>().prop_map(|stamp| RelayFrame::Pong { stamp }),
            (1u8..=7, any::<u32>())
                .prop_map(|(code, retry_ms)| RelayFrame::Error { code: error(code).unwrap(), retry_ms }),
        ]
    }

    proptest! {
        #[test]
        fn every_frame_round_trips_and_takes_fields_of_a_later_version(frame in any_frame(), tail in vec(any::<u8>(), 0..9)) {
            prop_assert_eq!(RelayFrame::decode(frame.encode()).unwrap(), Some(frame.clone()));
            if !matches!(frame, RelayFrame::Data { .. }) {
                let longer = [frame.encode().as_ref(), &tail].concat();
                prop_assert_eq!(RelayFrame::decode(longer.into()).unwrap(), Some(frame));
            }
        }

        #[test]
        fn a_cut_frame_is_an_error_or_a_shorter_frame_and_never_a_panic(frame in any_frame(), keep in any::<prop::sample::Index>()) {
            let bytes = frame.encode();
            let cut = bytes.slice(..keep.index(bytes.len()));
            let decoded = RelayFrame::decode(cut);
            let is_data = matches!(frame, RelayFrame::Data { .. });
            prop_assert!(decoded.is_err() || is_data);
        }

        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _ = RelayFrame::decode(bytes.clone().into());
            let _ = Passing::of(&bytes);
        }
    }

    #[test]
    fn golden_bytes() {
        let addresses = || vec!["wss://b.example/relay/v1".to_owned()];
        let ticket = "00112233445566778899aabbccddeeff".to_owned();
        let hello =
            |resume| Hello { version: 1, role: Role::Device, carrier: 0, ticket: ticket.clone(), resume, pledge: None };
        let pledging = |resume| Hello { version: 2, pledge: Some([0xab; 32]), ..hello(resume) };
        let frames = [
            ("hello", RelayFrame::Hello(hello(None))),
            ("hello_resume", RelayFrame::Hello(hello(Some(4096)))),
            (
                "welcome",
                RelayFrame::Welcome(Welcome {
                    slot: 7,
                    max_frame: 65536,
                    buffer: 262_144,
                    wait_s: 60,
                    alternates: addresses(),
                }),
            ),
            ("peer_up", RelayFrame::PeerUp { version: 1, epoch: 0 }),
            ("peer_down", RelayFrame::PeerDown { loss: PeerLoss::Left, retry_ms: 0 }),
            ("data", RelayFrame::Data { seq: 0x0102_0304, payload: Bytes::from_static(b"ciphertext") }),
            ("ack", RelayFrame::Ack { next: 65536 }),
            ("go_away", RelayFrame::GoAway { drain_ms: 300_000, alternates: addresses() }),
            ("revoke", RelayFrame::Revoke { reason: EndReason::Customer }),
            ("rate", RelayFrame::Rate { bytes_per_s: 1_000_000 }),
            ("ping", RelayFrame::Ping { stamp: 9 }),
            ("pong", RelayFrame::Pong { stamp: 9 }),
            ("error", RelayFrame::Error { code: RelayError::Ticket, retry_ms: 0 }),
            ("hello_2", RelayFrame::Hello(pledging(None))),
            ("hello_2_resume", RelayFrame::Hello(Hello { pledge: None, ..pledging(Some(4096)) })),
            ("peer_up_2", RelayFrame::PeerUp { version: 2, epoch: 0x0102_0304_0506_0708 }),
            ("sync", RelayFrame::Sync { epoch: 0x0102_0304_0506_0708, next: 65536 }),
        ];
        wire::golden("relay_frames.hex", &frames.map(|(name, frame)| (name, frame.encode())));
    }

    #[test]
    fn limits_and_unknown_types() {
        let large = Bytes::from(vec![5; MAX_BYTES + 1]);
        assert_eq!(RelayFrame::decode(large), Err(FrameError::TooLong(MAX_BYTES + 1)));
        assert_eq!(RelayFrame::decode(Bytes::from_static(&[77, 0])), Err(FrameError::UnknownType(77)));
        assert_eq!(RelayFrame::decode(Bytes::from_static(&[0x81, 0, 1, 2])), Ok(None));
        let full = RelayFrame::Data { seq: 0, payload: vec![0; MAX_DATA].into() };
        assert_eq!(full.encode().len(), MAX_BYTES);
        assert_eq!(Passing::of(&full.encode()), Passing::Data(MAX_DATA));
        assert_eq!(Passing::of(&RelayFrame::Ack { next: 1 }.encode()), Passing::Word);
        assert_eq!(Passing::of(&RelayFrame::Sync { epoch: 1, next: 1 }.encode()), Passing::Word);
        assert_eq!(Passing::of(&RelayFrame::Ping { stamp: 1 }.encode()), Passing::No);
        for word in [RelayFrame::Ack { next: 1 }, RelayFrame::Sync { epoch: 1, next: 1 }] {
            let longer = [word.encode().as_ref(), b"x"].concat();
            assert_eq!(Passing::of(&longer), Passing::No, "nothing travels uncounted");
        }
    }

    #[test]
    fn a_ticket_is_not_in_the_debug_text() {
        let hello =
            Hello { version: 1, role: Role::Device, carrier: 0, ticket: "s3cret".into(), resume: None, pledge: None };
        assert!(!format!("{:?}", RelayFrame::Hello(hello)).contains("s3cret"));
    }
}
