//! The targets of one session: looked up in its terms, resolved once, dialled, written down, pumped.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
use tokio_util::task::TaskTracker;

use super::{
    Events, Limits,
    admit::Terms,
    target::{NoTarget, connect, resolve},
};

/// Targets asked for in one session: far beyond what a technician's work takes, and a bound on what is remembered.
const MOST: usize = 65_536;

/// All flows of a session.
pub(super) struct Flows {
    shared: Arc<Shared>,
    running: TaskTracker,
    limits: Limits,
    /// The audit knows a target by its flow's id: an id that came twice would hide the second target.
    seen: HashSet<FlowId>,
}

struct Shared {
    terms: Terms,
    handle: Handle,
    events: Events,
    /// Addresses stay what they were at the first look, for the whole session; once one has answered, it alone.
    pinned: Mutex<HashMap<ServiceName, Vec<SocketAddr>>>,
}

impl Flows {
    pub(super) fn new(terms: Terms, handle: Handle, events: Events, limits: Limits) -> Self {
        let shared = Shared { terms, handle, events, pinned: Mutex::default() };
        Self { shared: Arc::new(shared), running: TaskTracker::new(), limits, seen: HashSet::new() }
    }

    /// Connects a target on a task of its own. A flow id is good once a session, and a place is free only when the task
    /// before has ended and said so.
    pub(super) async fn open(&mut self, wanted: Incoming) {
        let refused = if self.seen.contains(&wanted.open.flow) {
            tracing::warn!(flow = %wanted.open.flow, "a flow id came twice");
            OpenError::NotAllowed
        } else if self.seen.len() >= MOST || self.running.len() >= usize::from(self.limits.streams) {
            OpenError::Limit
        } else {
            self.seen.insert(wanted.open.flow);
            let shared = self.shared.clone();
            self.running.spawn(async move { shared.serve(wanted).await });
            return;
        };
        self.shared.handle.refuse(wanted.stream, refused).await;
    }

    /// Waits until every flow has said that it is closed. The driver has reset them all by then.
    pub(super) async fn wind_up(&self) {
        self.running.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.running.wait()).await;
    }
}

impl Shared {
    async fn serve(&self, mut wanted: Incoming) {
        let flow = wanted.open.flow;
        let begun = Instant::now();
        let (service, target) = match &wanted.open.target {
            Target::Service(name) => {
                let service = self.terms.services.iter().find(|service| service.name == *name);
                (service, service.map_or_else(|| format!("service {name}"), spelled))
            }
            Target::Address { protocol, host, port } => (None, format!("{} {host}:{port}", protocol.word())),
            Target::Echo { address } => (None, format!("ping {address}")),
        };
        let connected = match service {
            Some(service) if service.protocol == Protocol::Tcp => tokio::select! {
                connected = self.connect(service) => connected,
                () = wanted.given_up() => Err(OpenError::TimedOut),
            },
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
        let (tcp, address) = connect(&self.addresses(service).await?).await?;
        self.pinned().insert(service.name.clone(), vec![address]);
        Ok(tcp)
    }

    async fn addresses(&self, service: &Service) -> Result<Vec<SocketAddr>, OpenError> {
        let pinned = self.pinned().get(&service.name).cloned();
        if let Some(addresses) = pinned {
            return Ok(addresses);
        }
        let addresses = resolve(service).await.map_err(|error| {
            tracing::info!(service = %service.name, %error, "a service has no address to dial");
            match error {
                NoTarget::Forbidden(..) => OpenError::NotAllowed,
                NoTarget::NoSuchName(_) => OpenError::NoSuchName,
            }
        })?;
        // Two flows may have looked at once: the first answer holds for both.
        Ok(self.pinned().entry(service.name.clone()).or_insert(addresses).clone())
    }

    fn pinned(&self) -> MutexGuard<'_, HashMap<ServiceName, Vec<SocketAddr>>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
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
        OpenError::Busy => FlowOutcome::Busy,
    }
}

#[cfg(test)]
mod tests;
