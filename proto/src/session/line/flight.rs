//! How many bytes may be under way: what the way carries in its shortest round trip, and a little that waits. What
//! waits on the way cannot be overtaken any more, so an answer that a person waits for would wait behind all of it.
//!
//! The way is measured much as BBR does (draft-ietf-ccwg-bbr): the largest rate of the last seconds in which there was
//! enough to send, the shortest round trip of the last ten, found again by letting the way run empty. Pure: no clock.

use std::time::{Duration, Instant};

/// Before anything is known.
const FIRST: usize = 64 * 1024;
/// Never fewer.
const LEAST: usize = 16 * 1024;
/// Under way while the way is let run empty: one frame, which the other end acknowledges at once.
pub(super) const ALONE: usize = 4 * 1024;
/// Bytes may wait so long on the way, or as long again as the way itself takes: less, and a program that is not
/// scheduled for a moment, or acknowledges not every frame, leaves the way idle.
const WAITS: Duration = Duration::from_millis(2);
/// The shortest round trip is found again this often.
const STALE: Duration = Duration::from_secs(10);
/// A rate counts for one to two of these.
const RECENT: Duration = Duration::from_secs(1);

/// What is kept beside a frame that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    at: Instant,
    /// What was acknowledged by then, and when.
    acknowledged: u64,
    acknowledged_at: Instant,
    /// Nothing else was under way.
    alone: bool,
    /// There was not enough to send to learn how much the way carries.
    limited: bool,
}

#[derive(Debug)]
pub(super) struct Flight {
    bound: usize,
    /// Bytes a second, the largest of this period and of the one before.
    rate: u64,
    rate_before: u64,
    period: Option<Instant>,
    shortest: Option<(Duration, Instant)>,
    /// The way is being let run empty.
    emptying: bool,
    acknowledged_at: Option<Instant>,
}

impl Flight {
    pub(super) const fn new() -> Self {
        Self {
            bound: FIRST,
            rate: 0,
            rate_before: 0,
            period: None,
            shortest: None,
            emptying: false,
            acknowledged_at: None,
        }
    }

    /// Bytes that may be under way.
    pub(super) const fn bound(&self) -> usize {
        if self.emptying { ALONE } else { self.bound }
    }

    /// What the way carries in this time.
    pub(super) fn carries(&self, within: Duration) -> usize {
        product(self.rate.max(self.rate_before), within)
    }

    /// A frame of so many bytes leaves while so many before it are not acknowledged.
    pub(super) fn sent(&mut self, now: Instant, acknowledged: u64, under_way: usize, bytes: usize) -> Stamp {
        if under_way == 0 {
            // While nothing is under way nothing can be acknowledged: that time says nothing of the way.
            self.acknowledged_at = Some(now);
        }
        let acknowledged_at = self.acknowledged_at.unwrap_or(now);
        let limited = 2 * (under_way + bytes) < self.bound;
        Stamp { at: now, acknowledged, acknowledged_at, alone: under_way < ALONE, limited }
    }

    /// The frame of this stamp, and everything before `acknowledged`, has arrived.
    pub(super) fn arrived(&mut self, stamp: Stamp, acknowledged: u64, now: Instant) {
        self.acknowledged_at = Some(now);
        self.measure_way(stamp, now);
        self.measure_rate(stamp, acknowledged, now);
        let Some((shortest, _)) = self.shortest else { return };
        self.bound = self.carries(shortest + shortest.max(WAITS)).max(LEAST);
    }

    fn measure_way(&mut self, stamp: Stamp, now: Instant) {
        let took = now.saturating_duration_since(stamp.at);
        if let Some((shortest, at)) = self.shortest
            && took > shortest
        {
            let age = now.saturating_duration_since(at);
            // With the least under way it is not our own bytes that wait: the way itself has become longer.
            let longer = self.bound == LEAST && took > 2 * shortest.max(WAITS) && age > RECENT;
            let stale = age > STALE || longer;
            if !(stale && stamp.alone) {
                self.emptying |= stale;
                return;
            }
        }
        self.shortest = Some((took, now));
        self.emptying = false;
    }

    fn measure_rate(&mut self, stamp: Stamp, acknowledged: u64, now: Instant) {
        let took = now.saturating_duration_since(stamp.acknowledged_at).max(Duration::from_micros(1));
        let bytes = u128::from(acknowledged.saturating_sub(stamp.acknowledged));
        let rate = u64::try_from(bytes * 1_000_000_000 / took.as_nanos()).unwrap_or(u64::MAX);
        if stamp.limited && rate <= self.rate.max(self.rate_before) {
            return;
        }
        let period = *self.period.get_or_insert(now);
        if now.saturating_duration_since(period) > RECENT {
            self.rate_before = std::mem::take(&mut self.rate);
            self.period = Some(now);
        }
        self.rate = self.rate.max(rate);
    }
}

