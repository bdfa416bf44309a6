//! What the fault tests say to a person; nothing else prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

/// Some lines.
pub(crate) fn say(lines: &str) {
    println!("{lines}");
}

/// The last words before a non-zero exit.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("gatelodge-fault: {error:#}");
}
