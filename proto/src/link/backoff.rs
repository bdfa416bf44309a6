//! When to try again: exponential back-off with full jitter. Pure; time and randomness come in.

use std::time::{Duration, Instant};

use crate::Random;

/// The longest wait that a far side may ask for; beyond that it is a mistake or an attack.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// How fast attempts follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first wait is a random part of this; each failure doubles it.
    pub first: Duration,
    /// It grows no further than this.
    pub cap: Duration,
    /// A connection that held this long forgives the failures before it.
    pub stable: Duration,
}

impl Default for Pace {
    /// A fleet that lost its cloud for two minutes is back within three, spread out (decision 0009).
    fn default() -> Self {
        Self { first: Duration::from_secs(30), cap: Duration::from_secs(120), stable: Duration::from_secs(60) }
    }
}

/// The state of one side that keeps trying.
#[derive(Debug)]
pub struct Backoff {
    pace: Pace,
    failures: u32,
    connected_at: Option<Instant>,
}

impl Backoff {
    /// A side that has not failed yet.
    pub const fn new(pace: Pace) -> Self {
        Self { pace, failures: 0, connected_at: None }
    }

    /// An attempt succeeded.
    pub const fn connected(&mut self, now: Instant) {
        self.connected_at = Some(now);
    }

    /// An attempt failed or a connection broke: the wait until the next attempt, never shorter than `wish`, which is
    /// what the far side asked for (`Retry-After`, RFC 9110 section 10.2.3).
    pub fn failed(&mut self, now: Instant, wish: Option<Duration>, random: &Random) -> Duration {
        if self.connected_at.take().is_some_and(|since| now.saturating_duration_since(since) >= self.pace.stable) {
            self.failures = 0;
        }
        let ceiling = self.pace.first.saturating_mul(2u32.saturating_pow(self.failures)).min(self.pace.cap);
        self.failures = self.failures.saturating_add(1);
        let jitter = part_of(ceiling, random);
        match wish {
            // Everybody was asked for the same wait: spread them over the next round.
            Some(wish) => wish.min(LONGEST_WISH) + part_of(self.pace.first, random),
            None => jitter,
        }
    }

    /// How many attempts failed in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

fn part_of(ceiling: Duration, random: &Random) -> Duration {
    let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.below(micros.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace() -> impl Strategy<Value = Pace> {
        (1u64..60_000, 1u64..600_000, 0u64..120_000).prop_map(|(first, cap, stable)| Pace {
            first: Duration::from_millis(first),
            cap: Duration::from_millis(cap.max(first)),
            stable: Duration::from_millis(stable),
        })
    }

    proptest! {
        #[test]
        fn waits_stay_under_the_doubling_ceiling(pace in pace(), seed: u64, count in 1u32..50) {
            let (random, now) = (Random::seeded(seed), Instant::now());
            let mut backoff = Backoff::new(pace);
            for failure in 0..count {
                let ceiling = pace.first.saturating_mul(2u32.saturating_pow(failure)).min(pace.cap);
                prop_assert!(backoff.failed(now, None, &random) <= ceiling);
            }
            prop_assert_eq!(backoff.failures(), count);
        }

        #[test]
        fn only_a_stable_connection_forgives(pace in pace(), seed: u64, held in 0u64..240_000) {
            let (random, start) = (Random::seeded(seed), Instant::now());
            let mut backoff = Backoff::new(pace);
            for _ in 0..5 {
                backoff.failed(start, None, &random);
            }
            backoff.connected(start);
            let held = Duration::from_millis(held);
            backoff.failed(start + held, None, &random);
            prop_assert_eq!(backoff.failures(), if held >= pace.stable { 1 } else { 6 });
        }

        #[test]
        fn a_wish_is_honoured_and_bounded(pace in pace(), seed: u64, wish in 0u64..100_000) {
            let mut backoff = Backoff::new(pace);
            let wish = Duration::from_secs(wish);
            let wait = backoff.failed(Instant::now(), Some(wish), &Random::seeded(seed));
            prop_assert!(wait >= wish.min(LONGEST_WISH));
            prop_assert!(wait <= LONGEST_WISH + pace.first);
        }
    }

    #[test]
    fn a_crowd_spreads_over_the_whole_first_round() {
        let (random, now) = (Random::seeded(1), Instant::now());
        let waits: Vec<Duration> =
            (0..1_000).map(|_| Backoff::new(Pace::default()).failed(now, None, &random)).collect();
        for tenth in 0..10u64 {
            let from = Duration::from_secs(3 * tenth);
            let inside = waits.iter().filter(|wait| (from..from + Duration::from_secs(3)).contains(*wait)).count();
            assert!((60..140).contains(&inside), "{inside} of 1,000 within {from:?}");
        }
    }

    #[test]
    fn a_fleet_comes_back_from_two_minutes_of_outage_within_three_and_not_all_at_once() {
        const FLEET: usize = 10_000;
        let (outage, start) = (Duration::from_secs(120), Instant::now());
        let mut back = vec![0; 181];
        for seed in 0..FLEET as u64 {
            let (random, mut backoff, mut now) = (Random::seeded(seed), Backoff::new(Pace::default()), start);
            while now < start + outage {
                now += backoff.failed(now, None, &random);
            }
            let second = usize::try_from(now.duration_since(start + outage).as_secs()).unwrap();
            back[second.min(180)] += 1;
        }
        // Half a minute is left for those whose first attempt meets a cloud that is still busy with the others.
        assert_eq!(back[150..].iter().sum::<usize>(), 0, "{back:?}");
        assert!(back.iter().all(|devices| *devices <= FLEET / 20), "{back:?}");
    }
}
