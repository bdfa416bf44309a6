//! A token bucket that delays and never drops. Pure: what is taken is paid for in time, and whoever takes waits until
//! it is paid.

use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

/// What may come at once after a pause, counted in time at full rate.
const BURST: Duration = Duration::from_millis(100);

/// Bytes at a rate.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    bytes_per_s: NonZeroU64,
    /// When everything that was taken will be paid.
    paid_at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(bytes_per_s: NonZeroU64, now: Instant) -> Self {
        Self { bytes_per_s, paid_at: now.checked_sub(BURST).unwrap_or(now) }
    }

    /// The rate.
    pub const fn bytes_per_s(&self) -> NonZeroU64 {
        self.bytes_per_s
    }

    /// Takes bytes, and says how long to wait before they go on.
    pub fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let full = now.checked_sub(BURST).unwrap_or(now);
        let cost = u128::from(bytes as u64) * 1_000_000_000 / u128::from(self.bytes_per_s.get());
        self.paid_at = self.paid_at.max(full) + Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        self.paid_at.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever waits as told passes in any stretch of time no more than the rate and one burst, and everything in the
        /// end; whoever stays below the rate never waits for longer than one take costs.
        #[test]
        fn no_stretch_of_time_carries_more_than_the_rate_and_a_burst(
            rate in 1_000u64..10_000_000,
            takes in proptest::collection::vec((0usize..100_000, 0u64..200), 1..60),
        ) {
            let begun = Instant::now();
            let (mut now, mut passed) = (begun, Vec::new());
            let mut bucket = Bucket::new(NonZeroU64::new(rate).unwrap(), begun);
            for (bytes, pause_ms) in takes {
                now += Duration::from_millis(pause_ms);
                now += bucket.take(bytes, now);
                passed.push((now, bytes));
            }
            let (rate, second) = (u128::from(rate), 1_000_000_000);
            for from in 0..passed.len() {
                // What passes at the first moment was paid before it.
                let mut sum = 0;
                for (at, bytes) in &passed[from + 1..] {
                    sum += *bytes as u128;
                    let stretch = (*at - passed[from].0 + BURST).as_nanos();
                    prop_assert!(sum * second <= (stretch + 1_000) * rate + second, "{sum} bytes from {from} on");
                }
            }
        }
    }

    #[test]
    fn below_the_rate_nobody_waits() {
        let begun = Instant::now();
        let mut bucket = Bucket::new(NonZeroU64::new(1_000_000).unwrap(), begun);
        for second in 0..60 {
            assert_eq!(bucket.take(99_000, begun + Duration::from_millis(second * 100)), Duration::ZERO);
        }
        let at = begun + Duration::from_secs(60);
        assert_eq!(bucket.take(1_100_000, at), Duration::from_secs(1), "one burst at once, the rest at the rate");
        assert_eq!(bucket.take(1_000_000, at), Duration::from_secs(2), "and who comes next waits for both");
    }
}
