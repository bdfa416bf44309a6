//! The command line of `gatelodge-sim`.

use std::{net::IpAddr, ops::Range, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use url::Url;

const EXAMPLES: &str = "\
Example, against a cloud on this machine:
  gatelodge-cloud product add SIM-1 --name 'Simulated device'
  gatelodge-cloud batch make sim
  gatelodge-sim --fleet /dev/shm/fleet inventory --devices 1000
  gatelodge-cloud import devices /dev/shm/fleet/inventory.csv
  gatelodge-sim --fleet /dev/shm/fleet enrol --cloud https://localhost:8443 \\
      --ca-file keys/server-ca.pem --batch-key keys/batches/sim.key
  gatelodge-sim --fleet /dev/shm/fleet run --rate 500 --seconds 60

Each device syncs its outbox to the fleet's folder, as a real one does to its own disk: put the folder on a memory file
system, unless the disk is what you measure. Several processes share the work by `--first` and `--devices`; each device
takes three open files.

Exit codes: 0 done, 1 something failed (the last line says what), 2 wrong usage.";

/// Simulated devices for one cloud, each with the agent's own outbox, delivery and link.
#[derive(Debug, Parser)]
#[command(name = "gatelodge-sim", after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where the devices keep their keys, certificates and outboxes, and where the ledger of receipts is
    #[arg(long, value_name = "FOLDER")]
    pub(crate) fleet: PathBuf,
    /// Print the outcome as one JSON object instead of sentences
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make up identities and write them as inventory.csv for `gatelodge-cloud import devices`
    Inventory(Inventory),
    /// Enrol the devices over HTTPS with the factory secrets of a batch
    Enrol(Enrol),
    /// Connect, then report at a rate until the time is over and every receipt is there
    Run(Run),
    /// Connect all at once, and say how fast that was
    Storm(Storm),
    /// Stay connected through an outage of the cloud, and say how the devices came back
    Away(Away),
}

/// Which devices of the fleet.
#[derive(Debug, Clone, Args)]
pub(crate) struct Share {
    /// The first device of this process, counted from 0
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    first: usize,
    /// How many devices
    #[arg(long, default_value_t = 1000, value_name = "NUMBER", value_parser = device_count)]
    devices: usize,
}

impl Share {
    pub(crate) const fn range(&self) -> Range<usize> {
        self.first..self.first + self.devices
    }

    pub(crate) const fn len(&self) -> usize {
        self.devices
    }
}

#[derive(Debug, Args)]
pub(crate) struct Inventory {
    #[command(flatten)]
    pub(crate) share: Share,
    /// The product they are units of
    #[arg(long, default_value = "SIM-1", value_name = "REFERENCE")]
    pub(crate) product: String,
    /// The batch whose key their factory secrets come from
    #[arg(long, default_value = "sim", value_name = "NAME")]
    pub(crate) batch: String,
    /// Makes the same identities again; drawn and printed when not given
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Enrol {
    #[command(flatten)]
    pub(crate) share: Share,
    /// The cloud, like https://devices.example.com
    #[arg(long, value_name = "URL")]
    pub(crate) cloud: Url,
    /// PEM file of the CA that signs the cloud's certificates; public roots without it
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The key of the batch, as `gatelodge-cloud batch make` wrote it
    #[arg(long, value_name = "FILE")]
    pub(crate) batch_key: PathBuf,
    /// How many devices enrol at a time
    #[arg(long, default_value_t = 32, value_name = "NUMBER")]
    pub(crate) abreast: usize,
    /// Addresses of this machine to ask from, in turn: a cloud limits the questions of one network to 6,000 an hour,
    /// and a device asks twice
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) from: Vec<IpAddr>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

/// What holds for every verb that connects.
#[derive(Debug, Clone, Args)]
pub(crate) struct Bounds {
    /// Give up when connecting, enrolling, or the last receipts take longer than this
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    patience: u64,
    /// Back-off, spread and addresses follow from it; drawn and printed when not given
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

impl Bounds {
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) share: Share,
    /// Reports a second over all devices; without it each device reports again as soon as its receipt is there
    #[arg(long, value_name = "NUMBER")]
    pub(crate) rate: Option<f64>,
    /// How long they report
    #[arg(long, default_value_t = 30, value_name = "NUMBER")]
    pub(crate) seconds: u64,
    /// How many devices connect at a time before the reports begin
    #[arg(long, default_value_t = 200, value_name = "NUMBER")]
    pub(crate) abreast: usize,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

#[derive(Debug, Args)]
pub(crate) struct Storm {
    #[command(flatten)]
    pub(crate) share: Share,
    /// How many connect at a time; all when not given
    #[arg(long, value_name = "NUMBER")]
    pub(crate) abreast: Option<usize>,
    /// Stay connected and silent for so long afterwards
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) hold: u64,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

#[derive(Debug, Args)]
pub(crate) struct Away {
    #[command(flatten)]
    pub(crate) share: Share,
    /// How long to wait for the outage to begin and for everybody to be back
    #[arg(long, default_value_t = 600, value_name = "NUMBER")]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

fn device_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=10_000) => Ok(count),
        Ok(_) | Err(_) => Err("one process runs 1 to 10000 devices".into()),
    }
}
