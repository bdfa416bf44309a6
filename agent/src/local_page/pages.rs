//! What the page answers.

use std::{num::NonZeroU64, path::PathBuf};

use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use gatelodge_proto::{
    SessionId, Timestamp,
    consent::ConsentKind,
    enrol::Wait,
    opening::{OpenHours, Opening, Window},
    payload::{Consent, DeviceState, Life},
};
use qrcode::{QrCode, render::svg};
use serde::Deserialize;
use time::macros::format_description;
use tokio::sync::mpsc;

use super::language::Words;
use crate::{
    run::PageOrder,
    status::{Board, LinkState, LiveSession, Stage, Status},
};

/// The key of a kind's words.
const fn kind_words(kind: ConsentKind) -> &'static str {
    match kind {
        ConsentKind::Cloud => "kind-cloud",
        ConsentKind::Passkey => "kind-passkey",
        ConsentKind::StandingRule => "kind-standing-rule",
        ConsentKind::BreakGlass => "kind-break-glass",
        ConsentKind::Pressed => "kind-pressed",
    }
}

/// What the handlers share.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) board: Board,
    pub(super) orders: mpsc::Sender<PageOrder>,
    /// Where the device's own record is.
    pub(super) folder: PathBuf,
    /// Per start of the agent; a form without it was not ours.
    pub(super) token: String,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    words: Words,
    status: Status,
    state: String,
    link: String,
    consent: Vec<String>,
    token: String,
}

#[derive(Template)]
#[template(path = "word.html")]
pub(super) struct Word {
    pub(super) words: Words,
    pub(super) line: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pressed {
    token: String,
}

pub(super) async fn page(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let words = words(&headers);
    let status = desk.board.status();
    render(
        StatusCode::OK,
        &Page {
            state: words.get(state_key(&status)),
            link: link_line(&words, &status.link),
            consent: rule_lines(&words, status.registration.as_ref()),
            token: desk.token,
            words,
            status,
        },
    )
}

pub(super) async fn status(State(desk): State<Desk>) -> Json<Status> {
    Json(desk.board.status())
}

pub(super) async fn stop(
    State(desk): State<Desk>,
    Path(session): Path<SessionId>,
    headers: HeaderMap,
    Form(pressed): Form<Pressed>,
) -> Response {
    let word = |code, key: &str| {
        let words = words(&headers);
        render(code, &Word { line: words.get(key), words })
    };
    if pressed.token != desk.token {
        return word(StatusCode::FORBIDDEN, "token-stale");
    }
    if !desk.board.status().sessions.iter().any(|live| live.session == session) {
        return word(StatusCode::NOT_FOUND, "session-gone");
    }
    match desk.orders.try_send(PageOrder::StopSession(session)) {
        Ok(()) => Redirect::to("/").into_response(),
        Err(_) => word(StatusCode::ACCEPTED, "stopping"),
    }
}

pub(super) async fn label(State(desk): State<Desk>) -> Response {
    let drawn = desk.board.status().identity.label.and_then(|label| {
        let code = QrCode::new(label).ok()?;
        Some(code.render::<svg::Color<'_>>().min_dimensions(168, 168).quiet_zone(true).build())
    });
    match drawn {
        Some(image) => ([(header::CONTENT_TYPE, "image/svg+xml")], image).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) async fn mark() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("../../assets/mark.svg")).into_response()
}

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../../assets/page.css")).into_response()
}

pub(super) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("../../assets/page.js")).into_response()
}

impl Page {
    #[expect(clippy::unused_self, reason = "called from the template")]
    fn time(&self, at: Timestamp) -> String {
        moment(at)
    }

    /// Like `24 h` and `1 h 30 min`.
    #[expect(clippy::unused_self, reason = "called from the template")]
    fn length(&self, minutes: u32) -> String {
        match (minutes / 60, minutes % 60) {
            (0, minutes) => format!("{minutes}\u{a0}min"),
            (hours, 0) => format!("{hours}\u{a0}h"),
            (hours, minutes) => format!("{hours}\u{a0}h {minutes}\u{a0}min"),
        }
    }

