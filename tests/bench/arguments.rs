//! The command line of `gatelodge-bench`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;

use clap::{Args, Parser, Subcommand};

/// Measures the agent at rest, bytes through a session, and what one cloud carries.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-bench",
    after_help = "Examples:\n  cargo xtask bench --json target/bench.jsonl\n  cargo xtask bench fleet --quick\n  cargo xtask bench sessions --json target/sessions.jsonl"
)]
pub(crate) struct Arguments {
    /// The agent as it is shipped
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) what: Option<What>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Also measure a simulated fleet: enrolments, receipts, reports, a storm, memory per device
    Fleet(Size),
    /// Measure a session beside other tunnels: bytes, round trips, new streams, memory, processor time
    Sessions(Sessions),
    /// The far end of a tunnel, in a network of its own; for this program's own use
    #[command(hide = true)]
    Load {
        /// Where to listen
        at: SocketAddr,
    },
    /// A relay that everybody may join, in a process of its own; for this program's own use
    #[command(hide = true)]
    Relay {
        /// Has its certificate and key, and is told its port
        folder: PathBuf,
    },
}

impl Arguments {
    pub(crate) fn agent(&self) -> anyhow::Result<&Path> {
        self.agent.as_deref().context("--agent FILE names the agent to measure")
    }
}

/// How often and how long each thing is measured, and where peers are installed.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sessions {
    /// Where `--install-peers` has put what is no system package
    #[arg(long, value_name = "FOLDER")]
    pub(crate) peers: Option<PathBuf>,
    /// Each thing once and briefly: to see that it works, not what it is worth
    #[arg(long)]
    quick: bool,
}

impl Sessions {
    pub(crate) const fn rounds(&self) -> usize {
        if self.quick { 1 } else { 5 }
    }

    /// How long bytes are counted at a time.
    pub(crate) const fn span(&self) -> Duration {
        if self.quick { Duration::from_millis(500) } else { Duration::from_secs(2) }
    }

    /// How many sessions are stopped: a technician may ask for 20 of one device in an hour, and some are for other rows.
    pub(crate) const fn stops(&self) -> usize {
        if self.quick { 2 } else { 15 }
    }

    /// Round trips at a time.
    pub(crate) const fn trips(&self) -> usize {
        if self.quick { 200 } else { 2_000 }
    }
}

/// How large the fleet is, and how often and how long each thing is measured.
#[derive(Debug, Clone, Args)]
pub(crate) struct Size {
    /// How many devices storm
    #[arg(long, default_value_t = 10_000, value_name = "NUMBER")]
    devices: usize,
    /// A hundred devices, each thing measured once and briefly: to see that it works, not what it is worth
    #[arg(long)]
    quick: bool,
}

impl Size {
    /// Devices that enrol and storm.
    pub(crate) fn devices(&self) -> usize {
        if self.quick { self.devices.min(100) } else { self.devices }
    }

    /// Devices that report.
    pub(crate) fn reporting(&self) -> usize {
        self.devices().min(1_000)
    }

    /// Seconds of reports at a time.
    pub(crate) const fn seconds(&self) -> u64 {
        if self.quick { 3 } else { 10 }
    }

    /// How often each thing is measured.
    pub(crate) const fn rounds(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }
}
