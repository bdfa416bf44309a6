//! What a person sees while a session waits and runs: one line on standard error, kept current. With `--json`, one
//! value a line on standard output.

mod told_end;

use std::{
    num::NonZeroU64,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use gatelodge_proto::{
    Timestamp,
    api::DeviceView,
    session::{
        driver::Counters,
        line::{LineState, LineView},
    },
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use self::told_end::{Outage, told_end};
use crate::{
    clock::Clock,
    forward::Update,
    output::{Exit, Failure, Output},
    pick, sentences,
};

const EVERY: Duration = Duration::from_secs(1);

/// The three lines while the customer has not answered.
pub(super) struct Waiting {
    bar: Option<ProgressBar>,
    output: Output,
    said: bool,
}

impl Waiting {
    pub(super) fn new(device: &DeviceView, output: Output) -> Self {
        output.value(&json!({ "event": "waiting", "device": device.id, "name": device.name }));
        Self { bar: output.is_watched().then(bar), output, said: false }
    }

    pub(super) fn show(&mut self, device: &DeviceView, ago: Duration) {
        let words = Failure::new(Exit::Refused, sentences::WAITING_FOR_CONSENT, sentences::NEXT_WAIT)
            .about("device", sentences::asked(device, ago))
            .lines();
        match &self.bar {
            Some(bar) => bar.set_message(words),
            None if !self.said => self.output.note(&words),
            None => {}
        }
        self.said = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    bar
}

/// What is told once, when the session carries.
pub(super) struct Ready {
    /// For people, a line each.
    pub(super) lines: Vec<String>,
    /// For programs: more fields of the event `open`.
    pub(super) event: serde_json::Map<String, Value>,
    /// Whether a person reads of each flow that failed. Whoever dialled has learned it already.
    pub(super) tells_failures: bool,
}

/// The line of a running session.
pub(super) struct LiveLine {
    device: String,
    /// The device as it is named on the command line.
    named: String,
    ready: Ready,
    until: Timestamp,
    clock: Clock,
    output: Output,
    bar: Option<ProgressBar>,
    outage: Outage,
    /// The device's own rate, and the way on which a relay says its rate.
    limits: Option<(Option<NonZeroU64>, LineView)>,
}

impl LiveLine {
    pub(super) fn new(device: &DeviceView, ready: Ready, until: Timestamp, clock: Clock, output: Output) -> Self {
        let bar = output.is_watched().then(bar);
        let named = pick::named(device);
        let line = Self {
            device: device.name.clone(),
            named,
            ready,
            until,
            clock,
            output,
            bar,
            outage: Outage::default(),
            limits: None,
        };
        line.set(format!("joining    {}", line.device));
        line
    }

    /// Shows what happens until the session is over.
    pub(super) async fn follow(mut self, mut told: mpsc::UnboundedReceiver<Update>) {
        let mut every = tokio::time::interval(EVERY);
        let mut seen: Option<(Arc<Counters>, u64, u64)> = None;
        loop {
            tokio::select! {
                update = told.recv() => match update {
                    Some(Update::Joined { counters, seconds_left, rate, line, .. }) => {
                        self.joined(seconds_left);
                        self.limits = Some((rate, line));
                        seen = Some((counters, 0, 0));
                    }
                    Some(update) => self.tell(update),
                    None => break,
                },
                _ = every.tick() => if let Some((counters, up, down)) = &mut seen {
                    self.tick(counters, up, down);
                },
            }
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn joined(&mut self, seconds_left: u32) {
        // The device's count is the one that ends the session.
        self.until = self.until.min(self.clock.now() + Duration::from_secs(u64::from(seconds_left)));
        for words in &self.ready.lines {
            match &self.bar {
                Some(bar) => bar.suspend(|| self.output.say(words)),
                None => self.output.say(words),
            }
        }
        let mut event = std::mem::take(&mut self.ready.event);
        event.insert("event".to_owned(), "open".into());
        event.insert("until".to_owned(), json!(self.until));
        self.output.value(&event);
    }

    fn tick(&self, counters: &Counters, up: &mut u64, down: &mut u64) {
        let (received, sent) = (counters.received.load(Ordering::Relaxed), counters.sent.load(Ordering::Relaxed));
        let (up_rate, down_rate) = (received - *up, sent - *down);
        (*up, *down) = (received, sent);
        let left = self.until.since(self.clock.now()).as_secs();
        let round_trip = counters.round_trip_us.load(Ordering::Relaxed);
        let limited = self.limited(up_rate.max(down_rate));
        if self.output.json && (up_rate > 0 || down_rate > 0) {
            self.output.value(&json!({
                "limited_to": limited.map(|(rate, _)| rate),
                "limited_by": limited.map(|(_, by)| by),
                "event": "rate",
                "bytes_up_per_s": up_rate,
                "bytes_down_per_s": down_rate,
                "round_trip_us": round_trip,
                "seconds_left": left,
            }));
        }
        if let Some(since) = self.outage.away() {
            self.set(format!("lost       {}   {}", self.device, sentences::away(since.elapsed())));
            return;
        }
        let limited = limited.map(|(rate, by)| format!("   {}", sentences::limited(rate, by))).unwrap_or_default();
        self.set(format!(
            "open       {}   from {}   to {}   {}.{} ms   {}{limited}",
            self.device,
            sentences::rate(up_rate),
            sentences::rate(down_rate),
            round_trip / 1000,
            round_trip % 1000 / 100,
            sentences::left(left),
        ));
    }

    /// Who holds the session to which rate now. A relay says when it does; a device's rate holds when it is reached.
    fn limited(&self, rate: u64) -> Option<(u64, &'static str)> {
        let (device, line) = self.limits.as_ref()?;
        let device = device.filter(|limit| rate >= limit.get() / 10 * 9).map(|limit| (limit.get(), "device"));
        let cloud = line.rate().map(|limit| (limit.get(), "cloud"));
        device.into_iter().chain(cloud).min()
    }

    fn tell(&mut self, update: Update) {
        match update {
            Update::Meeting => {
                self.set(format!("meeting    {}", self.device));
                self.output.value(&json!({ "event": "meeting" }));
            }
            Update::Joined { .. } => {}
            Update::Deaf(name) => {
                self.note(&format!("gatelodge: {}", sentences::deaf(&name)));
                self.output.value(&json!({ "event": "deaf", "listen": name }));
            }
            Update::FlowOpened { target, flow } => {
                let target = sentences::target(&target);
                self.output.value(&json!({ "event": "flow_opened", "flow": flow, "target": target }));
            }
            Update::FlowFailed { target, flow, failure } => {
                let (target, why) = (sentences::target(&target), failure.to_string());
                if self.ready.tells_failures {
                    self.note(&format!("gatelodge: {target}: {why}"));
                }
                self.output.value(&json!({ "event": "flow_failed", "flow": flow, "target": target, "why": why }));
            }
            Update::FlowClosed { target, flow, bytes_up, bytes_down } => self.output.value(&json!({
                "event": "flow_closed",
                "flow": flow,
                "target": sentences::target(&target),
                "bytes_up": bytes_up,
                "bytes_down": bytes_down,
            })),
            Update::Line(LineState::Away { since }) => {
                self.outage.begins(since);
                self.output.value(&json!({ "event": "away" }));
                if self.bar.is_none() {
                    self.note(&format!("gatelodge: {}", sentences::AWAY));
                }
            }
            Update::Line(LineState::Up { .. }) => {
                if let Some(since) = self.outage.ends(Instant::now()) {
                    self.output.value(&json!({ "event": "back", "away_ms": since.elapsed().as_millis() }));
                    self.note(&format!("gatelodge: {}", sentences::back(since.elapsed())));
                }
            }
            Update::ExpiryWarn(seconds) => {
                // The device's count is the one that ends the session.
                let (now, left) = (self.clock.now(), Duration::from_secs(u64::from(seconds)));
                let (until, longer) = told_end(self.until, left, self.outage.held_up(Instant::now()), now);
                self.until = until;
                let left = until.since(now).as_secs();
                let (words, event) = if longer {
                    (sentences::goes_on(left), "extended")
                } else {
                    let how = sentences::how_to_extend(&self.named);
                    (format!("{}; {how}", sentences::ends_soon(left)), "ends_soon")
                };
                self.note(&format!("gatelodge: {words}"));
                self.output.value(&json!({ "event": event, "seconds_left": left }));
            }
        }
    }

    fn set(&self, words: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(words);
            bar.tick();
        }
    }

    fn note(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.note(words)),
            None => self.output.note(words),
        }
    }
}
