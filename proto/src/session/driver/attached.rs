//! What the driver hands a stream's frames to: bytes in order, or datagrams. A frame of the wrong kind is void.

use std::sync::Arc;

use bytes::Bytes;

use super::super::{datagrams::Mail, inner_frame::ResetCode, pipe::Pipe};

pub(super) enum Attached {
    Bytes(Arc<Pipe>),
    Datagrams(Arc<Mail>),
}

impl Attached {
    /// No window is given back for bytes that nobody reads, so a peer that sends them runs into its own.
    pub(super) fn bytes(&self, payload: Bytes) {
        match self {
            Self::Bytes(pipe) => pipe.arrived(payload),
            Self::Datagrams(_) => {}
        }
    }

    pub(super) fn datagram(&self, payload: Bytes) {
        match self {
            Self::Bytes(_) => {}
            Self::Datagrams(mail) => mail.arrived(payload),
        }
    }

    pub(super) fn give(&self, credit: u32) {
        match self {
            Self::Bytes(pipe) => pipe.give(credit),
            Self::Datagrams(_) => {}
        }
    }

    /// The peer sends no more. Gives whether that ends the other direction too.
    pub(super) fn finish(&self) -> bool {
        match self {
            Self::Bytes(pipe) => {
                pipe.finish();
                false
            }
            Self::Datagrams(mail) => {
                mail.end();
                true
            }
        }
    }

    pub(super) fn reset(&self, code: ResetCode) {
        match self {
            Self::Bytes(pipe) => pipe.reset(code),
            Self::Datagrams(mail) => mail.end(),
        }
    }
}
