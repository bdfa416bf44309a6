//! Times, durations and sizes the way each language writes them.

use std::time::Duration;

use gatelodge_proto::Timestamp;

use super::{Argument, Language, say, say_with};

/// `3 May 2026`, `1er mai 2026`.
pub fn date(language: Language, at: Timestamp) -> String {
    let at = at.date_time();
    let month = say(language, &format!("month-{}", u8::from(at.month())));
    let day = if at.day() == 1 { say(language, "date-first") } else { at.day().to_string() };
    format!("{day} {month} {}", at.year())
}

/// `3 May 2026, 14:30 UTC`. Pages show the reader's own time zone where scripts run.
pub fn moment(language: Language, at: Timestamp) -> String {
    let time = at.date_time();
    let clock = format!("{:02}:{:02}", time.hour(), time.minute());
    let arguments = [("date", Argument::from(date(language, at))), ("clock", Argument::from(clock))];
    say_with(language, "date-and-clock", &arguments)
}

/// `2 minutes ago`, `in 3 hours`, and from a week on the date.
pub fn ago(language: Language, at: Timestamp, now: Timestamp) -> String {
    let (past, distance) = if at <= now { (true, now.since(at)) } else { (false, at.since(now)) };
    let seconds = distance.as_secs();
    let (ago, ahead, count) = match seconds {
        0..60 => return say(language, if past { "ago-now" } else { "in-moment" }),
        60..3_600 => ("ago-minutes", "in-minutes", seconds / 60),
        3_600..86_400 => ("ago-hours", "in-hours", seconds / 3_600),
        86_400..604_800 => ("ago-days", "in-days", seconds / 86_400),
        _ => return date(language, at),
    };
    say_with(language, if past { ago } else { ahead }, &[("count", Argument::from(count))])
}

/// `45 seconds`, `12 minutes`, `1 h`, `1 h 05 min`.
pub fn span(language: Language, length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..60 => say_with(language, "span-seconds", &[("count", Argument::from(seconds))]),
        60..3_600 => say_with(language, "span-minutes", &[("count", Argument::from(seconds / 60))]),
        _ if seconds % 3_600 < 60 => format!("{}\u{a0}h", seconds / 3_600),
        _ => format!("{}\u{a0}h\u{a0}{:02}\u{a0}min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// `90 days`, rounded up, for what is about to lapse.
pub fn days(language: Language, length: Duration) -> String {
    say_with(language, "span-days", &[("count", Argument::from(length.as_secs().div_ceil(86_400)))])
}

/// `640 B`, `1.5 kB`, `12 MB`; `1,5 ko` in French.
pub fn bytes(language: Language, count: u64) -> String {
    const STEPS: [&str; 4] = ["k", "M", "G", "T"];
    let unit = match language {
        Language::En => "B",
        Language::Fr => "o",
    };
    let mut tenths = u128::from(count) * 10;
    let mut prefix = "";
    for step in STEPS {
        if tenths < 10_000 {
            break;
        }
        (tenths, prefix) = (tenths / 1_000, step);
    }
    let comma = match language {
        Language::En => '.',
        Language::Fr => ',',
    };
    let fraction = tenths % 10;
    let number = if tenths >= 100 || fraction == 0 {
        (tenths / 10).to_string()
    } else {
        format!("{}{comma}{fraction}", tenths / 10)
    };
    format!("{number}\u{a0}{prefix}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_777_809_600); // 2026-05-03T12:00:00Z

    #[test]
    fn instants_read_as_people_say_them() {
        assert_eq!(date(Language::En, NOON), "3 May 2026");
        assert_eq!(date(Language::Fr, NOON - Duration::from_secs(2 * 86_400)), "1er mai 2026");
        assert_eq!(moment(Language::Fr, NOON), "3 mai 2026, 12:00 UTC");
        let before = |seconds| NOON - Duration::from_secs(seconds);
        assert_eq!(ago(Language::En, before(20), NOON), "just now");
        assert_eq!(ago(Language::En, before(60), NOON), "1 minute ago");
        assert_eq!(ago(Language::En, before(125), NOON), "2 minutes ago");
        assert_eq!(ago(Language::Fr, before(7_300), NOON), "il y a 2 heures");
        assert_eq!(ago(Language::En, NOON + Duration::from_secs(7_300), NOON), "in 2 hours");
        assert_eq!(ago(Language::En, before(30 * 86_400), NOON), "3 April 2026");
        assert_eq!(span(Language::En, Duration::from_secs(3_900)), "1\u{a0}h\u{a0}05\u{a0}min");
        assert_eq!(span(Language::En, Duration::from_secs(7_200)), "2\u{a0}h");
    }

    #[test]
    fn sizes_have_one_decimal_below_ten() {
        assert_eq!(bytes(Language::En, 640), "640\u{a0}B");
        assert_eq!(bytes(Language::Fr, 1_540), "1,5\u{a0}ko");
        assert_eq!(bytes(Language::En, 12_345_678), "12\u{a0}MB");
        assert_eq!(bytes(Language::En, u64::MAX), "18446744\u{a0}TB");
    }
}
