//! Progress and log on standard error, the outcome on standard output; nothing else prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::io;

use tracing_subscriber::EnvFilter;

/// Quiet by default: what ten thousand devices log is read by nobody.
pub(crate) fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("GATELODGE_SIM_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

/// Something the person at the keyboard wants to know while it lasts.
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

/// The outcome: an object for programs, or lines for people.
pub(crate) fn outcome(json: bool, value: &serde_json::Value, text: &str) {
    if json {
        println!("{value}");
    } else {
        println!("{text}");
    }
}

/// The last words before a non-zero exit.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("gatelodge-sim: {error:#}");
}
