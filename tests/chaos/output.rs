//! What the proxy says to a person; nothing else prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

/// One line.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// The last words before a non-zero exit.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("gatelodge-chaos: {error:#}");
}
