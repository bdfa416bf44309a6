//! One joined connection to the relay: whether it is still there, and what it owes it.

use std::time::Duration;

use tokio::time::Instant;

use crate::session::relay_frame::RelayFrame;

/// PING the relay this often while bytes flow,
const BUSY: Duration = Duration::from_secs(5);
/// and this often while none do.
const QUIET: Duration = Duration::from_secs(25);
/// A connection that left so many PINGs without any word is dead.
const MISSED: u8 = 2;

pub(super) struct Leg<S> {
    pub(super) socket: S,
    pub(super) unflushed: bool,
    /// The socket takes no more until it has room.
    pub(super) blocked: bool,
    ping_at: Instant,
    unanswered: u8,
    stamp: u64,
    /// A PING that is to be sent.
    ask: bool,
    /// Stamp of the newest PING without its PONG.
    answer: Option<u64>,
    used: bool,
}

impl<S> Leg<S> {
    pub(super) fn new(socket: S, now: Instant) -> Self {
        Self {
            socket,
            unflushed: false,
            blocked: false,
            ping_at: now + BUSY,
            unanswered: 0,
            stamp: 0,
            ask: false,
            answer: None,
            used: false,
        }
    }

    /// Any frame is a sign of life.
    pub(super) const fn heard(&mut self) {
        self.unanswered = 0;
    }

    pub(super) const fn asked(&mut self, stamp: u64) {
        self.answer = Some(stamp);
    }

    /// Bytes flow.
    pub(super) fn used(&mut self, now: Instant) {
        self.used = true;
        self.ping_at = self.ping_at.min(now + BUSY);
    }

    /// Looks at the time; false when the connection is dead.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        if now < self.ping_at {
            return true;
        }
        if self.unanswered >= MISSED {
            return false;
        }
        self.unanswered += 1;
        self.ask = true;
        // One that does not answer is asked again soon, however quiet it was.
        let busy = std::mem::take(&mut self.used) || self.unanswered > 1;
        self.ping_at = now + if busy { BUSY } else { QUIET };
        true
    }

    pub(super) const fn look_at(&self) -> Instant {
        self.ping_at
    }

    pub(super) const fn has_duty(&self) -> bool {
        self.ask || self.answer.is_some()
    }

    /// A PING or PONG that is due.
    pub(super) fn duty(&mut self) -> Option<RelayFrame> {
        if let Some(stamp) = self.answer.take() {
            return Some(RelayFrame::Pong { stamp });
        }
        std::mem::take(&mut self.ask).then(|| {
            self.stamp += 1;
            RelayFrame::Ping { stamp: self.stamp }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many seconds a leg that is used all the time, or never, and hears nothing, is dead.
    fn dies_after(used: bool) -> u64 {
        let begun = Instant::now();
        let mut leg = Leg::new((), begun);
        (1..100)
            .find(|second| {
                let now = begun + Duration::from_secs(*second);
                if used {
                    leg.used(now);
                }
                !leg.look(now)
            })
            .unwrap()
    }

    #[tokio::test]
    async fn two_missed_answers_are_a_dead_connection_and_any_word_is_life() {
        assert_eq!((dies_after(true), dies_after(false)), (15, 35));
        let begun = Instant::now();
        let mut leg = Leg::new((), begun);
        for second in 0..300 {
            leg.heard();
            assert!(leg.look(begun + Duration::from_secs(second)));
        }
    }
}