    /// Like `2 MB/s` and `1.5 kB/s`.
    fn rate_shown(&self, bytes_per_s: NonZeroU64) -> String {
        let (unit, key) = match bytes_per_s.get() {
            0..=999 => (1, "unit-b"),
            1_000..=999_999 => (1_000, "unit-kb"),
            _ => (1_000_000, "unit-mb"),
        };
        let (whole, tenth) = (bytes_per_s.get() / unit, bytes_per_s.get() % unit * 10 / unit);
        let point = if tenth == 0 { String::new() } else { format!("{}{tenth}", self.words.get("decimal-mark")) };
        self.words.with(key, "amount", format!("{whole}{point}"))
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    fn who(&self, session: &LiveSession) -> String {
        format!("{} ({})", session.technician, session.organisation)
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    fn named(&self, technician: &str, organisation: &str) -> String {
        format!("{technician} ({organisation})")
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    fn kind_key(&self, session: &LiveSession) -> &'static str {
        kind_words(session.consent_kind)
    }

    fn minutes(&self, minutes: u64) -> String {
        self.length(u32::try_from(minutes).unwrap_or(u32::MAX))
    }
}

pub(super) fn words(headers: &HeaderMap) -> Words {
    Words::accepted(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}

pub(super) fn render(code: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (code, Html(text)).into_response(),
        Err(error) => {
            tracing::warn!(%error, "local page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn state_key(status: &Status) -> &'static str {
    match &status.stage {
        Stage::Retired => "state-retired",
        Stage::Enrolling { wait: None } => "state-enrolling",
        Stage::Enrolling { wait: Some(Wait::OnSiteCode | Wait::NewOnSiteCode) } => "state-wait-code",
        Stage::Enrolling { wait: Some(Wait::UnknownHardware) } => "state-wait-hardware",
        Stage::Enrolling { wait: Some(Wait::Conflict) } => "state-wait-conflict",
        Stage::Enrolled { .. } => match status.registration.as_ref().map(|state| state.life) {
            None | Some(Life::Manufactured | Life::Enrolled) => "state-unregistered",
            Some(Life::Registered) => "state-registered",
            Some(Life::Active) => "state-active",
            Some(Life::Released) => "state-released",
            Some(Life::Retired) => "state-retired",
        },
    }
}

/// Minutes are enough, and the device's zone is not known to be the reader's.
fn moment(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.date_time().format(format).unwrap_or_else(|_| at.to_string())
}

/// The customer's rule, as the cloud has told it.
fn rule_lines(words: &Words, state: Option<&DeviceState>) -> Vec<String> {
    let Some(state) = state else { return vec![words.get("consent-never")] };
    let Opening { hours, open_until, break_glass } = &state.opening;
    let mut lines = match (state.consent, open_until, hours) {
        (Consent::Never, ..) => return vec![words.get("consent-never")],
        (Consent::Ask, ..) => vec![words.get("consent-ask")],
        (Consent::Always, Some(until), _) => vec![words.with("consent-open", "until", moment(*until))],
        (Consent::Always, None, None) => vec![words.get("consent-always")],
        (Consent::Always, None, Some(OpenHours { zone, windows })) => {
            let window = |Window { days, from, until }: &Window| {
                let days: Vec<_> = days.iter().map(|day| words.get(&format!("day-{}", day.word()))).collect();
                format!("{} {from}–{until}", days.join(", "))
            };
            let lead = words.with("consent-hours", "zone", zone.as_str());
            std::iter::once(lead).chain(windows.iter().map(window)).chain([words.get("consent-hours-else")]).collect()
        }
    };
    lines.extend(break_glass.map(|who| words.get(&format!("consent-break-glass-{}", who.word()))));
    lines
}

fn link_line(words: &Words, link: &LinkState) -> String {
    match link {
        LinkState::Idle => words.get("link-idle"),
        LinkState::Online { .. } => words.get("link-online"),
        LinkState::Offline { reason, .. } => words.with("link-offline", "reason", reason),
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::opening::{BreakGlass, Day};

    use super::*;

    #[test]
    fn the_rule_is_told_with_its_hours() {
        let until = Timestamp::from_seconds(1_800_000_000);
        let (from, to) = ("08:00".parse().unwrap(), "18:00".parse().unwrap());
        let window = Window { days: vec![Day::Mon, Day::Sun], from, until: to };
        let hours = OpenHours { zone: "Europe/Paris".parse().unwrap(), windows: vec![window] };
        let bound = Opening { hours: Some(hours), break_glass: Some(BreakGlass::Technician), open_until: None };
        let told = |language, consent, opening| {
            let state = DeviceState {
                epoch: 1,
                version: 1,
                life: Life::Active,
                customer: None,
                installer: None,
                web_address: None,
                consent,
                opening,
            };
            rule_lines(&Words::accepted(Some(language)), Some(&state))
        };
        let lines = told("fr", Consent::Always, bound.clone());
        assert_eq!(lines[1], "lun., dim. 08:00–18:00");
        assert!(lines[0].contains("Europe/Paris") && lines[3].contains("tout technicien"), "{lines:?}");
        let lines = told("en", Consent::Always, Opening { open_until: Some(until), ..bound.clone() });
        assert!(lines[0].contains("until 2027-01-15 08:00 UTC"), "{lines:?}");
        assert_eq!(told("en", Consent::Never, bound), ["Nobody may enter."]);
        assert_eq!(told("en", Consent::Ask, Opening::default()), ["You are asked before each session."]);
        for (language, who) in [("en", BreakGlass::ALL), ("fr", BreakGlass::ALL)] {
            let keys = Day::ALL.iter().map(|day| format!("day-{}", day.word()));
            let keys = keys.chain(who.map(|who| format!("consent-break-glass-{}", who.word())));
            let words = Words::accepted(Some(language));
            assert!(keys.into_iter().all(|key| words.get(&key) != key), "{language}");
        }
    }
}
