//! The one place of this program that reads the system's clock; everything else takes a [`Clock`] or a `Timestamp`.

use gatelodge_proto::Timestamp;

/// Tells the time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(fn() -> Timestamp);

impl Clock {
    /// The system's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    pub fn system() -> Self {
        Self(|| std::time::SystemTime::now().into())
    }

    /// Another clock, for tests.
    pub const fn of(now: fn() -> Timestamp) -> Self {
        Self(now)
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}
