//! One simulated device: the agent's state folder, outbox, delivery and link, and a loop that reports when it is told
//! to and writes each receipt into the ledger once it is there.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use gatelodge_agent::{
    clock::Clock,
    cloud::{SwappableCertificate, endpoint_tls},
    delivery::{Access, Delivery},
    identity::{Identity, Reach},
    outbox::Outbox,
    state::{Boot, Holding, StateDir},
};
use gatelodge_proto::{
    DeviceId, Random,
    link::{Event, Events, Message, Pace},
    payload::{self, Command, CommandResult, Correlation, EndReason, Order, Outcome, Receipt},
    topics::{Down, Topic, Up},
};
use gatelodge_tests::ledger::{AGAIN, Receipted};
use tokio::sync::SemaphorePermit;

use crate::{
    connecting::{Phase, Stage},
    fleet::{Fleet, stream, surroundings},
};

/// Reports that a newer one replaced in the outbox have no second try; their receipts come soon or never.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// When the next report is due.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reports {
    /// So often, from a moment that differs from device to device.
    Every(Duration),
    /// As soon as nothing waits.
    OnReceipt,
}

/// What became of one device, in times since the stage was set.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Each time the link came up.
    pub(crate) connects: Vec<Duration>,
    /// Each time it went down, or did not come up.
    pub(crate) failures: Vec<(Duration, String)>,
    /// Reports: when the receipt came, and how long that took.
    pub(crate) receipts: Vec<(Duration, Duration)>,
    /// Messages that the registrar could not use.
    pub(crate) parked: usize,
    /// Messages without a receipt.
    pub(crate) missing: usize,
}

/// A device that is ready to connect.
pub(crate) struct Device {
    id: DeviceId,
    epoch: u64,
    identity: Identity,
    access: Access,
    boot: Boot,
    outbox: Outbox,
    clock: Clock,
    random: Random,
}

/// A device on the stage.
struct Live<'a> {
    device: Device,
    stage: &'a Stage,
    delivery: Delivery,
    /// Held until the link is up for the first time.
    turn: Option<SemaphorePermit<'a>>,
    /// What was offered and has no receipt. A newer report takes the place of an older one in the outbox, whose receipt
    /// comes all the same.
    open: HashMap<Correlation, (Up, Instant)>,
    report_at: Option<Instant>,
    draining_since: Option<Instant>,
    told: Told,
}

impl Device {
    /// Reads what was kept at the enrolment, and counts a start.
    pub(crate) fn load(fleet: &Fleet, number: usize, seed: u64) -> anyhow::Result<Self> {
        // Let go once it is read: ten thousand locks are more open files than most systems give a process.
        let state = StateDir::open(&fleet.state_dir(number))?;
        let Some(Holding::Enrolled { key, credentials }) = state.holding()? else {
            bail!("device {number} is not enrolled; `gatelodge-sim enrol` does that");
        };
        let clock = Clock::system();
        let certificate = SwappableCertificate::new(&credentials.chain, &key)?;
        let access = Access {
            dial: None,
            endpoint: credentials.mqtt.parse()?,
            device: credentials.device,
            tls: endpoint_tls(fleet.ca_file(), certificate, &clock)?,
            pace: Pace::default(),
        };
        Ok(Self {
            id: credentials.device,
            epoch: credentials.epoch,
            identity: fleet.identity(number),
            access,
            // Never seeded: two runs with one seed are two starts.
            boot: state.count_boot(&Random::system())?,
            outbox: Outbox::open(state.path()).with_context(|| format!("the outbox of device {number}"))?,
            clock,
            random: stream(seed, number, "behaviour"),
        })
    }

    /// Connects and lives until the stage says that it is over.
    pub(crate) async fn live(self, stage: Arc<Stage>, reports: Option<Reports>) -> anyhow::Result<Told> {
        let turn = stage.turns.acquire().await.ok();
        let access = Access {
            endpoint: self.access.endpoint.clone(),
            dial: None,
            tls: Arc::clone(&self.access.tls),
            device: self.access.device,
            pace: self.access.pace,
        };
        let (delivery, events) = Delivery::open(access, &self.boot, self.random.clone());
        let live = Live {
            device: self,
            stage: &stage,
            delivery,
            turn,
            open: HashMap::new(),
            report_at: None,
            draining_since: None,
            told: Told::default(),
        };
        live.run(events, reports).await
    }
}

