//! How often the peer may open, and whether it is still there.

use std::time::{Duration, Instant};

/// A bucket of opens that fills by the second.
pub(super) struct Tokens {
    rate: f64,
    left: f64,
    at: Instant,
}

impl Tokens {
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let rate = f64::from(per_second);
        Self { rate, left: rate, at: now }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.rate).min(self.rate);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

/// An end that leaves so many PINGs unanswered is silent. Three times as many as a carrier may miss: a lost connection
/// is found first, and replaced.
pub(super) const MISSED: u8 = 6;

/// PINGs sent and answered.
pub(super) struct Liveness {
    next_ping: Instant,
    unanswered: u8,
    sent: Option<(u64, Instant)>,
    count: u64,
    round_trip: Option<Duration>,
    shortest: Option<Duration>,
}

/// A PING is due.
pub(super) struct Due {
    pub(super) stamp: u64,
    /// [`MISSED`] went unanswered before this one.
    pub(super) silent: bool,
}

impl Liveness {
    pub(super) const fn new(now: Instant) -> Self {
        Self { next_ping: now, unanswered: 0, sent: None, count: 0, round_trip: None, shortest: None }
    }

    /// Any frame is a sign of life.
    pub(super) const fn heard(&mut self) {
        self.unanswered = 0;
    }

    pub(super) fn due(&mut self, now: Instant, every: Duration) -> Option<Due> {
        if now < self.next_ping {
            return None;
        }
        let silent = self.unanswered >= MISSED;
        self.unanswered = self.unanswered.saturating_add(1);
        self.count += 1;
        self.sent = Some((self.count, now));
        self.next_ping = now + every;
        Some(Due { stamp: self.count, silent })
    }

    pub(super) fn answered(&mut self, stamp: u64, now: Instant) {
        if let Some((sent, at)) = self.sent
            && sent == stamp
        {
            let took = now.saturating_duration_since(at);
            self.round_trip = Some(took);
            self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
            self.sent = None;
        }
    }

    pub(super) const fn next_ping(&self) -> Instant {
        self.next_ping
    }

    /// The way itself, without what waits on it.
    pub(super) const fn shortest(&self) -> Option<Duration> {
        self.shortest
    }

    pub(super) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}
