//! The one place that writes to the terminal.

use std::{fmt::Write as _, process::ExitCode};

/// Prints to standard output.
#[expect(clippy::print_stdout, reason = "what the person asked for")]
pub(super) fn say(text: &str) {
    println!("{}", text.trim_end());
}

/// Tells on standard error how far it has come.
#[expect(clippy::print_stderr, reason = "whoever waits wants to see that something moves")]
pub(super) fn tell(text: &str) {
    eprintln!("{text}");
}

/// Prints a failure with its causes on standard error.
#[expect(clippy::print_stderr, reason = "the one border where an error becomes text")]
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let mut text = format!("gatelodge-cloud: {error}");
    for cause in error.chain().skip(1) {
        let _ = write!(text, "\n  cause   {cause}");
    }
    eprintln!("{text}");
    ExitCode::FAILURE
}
