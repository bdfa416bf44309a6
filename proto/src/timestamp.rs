//! Instants: microseconds since the Unix epoch inside, RFC 3339 in UTC on the wire.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// An instant in UTC with microsecond resolution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
pub struct Timestamp(i64);

/// The text is no RFC 3339 date and time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date and time; write it like 2026-05-03T14:30:00Z")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// 0000-01-01T00:00:00Z.
    const FIRST: Self = Self::from_seconds(-62_167_219_200);
    /// 9999-12-31T23:59:59.999999Z.
    const LAST: Self = Self(253_402_300_799_999_999);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar view of this instant. Instants outside the years 0 to 9999, which RFC 3339 cannot write, are clamped
    /// to the epoch.
    pub fn date_time(self) -> OffsetDateTime {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).ok();
        at.filter(|at| at.year() >= 0).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0))
    }
}

impl From<std::time::SystemTime> for Timestamp {
    fn from(at: std::time::SystemTime) -> Self {
        Self::from(OffsetDateTime::from(at))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok().map(Self::from);
        // An offset can lead out of the years that can be written again.
        at.filter(|at| (Self::FIRST..=Self::LAST).contains(at))
            .ok_or_else(|| InvalidTimestamp(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.date_time().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

crate::canonical_text!(Timestamp);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_round_trips(micros in 0i64..253_402_300_799_000_000) {
            let at = Timestamp::from_micros(micros);
            prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        }
    }

    #[test]
    fn a_bad_text_is_named_in_the_refusal() {
        assert_eq!(
            "yesterday".parse::<Timestamp>().unwrap_err().to_string(),
            "`yesterday` is not a date and time; write it like 2026-05-03T14:30:00Z"
        );
    }

    #[test]
    fn what_is_read_can_be_written() {
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-05-03T14:30:00+02:00"] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(at.to_string().parse(), Ok(at), "{text}");
        }
        for text in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        for at in [Timestamp::FIRST - Duration::from_micros(1), Timestamp::LAST + Duration::from_micros(1)] {
            assert_eq!(at.to_string(), "1970-01-01T00:00:00Z");
        }
    }

    #[test]
    fn since_never_goes_negative() {
        let (early, late) = (Timestamp::from_seconds(10), Timestamp::from_seconds(12));
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early + Duration::from_secs(2), late);
        assert_eq!(late - Duration::from_secs(2), early);
    }
}
