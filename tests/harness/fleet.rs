//! A simulated fleet of a cloud: `gatelodge-sim` as a process, from the inventory to its ledger of receipts.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    cloud::TestCloud,
    ledger::{self, Receipted},
    process::Process,
    programs::program,
};

/// A cloud answers 6,000 enrolment questions an hour of one network, and a device asks twice.
const PER_ADDRESS: usize = 2_500;

/// Devices that are enrolled at a cloud. Dropping it removes their keys.
#[derive(Debug)]
pub struct Fleet {
    folder: tempfile::TempDir,
    devices: usize,
    server_ca: PathBuf,
    enrolled: Value,
}

impl Fleet {
    /// Imports and enrols that many devices; `within` bounds the enrolment.
    pub async fn enrolled(cloud: &TestCloud, devices: usize, within: Duration) -> anyhow::Result<Self> {
        // What a device syncs costs a simulated fleet's machine ten thousand times.
        let memory = Path::new("/dev/shm");
        let mut builder = tempfile::Builder::new();
        builder.prefix("gatelodge-fleet-");
        let folder = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
        let folder = folder.context("cannot make a folder for the fleet")?;
        let mut fleet = Self { folder, devices, server_ca: cloud.server_ca(), enrolled: Value::Null };
        let count = devices.to_string();

        cloud.run(["product", "add", "SIM-1", "--name", "Simulated device"]).await?.ok()?;
        cloud.run(["batch", "make", "sim"]).await?.ok()?;
        fleet.run(["inventory", "--devices", &count], within).await?;
        let file = fleet.folder.path().join("inventory.csv").display().to_string();
        cloud.run(["import", "devices", &file]).await?.ok()?;

        let networks = u8::try_from(devices.div_ceil(PER_ADDRESS)).context("too many devices for loopback")?;
        let from: Vec<String> = (0..networks).map(|last| Ipv4Addr::new(127, 0, 1, last + 1).to_string()).collect();
        let (url, ca, key) = (
            cloud.device_url(),
            cloud.server_ca().display().to_string(),
            cloud.data_dir().join("keys/batches/sim.key").display().to_string(),
        );
        let enrol = ["enrol", "--devices", &count, "--cloud", &url, "--ca-file", &ca, "--batch-key", &key];
        let (from, seconds) = (from.join(","), within.as_secs().to_string());
        let more = ["--from", &from, "--patience", &seconds];
        fleet.enrolled = fleet.run(enrol.into_iter().chain(more), within).await?;
        Ok(fleet)
    }

    /// How many devices.
    pub const fn len(&self) -> usize {
        self.devices
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.devices == 0
    }

    /// What the simulator said about enrolling.
    pub const fn enrolment(&self) -> &Value {
        &self.enrolled
    }

    /// The CA that signs what the devices connect to.
    pub fn server_ca(&self) -> &Path {
        &self.server_ca
    }

    /// A verb of the simulator with this fleet.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Command> {
        let mut command = Command::new(program("gatelodge-sim")?);
        command.arg("--fleet").arg(self.folder.path()).arg("--json").args(arguments);
        Ok(command)
    }

    /// Starts a verb of the simulator.
    pub fn start<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Process> {
        Process::start("gatelodge-sim", &mut self.command(arguments)?)
    }

    /// Runs a verb of the simulator to its end, and gives the outcome.
    pub async fn run<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        within: Duration,
    ) -> anyhow::Result<Value> {
        Self::outcome(self.start(arguments)?, within).await
    }

    /// Waits for the end of a verb, and gives the outcome.
    pub async fn outcome(mut simulator: Process, within: Duration) -> anyhow::Result<Value> {
        let status = simulator.wait(within).await?;
        ensure!(status.success(), "the simulator ended with {status}:\n{}", simulator.log());
        let line = simulator.wait_for_line("{", Duration::from_secs(5)).await?;
        serde_json::from_str(&line).with_context(|| format!("`{line}` is no outcome"))
    }

    /// The state folder of one device, as an agent would have it.
    pub fn state_dir(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("devices/{number:05}"))
    }

    /// The receipts, as the simulator writes them.
    pub fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.jsonl")
    }

    /// Every receipt so far.
    pub fn receipts(&self) -> anyhow::Result<Vec<Receipted>> {
        ledger::read(&self.ledger())
    }
}

/// A number of an outcome.
pub fn number(outcome: &Value, name: &str) -> anyhow::Result<f64> {
    outcome.get(name).and_then(Value::as_f64).with_context(|| format!("`{name}` is no number in {outcome}"))
}
