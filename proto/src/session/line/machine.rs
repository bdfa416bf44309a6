//! What survives a carrier: numbered ciphertext in both directions, kept until the other end has it. Pure: no IO, no
//! clock.
//!
//! Frames go in by [`Machine::handle`] and come out by [`Machine::poll_transmit`]; bytes go in by [`Machine::write`] and
//! come out by [`Machine::read`]. Nothing is dropped to save memory: whoever writes waits for the other end instead.

use std::{
    ops::Deref,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{incoming::Incoming, outgoing::Outgoing};
use crate::session::relay_frame::{RESUMES, RelayFrame};

/// The other end, or the relay in its name, broke the rules; the session cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Bytes are missing between what arrived and what was expected.
    #[error("session bytes arrived out of order")]
    Gap,
    /// More was acknowledged than was ever sent.
    #[error("session bytes were acknowledged that were not sent")]
    NeverSent,
    /// The other end wants bytes that it had acknowledged; it is not the one that was here before.
    #[error("the other end asks for session bytes that are not kept any more, so the session cannot go on")]
    NotKept,
    /// An end that knows no replay came twice.
    #[error("the other end cannot go on after a lost connection; its program is too old")]
    CannotResume,
}

/// One end's bytes, whichever carrier they travel on.
#[derive(Debug)]
pub struct Machine {
    out: Outgoing,
    incoming: Incoming,
    pairing: Option<Pairing>,
    met_before: bool,
}

#[derive(Debug, Clone, Copy)]
struct Pairing {
    epoch: u64,
    /// Our SYNC is still to be said.
    say: bool,
    heard: Heard,
}

/// What is known of where the other end stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Nothing yet.
    Nothing,
    /// Nothing was ever sent to it, so it expects the first byte; no need to wait for its word.
    Assumed,
    /// Its SYNC, or it is of a version without.
    Synced,
}

impl Machine {
    /// A line before its first byte, which keeps at most `limit` bytes that are not acknowledged.
    pub fn new(limit: usize) -> Self {
        Self { out: Outgoing::new(limit), incoming: Incoming::default(), pairing: None, met_before: false }
    }

    /// A carrier to the other end is there, which speaks this version.
    pub fn paired(&mut self, version: u16, epoch: u64) -> Result<(), Violation> {
        let resumes = version >= RESUMES;
        if self.met_before && !resumes {
            return Err(Violation::CannotResume);
        }
        self.met_before = true;
        self.incoming.parted();
        self.out.parted();
        let heard = match (resumes, self.out.was_used()) {
            (false, _) => Heard::Synced,
            (true, false) => Heard::Assumed,
            (true, true) => Heard::Nothing,
        };
        self.pairing = Some(Pairing { epoch, say: resumes, heard });
        Ok(())
    }

    /// There is no carrier to the other end.
    pub const fn parted(&mut self) {
        self.pairing = None;
        self.incoming.parted();
    }

    /// Whether there is a carrier to the other end.
    pub const fn is_paired(&self) -> bool {
        self.pairing.is_some()
    }

    /// Takes a frame of the other end. Frames that are none of its are ignored.
    pub fn handle(&mut self, frame: RelayFrame, now: Instant) -> Result<(), Violation> {
        let Some(pairing) = &mut self.pairing else { return Ok(()) };
        match frame {
            RelayFrame::Sync { epoch, next } if epoch == pairing.epoch && pairing.heard != Heard::Synced => {
                // What was sent in this pairing before its word followed our own, in order, from the first byte on.
                let sent_rightly = pairing.heard == Heard::Assumed;
                pairing.heard = Heard::Synced;
                self.out.resume_at(next, sent_rightly)
            }
            // A late frame of an earlier pairing.
            _ if pairing.heard != Heard::Synced => Ok(()),
            RelayFrame::Ack { next } => self.out.arrived(next, now),
            RelayFrame::Data { seq, payload } => self.incoming.arrived(seq, payload, now),
            _ => Ok(()),
        }
    }

    /// Keeps as much of the slices as there is room for in one frame, and gives how much; 0 when the other end has to
    /// acknowledge first, or what was written before has not left yet.
    pub fn write(&mut self, slices: &[impl Deref<Target = [u8]>]) -> usize {
        self.out.write(slices)
    }

    /// The next bytes from the other end.
    pub fn read(&mut self, into: &mut impl bytes::BufMut) -> usize {
        self.incoming.read(into)
    }

    /// Drops what has arrived and was not read: nobody will.
    pub fn forget_waiting(&mut self) {
        self.incoming.forget_waiting();
    }

    /// Bytes that have arrived and were not read.
    pub const fn waiting(&self) -> usize {
        self.incoming.waiting()
    }

    /// The next frame for the other end.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let pairing = self.pairing.as_mut()?;
        if pairing.say {
            pairing.say = false;
            return Some(RelayFrame::Sync { epoch: pairing.epoch, next: self.incoming.tell(now) }.encode());
        }
        if self.incoming.is_due(now) {
            return Some(RelayFrame::Ack { next: self.incoming.tell(now) }.encode());
        }
        if pairing.heard == Heard::Nothing {
            return None;
        }
        self.out.poll_transmit(now)
    }

    /// Nothing more has arrived: the other end need not wait for its acknowledgement until more has.
    pub fn paused(&mut self, now: Instant) {
        self.incoming.paused(now);
    }

    /// Bytes that are worth handing over at once, before they are encrypted: what the way carries in a moment.
    pub fn stride(&self) -> usize {
        self.out.stride()
    }

    /// What the way carries in so long, as far as is known.
    pub fn carries(&self, within: Duration) -> usize {
        self.out.carries(within)
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something.
    pub fn has_transmit(&self, now: Instant) -> bool {
        self.pairing.is_some_and(|pairing| {
            let bytes = pairing.heard != Heard::Nothing && self.has_unsent();
            pairing.say || bytes || self.incoming.is_due(now)
        })
    }

    /// Whether bytes were written that have not left.
    pub fn has_unsent(&self) -> bool {
        self.out.has_unsent()
    }

    /// When [`poll_transmit`](Self::poll_transmit) has something again, if nothing else happens.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.incoming.tell_at()
    }

    /// Whether nothing can be written before the other end acknowledges.
    pub fn is_full(&self) -> bool {
        self.out.room() == 0
    }

    /// Offset of the next byte that is expected.
    pub const fn expected(&self) -> u64 {
        self.incoming.next()
    }

    /// What is kept, in bytes.
    pub const fn kept(&self) -> usize {
        self.out.kept()
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
