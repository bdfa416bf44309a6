//! What a person reads; nothing else prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

/// Prints `text` as it is.
pub(crate) fn text(text: &str) {
    print!("{text}");
}

/// Announces a step before it runs.
pub(crate) fn step(what: &str) {
    eprintln!("\n== {what}");
}

/// One line below a step.
pub(crate) fn line(what: &str) {
    eprintln!("   {what}");
}

/// The last words before a non-zero exit.
pub(crate) fn failure(what: &str) {
    eprintln!("\nxtask: {what}");
}
