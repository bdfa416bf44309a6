//! When to try again: at once, then after a quarter of a second, twice that, and so on to five seconds, spread by chance.

use std::time::Duration;

use crate::Random;

const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(5);

pub(super) struct Retry {
    random: Random,
    next: Duration,
}

impl Retry {
    pub(super) const fn new(random: Random) -> Self {
        Self { random, next: Duration::ZERO }
    }

    /// The pause before the next attempt.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).clamp(FIRST, LAST);
        // Not all who lost the same relay come at once.
        let half = u64::try_from(pause.as_millis() / 2).unwrap_or(u64::MAX);
        Duration::from_millis(half + self.random.below(half + 1))
    }

    /// The last attempt was good.
    pub(super) const fn succeeded(&mut self) {
        self.next = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds_and_begin_anew() {
        let mut retry = Retry::new(Random::seeded(3));
        let mut longest = 0;
        for expected in [0, 250, 500, 1000, 2000, 4000, 5000, 5000] {
            let pause = retry.pause().as_millis();
            assert!((expected / 2..=expected).contains(&pause), "{pause} of {expected}");
            longest = longest.max(pause);
        }
        assert_ne!(longest, 5000, "they are spread");
        retry.succeeded();
        assert_eq!(retry.pause(), Duration::ZERO);
    }
}
