//! One direction of a stream: what may still be sent, what may still arrive.

use std::time::{Duration, Instant};

use super::{super::inner_frame::Class, Impossible, MAX_WINDOW, Violation, lanes::Lane};

/// Towards the peer.
pub(super) struct Outbound {
    credit: u32,
    finished: bool,
    class: Class,
    /// Frames of this direction that wait for the carrier, all in one lane.
    waiting: usize,
}

/// When and how far the window of a stream grows.
#[derive(Clone, Copy)]
pub(super) struct Growth {
    /// A window whose half is consumed within this is too small for the way.
    pub(super) within: Duration,
    /// No window is wider.
    pub(super) widest: u32,
    /// What all streams together may still grow by.
    pub(super) left: u32,
}

/// From the peer.
pub(super) struct Inbound {
    initial: u32,
    window: u32,
    /// When credit was last returned.
    returned_at: Option<Instant>,
    /// What the peer may still send.
    room: u32,
    /// What is in the real socket and not yet given back.
    unreturned: u32,
    finished: bool,
}

impl Outbound {
    pub(super) fn new(credit: u32) -> Result<Self, Violation> {
        if credit > MAX_WINDOW {
            Err(Violation::Credit)
        } else {
            Ok(Self { credit, finished: false, class: Class::Interactive, waiting: 0 })
        }
    }

    pub(super) const fn credit(&self) -> u32 {
        if self.finished { 0 } else { self.credit }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Impossible> {
        if self.finished {
            return Err(Impossible::Over);
        }
        let bytes = u32::try_from(bytes).map_err(|_| Impossible::Full)?;
        self.credit = self.credit.checked_sub(bytes).ok_or(Impossible::Full)?;
        Ok(())
    }

    /// Where the next frame waits. A stream changes its lane only when none of its frames is left behind.
    pub(super) const fn lane(&mut self, class: Class) -> Lane {
        if self.waiting == 0 {
            self.class = class;
        }
        self.waiting += 1;
        Lane::Stream(self.class)
    }

    /// A frame of this direction has left its lane.
    pub(super) const fn gone(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Behind the last frame of this direction.
    pub(super) const fn waits_in(&self) -> Lane {
        if self.waiting == 0 { Lane::Control } else { Lane::Stream(self.class) }
    }

    /// Gives whether the credit is of use.
    pub(super) fn give(&mut self, bytes: u32) -> Result<bool, Violation> {
        self.credit = self.credit.checked_add(bytes).filter(|sum| *sum <= MAX_WINDOW).ok_or(Violation::Credit)?;
        Ok(!self.finished)
    }

    /// Gives whether this was the first time.
    pub(super) const fn finish(&mut self) -> bool {
        !std::mem::replace(&mut self.finished, true)
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }
}

impl Inbound {
    pub(super) const fn new(window: u32) -> Self {
        Self { initial: window, window, returned_at: None, room: window, unreturned: 0, finished: false }
    }

    pub(super) fn arrived(&mut self, bytes: usize) -> Result<(), Violation> {
        if self.finished {
            return Err(Violation::OutOfPlace);
        }
        let bytes = u32::try_from(bytes).map_err(|_| Violation::Window)?;
        self.room = self.room.checked_sub(bytes).ok_or(Violation::Window)?;
        Ok(())
    }

    /// How much wider the window is than at first.
    pub(super) const fn grown(&self) -> u32 {
        self.window - self.initial
    }

    /// Gives the credit to return, once it is worth a frame; more than was consumed when the window grows.
    pub(super) fn consumed(&mut self, bytes: usize, now: Instant, growth: Growth) -> Option<u32> {
        if self.finished {
            return None;
        }
        let held = self.window - self.room - self.unreturned;
        self.unreturned += u32::try_from(bytes).unwrap_or(u32::MAX).min(held);
        if self.unreturned < self.window / 2 {
            return None;
        }
        let before = self.returned_at.replace(now);
        let quick = before.is_some_and(|before| now.saturating_duration_since(before) <= growth.within);
        let more = if quick { self.window.min(growth.widest.saturating_sub(self.window)).min(growth.left) } else { 0 };
        self.window += more;
        let returned = std::mem::take(&mut self.unreturned) + more;
        self.room += returned;
        Some(returned)
    }

    /// The window it began with.
    pub(super) const fn first(&self) -> u32 {
        self.initial
    }

    pub(super) const fn finish(&mut self) -> Result<(), Violation> {
        if std::mem::replace(&mut self.finished, true) { Err(Violation::OutOfPlace) } else { Ok(()) }
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }
}
