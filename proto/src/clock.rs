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
    /// The system's time and, where it may be corrected, what it lacks in microseconds.
    System(Option<Arc<AtomicI64>>),
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Source::System(None))
    }

    /// The system's clock, known to lack so many microseconds, which [`correct`](Self::correct) may change.
    pub fn corrected_by(micros: i64) -> Self {
        Self(Source::System(Some(Arc::new(AtomicI64::new(micros)))))
    }

    /// A clock that stands at `at` until [`advance`](Self::advance) moves it.
    pub fn set_to(at: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(at.micros()))))
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(_) => {
                let system = Timestamp::from(std::time::SystemTime::now());
                Timestamp::from_micros(system.micros().saturating_add(self.correction()))
            }
            Source::Set(at) => Timestamp::from_micros(at.load(Ordering::SeqCst)),
        }
    }

    /// From now on the system's clock lacks so many microseconds, for all clones; only a clock that was made for it is
    /// corrected.
    pub fn correct(&self, micros: i64) {
        if let Source::System(Some(lacks)) = &self.0 {
            lacks.store(micros, Ordering::SeqCst);
        }
    }

    /// What the system's clock lacks, in microseconds.
    pub fn correction(&self) -> i64 {
        match &self.0 {
            Source::System(Some(lacks)) => lacks.load(Ordering::SeqCst),
            Source::System(None) | Source::Set(_) => 0,
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

    #[test]
    fn a_correction_holds_for_all_clones_of_a_clock_that_may_be_corrected() {
        let (clock, hour) = (Clock::corrected_by(0), Duration::from_secs(3600));
        let (other, before) = (clock.clone(), clock.now());
        clock.correct(3_600_000_000);
        assert!(other.now() >= before + hour && other.correction() == 3_600_000_000);
        let system = Clock::system();
        system.correct(3_600_000_000);
        assert!(system.now() < before + hour);
    }
}
