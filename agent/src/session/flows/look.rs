//! Looking around as a flow of a session: refused without feature or network, written down, one at a time.

use std::sync::atomic::Ordering;

use gatelodge_proto::{
    payload::{Feature, FlowOutcome, Happening},
    session::{FlowTotals, driver::Incoming, inner_frame::OpenError},
};
use tokio::time::Instant;

use super::{Shared, discover};

impl Shared {
    /// What there is on the session's networks, from its row to its end; one look of a session at a time.
    pub(super) async fn look_around(&self, wanted: Incoming, begun: Instant) {
        let (flow, stream, networks) = (wanted.open.flow, wanted.stream, &self.terms.networks);
        let may = self.terms.features.contains(&Feature::Discovery) && !networks.is_empty();
        let first = may && !self.looking.swap(true, Ordering::Relaxed);
        let (outcome, error) = match (may, first) {
            (true, true) => (FlowOutcome::Opened, OpenError::Limit),
            (true, false) => (FlowOutcome::Limit, OpenError::Limit),
            (false, _) => (FlowOutcome::NotAllowed, OpenError::NotAllowed),
        };
        let target = discover::spelled(networks);
        let told = self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        if !first {
            return self.handle.refuse(stream, error).await;
        }
        let accepted = if told { self.handle.accept(stream, begun.elapsed(), String::new()).await } else { None };
        let totals = match accepted {
            Some(stream) => discover::run(networks, &self.looks, &stream).await,
            None => FlowTotals::default(),
        };
        self.looking.store(false, Ordering::Relaxed);
        self.closed(flow, totals, begun).await;
    }
}
