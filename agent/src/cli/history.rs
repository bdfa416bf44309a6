//! `history`: prints the device's own record of who was let in, for people, as JSON lines or as CSV.

use std::process::ExitCode;

use gatelodge_proto::csv;
use serde_json::{Value, json};

use super::term::{Failure, say};
use crate::{
    audit::{self, Chapter, Deed, End, Line, Stay, Target, TargetRow},
    config::Config,
};

/// For whom it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// People.
    Text,
    /// Programs: one entry a line, as it is on disk.
    Json,
    /// Spreadsheets.
    Csv,
}

pub(super) fn history(config: &Config, shape: Shape) -> Result<ExitCode, Failure> {
    let folder = &config.state_dir;
    let failed = |error: std::io::Error| {
        let what = format!("the record of sessions cannot be read: {error}");
        Failure::new(what, "run this as the agent's user, or as root").at(folder.display().to_string())
    };
    let (deeds, targets) = (audit::deeds(folder).map_err(failed)?, audit::targets(folder).map_err(failed)?);
    match shape {
        Shape::Text => {
            let story = audit::story(&deeds, &targets);
            if story.is_empty() {
                say("Nobody has asked to enter this device.");
            }
            story.iter().flat_map(lines).for_each(say);
        }
        Shape::Json => entries(&deeds, &targets).for_each(say),
        Shape::Csv => {
            say(csv::line(COLUMNS));
            for mut entry in entries(&deeds, &targets) {
                entry["hash_before"] = entry["before"].take();
                say(csv::line(COLUMNS.iter().map(|column| cell(&entry[*column]))));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn entries<'a>(deeds: &'a [Line<Deed>], targets: &'a [Line<TargetRow>]) -> impl Iterator<Item = Value> + 'a {
    deeds.iter().map(|line| json!(line)).chain(targets.iter().map(|line| json!(line)))
}

const COLUMNS: &[&str] = &[
    "at",
    "kind",
    "session",
    "technician",
    "organisation",
    "reason",
    "ticket_number",
    "reach",
    "from",
    "until",
    "customer",
    "installer",
    "consent",
    "life",
    "flow",
    "target",
    "outcome",
    "bytes_up",
    "bytes_down",
    "duration_ms",
    "number",
    "hash_before",
];

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn lines(chapter: &Chapter) -> Vec<String> {
    match chapter {
        Chapter::Erased(at) => vec![format!("{at}  What was on record was erased with its owner")],
        Chapter::Hold { at, sentence } => vec![format!("{at}  {sentence}")],
        Chapter::Rule { at, life, customer, installer, consent } => vec![format!(
            "{at}  The device is {}; customer {}, installer {}, remote access {}",
            life.word(),
            customer.as_deref().unwrap_or("none"),
            installer.as_deref().unwrap_or("none"),
            consent.word()
        )],
        Chapter::Stay(stay) => visit(stay),
    }
}

fn visit(stay: &Stay) -> Vec<String> {
    let who = stay
        .visit
        .as_ref()
        .map_or_else(|| "Somebody".to_owned(), |visit| format!("{} ({})", visit.technician, visit.organisation));
    let what = match (&stay.refused, &stay.end, stay.joined_at) {
        (Some((why, _)), _, _) => format!("turned away: {why}"),
        (None, Some(End { at, reason, bytes_up, bytes_down }), _) => {
            format!("until {at} ({}), {bytes_up} bytes out, {bytes_down} in", reason.word().replace('_', " "))
        }
        (None, None, Some(_)) => "is inside".to_owned(),
        (None, None, None) => "let in, has not come".to_owned(),
    };
    let mut lines = vec![format!("{}  {who} {what}", stay.at)];
    if let Some(visit) = &stay.visit {
        let number = visit.ticket_number.as_ref().map_or_else(String::new, |number| format!(", ticket {number}"));
        lines.push(format!("    to {}{number}", visit.reach.join(", ")));
        lines.extend(visit.break_glass.then(|| "    break-glass: opened in an emergency without asking".to_owned()));
        lines.extend(visit.reason.as_ref().map(|reason| format!("    \u{201c}{reason}\u{201d}")));
    }
    lines.extend(stay.session.map(|session| format!("    session {session}")));
    lines.extend(stay.targets.iter().map(target));
    if stay.cut_short {
        lines.push("    the last targets may be missing: the session's process died".to_owned());
    }
    lines
}

fn target(Target { flow, target, outcome, closed, .. }: &Target) -> String {
    let how = closed.map_or_else(
        || outcome.word().replace('_', " "),
        |(up, down, ms)| format!("{up} bytes out, {down} in, {}.{:03} s", ms / 1000, ms % 1000),
    );
    format!("    {target}  {how}  [{flow}]")
}
