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

use super::flight::{ALONE, Flight, Stamp};
use crate::session::{
    pieces::Pieces,
    relay_frame::{DATA_HEADER, MAX_DATA, RESUMES, RelayFrame, put_data_header},
};

/// An acknowledgement is due after this many bytes,
const ACK_EVERY: u64 = 256 * 1024;
/// or after so many when nothing more has arrived and the last one is this long ago,
const ACK_PAUSE: u64 = ALONE as u64;
const ACK_APART: Duration = Duration::from_millis(1);
/// and at the latest this long after the first of them.
const ACK_WITHIN: Duration = Duration::from_millis(10);
/// What TLS adds to the bytes of one frame, and a little for frames between those of a stream.
const RECORDS: usize = 4 * 22 + 30;
/// No frame is cut shorter than this because of what is under way.
const SHORTEST: usize = ALONE;
/// What a kept frame costs besides its payload.
const FRAME_COST: usize = DATA_HEADER + size_of::<Kept>() + 64;

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
    /// Sent or to be sent, and not acknowledged.
    kept: VecDeque<Kept>,
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
    flight: Flight,
}

#[derive(Debug)]
struct Kept {
    /// Offset after the last byte.
    end: u64,
    frame: Bytes,
    /// Of when it was last sent.
    stamp: Option<Stamp>,
}

impl Kept {
    fn payload(&self) -> usize {
        self.frame.len() - DATA_HEADER
    }
}

#[derive(Debug, Default)]
struct Incoming {
    /// Offset of the next byte that is expected.
    next: u64,
    /// What was last said to have arrived.
    told: u64,
    told_at: Option<Instant>,
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
            out: Outgoing {
                kept: VecDeque::new(),
                sent: 0,
                cost: 0,
                limit,
                end: 0,
                acknowledged: 0,
                highest: 0,
                flight: Flight::new(),
            },
            incoming: Incoming { next: 0, told: 0, told_at: None, tell_at: None, ready: Pieces::default(), waiting: 0 },
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
        self.out.flight = Flight::new();
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
            RelayFrame::Ack { next } => self.out.arrived(next, now),
            RelayFrame::Data { seq, payload } => self.incoming.arrived(seq, payload, now),
            _ => Ok(()),
        }
    }

    /// Keeps as much of the slices as there is room for in one frame, and gives how much; 0 when the other end has to
    /// acknowledge first, or what was written before has not left yet.
    pub fn write(&mut self, slices: &[impl Deref<Target = [u8]>]) -> usize {
        if self.has_unsent() {
            return 0;
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let length = offered.min(self.out.room());
        if length == 0 {
            return 0;
        }
        let Outgoing { kept, cost, end, .. } = &mut self.out;
        let mut frame = BytesMut::with_capacity(DATA_HEADER + length);
        put_data_header(&mut frame, *end);
        for slice in slices {
            let room = DATA_HEADER + length - frame.len();
            frame.put_slice(&slice[..slice.len().min(room)]);
        }
        *end += length as u64;
        *cost += length + FRAME_COST;
        kept.push_back(Kept { end: *end, frame: frame.freeze(), stamp: None });
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
        let incoming = &mut self.incoming;
        if incoming.next - incoming.told >= ACK_PAUSE {
            let many = incoming.next - incoming.told >= 64 * 1024;
            let at = incoming.told_at.filter(|_| !many).map_or(now, |told| now.max(told + ACK_APART));
            incoming.tell_at = incoming.tell_at.map(|before| before.min(at));
        }
    }

    /// Bytes that are worth handing over at once, before they are encrypted: what the way carries in a moment.
    pub fn stride(&self) -> usize {
        self.out.longest() - RECORDS
    }

    /// What the way carries in so long, as far as is known.
    pub fn carries(&self, within: Duration) -> usize {
        self.out.flight.carries(within)
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
    pub fn is_full(&self) -> bool {
        self.out.room() == 0
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
    /// Bytes of payload that the next frame may have.
    fn room(&self) -> usize {
        let kept = self.limit.saturating_sub(self.cost).saturating_sub(FRAME_COST);
        let under_way = usize::try_from(self.end - self.acknowledged).unwrap_or(usize::MAX);
        let way = self.flight.bound().saturating_sub(under_way);
        // A frame with a few bytes costs as much as a long one: the next acknowledgement is waited for instead.
        if way < SHORTEST && under_way > 0 { 0 } else { kept.min(self.longest()).min(way) }
    }

    /// Bytes of payload that any frame may have: on a slow way a long frame keeps others waiting.
    fn longest(&self) -> usize {
        (self.flight.bound() / 4).clamp(SHORTEST, MAX_DATA)
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let kept = self.kept.get_mut(self.sent)?;
        let begins = kept.end - kept.payload() as u64;
        let under_way = usize::try_from(begins.saturating_sub(self.acknowledged)).unwrap_or(usize::MAX);
        kept.stamp = Some(self.flight.sent(now, self.acknowledged, under_way, kept.payload()));
        self.sent += 1;
        self.highest = self.highest.max(kept.end);
        Some(kept.frame.clone())
    }

    /// The other end says that everything before `next` has arrived.
    fn arrived(&mut self, next: u64, now: Instant) -> Result<(), Violation> {
        let last = self.acknowledge(next)?;
        if let Some(stamp) = last.and_then(|kept| kept.stamp) {
            self.flight.arrived(stamp, next, now);
        }
        Ok(())
    }

    /// Forgets everything before `next`, and gives the last that is forgotten. What comes late or twice changes nothing.
    fn acknowledge(&mut self, next: u64) -> Result<Option<Kept>, Violation> {
        if next > self.highest {
            return Err(Violation::NeverSent);
        }
        let mut last = None;
        while self.kept.front().is_some_and(|kept| kept.end <= next)
            && let Some(kept) = self.kept.pop_front()
        {
            self.cost -= kept.payload() + FRAME_COST;
            self.sent = self.sent.saturating_sub(1);
            last = Some(kept);
        }
        self.acknowledged = self.acknowledged.max(next);
        Ok(last)
    }

    /// Goes on from `next`, in whole frames: the other end skips what it has already.
    fn resume_at(&mut self, next: u64, sent_rightly: bool) -> Result<(), Violation> {
        if next < self.acknowledged {
            return Err(Violation::NotKept);
        }
        if !sent_rightly {
            self.sent = 0;
        }
        self.acknowledge(next).map(drop)
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

    const fn tell(&mut self, now: Instant) -> u64 {
        self.told = self.next;
        self.told_at = Some(now);
        self.tell_at = None;
        self.next
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
