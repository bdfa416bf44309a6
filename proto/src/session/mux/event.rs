//! What the mux tells its driver, and what it holds against the peer or the driver.

use bytes::Bytes;

use super::super::{
    Role,
    inner_frame::{Open, OpenError, ResetCode, Stats, StreamId, Warrant},
};
use crate::payload::EndReason;

/// Something for the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The peer wants a target: answer by [`super::Mux::accept`] or [`super::Mux::refuse`].
    Opening {
        /// The stream.
        stream: StreamId,
        /// What it wants.
        open: Open,
    },
    /// The peer connected our stream.
    Opened {
        /// The stream.
        stream: StreamId,
        /// How long its connect took, in microseconds.
        connect_us: u32,
        /// Bytes that may be sent at once.
        credit: u32,
    },
    /// The peer could not connect our stream.
    OpenFailed {
        /// The stream, which is over.
        stream: StreamId,
        /// Why.
        code: OpenError,
    },
    /// Bytes arrived. They fit the window.
    Data {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        payload: Bytes,
    },
    /// A datagram arrived. No window holds it back: whoever keeps it, keeps few.
    Datagram {
        /// The stream.
        stream: StreamId,
        /// The datagram.
        payload: Bytes,
    },
    /// More bytes may be sent.
    Credit {
        /// The stream.
        stream: StreamId,
        /// How many more.
        bytes: u32,
    },
    /// The peer sends no more on this stream.
    Finished {
        /// The stream.
        stream: StreamId,
    },
    /// The stream is over; bytes on the way are void.
    Reset {
        /// The stream.
        stream: StreamId,
        /// Why.
        code: ResetCode,
    },
    /// The peer says the session is over.
    Revoked {
        /// Which end says so.
        by: Role,
        /// Why.
        reason: EndReason,
    },
    /// The peer says how long is left.
    ExpiryWarn {
        /// Seconds.
        seconds: u32,
    },
    /// A newer grant; checked by the device's driver.
    Extend(Warrant),
    /// What the peer has counted.
    Stats(Stats),
    /// The peer did not answer for so many PINGs that a lost connection would have been found.
    Silent,
}

/// The peer broke the rules; the session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// More bytes than the window.
    #[error("the other end sent more than it was given room for")]
    Window,
    /// A stream number that is not the peer's to open, or goes back.
    #[error("the other end opened a stream out of turn")]
    StreamId,
    /// A frame for a stream that never was, or in a state that forbids it.
    #[error("the other end sent a frame out of place")]
    OutOfPlace,
    /// More credit than any window holds.
    #[error("the other end gave impossible credit")]
    Credit,
}

/// Why a call of ours was not possible; the stream is gone or full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// No such stream, or it does not send any more.
    #[error("the stream is over")]
    Over,
    /// Beyond the credit or the frame size.
    #[error("more bytes than the stream may send")]
    Full,
    /// As many streams as this end carries.
    #[error("too many streams")]
    Limit,
}
