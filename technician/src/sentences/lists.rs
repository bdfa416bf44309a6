//! The words of lists: devices, sessions, and when something was.

use gatelodge_proto::{
    Timestamp,
    api::{Presence, SessionState, SessionView},
    payload::{Consent, Life},
};

use crate::signed_in::SignIn;

pub(crate) const fn life(life: Life) -> &'static str {
    match life {
        Life::Manufactured => "manufactured",
        Life::Enrolled => "enrolled",
        Life::Registered => "registered",
        Life::Active => "active",
        Life::Released => "released",
        Life::Retired => "retired",
    }
}

pub(crate) const fn consent(consent: Option<Consent>) -> &'static str {
    match consent {
        Some(Consent::Ask) => "asked each time",
        Some(Consent::Always) => "always",
        Some(Consent::Never) => "never",
        None => "",
    }
}

/// A moment as people say it: how long ago or how far off within a day, else day and time (UTC).
pub(crate) fn when(at: Timestamp, now: Timestamp) -> String {
    let (past, apart) = if at <= now { (true, now.since(at)) } else { (false, at.since(now)) };
    let amount = match apart.as_secs() {
        0..=59 if past => return "just now".to_owned(),
        0..=59 => "1 min".to_owned(),
        seconds @ 60..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=86_399 => format!("{} h", seconds / 3_600),
        _ => {
            let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
            return at.date_time().format(format).unwrap_or_else(|_| at.to_string());
        }
    };
    if past { format!("{amount} ago") } else { format!("in {amount}") }
}

/// What a session reaches: services, networks, ports for calls and features.
pub(crate) fn reaches(session: &SessionView) -> String {
    let services = session.services.iter().map(ToString::to_string);
    let networks = session.networks.iter().map(|network| network.subnet.to_string());
    let listens = session.listens.iter().map(|listen| format!("calls at {}", listen.name));
    let features = session.features.iter().map(ToString::to_string);
    services.chain(networks).chain(listens).chain(features).collect::<Vec<_>>().join(", ")
}

pub(crate) const NO_LIVE_SESSIONS: &str = "No session waits or is open. gatelodge forward DEVICE asks for one.";
pub(crate) const NO_SUCH_DEVICES: &str = "no device of yours is like that";

pub(crate) fn signed_in_as(sign_in: &SignIn, now: Timestamp) -> String {
    let SignIn { name, email, organisation, cloud, expires_at, .. } = sign_in;
    format!("{name} ({email}) of {organisation}, at {cloud}; signed in until {}", when(*expires_at, now))
}

pub(crate) fn presence(presence: Presence, now: Timestamp) -> String {
    match presence {
        Presence { online: true, .. } => "online".to_owned(),
        Presence { since: Some(since), .. } => format!("offline since {}", when(since, now)),
        Presence { since: None, .. } => "never seen".to_owned(),
    }
}

pub(crate) const fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Waiting => "waiting",
        SessionState::Open => "open",
        SessionState::Refused => "refused",
        SessionState::Ended => "ended",
    }
}

/// Who holds the session to a rate, in one line.
pub(crate) fn limited(rate: u64, by: &str) -> String {
    format!("limited to {} by the {by}", self::rate(rate))
}

/// `1.2 MB/s` and the like.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes_per_second / unit, bytes_per_second % unit * 10 / unit);
    match bytes_per_second {
        0..=999 => format!("{bytes_per_second} B/s"),
        1_000..=999_999 => format!("{} kB/s", tenths(1_000)),
        _ => format!("{} MB/s", tenths(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn moments_are_said_as_people_say_them() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        for (at, words) in [
            (now, "just now"),
            (now - minute * 119, "119 min ago"),
            (now - hour * 23, "23 h ago"),
            (now + Duration::from_secs(5), "in 1 min"),
            (now + minute * 48, "in 48 min"),
            (now + hour * 3, "in 3 h"),
            (now - hour * 48, "2027-01-13 08:00 UTC"),
        ] {
            assert_eq!(when(at, now), words);
        }
    }
}
