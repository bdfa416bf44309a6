//! `status`: asks the running agent's local page, else tells what the state folder knows.

use std::{io, process::ExitCode};

use gatelodge_proto::{
    opening::{OpenHours, Window},
    payload::{Consent, DeviceState},
};

use super::{
    consent::words,
    page,
    term::{Failure, field, say},
};
use crate::{
    config::Config,
    state::{self, Holding},
    status::{LinkState, Status, sentence},
};

const NOT_RUNNING: u8 = 3;

pub(super) fn status(config: &Config, json: bool) -> Result<ExitCode, Failure> {
    match page::get(config.local_page.listen, "/status.json") {
        Ok(body) if json => {
            say(body.trim());
            Ok(ExitCode::SUCCESS)
        }
        Ok(body) => {
            let status: Status = serde_json::from_str(&body).map_err(|error| {
                Failure::new(
                    format!("what answers on {} is not this agent: {error}", config.local_page.listen),
                    "stop it, or set local_page.listen to another port",
                )
            })?;
            show(&status);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => not_running(config, json, &error),
    }
}

fn show(status: &Status) {
    say(sentence(status));
    let identity = &status.identity;
    if let Some(code) = &status.on_site_code {
        field("on-site code", format!("{} (until {})", code.code, code.valid_until));
    }
    if let Some(code) = &identity.id_code {
        field("ID code", code);
    }
    field("MAC", format!("{} {}", identity.mac, identity.mac_source));
    field("serial", format!("{} ({})", identity.serial, identity.serial_source));
    field("model", &identity.model);
    field("firmware", &identity.firmware);
    if let Some(registration) = &status.registration {
        field("state", registration.life.word());
        field("consent", rule(registration));
        for (name, value) in [
            ("customer", &registration.customer),
            ("installer", &registration.installer),
            ("web address", &registration.web_address),
        ] {
            if let Some(value) = value {
                field(name, value);
            }
        }
    }
    match &status.link {
        LinkState::Idle => {}
        LinkState::Online { since } => field("online since", since),
        LinkState::Offline { since, reason } => field("offline since", format!("{since}: {reason}")),
    }
    if let Some(until) = status.certificate_until {
        field("certificate", format!("until {until}"));
    }
    if status.waiting_messages > 0 {
        field("waiting", format!("{} messages without a receipt", status.waiting_messages));
    }
    field("held by", held_by(status.remote_access, status.consent.pinned.is_some()));
    if let Some(pinned) = &status.consent.pinned {
        field("pinned key", &pinned.fingerprint);
    }
    if !status.consent.wanted.is_empty() || status.consent.offered.is_some() {
        field("waiting", "for somebody at the device: gatelodge-agent consent");
    }
    for session in &status.sessions {
        field("session", format!("{} ({}) until {}", session.technician, session.organisation, session.until));
        field("by", words(session.consent_kind));
    }
    if let Some(problem) = &status.problem {
        field("problem", &problem.what);
        field("next", &problem.next);
    } else if matches!(status.link, LinkState::Offline { .. }) {
        field("next", "it connects again by itself; if it does not, gatelodge-agent doctor says where the way ends");
    }
}

/// Whose word lets technicians in.
const fn held_by(remote_access: bool, pinned: bool) -> &'static str {
    match (remote_access, pinned) {
        (false, _) => "this device's own switch: remote access is off, whoever allows it",
        (true, true) => "the customer's key: its signature, or a press on this device",
        (true, false) => "the portal's word and this device's own switch; no key is pinned",
    }
}

fn not_running(config: &Config, json: bool, error: &io::Error) -> Result<ExitCode, Failure> {
    let damaged = |error: state::StateError| Failure::new(error.to_string(), error.next_step());
    let holding = state::read_holding(&config.state_dir).map_err(damaged)?;
    let registration = state::read_registration(&config.state_dir).map_err(damaged)?;
    let pinned = state::read_pin(&config.state_dir).map_err(damaged)?.is_some();
    let stage = match &holding {
        None => "not enrolled",
        Some(Holding::Key { .. }) => "enrolling",
        Some(Holding::Enrolled { .. }) => "enrolled",
        Some(Holding::Retired) => "retired",
    };
    if json {
        say(serde_json::json!({ "running": false, "stage": stage, "registration": registration, "pinned": pinned }));
    } else {
        say(format!("The agent is not running. Last known: {stage}."));
        if let Some(registration) = registration {
            field("state", registration.life.word());
        }
        field("held by", held_by(config.remote_access.enabled, pinned));
        field("asked", format!("{}: {error}", config.local_page.listen));
        field("next", "gatelodge-agent run, or systemctl start gatelodge-agent");
    }
    Ok(ExitCode::from(NOT_RUNNING))
}

/// The customer's rule on one line.
fn rule(DeviceState { consent, opening, .. }: &DeviceState) -> String {
    let bound = match (consent, opening.open_until, &opening.hours) {
        (Consent::Always, Some(until), _) => format!(" until {until}"),
        (Consent::Always, None, Some(OpenHours { zone, windows })) => {
            let window = |window: &Window| {
                let days: Vec<_> = window.days.iter().map(|day| day.word()).collect();
                format!(" {} {}-{}", days.join(","), window.from, window.until)
            };
            let windows: Vec<_> = windows.iter().map(window).collect();
            format!(",{} {zone}, else ask", windows.join(","))
        }
        (Consent::Ask | Consent::Never | Consent::Always, ..) => String::new(),
    };
    let urgent = opening.break_glass.map(|who| format!("; emergencies: {}", who.word())).unwrap_or_default();
    format!("{}{bound}{urgent}", consent.word())
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        Timestamp,
        opening::{BreakGlass, Day, Opening},
        payload::Life,
    };

    use super::*;

    #[test]
    fn the_rule_is_one_line() {
        let hours = OpenHours {
            zone: "Europe/Paris".parse().unwrap(),
            windows: vec![Window {
                days: vec![Day::Mon, Day::Tue],
                from: "08:00".parse().unwrap(),
                until: "18:00".parse().unwrap(),
            }],
        };
        let state = |consent, opening| DeviceState {
            epoch: 1,
            version: 1,
            life: Life::Active,
            customer: None,
            installer: None,
            web_address: None,
            consent,
            opening,
        };
        let until = Timestamp::from_seconds(1_800_000_000);
        let with = |hours, open_until, break_glass| Opening { hours, open_until, break_glass };
        for (consent, opening, line) in [
            (Consent::Ask, Opening::default(), "ask"),
            (Consent::Ask, with(None, None, Some(BreakGlass::Supervisor)), "ask; emergencies: supervisor"),
            (Consent::Always, Opening::default(), "always"),
            (
                Consent::Always,
                with(Some(hours.clone()), None, None),
                "always, mon,tue 08:00-18:00 Europe/Paris, else ask",
            ),
            (Consent::Always, with(Some(hours), Some(until), None), "always until 2027-01-15T08:00:00Z"),
        ] {
            assert_eq!(rule(&state(consent, opening)), line);
        }
    }
}
