//! Faults done to the real programs, as scenarios of any length: `tests/it/faults` plays them short, `cargo xtask
//! fault` long. Each prints nothing, gives a sentence on what it saw, and fails with what was lost.

pub mod bad_wire;
pub mod database_away;
pub mod fleet_away;
pub mod full_disk;
pub mod kill_agent;
pub mod kill_cloud;
pub mod load;
pub mod power_cut;
pub mod slow_loris;
pub mod sync_order;
pub mod wrong_hour;

use std::{ffi::OsStr, process::Command};

/// How long a scenario goes on, and what its chance is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// How often the fault is done.
    pub rounds: u32,
    /// Repeats the same moments.
    pub seed: u64,
}

/// The same program with the same arguments, started by `wrapper`.
pub(crate) fn under(
    wrapper: &OsStr,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    inner: &Command,
) -> Command {
    let mut command = Command::new(wrapper);
    command.args(arguments).arg("--").arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
