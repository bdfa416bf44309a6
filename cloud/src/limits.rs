//! Who is over a limit, until when: remembered in memory, so that a flood costs no write once it is one. Bounded, and never
//! the one who decides: what is forgotten here is counted in the database all the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use gatelodge_proto::Timestamp;

/// Subjects remembered at a time.
const MOST: usize = 10_000;

/// The subjects of this node that are over a limit. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Limits(Arc<Mutex<HashMap<String, Timestamp>>>);

impl Limits {
    /// Until when `subject` is over its limit; nothing when it is not, or is not remembered.
    pub fn over_until(&self, subject: &str, now: Timestamp) -> Option<Timestamp> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(subject).copied().filter(|until| *until > now)
    }

    /// Remembers that `subject` is over its limit. Without room it does not.
    pub fn note(&self, subject: String, until: Timestamp, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, until| *until > now);
        }
        if known.len() < MOST {
            known.insert(subject, until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_subject_is_over_until_its_time_and_a_crowd_takes_no_more_than_its_room() {
        let (limits, later) = (Limits::default(), NOW + Duration::from_secs(60));
        for number in 0..2 * MOST {
            limits.note(number.to_string(), later, NOW);
        }
        assert_eq!(limits.over_until("7", NOW), Some(later));
        assert_eq!((limits.over_until("7", later), limits.over_until(&MOST.to_string(), NOW)), (None, None));
        assert_eq!(limits.0.lock().unwrap().len(), MOST);
        limits.note("late".into(), later + Duration::from_secs(60), later);
        assert!(limits.over_until("late", later).is_some(), "those whose time is over make room");
    }
}
