//! Where a session of the gateway's stands, from the request to its end, for whoever waits for the next step.

use gatelodge_proto::Timestamp;
use tokio::sync::watch;

/// Where it stands; inside there is something to work with.
#[derive(Debug, Clone)]
pub(super) enum Stage<T> {
    /// Nobody has come in yet; the customer may not have answered.
    Asked,
    /// On the way to the device.
    Joining,
    /// The device is there.
    Inside(T),
    /// Over since then.
    Over(Timestamp),
}

/// The way of one session.
pub(super) struct Course<T>(watch::Sender<Stage<T>>);

impl<T: Clone> Course<T> {
    pub(super) fn begin() -> Self {
        Self(watch::Sender::new(Stage::Asked))
    }

    pub(super) fn stage(&self) -> Stage<T> {
        self.0.borrow().clone()
    }

    /// Takes one step, from where it stands.
    fn steps(&self, from: fn(&Stage<T>) -> bool, to: Stage<T>) -> bool {
        self.0.send_if_modified(|stage| {
            let goes = from(stage);
            if goes {
                *stage = to;
            }
            goes
        })
    }

    /// Sets out to the device, once.
    pub(super) fn sets_out(&self) -> bool {
        self.steps(|stage| matches!(stage, Stage::Asked), Stage::Joining)
    }

    /// What could not be joined may be tried again.
    pub(super) fn comes_back(&self) {
        self.steps(|stage| matches!(stage, Stage::Joining), Stage::Asked);
    }

    pub(super) fn is_inside(&self, with: T) {
        self.steps(|stage| matches!(stage, Stage::Joining), Stage::Inside(with));
    }

    pub(super) fn is_over(&self, now: Timestamp) {
        self.steps(|stage| !matches!(stage, Stage::Over(_)), Stage::Over(now));
    }
}
