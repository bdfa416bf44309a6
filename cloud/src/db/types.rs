//! Column types that both databases store alike.

use gatelodge_proto::Timestamp;

use super::DbError;

/// An instant as microseconds since the Unix epoch; sorts on both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Ts(pub i64);

impl From<Timestamp> for Ts {
    fn from(at: Timestamp) -> Self {
        Self(at.micros())
    }
}

impl From<Ts> for Timestamp {
    fn from(at: Ts) -> Self {
        Self::from_micros(at.0)
    }
}

/// A counter or epoch as the databases store it; values past `i64::MAX` do not occur and are clamped.
pub fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Reads a stable word back; `kind` says what it should have been, like `consent`.
pub fn word<T>(text: &str, read: impl FnOnce(&str) -> Option<T>, kind: &str) -> Result<T, DbError> {
    read(text).ok_or_else(|| DbError::corrupt(format!("`{text}` is no {kind}")))
}