impl Live<'_> {
    async fn run(mut self, mut events: Events, reports: Option<Reports>) -> anyhow::Result<Told> {
        let mut phase = self.stage.phase();
        loop {
            match *phase.borrow_and_update() {
                Phase::Reporting => self.report(reports)?,
                Phase::Draining if self.is_drained() => break,
                Phase::Connecting | Phase::Draining => {}
                Phase::Leaving => break,
            }
            self.offer();
            let stragglers = self.draining_since.map(|since| since + STRAGGLERS);
            let wake = [self.delivery.next_at(), self.report_at, stragglers].into_iter().flatten().min();
            let wake = wake.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.event(event)?,
                    None => break,
                },
                changed = phase.changed() => if changed.is_err() { break },
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
        self.delivery.farewell(&self.device.outbox).await;
        self.delivery.close().await;
        self.told.missing = self.open.len();
        Ok(self.told)
    }

    /// Puts a report on its way when one is due.
    fn report(&mut self, reports: Option<Reports>) -> anyhow::Result<()> {
        let now = Instant::now();
        match reports {
            Some(Reports::Every(interval)) => {
                let spread = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
                let random = &self.device.random;
                let at =
                    *self.report_at.get_or_insert_with(|| now + Duration::from_micros(random.below(spread.max(1))));
                if at > now {
                    return Ok(());
                }
                // A device that fell behind sends one report, not all that it missed.
                self.report_at = Some((at + interval).max(now));
            }
            Some(Reports::OnReceipt) if self.open.is_empty() && self.device.outbox.is_empty() => {}
            Some(Reports::OnReceipt) | None => return Ok(()),
        }
        let Device { identity, epoch, clock, random, .. } = &self.device;
        let (interfaces, services) = surroundings(identity, random);
        let report = identity.report(interfaces, Reach { services, ..Reach::default() }, *epoch, clock.now());
        self.add(Up::Report, report)
    }

    fn add<T: serde::Serialize>(&mut self, kind: Up, body: T) -> anyhow::Result<()> {
        self.delivery.add(&mut self.device.boot, &mut self.device.outbox, kind, body)?;
        Ok(())
    }

    fn offer(&mut self) {
        let due = self.delivery.offer(&self.device.outbox);
        let offered = self.device.outbox.entries().filter(|entry| due.contains(&entry.correlation()));
        for entry in offered {
            if let Some(Topic::Up(_, kind)) = entry.topic() {
                self.open.entry(entry.correlation()).or_insert_with(|| (kind, Instant::now()));
            }
        }
    }

    fn is_drained(&mut self) -> bool {
        self.report_at = None;
        let since = *self.draining_since.get_or_insert_with(Instant::now);
        self.device.outbox.is_empty() && (self.open.is_empty() || since.elapsed() >= STRAGGLERS)
    }

    fn event(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Connected => {
                self.delivery.connected();
                self.turn = None;
                self.stage.connected(self.told.connects.is_empty());
                self.told.connects.push(self.stage.time());
            }
            Event::Disconnected { trouble, .. } => self.failed(trouble.to_string()),
            Event::Refused { refusal, .. } => self.failed(refusal.to_string()),
            Event::Message(message) => return self.message(message),
        }
        Ok(())
    }

    fn failed(&mut self, why: String) {
        if self.told.connects.len() > self.told.failures.len() {
            self.stage.disconnected();
        }
        self.told.failures.push((self.stage.time(), why));
    }

    fn message(&mut self, message: Message) -> anyhow::Result<()> {
        let topic = message.topic.parse();
        message.acknowledgement.acknowledge();
        match topic {
            Ok(Topic::Down(device, Down::Receipt)) if device == self.device.id => {
                self.receipt(payload::decode(&message.payload)?)
            }
            Ok(Topic::Down(device, Down::Command)) if device == self.device.id => {
                self.command(payload::decode(&message.payload)?)
            }
            _ => Ok(()),
        }
    }

    fn receipt(&mut self, receipt: Receipt) -> anyhow::Result<()> {
        let Receipt { boot_id, seq, parked } = receipt;
        let correlation = Correlation { boot_id, seq };
        let open = self.open.remove(&correlation);
        // What an earlier start had offered is in the outbox alone; of a second receipt nothing is known any more.
        let kept = self.device.outbox.entries().find(|entry| entry.correlation() == correlation);
        let kept = kept.and_then(|entry| match entry.topic()? {
            Topic::Up(_, kind) => Some(kind),
            Topic::Down(..) => None,
        });
        let kind = open.map(|(kind, _)| kind).or(kept).map_or(AGAIN, Up::word).to_owned();
        self.device.outbox.receipt(correlation)?;
        self.told.parked += usize::from(parked.is_some());
        let line =
            Receipted { device: self.device.id, boot: boot_id, seq, kind, when: self.device.clock.now(), parked };
        self.stage.ledger.note(&line).context("cannot write the ledger")?;
        if let Some((Up::Report, since)) = open {
            self.told.receipts.push((self.stage.time(), since.elapsed()));
        }
        Ok(())
    }

    /// Answers what the cloud asks, so that it does not ask again; there is nothing behind a simulated device.
    fn command(&mut self, command: Command) -> anyhow::Result<()> {
        let outcome = match command.order {
            Order::State(state) => {
                self.device.epoch = self.device.epoch.max(state.epoch);
                Outcome::Done
            }
            Order::StopSession { .. }
            | Order::ExtendSession { .. }
            | Order::RenewOnSiteCode
            | Order::OfferKey { .. }
            | Order::ConsentWanted { .. }
            | Order::ConsentGone { .. }
            | Order::StandingRule { .. }
            | Order::ReleaseKey { .. } => Outcome::Done,
            Order::OpenSession(_) => {
                Outcome::Refused { reason: "a simulated device takes no sessions".into(), end: Some(EndReason::Device) }
            }
        };
        self.add(Up::Result, CommandResult { command: command.id, outcome })
    }
}
