//! What a person reads; nothing else prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::time::Duration;

use tokio::sync::watch;

/// One line.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// The last words when it could not look.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("gatelodge-fsck: {error:#}");
}

/// Says once a second, from the second second on, what is being looked at.
pub(crate) async fn tell(at: watch::Receiver<String>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.tick().await;
    loop {
        beat.tick().await;
        eprintln!("looking at {}", *at.borrow());
    }
}
