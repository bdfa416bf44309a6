//! Which feature does which kind of job, and in which lane: a mail server that does not answer holds up no device.

use crate::{
    accounts, activation, devices,
    jobs::{Handler, Worker},
    kits::Kits,
    sessions,
};

/// A worker for each lane.
pub(super) fn workers(kits: &Kits) -> [Worker; 2] {
    let worker = |handlers: Vec<(&'static str, Handler)>| {
        Worker::new(kits.db.clone(), kits.clock.clone(), kits.jobs.clone(), handlers)
    };
    let mails =
        [accounts::jobs(kits), devices::jobs::mails(kits), activation::jobs::jobs(kits), sessions::jobs::jobs(kits)]
            .concat();
    [worker(devices::jobs::jobs(kits)), worker(mails)]
}
