//! Which feature does which kind of job.

use crate::{accounts, devices, jobs::Handler, kits::Kits};

/// Every kind with its handler.
pub(super) fn handlers(kits: &Kits) -> Vec<(&'static str, Handler)> {
    [accounts::jobs(kits), devices::jobs::jobs(kits)].concat()
}
