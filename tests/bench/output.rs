//! Rows for machines on standard output; nothing else prints.

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

/// One row.
pub(crate) fn row(row: &Row) {
    println!("{}", serde_json::json!(row));
}

/// The last words before a non-zero exit.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("gatelodge-bench: {error:#}");
}
