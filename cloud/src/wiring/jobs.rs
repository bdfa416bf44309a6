//! Which feature does which kind of job.

use crate::{accounts, activation, devices, jobs::Handler, kits::Kits, sessions};

/// Every kind with its handler.
pub(super) fn handlers(kits: &Kits) -> Vec<(&'static str, Handler)> {
    [accounts::jobs(kits), devices::jobs::jobs(kits), activation::jobs::jobs(kits), sessions::jobs::jobs(kits)].concat()
}
