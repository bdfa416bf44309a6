//! When a device is open to its installer: the hours of the rule *always*, and a time from now on. Pure; the zones are on
//! board, so that cloud and device come to the same answer whatever their systems know.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{
    civil::{self, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{Timestamp, payload::Consent};

/// How long a session in an emergency lasts at most.
pub const BREAK_GLASS: Duration = Duration::from_secs(3_600);
/// How often a device is entered so within 24 hours.
pub const BREAK_GLASS_PER_DAY: u32 = 3;
/// Windows of one rule at most.
pub const MOST_WINDOWS: usize = 14;
/// Windows that follow each other without a gap are looked through this far.
const HORIZON_DAYS: i64 = 8;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "days name themselves")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    /// From Monday on.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The stable word of forms, the API and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }

    /// The day with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.word() == word)
    }

    fn of(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

/// A time of day as `HH:MM`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, example = "08:00"))]
pub struct TimeOfDay(civil::Time);

/// The text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time of day has hours and minutes, like 08:30")]
pub struct InvalidTimeOfDay;

impl FromStr for TimeOfDay {
    type Err = InvalidTimeOfDay;
    fn from_str(text: &str) -> Result<Self, InvalidTimeOfDay> {
        let number = |part: &str| -> Option<i8> {
            (part.len() == 2 && part.bytes().all(|c| c.is_ascii_digit())).then(|| part.parse().ok())?
        };
        let (hour, minute) = text.split_once(':').ok_or(InvalidTimeOfDay)?;
        let (hour, minute) = (number(hour).ok_or(InvalidTimeOfDay)?, number(minute).ok_or(InvalidTimeOfDay)?);
        civil::Time::new(hour, minute, 0, 0).map(Self).map_err(|_| InvalidTimeOfDay)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

crate::canonical_text!(TimeOfDay);

/// A time zone of the IANA database, like `Europe/Paris`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, example = "Europe/Paris"))]
pub struct Zone(String);

/// There is no such zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this time zone is not known; give one like Europe/Paris")]
pub struct UnknownZone;

impl Zone {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every zone there is, for a choice.
    pub fn all() -> Vec<String> {
        jiff::tz::db().available().map(|name| name.to_string()).filter(|name| name.contains('/')).collect()
    }

    fn rules(&self) -> Option<TimeZone> {
        TimeZone::get(&self.0).ok()
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let known = TimeZone::get(text.trim()).map_err(|_| UnknownZone)?;
        known.iana_name().map(|name| Self(name.to_owned())).ok_or(UnknownZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::canonical_text!(Zone);

/// Hours of some days of the week. They end on the day after when the end is not later than the beginning; equal, they
/// are a whole day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Window {
    /// The days on which it begins.
    pub days: Vec<Day>,
    /// From then.
    pub from: TimeOfDay,
    /// Until before then.
    pub until: TimeOfDay,
}

/// The hours to which *always* is bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenHours {
    /// Whose clock.
    pub zone: Zone,
    /// When, by that clock.
    pub windows: Vec<Window>,
}

impl OpenHours {
    /// Until when it is open without a gap; `None` when it is closed at that moment. A zone that is not known here opens
    /// nothing.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = self.zone.rules()?;
        let horizon = Timestamp::from_micros(now.micros() + HORIZON_DAYS * 86_400_000_000);
        let mut until = now;
        while until < horizon {
            match self.end_at(until, &zone) {
                Some(end) if end > until => until = end,
                _ => break,
            }
        }
        (until > now).then_some(until)
    }

    /// The latest end of the windows that hold this moment.
    fn end_at(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = jiff::Timestamp::from_microsecond(moment.micros()).ok()?.to_zoned(zone.clone()).date();
        let begun = [today.yesterday().ok(), Some(today)].into_iter().flatten();
        begun
            .flat_map(|date| self.windows.iter().filter_map(move |window| window.on(date, zone)))
            .filter(|(from, until)| *from <= moment && moment < *until)
            .map(|(_, until)| until)
            .max()
    }
}

impl Window {
    /// The moments from which and until which it is open when it begins on this day. A time that the clock skips in
    /// spring is the one after; one that it shows twice in autumn begins with the first and ends with it.
    fn on(&self, date: civil::Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        if !self.days.contains(&Day::of(date.weekday())) {
            return None;
        }
        let last = if self.until.0 > self.from.0 { date } else { date.tomorrow().ok()? };
        let moment = |date: civil::Date, time: TimeOfDay| {
            let zoned = date.to_datetime(time.0).to_zoned(zone.clone()).ok()?;
            Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
        };
        Some((moment(date, self.from)?, moment(last, self.until)?))
    }
}

/// Who of the installer may enter in an emergency: this role and those above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum BreakGlass {
    /// Who runs the organisation.
    Administrator,
    /// Who leads the work, too.
    Supervisor,
    /// Everybody who may ask for sessions.
    Technician,
}

impl BreakGlass {
    /// From the fewest on.
    pub const ALL: [Self; 3] = [Self::Administrator, Self::Supervisor, Self::Technician];

    /// The stable word of rows, forms, the API and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Supervisor => "supervisor",
            Self::Technician => "technician",
        }
    }

    /// The one with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// What the customer's rule says beside [`Consent`]. Part of what a key signs: a field that a device does not know is a
/// bound that it would not keep.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Opening {
    /// The hours of *always*; at any hour when there are none. Outside of them the customer is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<OpenHours>,
    /// Open until then, whatever the rule says; afterwards the rule holds again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// Who of the installer may enter in an emergency without an answer; nobody unless the customer has agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
}

