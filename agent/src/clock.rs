//! The one place of the agent that reads the system's clock; everything else takes a [`Clock`] or a `Timestamp`.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use gatelodge_proto::Timestamp;

/// Tells the time. Clones agree with each other.
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

    /// A clock that stands still at `at` until it is [`set`](Self::set); for tests.
    pub fn standing_at(at: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(at.micros()))))
    }

    /// Moves a standing clock; the system's clock does not move.
    pub fn set(&self, at: Timestamp) {
        if let Source::Set(micros) = &self.0 {
            micros.store(at.micros(), Ordering::SeqCst);
        }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => std::time::SystemTime::now().into(),
            Source::Set(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }
}
