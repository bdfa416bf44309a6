//! The other end's bytes: put together in their order, and acknowledged. Pure.

use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut, Bytes};

use super::{flight::ALONE, machine::Violation};
use crate::session::pieces::Pieces;

/// An acknowledgement is due after this many bytes,
const ACK_EVERY: u64 = 256 * 1024;
/// or after so many when nothing more has arrived and the last one is this long ago,
const ACK_PAUSE: u64 = ALONE as u64;
pub(super) const ACK_APART: Duration = Duration::from_millis(1);
/// but this many are told without waiting for that,
const ACK_AT_ONCE: u64 = 64 * 1024;
/// and at the latest this long after the first of them.
pub(super) const ACK_WITHIN: Duration = Duration::from_millis(10);
#[derive(Debug, Default)]
pub(super) struct Incoming {
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

impl Incoming {
    /// There is no carrier to tell anything by.
    pub(super) const fn parted(&mut self) {
        self.tell_at = None;
    }

    /// Offset of the next byte that is expected.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Bytes that have arrived and were not read.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// When the other end must be told, if nothing else happens.
    pub(super) const fn tell_at(&self) -> Option<Instant> {
        self.tell_at
    }

    pub(super) fn forget_waiting(&mut self) {
        self.ready = Pieces::default();
        self.waiting = 0;
    }

    pub(super) fn read(&mut self, into: &mut impl BufMut) -> usize {
        let mut read = 0;
        while into.has_remaining_mut()
            && let Some(mut front) = self.ready.pop()
        {
            let taken = front.len().min(into.remaining_mut());
            into.put_slice(&front[..taken]);
            front.advance(taken);
            if !front.is_empty() {
                self.ready.put_back(front);
            }
            read += taken;
        }
        self.waiting -= read;
        read
    }

    /// Nothing more has arrived for now.
    pub(super) fn paused(&mut self, now: Instant) {
        let untold = self.next - self.told;
        if untold >= ACK_PAUSE {
            let at = self.told_at.filter(|_| untold < ACK_AT_ONCE).map_or(now, |told| now.max(told + ACK_APART));
            self.tell_at = self.tell_at.map(|before| before.min(at));
        }
    }

    pub(super) fn arrived(&mut self, seq: u64, mut payload: Bytes, now: Instant) -> Result<(), Violation> {
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

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next - self.told >= ACK_EVERY || self.tell_at.is_some_and(|at| at <= now)
    }

    /// What is told now: everything before has arrived.
    pub(super) const fn tell(&mut self, now: Instant) -> u64 {
        self.told = self.next;
        self.told_at = Some(now);
        self.tell_at = None;
        self.next
    }
}
