//! Rows for machines on standard output, progress on standard error; nothing else prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use serde::Serialize;

/// One measured value.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) id: &'static str,
    /// The value.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What it was compared with, in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<&'static str>,
    /// The value over the peer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
}

impl Row {
    /// A value with nothing to compare it with.
    pub(crate) const fn alone(id: &'static str, value: f64, unit: &'static str) -> Self {
        Self { id, value, unit, peer: None, ratio: None }
    }

    /// A value beside what something simpler reached in the same run.
    pub(crate) fn beside(id: &'static str, value: f64, unit: &'static str, peer: &'static str, reached: f64) -> Self {
        Self { id, value, unit, peer: Some(peer), ratio: Some(value / reached) }
    }
}

/// What is being measured, for the person who waits.
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

/// One row.
pub(crate) fn row(row: &Row) {
    println!("{}", serde_json::json!(row));
}

/// The last words before a non-zero exit.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("gatelodge-bench: {error:#}");
}
