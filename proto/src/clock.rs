//! Time as a parameter: the system's clock in programs, a hand-set one in tests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::Timestamp;

/// Where the time comes from. Clones share a hand-set time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `at` until [`advance`](Self::advance) moves it.
    pub fn set_to(at: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(at.micros()))))
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => std::time::SystemTime::now().into(),
            Source::Set(at) => Timestamp::from_micros(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a hand-set clock; the system's clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Set(at) = &self.0 {
            at.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_clock_moves_by_hand_and_for_all_clones() {
        let clock = Clock::set_to(Timestamp::from_seconds(100));
        clock.clone().advance(Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::from_seconds(105));
    }
}
