//! The targets of one session: looked up in its terms, resolved once, dialled, written down, pumped.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gatelodge_proto::{
    FlowId,
    payload::{FlowOutcome, Happening, Protocol, Service, ServiceName},
    session::{
        driver::{Handle, Incoming},
        inner_frame::{OpenError, Target},
        pump,
    },
};
use tokio::{net::TcpStream, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Events,
    admit::Terms,
    target::{NoTarget, resolve},
};

/// Longest wait for a target's answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// All flows of a session.
pub(super) struct Flows {
    shared: Arc<Shared>,
    running: TaskTracker,
}

struct Shared {
    terms: Terms,
    handle: Handle,
    events: Events,
    /// Addresses stay what they were at the first look, for the whole session.
    pinned: Mutex<HashMap<ServiceName, SocketAddr>>,
    /// The session is over: nobody waits for a target any more.
    over: CancellationToken,
}

impl Flows {
    pub(super) fn new(terms: Terms, handle: Handle, events: Events) -> Self {
        let shared = Shared { terms, handle, events, pinned: Mutex::default(), over: CancellationToken::new() };
        Self { shared: Arc::new(shared), running: TaskTracker::new() }
    }

    /// Connects a target on a task of its own.
    pub(super) fn open(&self, wanted: Incoming) {
        let shared = self.shared.clone();
        self.running.spawn(async move { shared.serve(wanted).await });
    }

    /// Waits until every flow has said that it is closed. The driver has reset them all by then.
    pub(super) async fn wind_up(&self) {
        self.shared.over.cancel();
        self.running.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.running.wait()).await;
    }
}

impl Shared {
    async fn serve(&self, wanted: Incoming) {
        let Target::Service(name) = &wanted.open.target;
        let flow = wanted.open.flow;
        let begun = Instant::now();
        let service = self.terms.services.iter().find(|service| service.name == *name);
        let target = service.map_or_else(|| format!("service {name}"), spelled);
        let connected = match service {
            Some(service) if service.protocol == Protocol::Tcp => {
                let connected = self.over.run_until_cancelled(self.connect(service)).await;
                connected.unwrap_or(Err(OpenError::TimedOut))
            }
            Some(_) | None => Err(OpenError::NotAllowed),
        };
        let outcome = connected.as_ref().map_or_else(|error| outcome(*error), |_| FlowOutcome::Opened);
        tracing::debug!(%flow, ?outcome, "a target was asked for");
        // The row is on its way before the first byte is; without it the target stays closed.
        let told = self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        match connected {
            Ok(tcp) if told => self.carry(wanted, flow, tcp, begun).await,
            Ok(_) => self.handle.refuse(wanted.stream, OpenError::NotAllowed).await,
            Err(error) => self.handle.refuse(wanted.stream, error).await,
        }
    }

    async fn carry(&self, wanted: Incoming, flow: FlowId, tcp: TcpStream, begun: Instant) {
        let local = tcp.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let totals = match self.handle.accept(wanted.stream, begun.elapsed(), local).await {
            Some(stream) => pump(tcp, stream).await,
            // The technician changed their mind, or the session is over.
            None => gatelodge_proto::session::FlowTotals::default(),
        };
        let closed = Happening::FlowClosed {
            session: self.terms.grant.session,
            flow,
            bytes_up: totals.sent,
            bytes_down: totals.received,
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        self.tell(closed).await;
    }

    async fn connect(&self, service: &Service) -> Result<TcpStream, OpenError> {
        let address = self.address(service).await?;
        let connecting = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address));
        connecting.await.map_err(|_| OpenError::TimedOut)?.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => OpenError::Refused,
            io::ErrorKind::TimedOut => OpenError::TimedOut,
            _ => OpenError::Unreachable,
        })
    }

    async fn address(&self, service: &Service) -> Result<SocketAddr, OpenError> {
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner).get(&service.name).copied();
        if let Some(address) = pinned {
            return Ok(address);
        }
        let address = resolve(service).await.map_err(|error| {
            tracing::info!(service = %service.name, %error, "a service has no address to dial");
            match error {
                NoTarget::Forbidden(..) => OpenError::NotAllowed,
                NoTarget::NoSuchName(_) => OpenError::NoSuchName,
            }
        })?;
        // Two flows may have looked at once: the first answer holds for both.
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(*pinned.entry(service.name.clone()).or_insert(address))
    }

    async fn tell(&self, what: Happening) -> bool {
        self.events.send(what).await.is_ok()
    }
}

fn spelled(service: &Service) -> String {
    format!("{} {}:{}", service.protocol.word(), service.host, service.port)
}

const fn outcome(error: OpenError) -> FlowOutcome {
    match error {
        OpenError::NotAllowed | OpenError::Consent => FlowOutcome::NotAllowed,
        OpenError::Refused => FlowOutcome::Refused,
        OpenError::TimedOut => FlowOutcome::TimedOut,
        OpenError::Unreachable => FlowOutcome::Unreachable,
        OpenError::NoSuchName => FlowOutcome::NoSuchName,
        OpenError::Limit => FlowOutcome::Limit,
    }
}
