//! Which feature does which kind of job.

use crate::{jobs::Handler, kits::Kits};

/// Every kind with its handler.
pub(super) fn handlers(_kits: &Kits) -> Vec<(&'static str, Handler)> {
    // Each feature adds its own: `handlers.extend(accounts::jobs(kits));`
    let handlers: Vec<(&'static str, Handler)> = Vec::new();
    handlers
}
