//! What the technician's end does in a session ([`client`](gatelodge_proto::session::client) brings it up): carries each
//! connection to a local port to one of the device's services, or does other work of the same session ([`run_with`]).
//! Binds local addresses only; decides nothing.

mod calls;
mod fan;
mod key;
mod listen;
mod serve;
mod socks5;
mod spec;

use std::{num::NonZeroU64, sync::Arc};

pub use gatelodge_proto::session::client::ClientError as ForwardError;
use gatelodge_proto::{
    FlowId, Random,
    api::Join,
    payload::{Network, ServiceName},
    session::{
        Ending,
        carrier::Proxy,
        client::{Client, Inside},
        driver::{Counters, Handle, Notice, OpenFailure},
        inner_frame::Target,
        line::{LineState, LineView},
    },
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use self::{
    calls::Back,
    key::{KeyError, SessionKey},
    listen::{BindError, Listener, bind},
    spec::{Calls, Forward, InvalidForward, Wanted},
};
use crate::{clock::Clock, tls::provider};

/// What a session is made of.
pub struct Session {
    /// From the cloud.
    pub join: Join,
    /// Whose CSR the cloud certified.
    pub key: SessionKey,
    /// Trusts the cloud's HTTPS certificate.
    pub tls: Arc<rustls::ClientConfig>,
    /// Where the installation's calls go.
    pub backs: Vec<Back>,
    /// On the way to the relay.
    pub proxy: Option<Proxy>,
    /// For flow ids.
    pub clock: Clock,
    /// For flow ids, and for the secret by which the session is joined again.
    pub random: Random,
}

/// What happens in a running session.
#[derive(Debug)]
pub enum Update {
    /// The relay took the ticket and the device is there; the handshake begins.
    Meeting,
    /// The device accepted: ports carry bytes from now on.
    Joined {
        /// What may be opened.
        services: Vec<ServiceName>,
        /// Seconds left, by the device's count.
        seconds_left: u32,
        /// What the session carries, for the live line.
        counters: Arc<Counters>,
        /// How much the device carries a second each way at most, when it said so.
        rate: Option<NonZeroU64>,
        /// The way to the device.
        line: LineView,
    },
    /// The device does not listen there, though the session covers it.
    Deaf(ServiceName),
    /// A flow reached its target.
    FlowOpened {
        /// What was reached for.
        target: Target,
        /// The device's side has the same id.
        flow: FlowId,
    },
    /// A flow did not reach its target.
    FlowFailed {
        /// What was reached for.
        target: Target,
        /// The device's side has the same id.
        flow: FlowId,
        /// Why.
        failure: OpenFailure,
    },
    /// A flow is over.
    FlowClosed {
        /// What was reached for.
        target: Target,
        /// The device's side has the same id.
        flow: FlowId,
        /// Bytes towards the technician.
        bytes_up: u64,
        /// Bytes towards the installation.
        bytes_down: u64,
    },
    /// The session ends in so many seconds.
    ExpiryWarn(u32),
    /// The way to the device is lost, or there again.
    Line(LineState),
}

/// Forwards open local ports until the session ends; `stop` ends it from this side.
pub async fn run(
    session: Session,
    listeners: Vec<Listener>,
    stop: impl Future<Output = ()>,
    updates: mpsc::UnboundedSender<Update>,
) -> Result<Ending, ForwardError> {
    run_with(session, async move |flows: Flows| flows.serve(&listeners).await, stop, updates).await
}

/// Runs a session until it ends; `stop` ends it from this side. `work` begins when the device has accepted, opens flows,
/// and goes on as long as the session does: it is dropped with it.
pub async fn run_with(
    session: Session,
    work: impl AsyncFnOnce(Flows),
    stop: impl Future<Output = ()>,
    updates: mpsc::UnboundedSender<Update>,
) -> Result<Ending, ForwardError> {
    let Session { join, key, tls, backs, proxy, clock, random } = session;
    let client = Client { join, key: key.der(), tls, provider: provider(), proxy, random: random.clone() };
    let met = updates.clone();
    let inside = async move |inside: Inside| {
        let Inside { handle, accept, line, incoming, notices, running } = inside;
        let _ = updates.send(Update::Joined {
            services: accept.services,
            seconds_left: accept.seconds_left,
            counters: handle.counters().clone(),
            rate: accept.rate,
            line: line.clone(),
        });
        for back in backs.iter().filter(|back| !accept.listens.contains(&back.name)) {
            let _ = updates.send(Update::Deaf(back.name.clone()));
        }
        let networks = accept.networks.into();
        let flows = Flows { handle, networks, updates: updates.clone(), clock, random, running };
        let calls = flows.clone();
        tokio::join!(work(flows), calls.answer(incoming, &backs), tell(notices, &updates), show(line, &updates));
    };
    let meeting = || {
        let _ = met.send(Update::Meeting);
    };
    client.run(meeting, inside, stop).await
}

/// Passes on what the device says about the session.
async fn tell(mut notices: mpsc::UnboundedReceiver<Notice>, updates: &mpsc::UnboundedSender<Update>) {
    while let Some(Notice::ExpiryWarn(seconds)) = notices.recv().await {
        let _ = updates.send(Update::ExpiryWarn(seconds));
    }
    std::future::pending::<()>().await;
}

/// Passes on when the way to the device is lost and when it is there again.
async fn show(mut view: LineView, updates: &mpsc::UnboundedSender<Update>) {
    while let Some(state) = view.changed().await {
        let _ = updates.send(Update::Line(state));
    }
    std::future::pending::<()>().await;
}

/// Opens the flows of a running session and tells what becomes of them.
#[derive(Clone)]
pub struct Flows {
    pub(crate) handle: Handle,
    /// What may be reached as a whole.
    networks: Arc<[Network]>,
    pub(crate) updates: mpsc::UnboundedSender<Update>,
    clock: Clock,
    random: Random,
    /// A session's end waits for these, so that each flow has said how it ended.
    pub(crate) running: TaskTracker,
}

impl Flows {
    /// An id for one more flow.
    pub(crate) fn id(&self) -> FlowId {
        FlowId::make(self.clock.now(), &self.random)
    }
}
