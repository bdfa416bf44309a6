//! The command line of `gatelodge-bench`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures the agent at rest, bytes through a session, and what one cloud carries.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-bench",
    after_help = "Examples:\n  cargo xtask bench --json target/bench.jsonl\n  cargo xtask bench fleet --quick"
)]
pub(crate) struct Arguments {
    /// The agent as it is shipped
    #[arg(long, value_name = "FILE")]
    pub(crate) agent: PathBuf,
    #[command(subcommand)]
    pub(crate) what: Option<What>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Also measure a simulated fleet: enrolments, receipts, reports, a storm, memory per device
    Fleet(Size),
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
