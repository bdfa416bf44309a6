//! Frames between technician and device, inside their TLS: `u8 type, u8 flags (0), u16 length, u32 stream`, then `length` bytes.
//!
//! A whole frame fits one TLS record, so a reader never waits for a second one.

mod body;
#[cfg(test)]
mod tests;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub(super) use self::body::size;
pub use self::body::{
    Accept, Class, Command, Denial, Open, OpenError, ResetCode, Size, Stats, Target, TerminalType, Warrant,
};
use self::body::{
    MAX_SENTENCE, MAX_TARGET, accept, cut, denial, denial_code, open, open_error, put_accept, put_open, put_open_error,
    put_warrant, reset, reset_code, warrant,
};
use super::{
    Role,
    wire::{self, Fields, FrameError},
};
use crate::payload::EndReason;

/// The largest inner frame, header included: one TLS record (RFC 8446 section 5.1).
pub const MAX_BYTES: usize = 16 * 1024;
/// Bytes before the payload.
pub const HEADER: usize = 8;
/// The largest payload.
pub const MAX_PAYLOAD: usize = MAX_BYTES - HEADER;
/// The payload of a frame that is one of many: four of them, encrypted, fill one frame to the relay and leave nothing
/// over for a second.
pub const EVEN_PAYLOAD: usize = MAX_PAYLOAD - 32;

/// The number of a stream. The technician's are odd, the device's even, so that both may open without asking.
pub type StreamId = u32;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InnerFrame {
    /// First word of the technician: what the cloud allowed.
    Grant(Warrant),
    /// The device agrees.
    Accept(Accept),
    /// The device does not; it closes after this.
    Deny {
        /// Why, for programs.
        code: Denial,
        /// Why, for people.
        sentence: String,
    },
    /// Reach a target.
    Open {
        /// The new stream.
        stream: StreamId,
        /// What and how.
        open: Open,
    },
    /// The target is connected.
    OpenOk {
        /// The stream.
        stream: StreamId,
        /// Bytes the device takes before it gives CREDIT.
        credit: u32,
        /// How long the connect took, in microseconds.
        connect_us: u32,
        /// The device's own address on that connection.
        local: String,
    },
    /// The target is not.
    OpenErr {
        /// The stream, which is over.
        stream: StreamId,
        /// Why.
        code: OpenError,
    },
    /// Bytes of a stream.
    Data {
        /// The stream.
        stream: StreamId,
        /// At most [`MAX_PAYLOAD`].
        payload: Bytes,
    },
    /// Bytes that have left for the real socket and may be followed by as many.
    Credit {
        /// The stream.
        stream: StreamId,
        /// How many.
        bytes: u32,
    },
    /// This direction has no more bytes.
    Fin {
        /// The stream.
        stream: StreamId,
    },
    /// The stream is over in both directions, bytes on the way are void.
    Rst {
        /// The stream.
        stream: StreamId,
        /// Why.
        code: ResetCode,
    },
    /// One datagram of a UDP flow.
    Dgram {
        /// The stream whose OPEN named the flow.
        stream: StreamId,
        /// The datagram.
        payload: Bytes,
    },
    /// The session ends soon.
    ExpiryWarn {
        /// Seconds left.
        seconds: u32,
    },
    /// A newer grant for the same session.
    Extend(Warrant),
    /// The session ends now; authentic, unlike the relay's word.
    Revoked {
        /// Which end says so.
        by: Role,
        /// Why.
        reason: EndReason,
    },
    /// Are you there? Measures the round trip.
    Ping {
        /// Anything.
        stamp: u64,
    },
    /// The answer.
    Pong {
        /// The stamp of the PING.
        stamp: u64,
    },
    /// What this end has counted.
    Stats(Stats),
}

mod kind {
    pub(super) const GRANT: u8 = 1;
    pub(super) const ACCEPT: u8 = 2;
    pub(super) const DENY: u8 = 3;
    pub(super) const OPEN: u8 = 4;
    pub(super) const OPEN_OK: u8 = 5;
    pub(super) const OPEN_ERR: u8 = 6;
    pub(super) const DATA: u8 = 7;
    pub(super) const CREDIT: u8 = 8;
    pub(super) const FIN: u8 = 9;
    pub(super) const RST: u8 = 10;
    pub(super) const DGRAM: u8 = 11;
    pub(super) const EXPIRY_WARN: u8 = 12;
    pub(super) const EXTEND: u8 = 13;
    pub(super) const REVOKED: u8 = 14;
    pub(super) const PING: u8 = 15;
    pub(super) const PONG: u8 = 16;
    pub(super) const STATS: u8 = 17;
}

