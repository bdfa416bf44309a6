//! What the devices of one process share, and bringing them onto it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use gatelodge_tests::{ledger::Ledger, wait::measure_for};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    arguments::{Bounds, Share},
    device::{Device, Reports, Told},
    fleet::Fleet,
    limits, output,
};

/// How often a person hears how far it is.
const TICK: Duration = Duration::from_secs(1);

/// What all devices do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// They connect, and stay.
    Connecting,
    /// They report.
    Reporting,
    /// They wait for their last receipts and go.
    Draining,
    /// They go at once.
    Leaving,
}

/// What the devices share.
pub(crate) struct Stage {
    /// Where receipts are written.
    pub(crate) ledger: Ledger,
    /// Turns to connect for the first time.
    pub(crate) turns: Semaphore,
    began: Instant,
    arrived: AtomicUsize,
    up: AtomicUsize,
    phase: watch::Sender<Phase>,
}

/// Devices on a stage.
pub(crate) struct Cast {
    pub(crate) stage: Arc<Stage>,
    pub(crate) size: usize,
    living: JoinSet<anyhow::Result<Told>>,
    patience: Duration,
}

impl Stage {
    /// Time since the first device set out.
    pub(crate) fn time(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(crate) fn connected(&self, first: bool) {
        self.up.fetch_add(1, Ordering::Relaxed);
        self.arrived.fetch_add(usize::from(first), Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self) {
        self.up.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many are connected now.
    pub(crate) fn up(&self) -> usize {
        self.up.load(Ordering::Relaxed)
    }
}

impl Cast {
    /// Loads the devices, then sends them out, `abreast` at a time.
    pub(crate) fn send_out(
        fleet: &Fleet,
        share: &Share,
        bounds: &Bounds,
        seed: u64,
        abreast: usize,
        reports: Option<Reports>,
    ) -> anyhow::Result<Self> {
        limits::raise_open_files(share.len(), reports.is_some())?;
        output::progress(&format!("loading {} devices", share.len()));
        let devices =
            share.range().map(|number| Device::load(fleet, number, seed)).collect::<anyhow::Result<Vec<_>>>()?;
        let ledger = fleet.ledger();
        let stage = Arc::new(Stage {
            ledger: Ledger::open(&ledger).with_context(|| format!("cannot open {}", ledger.display()))?,
            turns: Semaphore::new(abreast.max(1)),
            began: Instant::now(),
            arrived: AtomicUsize::new(0),
            up: AtomicUsize::new(0),
            phase: watch::channel(Phase::Connecting).0,
        });
        let mut living = JoinSet::new();
        for device in devices {
            living.spawn(device.live(Arc::clone(&stage), reports));
        }
        Ok(Self { stage, size: share.len(), living, patience: bounds.patience() })
    }

    /// Waits until every device has been connected once.
    pub(crate) async fn all_connected(&mut self) -> anyhow::Result<()> {
        let deadline = self.stage.began + self.patience;
        let mut told_at = Instant::now() + TICK;
        loop {
            let arrived = self.stage.arrived.load(Ordering::Relaxed);
            if arrived == self.size {
                return Ok(());
            }
            self.still_all_there()?;
            let now = Instant::now();
            if now >= deadline {
                return Ok(());
            }
            if now >= told_at {
                told_at = now + TICK;
                output::progress(&format!("{arrived} of {} connected", self.size));
            }
            measure_for(Duration::from_millis(5)).await;
        }
    }

    /// Lets time pass, and tells now and then how it stands.
    pub(crate) async fn stay(&mut self, span: Duration, what: &str) -> anyhow::Result<()> {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.still_all_there()?;
            let left = end.saturating_duration_since(Instant::now());
            output::progress(&format!(
                "{what}: {} of {} connected, {} s to go",
                self.stage.up(),
                self.size,
                left.as_secs()
            ));
            measure_for(left.min(TICK * 5)).await;
        }
        Ok(())
    }

    /// A device ends by itself only by a fault of this machine, such as a full disk.
    pub(crate) fn still_all_there(&mut self) -> anyhow::Result<()> {
        match self.living.try_join_next() {
            None => Ok(()),
            Some(Ok(Err(error))) => Err(error.context("a device cannot go on")),
            Some(Ok(Ok(_))) => bail!("a device ended before its time"),
            Some(Err(error)) => Err(error).context("a device broke down"),
        }
    }

    /// Ends the devices by `phase`, within the patience that was given; gives what became of each.
    pub(crate) async fn end(mut self, phase: Phase) -> anyhow::Result<Vec<Told>> {
        self.stage.enter(phase);
        let stage = Arc::clone(&self.stage);
        let patience = self.patience;
        let hurry = tokio::spawn(async move {
            measure_for(patience).await;
            stage.enter(Phase::Leaving);
        });
        let mut told = Vec::with_capacity(self.size);
        while let Some(ended) = self.living.join_next().await {
            told.push(ended.context("a device broke down")?.context("a device cannot go on")?);
        }
        hurry.abort();
        Ok(told)
    }
}

/// The most frequent reasons, most frequent first.
pub(crate) fn reasons<'a>(failures: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for why in failures {
        *counts.entry(why).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().map(|(why, count)| (why.to_owned(), count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(5);
    counts
}
