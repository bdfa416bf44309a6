//! One end's bytes to the other: numbered frames, kept until they have arrived, and no more of them under way than the
//! way carries. Pure; never drops what was not acknowledged.

use std::{
    collections::VecDeque,
    ops::Deref,
    time::{Duration, Instant},
};

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{
    flight::{ALONE, Flight, Stamp},
    machine::Violation,
};
use crate::session::relay_frame::{DATA_HEADER, MAX_DATA, put_data_header};

/// What TLS adds to the bytes of one frame, and a little for frames between those of a stream.
const RECORDS: usize = 4 * 22 + 30;
/// No frame is cut shorter than this because of what is under way.
const SHORTEST: usize = ALONE;
/// What a kept frame costs besides its payload.
const FRAME_COST: usize = DATA_HEADER + size_of::<Kept>() + 64;

#[derive(Debug)]
pub(super) struct Outgoing {
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

impl Outgoing {
    /// A direction before its first byte, which keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            sent: 0,
            cost: 0,
            limit,
            end: 0,
            acknowledged: 0,
            highest: 0,
            flight: Flight::new(),
        }
    }

    /// The carrier is gone: all that is kept has to go again, on a way that nothing is known of.
    pub(super) fn parted(&mut self) {
        self.sent = 0;
        self.flight = Flight::new();
    }

    /// Whether a byte was ever sent.
    pub(super) const fn was_used(&self) -> bool {
        self.highest > 0
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.kept.len()
    }

    /// What is kept, in bytes.
    pub(super) const fn kept(&self) -> usize {
        self.cost
    }

    /// What the way carries in so long, as far as is known.
    pub(super) fn carries(&self, within: Duration) -> usize {
        self.flight.carries(within)
    }

    /// Bytes to be encrypted that fill one frame.
    pub(super) fn stride(&self) -> usize {
        self.longest() - RECORDS
    }

    /// Keeps as much of the slices as one frame may have now, and gives how much.
    pub(super) fn write(&mut self, slices: &[impl Deref<Target = [u8]>]) -> usize {
        if self.has_unsent() {
            return 0;
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let length = offered.min(self.room());
        if length == 0 {
            return 0;
        }
        let mut frame = BytesMut::with_capacity(DATA_HEADER + length);
        put_data_header(&mut frame, self.end);
        for slice in slices {
            let room = DATA_HEADER + length - frame.len();
            frame.put_slice(&slice[..slice.len().min(room)]);
        }
        self.end += length as u64;
        self.cost += length + FRAME_COST;
        self.kept.push_back(Kept { end: self.end, frame: frame.freeze(), stamp: None });
        length
    }

    /// Bytes of payload that the next frame may have.
    pub(super) fn room(&self) -> usize {
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

    /// The next frame that was not sent in this pairing.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let kept = self.kept.get_mut(self.sent)?;
        let begins = kept.end - kept.payload() as u64;
        let under_way = usize::try_from(begins.saturating_sub(self.acknowledged)).unwrap_or(usize::MAX);
        kept.stamp = Some(self.flight.sent(now, self.acknowledged, under_way, kept.payload()));
        self.sent += 1;
        self.highest = self.highest.max(kept.end);
        Some(kept.frame.clone())
    }

    /// The other end says that everything before `next` has arrived.
    pub(super) fn arrived(&mut self, next: u64, now: Instant) -> Result<(), Violation> {
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
    pub(super) fn resume_at(&mut self, next: u64, sent_rightly: bool) -> Result<(), Violation> {
        if next < self.acknowledged {
            return Err(Violation::NotKept);
        }
        if !sent_rightly {
            self.sent = 0;
        }
        self.acknowledge(next).map(drop)
    }
}
