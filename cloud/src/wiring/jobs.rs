//! Which feature does which kind of job.

use crate::{devices, jobs::Handler, kits::Kits};

/// Every kind with its handler.
pub(super) fn handlers(kits: &Kits) -> Vec<(&'static str, Handler)> {
    devices::jobs::jobs(kits)
}
