//! Open files: a socket for each device, an outbox for each that reports, and more than most systems give a process by
//! itself.

use anyhow::{Context as _, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Names are looked up by as many threads as the runtime may have, each with a file or two.
const BESIDES: usize = 1_200;

/// Raises the limit of open files as far as `devices` need it, which report or do not.
pub(crate) fn raise_open_files(devices: usize, report: bool) -> anyhow::Result<()> {
    let needed = u64::try_from(devices * (1 + usize::from(report)) + BESIDES).unwrap_or(u64::MAX);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    // Only root raises the hard limit; whoever needs no more than that asks for no more.
    let maximum = maximum.map(|maximum| maximum.max(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum.or(Some(needed)), maximum });
    raised.with_context(|| {
        format!(
            "{devices} devices need {needed} open files, and this user may not have so many: raise `ulimit -Hn`, or share the devices among several processes with --first and --devices"
        )
    })?;
    ensure!(getrlimit(Resource::Nofile).current.is_none_or(|current| current >= needed), "the limit did not rise");
    Ok(())
}