impl InnerFrame {
    /// Takes the first whole frame out of `buffer`; `None` when more bytes are needed. Hints of later versions are skipped.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        while buffer.len() >= HEADER {
            let kind = buffer[0];
            let length = usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
            if length > MAX_PAYLOAD {
                return Err(FrameError::TooLong(HEADER + length));
            }
            if buffer.len() < HEADER + length {
                return Ok(None);
            }
            let stream = StreamId::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
            buffer.advance(HEADER);
            let body = buffer.split_to(length).freeze();
            if let Some(frame) = Self::parse(kind, stream, body)? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn parse(kind: u8, stream: StreamId, body: Bytes) -> Result<Option<Self>, FrameError> {
        let mut fields = Fields::new(body);
        Ok(Some(match kind {
            kind::GRANT => Self::Grant(warrant(&mut fields)?),
            kind::ACCEPT => Self::Accept(accept(&mut fields)?),
            kind::DENY => Self::Deny { code: denial(fields.u8()?)?, sentence: fields.text(MAX_SENTENCE, "sentence")? },
            kind::OPEN => Self::Open { stream, open: open(&mut fields)? },
            kind::OPEN_OK => Self::OpenOk {
                stream,
                credit: fields.u32()?,
                connect_us: fields.u32()?,
                local: fields.text(MAX_TARGET, "address")?,
            },
            kind::OPEN_ERR => Self::OpenErr { stream, code: open_error(&mut fields)? },
            kind::DATA => Self::Data { stream, payload: fields.rest() },
            kind::CREDIT => Self::Credit { stream, bytes: fields.u32()? },
            kind::FIN => Self::Fin { stream },
            kind::RST => Self::Rst { stream, code: reset(fields.u8()?)? },
            kind::DGRAM => Self::Dgram { stream, payload: fields.rest() },
            kind::EXPIRY_WARN => Self::ExpiryWarn { seconds: fields.u32()? },
            kind::EXTEND => Self::Extend(warrant(&mut fields)?),
            kind::REVOKED => Self::Revoked { by: wire::role(fields.u8()?)?, reason: wire::reason(fields.u8()?)? },
            kind::PING => Self::Ping { stamp: fields.u64()? },
            kind::PONG => Self::Pong { stamp: fields.u64()? },
            kind::STATS => Self::Stats(Stats {
                bytes_up: fields.u64()?,
                bytes_down: fields.u64()?,
                streams: fields.u16()?,
                round_trip_us: fields.u32()?,
            }),
            wire::SKIPPABLE.. => return Ok(None),
            unknown => return Err(FrameError::UnknownType(unknown)),
        }))
    }

    /// Appends the frame's bytes.
    pub fn put(&self, out: &mut BytesMut) {
        let start = out.len();
        let mut head = |kind: u8, stream: StreamId| {
            out.reserve(HEADER + 32);
            out.put_u8(kind);
            out.put_u8(0);
            out.put_u16(0);
            out.put_u32(stream);
        };
        match self {
            Self::Grant(warrant) => {
                head(kind::GRANT, 0);
                put_warrant(out, warrant);
            }
            Self::Accept(accept) => {
                head(kind::ACCEPT, 0);
                put_accept(out, accept);
            }
            Self::Deny { code, sentence } => {
                head(kind::DENY, 0);
                out.put_u8(denial_code(*code));
                wire::put_bytes(out, cut(sentence, MAX_SENTENCE).as_bytes());
            }
            Self::Open { stream, open } => {
                head(kind::OPEN, *stream);
                put_open(out, open);
            }
            Self::OpenOk { stream, credit, connect_us, local } => {
                head(kind::OPEN_OK, *stream);
                out.put_u32(*credit);
                out.put_u32(*connect_us);
                wire::put_bytes(out, cut(local, MAX_TARGET).as_bytes());
            }
            Self::OpenErr { stream, code } => {
                head(kind::OPEN_ERR, *stream);
                put_open_error(out, *code);
            }
            Self::Data { stream, payload } => {
                head(kind::DATA, *stream);
                out.put_slice(payload);
            }
            Self::Credit { stream, bytes } => {
                head(kind::CREDIT, *stream);
                out.put_u32(*bytes);
            }
            Self::Fin { stream } => head(kind::FIN, *stream),
            Self::Rst { stream, code } => {
                head(kind::RST, *stream);
                out.put_u8(reset_code(*code));
            }
            Self::Dgram { stream, payload } => {
                head(kind::DGRAM, *stream);
                out.put_slice(payload);
            }
            Self::ExpiryWarn { seconds } => {
                head(kind::EXPIRY_WARN, 0);
                out.put_u32(*seconds);
            }
            Self::Extend(warrant) => {
                head(kind::EXTEND, 0);
                put_warrant(out, warrant);
            }
            Self::Revoked { by, reason } => {
                head(kind::REVOKED, 0);
                out.put_u8(wire::role_code(*by));
                out.put_u8(wire::reason_code(*reason));
            }
            Self::Ping { stamp } => {
                head(kind::PING, 0);
                out.put_u64(*stamp);
            }
            Self::Pong { stamp } => {
                head(kind::PONG, 0);
                out.put_u64(*stamp);
            }
            Self::Stats(stats) => {
                head(kind::STATS, 0);
                out.put_u64(stats.bytes_up);
                out.put_u64(stats.bytes_down);
                out.put_u16(stats.streams);
                out.put_u32(stats.round_trip_us);
            }
        }
        let length = out.len() - start - HEADER;
        debug_assert!(length <= MAX_PAYLOAD, "callers cut payloads to MAX_PAYLOAD");
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// The frame alone.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.put(&mut out);
        out.freeze()
    }
}