fn product(rate: u64, within: Duration) -> usize {
    usize::try_from(u128::from(rate) * within.as_nanos() / 1_000_000_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// A way with one slow place, in whole microseconds, and a sender that always has more to send.
    struct Way {
        now: Instant,
        /// Bytes a second through the slow place.
        rate: u64,
        /// There and back, when nothing waits.
        trip: Duration,
        flight: Flight,
        sent: u64,
        acknowledged: u64,
        /// When the slow place has let everything through.
        free_at: Instant,
        /// When each frame is acknowledged.
        frames: VecDeque<(Instant, u64, Stamp)>,
        /// The longest that a frame had to wait.
        waited: Duration,
    }

    impl Way {
        fn new(rate: u64, trip: Duration) -> Self {
            let now = Instant::now();
            Self {
                now,
                rate,
                trip,
                flight: Flight::new(),
                sent: 0,
                acknowledged: 0,
                free_at: now,
                frames: VecDeque::new(),
                waited: Duration::ZERO,
            }
        }

        fn under_way(&self) -> usize {
            usize::try_from(self.sent - self.acknowledged).unwrap()
        }

        /// Sends what may be sent, and goes on to the next acknowledgement.
        fn turn(&mut self) {
            while self.under_way() < self.flight.bound() {
                let frame = (self.flight.bound() / 4).clamp(4096, 65_536) as u64;
                self.send(frame);
            }
            self.hear();
        }

        fn send(&mut self, frame: u64) {
            let stamp =
                self.flight.sent(self.now, self.acknowledged, self.under_way(), usize::try_from(frame).unwrap());
            let begins = self.free_at.max(self.now);
            self.waited = self.waited.max(begins - self.now);
            self.free_at = begins + Duration::from_nanos(frame * 1_000_000_000 / self.rate);
            self.sent += frame;
            self.frames.push_back((self.free_at + self.trip, self.sent, stamp));
        }

        fn hear(&mut self) {
            let (at, next, stamp) = self.frames.pop_front().unwrap();
            (self.now, self.acknowledged) = (at, next);
            self.flight.arrived(stamp, next, at);
        }

        fn pass(&mut self, time: Duration) {
            let until = self.now + time;
            while self.now < until {
                self.turn();
            }
        }

        /// How much of the way is used, and how long frames wait, over so long.
        fn judge(&mut self, time: Duration) -> (f64, Duration) {
            let (before, began) = (self.acknowledged, self.now);
            self.waited = Duration::ZERO;
            self.pass(time);
            let took = (self.now - began).as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let used = (self.acknowledged - before) as f64 / took / self.rate as f64;
            (used, self.waited)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_way_is_used_whole_and_little_waits_on_it(
            rate in prop_oneof![30_000u64..1_000_000, 1_000_000u64..50_000_000, 50_000_000u64..400_000_000],
            trip_us in prop_oneof![100u64..2000, 2000u64..100_000, 100_000u64..600_000],
        ) {
            let trip = Duration::from_micros(trip_us);
            let mut way = Way::new(rate, trip);
            way.pass(trip * 30 + Duration::from_secs(1));
            let (used, waited) = way.judge(trip * 10 + Duration::from_secs(2));
            prop_assert!(used > 0.8, "{used:.3} of {rate} bytes a second are used");
            // One frame of the least bound waits for another however slow the way is.
            let least = Duration::from_micros(LEAST as u64 * 1_000_000 / rate);
            let most = 3 * trip.max(WAITS) + 2 * least;
            prop_assert!(waited <= most, "{waited:?} of waiting where {trip:?} is the way");
        }
    }

    #[test]
    fn a_way_that_becomes_longer_or_slower_is_learned_anew() {
        let mut way = Way::new(5_000_000, Duration::from_millis(20));
        way.pass(Duration::from_secs(5));
        way.trip = Duration::from_millis(200);
        way.pass(Duration::from_secs(25));
        let (used, waited) = way.judge(Duration::from_secs(5));
        assert!(used > 0.8 && waited < Duration::from_millis(600), "longer: {used:.3} {waited:?}");
        way.rate = 500_000;
        way.pass(Duration::from_secs(10));
        let (used, waited) = way.judge(Duration::from_secs(9));
        assert!(used > 0.8 && waited < Duration::from_millis(600), "slower: {used:.3} {waited:?}");
    }

    #[test]
    fn a_way_that_others_have_filled_is_used_again_within_seconds() {
        let mut way = Way::new(5_000_000, Duration::from_millis(20));
        way.pass(Duration::from_secs(5));
        way.trip = Duration::from_millis(320);
        way.pass(Duration::from_secs(5));
        let (used, _) = way.judge(Duration::from_secs(4));
        assert!(used > 0.8, "{used:.3}");
    }

    #[test]
    fn what_is_known_of_the_way_outlives_a_pause_with_a_few_words_in_it() {
        let mut way = Way::new(12_500_000, Duration::from_millis(40));
        way.pass(Duration::from_secs(3));
        let before = way.flight.bound();
        while !way.frames.is_empty() {
            way.hear();
        }
        for _ in 0..50 {
            way.now += Duration::from_millis(500);
            way.send(100);
            way.hear();
        }
        let after = way.flight.bound();
        assert!(before > 800_000 && after > before / 2, "{before}, then {after}");
    }

    #[test]
    fn waiting_that_has_become_a_habit_is_not_taken_for_the_way() {
        let mut way = Way::new(2_000_000, Duration::from_millis(30));
        for minute in 0..5 {
            way.pass(Duration::from_secs(60));
            let (used, waited) = way.judge(Duration::from_secs(2));
            assert!(used > 0.7 && waited < Duration::from_millis(100), "minute {minute}: {used:.3} {waited:?}");
        }
    }
}