/// What the rule comes to at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The customer is asked.
    Ask,
    /// Open, until then where there is an end.
    Open(Option<Timestamp>),
    /// Nobody enters.
    Never,
}

impl From<Consent> for Standing {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Ask => Self::Ask,
            Consent::Always => Self::Open(None),
            Consent::Never => Self::Never,
        }
    }
}

impl Standing {
    /// The same without its end.
    pub const fn consent(self) -> Consent {
        match self {
            Self::Ask => Consent::Ask,
            Self::Open(_) => Consent::Always,
            Self::Never => Consent::Never,
        }
    }
}

impl Opening {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a rule with this opening comes to.
    pub fn at(&self, consent: Consent, now: Timestamp) -> Standing {
        let ruled = match (consent, &self.hours) {
            (Consent::Never, _) => Standing::Never,
            (Consent::Ask, _) => Standing::Ask,
            (Consent::Always, None) => Standing::Open(None),
            (Consent::Always, Some(hours)) => match hours.open_until(now) {
                Some(until) => Standing::Open(Some(until)),
                None => Standing::Ask,
            },
        };
        match (self.open_until.filter(|until| now < *until), ruled) {
            (Some(until), Standing::Open(Some(hours))) => Standing::Open(Some(until.max(hours))),
            (_, Standing::Open(None)) => Standing::Open(None),
            (Some(until), _) => Standing::Open(Some(until)),
            (None, ruled) => ruled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hours(zone: &str, windows: &[(&[Day], &str, &str)]) -> OpenHours {
        let window = |(days, from, until): &(&[Day], &str, &str)| Window {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            until: until.parse().unwrap(),
        };
        OpenHours { zone: zone.parse().unwrap(), windows: windows.iter().map(window).collect() }
    }

    const WORK: [Day; 5] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri];

    #[test]
    fn hours_are_those_of_the_zone_in_summer_and_winter() {
        let office = hours("Europe/Paris", &[(&WORK, "08:00", "18:00")]);
        // A Wednesday in winter (UTC+1) and one in summer (UTC+2).
        assert_eq!(office.open_until(at("2027-01-13T06:59:59Z")), None);
        assert_eq!(office.open_until(at("2027-01-13T07:00:00Z")), Some(at("2027-01-13T17:00:00Z")));
        assert_eq!(office.open_until(at("2027-01-13T17:00:00Z")), None);
        assert_eq!(office.open_until(at("2027-07-14T06:00:00Z")), Some(at("2027-07-14T16:00:00Z")));
        assert_eq!(office.open_until(at("2027-07-17T09:00:00Z")), None, "Saturday");
    }

    #[test]
    fn a_night_is_as_long_as_the_change_of_the_clock_makes_it() {
        let night = hours("Europe/Paris", &[(&[Day::Sat], "22:00", "06:00")]);
        let long = |from: &str| night.open_until(at(from)).unwrap().since(at(from)).as_secs() / 3_600;
        assert_eq!(long("2027-03-27T21:00:00Z"), 7, "the night of spring");
        assert_eq!(long("2027-10-30T20:00:00Z"), 9, "the night of autumn");
        assert_eq!(long("2027-05-29T20:00:00Z"), 8, "any other");
    }

    #[test]
    fn an_hour_that_the_clock_skips_is_not_open_and_one_that_it_shows_twice_is_open_twice() {
        let second = hours("Europe/Paris", &[(&Day::ALL, "02:00", "03:00")]);
        // 2027-03-28: the clock goes from 01:59:59 (00:59:59Z) to 03:00 (01:00Z).
        for moment in ["2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z"] {
            assert_eq!(second.open_until(at(moment)), None, "{moment}");
        }
        // 2027-10-31: 02:00 to 03:00 is shown from 00:00Z to 02:00Z.
        assert_eq!(second.open_until(at("2027-10-31T00:00:00Z")), Some(at("2027-10-31T02:00:00Z")));
        assert_eq!(second.open_until(at("2027-10-31T01:30:00Z")), Some(at("2027-10-31T02:00:00Z")));
    }

    #[test]
    fn windows_that_touch_are_one_and_a_whole_week_has_no_end_in_sight() {
        let weekend = hours("Asia/Kolkata", &[(&[Day::Sat], "00:00", "00:00"), (&[Day::Sun], "00:00", "12:00")]);
        assert_eq!(weekend.open_until(at("2027-01-15T18:30:00Z")), Some(at("2027-01-17T06:30:00Z")));
        let all = hours("Europe/Paris", &[(&Day::ALL, "00:00", "00:00")]);
        let now = at("2027-01-13T07:00:00Z");
        assert!(all.open_until(now).unwrap().since(now).as_secs() >= 8 * 86_400);
        assert_eq!(hours("Europe/Paris", &[]).open_until(now), None);
    }

    #[test]
    fn an_opening_from_now_on_ends_and_the_rule_is_back() {
        let now = at("2027-01-13T20:00:00Z");
        let later = at("2027-01-13T22:00:00Z");
        let open = Opening { open_until: Some(later), ..Opening::default() };
        for consent in [Consent::Ask, Consent::Never] {
            assert_eq!(open.at(consent, now), Standing::Open(Some(later)));
            assert_eq!(open.at(consent, later).consent(), consent);
        }
        assert_eq!(open.at(Consent::Always, now), Standing::Open(None));
        let office = Opening { hours: Some(hours("Europe/Paris", &[(&WORK, "08:00", "18:00")])), ..open };
        assert_eq!(office.at(Consent::Always, now), Standing::Open(Some(later)));
        assert_eq!(office.at(Consent::Always, later), Standing::Ask, "outside of the hours the customer is asked");
        assert_eq!(office.at(Consent::Never, later), Standing::Never, "hours belong to *always* alone");
    }

    #[test]
    fn what_is_no_time_and_no_zone_is_refused() {
        for bad in ["", "8:00", "08:60", "24:00", "08:00:00", "-1:00", "ab:cd"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
        for bad in ["", "Europe/Nowhere", "../etc/passwd", "CEST"] {
            assert!(bad.parse::<Zone>().is_err(), "{bad}");
        }
        assert!(Zone::all().iter().any(|name| name == "Europe/Paris"));
        let text = r#"{"zone":"Europe/Paris","windows":[{"days":["mon"],"from":"08:00","until":"18:00"}]}"#;
        let read: OpenHours = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
