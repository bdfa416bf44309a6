//! The main job, end to end, written once: inventory, report, registration, activation, session, release. The demo
//! plays it with plain hands, `tests/it` with real browsers.

mod activate;
mod inventory;
mod mails;
mod reach;
mod register;
mod release;
mod report;
mod stage;

use std::time::{Duration, Instant};

pub use inventory::inventory;
pub use inventory::make_vendor;
pub use mails::{Mails, sign_out};
pub use reach::{Forward, allow, forward, press_stop, refuse, sign_in as sign_in_technician};
pub use register::sign_up;
pub use report::report;
pub use stage::{CUSTOMER, Company, INSTALLER, NEXT_CUSTOMER, Person, Stage, Told, VENDOR, WEB_ADDRESS};

/// A step of the story, done.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Its number, from 1.
    pub number: usize,
    /// What happened.
    pub title: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// What the steps are, in order.
pub const TITLES: [&str; 6] = [
    "the inventory is imported, bad rows are named",
    "the agent makes its key and asks to enrol; unknown hardware is kept apart",
    "the installer signs up and registers the device, which gets its certificate and reports",
    "the customer sets a password, confirms, and the device knows it",
    "the technician reaches the panel with the customer's consent, until the customer presses Stop",
    "the customer gives the device back, and the next owner starts afresh",
];

/// Plays the whole story, telling each step when it is done; the error names the step that failed.
pub async fn play(stage: &mut Stage, tell: impl FnMut(Done)) -> anyhow::Result<()> {
    play_until(stage, TITLES.len(), tell).await
}

/// Plays the story up to and with step `last`.
pub async fn play_until(stage: &mut Stage, last: usize, mut tell: impl FnMut(Done)) -> anyhow::Result<()> {
    for (index, title) in TITLES.into_iter().enumerate().take(last) {
        let began = Instant::now();
        let done = match index {
            0 => inventory::inventory(stage).await,
            1 => report::report(stage).await,
            2 => register::register(stage).await,
            3 => activate::activate(stage).await,
            4 => reach::reach(stage).await,
            _ => release::release(stage).await,
        };
        done.map_err(|error| error.context(format!("step {}, {title}", index + 1)))?;
        tell(Done { number: index + 1, title, took: began.elapsed() });
    }
    Ok(())
}
