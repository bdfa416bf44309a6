//! `gatelodge vpn`: a site's networks on this computer. [`plan`] says where, [`stack`] ends TCP, UDP and ping in user
//! space, [`system`] holds the interface, routes and names and takes them back.
//!
//! No IP packet leaves this computer: each connection is a flow of the session, opened by the device.

pub mod plan;
mod run;
pub mod stack;
pub mod system;

use std::sync::Arc;

use gatelodge_proto::{payload::EndReason, session::Ending};
use tokio::{sync::mpsc, time::Instant};

use self::{stack::Stack, system::Ground};
use crate::forward::{self, ForwardError, Session, Update};

/// Carries what the programs of this computer send to the ground's interface until the session ends; `stop` ends it
/// from this side.
pub async fn run(
    session: Session,
    ground: &Ground,
    stop: impl Future<Output = ()>,
    updates: mpsc::UnboundedSender<Update>,
) -> Result<Ending, ForwardError> {
    let seed = u64::from_le_bytes(session.random.bytes());
    let work = async |flows: forward::Flows| {
        let stack = Stack::new(Arc::new(ground.plan.clone()), seed, Instant::now().into_std());
        let error = run::carry(ground.device(), stack, &flows).await;
        tracing::error!(%error, interface = ground.interface, "the network interface is gone");
        flows.handle.end(Ending::because(EndReason::Technician, &error)).await;
    };
    forward::run_with(session, work, stop, updates).await
}
