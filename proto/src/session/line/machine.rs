//! What survives a carrier: numbered ciphertext in both directions, kept until the other end has it. Pure: no IO, no
//! clock.
//!
//! Frames go in by [`Machine::handle`] and come out by [`Machine::poll_transmit`]; bytes go in by [`Machine::write`] and
//! come out by [`Machine::read`]. Nothing is dropped to save memory: whoever writes waits for the other end instead.

use std::{
    collections::VecDeque,
    ops::Deref,
    time::{Duration, Instant},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::session::{
    pieces::Pieces,
    relay_frame::{DATA_HEADER, MAX_DATA, RESUMES, RelayFrame, put_data_header},
};

/// An acknowledgement is due after this many bytes,
const ACK_EVERY: u64 = 64 * 1024;
/// and at the latest this long after the first of them.
const ACK_WITHIN: Duration = Duration::from_millis(50);
/// What a kept frame costs besides its payload.
const FRAME_COST: usize = DATA_HEADER + 64;

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

#[derive(Debug)]
struct Outgoing {
    /// Sent or to be sent, and not acknowledged; each with the offset after its last byte.
    kept: VecDeque<(u64, Bytes)>,
    /// How many of `kept` were sent in this pairing.
    sent: usize,
    /// What `kept` costs, and what it may.
    cost: usize,
    limit: usize,
    /// Offset of the next byte to be written.
    end: u64,
    /// Everything before was acknowledged.
    acknowledged: u64,
    /// Everything before was sent at least once, in whichever pairing.
    highest: u64,
}

#[derive(Debug, Default)]
struct Incoming {
    /// Offset of the next byte that is expected.
    next: u64,
    /// What was last said to have arrived.
    told: u64,
    /// When it must be told.
    tell_at: Option<Instant>,
    ready: Pieces,
    /// Bytes in `ready`.
    waiting: usize,
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
        Self {
            out: Outgoing { kept: VecDeque::new(), sent: 0, cost: 0, limit, end: 0, acknowledged: 0, highest: 0 },
            incoming: Incoming { next: 0, told: 0, tell_at: None, ready: Pieces::default(), waiting: 0 },
            pairing: None,
            met_before: false,
        }
    }

    /// A carrier to the other end is there, which speaks this version.
    pub fn paired(&mut self, version: u16, epoch: u64) -> Result<(), Violation> {
        let resumes = version >= RESUMES;
        if self.met_before && !resumes {
            return Err(Violation::CannotResume);
        }
        self.met_before = true;
        self.incoming.tell_at = None;
        self.out.sent = 0;
        let heard = match (resumes, self.out.highest) {
            (false, _) => Heard::Synced,
            (true, 0) => Heard::Assumed,
            (true, _) => Heard::Nothing,
        };
        self.pairing = Some(Pairing { epoch, say: resumes, heard });
        Ok(())
    }

    /// There is no carrier to the other end.
    pub const fn parted(&mut self) {
        self.pairing = None;
        self.incoming.tell_at = None;
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
            RelayFrame::Ack { next } => self.out.acknowledge(next),
            RelayFrame::Data { seq, payload } => self.incoming.arrived(seq, payload, now),
            _ => Ok(()),
        }
    }

    /// Keeps as much of the slices as there is room for in one frame, and gives how much; 0 when the other end has to
    /// acknowledge first, or what was written before has not left yet.
    pub fn write(&mut self, slices: &[impl Deref<Target = [u8]>]) -> usize {
        let Outgoing { kept, sent, cost, limit, end, .. } = &mut self.out;
        if *sent < kept.len() {
            return 0;
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let length = offered.min(MAX_DATA).min((*limit - *cost).saturating_sub(FRAME_COST));
        if length == 0 {
            return 0;
        }
        let mut frame = BytesMut::with_capacity(DATA_HEADER + length);
        put_data_header(&mut frame, *end);
        for slice in slices {
            let room = DATA_HEADER + length - frame.len();
            frame.put_slice(&slice[..slice.len().min(room)]);
        }
        *end += length as u64;
        *cost += length + FRAME_COST;
        kept.push_back((*end, frame.freeze()));
        length
    }

    /// The next bytes from the other end.
    pub fn read(&mut self, into: &mut impl bytes::BufMut) -> usize {
        let mut read = 0;
        while into.has_remaining_mut()
            && let Some(mut front) = self.incoming.ready.pop()
        {
            let taken = front.len().min(into.remaining_mut());
            into.put_slice(&front[..taken]);
            front.advance(taken);
            if !front.is_empty() {
                self.incoming.ready.put_back(front);
            }
            read += taken;
        }
        self.incoming.waiting -= read;
        read
    }

    /// Bytes that have arrived and were not read.
    pub const fn waiting(&self) -> usize {
        self.incoming.waiting
    }

    /// The next frame for the other end.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let pairing = self.pairing.as_mut()?;
        if pairing.say {
            pairing.say = false;
            return Some(RelayFrame::Sync { epoch: pairing.epoch, next: self.incoming.tell() }.encode());
        }
        if self.incoming.is_due(now) {
            return Some(RelayFrame::Ack { next: self.incoming.tell() }.encode());
        }
        if pairing.heard == Heard::Nothing {
            return None;
        }
        let (end, frame) = self.out.kept.get(self.out.sent)?;
        self.out.sent += 1;
        self.out.highest = self.out.highest.max(*end);
        Some(frame.clone())
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
        self.out.sent < self.out.kept.len()
    }

    /// When [`poll_transmit`](Self::poll_transmit) has something again, if nothing else happens.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.incoming.tell_at
    }

    /// Whether nothing can be written before the other end acknowledges.
    pub const fn is_full(&self) -> bool {
        self.out.limit - self.out.cost <= FRAME_COST
    }

    /// Offset of the next byte that is expected.
    pub const fn expected(&self) -> u64 {
        self.incoming.next
    }

    /// What is kept, in bytes.
    pub const fn kept(&self) -> usize {
        self.out.cost
    }
}

impl Outgoing {
    /// Everything before `next` has arrived. What comes late or twice changes nothing.
    fn acknowledge(&mut self, next: u64) -> Result<(), Violation> {
        if next > self.highest {
            return Err(Violation::NeverSent);
        }
        while let Some((end, frame)) = self.kept.front()
            && *end <= next
        {
            self.cost -= frame.len() - DATA_HEADER + FRAME_COST;
            self.kept.pop_front();
            self.sent = self.sent.saturating_sub(1);
        }
        self.acknowledged = self.acknowledged.max(next);
        Ok(())
    }

    /// Goes on from `next`, in whole frames: the other end skips what it has already.
    fn resume_at(&mut self, next: u64, sent_rightly: bool) -> Result<(), Violation> {
        if next < self.acknowledged {
            return Err(Violation::NotKept);
        }
        if !sent_rightly {
            self.sent = 0;
        }
        self.acknowledge(next)
    }
}

impl Incoming {
    fn arrived(&mut self, seq: u64, mut payload: Bytes, now: Instant) -> Result<(), Violation> {
        let known = self.next.checked_sub(seq).ok_or(Violation::Gap)?;
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(payload.len());
        payload.advance(known);
        if payload.is_empty() {
            return Ok(());
        }
        self.next += payload.len() as u64;
        self.waiting += payload.len();
        self.ready.push(payload);
        self.tell_at.get_or_insert(now + ACK_WITHIN);
        Ok(())
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next - self.told >= ACK_EVERY || self.tell_at.is_some_and(|at| at <= now)
    }

    const fn tell(&mut self) -> u64 {
        self.told = self.next;
        self.tell_at = None;
        self.next
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
