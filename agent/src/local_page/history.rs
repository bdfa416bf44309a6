//! Who was let in, what they opened and when they left, from the device's own record. Changes nothing.

use std::path::PathBuf;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use gatelodge_proto::{
    Timestamp,
    payload::{Consent, EndReason, FlowOutcome, Life},
};
use serde::Deserialize;
use time::macros::format_description;

use super::{
    language::Words,
    pages::{Desk, Word, render, words},
};
use crate::audit::{self, Chapter, Stay, Target, Unsound};

/// Visits on a page.
const PAGE: usize = 30;
/// Targets of one visit on the page; `gatelodge-agent history` has them all.
const TARGETS: usize = 200;

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    words: Words,
    chapters: Vec<Chapter>,
    /// How many newer ones the next page leaves out.
    older: Option<usize>,
    /// What is wrong with the record.
    broken: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Skipped {
    skip: usize,
}

struct Read {
    story: Vec<Chapter>,
    broken: Option<String>,
}

fn read(folder: &std::path::Path) -> std::io::Result<Read> {
    let story = audit::story(&audit::deeds(folder)?, &audit::targets(folder)?);
    let broken = match audit::verify(folder) {
        Ok(_) => None,
        Err(Unsound::Broken(broken)) => Some(broken.to_string()),
        Err(Unsound::Io(error)) => return Err(error),
    };
    Ok(Read { story, broken })
}

pub(super) async fn history(
    State(desk): State<Desk>,
    Query(Skipped { skip }): Query<Skipped>,
    headers: HeaderMap,
) -> Response {
    let words = words(&headers);
    let folder: PathBuf = desk.folder;
    let found = tokio::task::spawn_blocking(move || read(&folder)).await;
    let Ok(Ok(Read { mut story, broken })) = found else {
        let line = words.get("history-unreadable");
        return render(StatusCode::INTERNAL_SERVER_ERROR, &Word { words, line });
    };
    story.reverse();
    let older = (story.len() > skip.saturating_add(PAGE)).then_some(skip + PAGE);
    let chapters = story.into_iter().skip(skip).take(PAGE).collect();
    render(StatusCode::OK, &History { words, chapters, older, broken })
}

/// The record as it is on disk, one JSON value a line.
pub(super) async fn download(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let read = tokio::task::spawn_blocking(move || {
        let (deeds, targets) = (audit::deeds(&desk.folder)?, audit::targets(&desk.folder)?);
        let mut text = String::new();
        let lines = deeds.iter().map(serde_json::to_string);
        for line in lines.chain(targets.iter().map(serde_json::to_string)) {
            text.push_str(&line?);
            text.push('\n');
        }
        Ok::<_, std::io::Error>(text)
    });
    let Ok(Ok(text)) = read.await else {
        let words = words(&headers);
        let line = words.get("history-unreadable");
        return render(StatusCode::INTERNAL_SERVER_ERROR, &Word { words, line });
    };
    let name = "attachment; filename=\"gatelodge-device-history.jsonl\"";
    ([(header::CONTENT_TYPE, "application/x-ndjson"), (header::CONTENT_DISPOSITION, name)], text).into_response()
}

#[expect(clippy::unused_self, reason = "called from the template")]
impl History {
    fn time(&self, at: Timestamp) -> String {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
        at.date_time().format(format).unwrap_or_else(|_| at.to_string())
    }

    fn who(&self, stay: &Stay) -> Option<String> {
        stay.visit.as_ref().map(|visit| format!("{} ({})", visit.technician, visit.organisation))
    }

    /// In the reader's language where it is one of the known ends; what else a device says, it says in English.
    fn why(&self, sentence: &str, end: Option<EndReason>) -> String {
        let known = end.filter(|end| *end != EndReason::Refused && *end != EndReason::DeviceFault);
        known
            .map_or_else(|| sentence.to_owned(), |end| self.words.get(&format!("end-{}", end.word().replace('_', "-"))))
    }

    fn end_key(&self, stay: &Stay) -> Option<String> {
        stay.end.map(|end| format!("end-{}", end.reason.word().replace('_', "-")))
    }

    fn shown<'a>(&self, stay: &'a Stay) -> &'a [Target] {
        &stay.targets[..stay.targets.len().min(TARGETS)]
    }

    fn more(&self, stay: &Stay) -> Option<String> {
        let more = stay.targets.len().saturating_sub(TARGETS);
        (more > 0).then(|| more.to_string())
    }

    fn outcome_key(&self, outcome: FlowOutcome) -> String {
        format!("target-{}", outcome.word().replace('_', "-"))
    }

    fn life_key(&self, life: Life) -> String {
        format!("life-{}", life.word())
    }

    fn consent_key(&self, consent: Consent) -> &'static str {
        match consent {
            Consent::Ask => "consent-ask",
            Consent::Always => "consent-always",
            Consent::Never => "consent-never",
        }
    }

    fn bytes(&self, count: u64) -> String {
        match count {
            0..=999 => format!("{count}\u{a0}B"),
            1_000..=999_999 => format!("{}\u{a0}kB", count / 1_000),
            _ => format!("{}\u{a0}MB", count / 1_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_and_every_outcome_has_its_words() {
        let outcomes = [
            FlowOutcome::Opened,
            FlowOutcome::NotAllowed,
            FlowOutcome::Refused,
            FlowOutcome::TimedOut,
            FlowOutcome::Unreachable,
            FlowOutcome::NoSuchName,
            FlowOutcome::Limit,
            FlowOutcome::Busy,
        ];
        let ends = EndReason::ALL.map(|end| format!("end-{}", end.word().replace('_', "-")));
        let outcomes = outcomes.map(|outcome| format!("target-{}", outcome.word().replace('_', "-")));
        let lives = Life::ALL.map(|life| format!("life-{}", life.word()));
        for language in ["en", "fr"] {
            let words = Words::accepted(Some(language));
            for key in ends.iter().chain(&outcomes).chain(&lives) {
                assert!(!words.get(key).contains(key.as_str()), "{language} has no words for {key}");
            }
        }
    }
}
