//! The targets of one session: looked up in its terms, resolved once, dialled, written down, pumped; and the calls of
//! its installation ([`calls`]).

mod blind;
mod callers;
mod calls;
mod file;
mod look;
mod page;
mod panel;

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::Duration,
};

use gatelodge_proto::{
    FlowId, Random, Timestamp,
    payload::{Feature, FlowOutcome, Happening, Host, HostName, Protocol, Service, ServiceName},
    session::{
        FlowTotals,
        driver::{Handle, Incoming},
        inner_frame::{OpenError, StreamId, Target},
        pump,
        terminal::TerminalFrame,
    },
};
use tokio::{
    net::{TcpStream, UdpSocket},
    task::JoinSet,
    time::Instant,
};
use tokio_util::task::TaskTracker;

use self::blind::Blind;
pub(super) use self::calls::Door;
use super::{
    Events, Limits,
    admit::Terms,
    discover::{self, Looks},
    echo::Echo,
    files::{self, OwnFolder},
    lookup::Lookups,
    places::{NoPlace, Place, Places},
    target::{self, connect, resolve},
    terminal::{self, NoTerminal, Terminals},
    udp,
};

/// A terminal in both audit lists.
const TERMINAL: &str = "terminal";
/// Targets asked for in one session: far beyond what a technician's work takes, and a bound on what is remembered.
const MOST: usize = 65_536;

/// All flows of a session.
pub(super) struct Flows {
    shared: Arc<Shared>,
    running: TaskTracker,
    /// The ports that are open for calls.
    doors: JoinSet<()>,
    limits: Limits,
    /// The audit knows a target by its flow's id: an id that came twice would hide the second target.
    seen: HashSet<FlowId>,
}

struct Shared {
    terms: Terms,
    places: Places,
    folders: Vec<OwnFolder>,
    terminals: Terminals,
    looks: Looks,
    /// Whether the device looks around now.
    looking: AtomicBool,
    /// The pages that this device itself answers browsers with.
    blind: Blind,
    page: Option<SocketAddr>,
    handle: Handle,
    events: Events,
    lookups: Lookups,
    ids: Ids,
    /// How often the installation has called.
    calls: AtomicUsize,
    /// Who calls now.
    callers: Arc<callers::Callers>,
    /// Addresses stay what they were at the first look, for the whole session; once one has answered, it alone.
    pinned: Mutex<HashMap<Pin, Vec<IpAddr>>>,
}

/// What the device's own settings say.
pub(super) struct Own {
    pub(super) places: Places,
    /// Where its own page listens, which no session reaches.
    pub(super) page: Option<SocketAddr>,
    pub(super) limits: Limits,
    pub(super) folders: Vec<OwnFolder>,
    pub(super) terminals: Terminals,
    pub(super) looks: Looks,
}

/// Makes ids for the flows that this end opens.
pub(super) struct Ids {
    began: (Timestamp, Instant),
    random: Random,
}

impl Ids {
    /// From that time on, which is now.
    pub(super) fn from(now: Timestamp, random: Random) -> Self {
        Self { began: (now, Instant::now()), random }
    }

    fn flow(&self) -> FlowId {
        FlowId::make(self.now(), &self.random)
    }

    fn now(&self) -> Timestamp {
        let (then, at) = self.began;
        then + at.elapsed()
    }
}

/// What was looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Pin {
    Service(ServiceName),
    Name(HostName),
}

/// What a flow goes to, and what it holds while it does.
enum Reached {
    Tcp(TcpStream, Place),
    Udp(UdpSocket, Place),
    Echo(Echo),
}

impl Reached {
    fn local(&self) -> String {
        let local = match self {
            Self::Tcp(tcp, _) => tcp.local_addr(),
            Self::Udp(socket, _) => socket.local_addr(),
            Self::Echo(_) => return String::new(),
        };
        local.map(|address| address.to_string()).unwrap_or_default()
    }

    fn peer(&self) -> Option<IpAddr> {
        let peer = match self {
            Self::Tcp(tcp, _) => tcp.peer_addr(),
            Self::Udp(socket, _) => socket.peer_addr(),
            Self::Echo(echo) => return Some(echo.peer()),
        };
        peer.ok().map(|address| address.ip())
    }
}

impl Flows {
    pub(super) fn new(terms: Terms, own: Own, handle: Handle, events: Events, ids: Ids) -> Self {
        let Own { places, page, limits, folders, looks, terminals } = own;
        let (lookups, calls) = (Lookups::of_system(), AtomicUsize::new(0));
        let shared = Shared {
            terms,
            places,
            folders,
            terminals,
            looks,
            looking: AtomicBool::new(false),
            blind: Blind::default(),
            page,
            handle,
            events,
            lookups,
            ids,
            calls,
            callers: Arc::default(),
            pinned: Mutex::default(),
        };
        let (running, doors) = (TaskTracker::new(), JoinSet::new());
        Self { shared: Arc::new(shared), running, doors, limits, seen: HashSet::new() }
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
    pub(super) async fn wind_up(&mut self) {
        self.doors.shutdown().await;
        self.running.close();
        let over = async { tokio::join!(self.running.wait(), self.shared.blind.wind_up()) };
        let _ = tokio::time::timeout(Duration::from_secs(1), over).await;
    }
}

impl Shared {
    async fn serve(self: &Arc<Self>, mut wanted: Incoming) {
        let flow = wanted.open.flow;
        let begun = Instant::now();
        let asked = wanted.open.target.clone();
        match asked.clone() {
            Target::Certify { name } => return self.certify(wanted, &name, begun).await,
            Target::Blind => return self.browser(wanted, begun).await,
            _ if self.terms.grant.features.contains(&Feature::WebBlind) => return self.in_the_clear(wanted).await,
            Target::File { path, act } => return self.file(wanted, path, act, begun).await,
            Target::Terminal { size, term, command } => {
                return self.terminal(wanted.stream, terminal::Wanted { flow, size, term, command }, begun).await;
            }
            Target::Discover => return self.look_around(wanted, begun).await,
            Target::Service(_) | Target::Address { .. } | Target::Echo { .. } | Target::Call { .. } => {}
        }
        let reached = tokio::select! {
            reached = self.reach(&asked) => reached,
            () = wanted.given_up() => Err(OpenError::TimedOut),
        };
        let outcome = reached.as_ref().map_or_else(|error| outcome(*error), |_| FlowOutcome::Opened);
        tracing::debug!(%flow, ?outcome, "a target was asked for");
        let target = self.spelled(&asked, reached.as_ref().ok().and_then(Reached::peer));
        // The row is on its way before the first byte is; without it the target stays closed.
        let told = self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        match reached {
            Ok(reached) if told => self.carry(wanted, flow, reached, begun).await,
            Ok(_) => self.handle.refuse(wanted.stream, OpenError::NotAllowed).await,
            Err(error) => self.handle.refuse(wanted.stream, error).await,
        }
    }

    /// A terminal from its row to its end. What cannot be had is told in a sentence, on the stream.
    async fn terminal(&self, stream: StreamId, wanted: terminal::Wanted, begun: Instant) {
        let flow = wanted.flow;
        let prepared = self.terminals.prepare(wanted, self.ids.now());
        let (target, outcome) = match &prepared {
            Ok(prepared) => (prepared.spelled(), FlowOutcome::Opened),
            Err(error) => {
                tracing::warn!(%flow, %error, "a terminal is refused");
                (TERMINAL.to_owned(), error.outcome())
            }
        };
        let told = self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        if !told || matches!(prepared, Err(NoTerminal::NotAllowed)) {
            return self.handle.refuse(stream, OpenError::NotAllowed).await;
        }
        let stream = self.handle.accept(stream, begun.elapsed(), String::new()).await;
        let totals = match (prepared, stream) {
            (Ok(prepared), Some(stream)) => prepared.run(&stream).await,
            (Err(error), Some(stream)) => {
                terminal::say(&stream, &TerminalFrame::Refused(error.to_string())).await;
                return;
            }
            (Ok(_), None) => FlowTotals::default(),
            (Err(_), None) => return,
        };
        self.closed(flow, totals, begun).await;
    }

    async fn reach(&self, target: &Target) -> Result<Reached, OpenError> {
        match target {
            Target::Service(name) => {
                let service = self.service(name).ok_or(OpenError::NotAllowed)?;
                let place = self.place(service).await?;
                let pin = Pin::Service(name.clone());
                let addresses = self.pinned_or(&pin, resolve(&self.lookups, service, self.page)).await?;
                self.dial(service.protocol, &addresses, service.port, Some(pin), place).await
            }
            Target::Address { protocol, host, port } => {
                let found = target::resolve_in(&self.lookups, &self.terms.networks, host);
                let (pin, addresses) = match host {
                    Host::Address(_) => (None, found.await?),
                    Host::Name(name) => {
                        let pin = Pin::Name(name.clone());
                        (Some(pin.clone()), self.pinned_or(&pin, found).await?)
                    }
                };
                // An address that became the device's own meanwhile is not the one that was looked up.
                for address in &addresses {
                    target::allow(&self.terms.networks, *address)?;
                }
                let place = in_use(self.places.take_at(*protocol, &addresses, *port).await, &port)?;
                self.dial(*protocol, &addresses, *port, pin, place).await
            }
            Target::Echo { address } => {
                target::allow(&self.terms.networks, *address)?;
                Ok(Reached::Echo(Echo::to(*address)))
            }
            // A technician does not call, and the others are nothing to dial.
            Target::Call { .. }
            | Target::File { .. }
            | Target::Terminal { .. }
            | Target::Discover
            | Target::Certify { .. }
            | Target::Blind => Err(OpenError::NotAllowed),
        }
    }

    async fn dial(
        &self,
        protocol: Protocol,
        addresses: &[IpAddr],
        port: u16,
        pin: Option<Pin>,
        place: Place,
    ) -> Result<Reached, OpenError> {
        let addresses: Vec<_> = addresses.iter().map(|address| SocketAddr::new(*address, port)).collect();
        let (reached, at) = match protocol {
            Protocol::Tcp => {
                let (tcp, at) = connect(&addresses).await?;
                (Reached::Tcp(tcp, place), at)
            }
            Protocol::Udp => {
                // Nobody answers a datagram's connect: the first address that there is a way to.
                let mut failure = OpenError::NoSuchName;
                let mut found = None;
                for at in addresses {
                    match udp::connect(at).await {
                        Ok(socket) => {
                            found = Some((socket, at));
                            break;
                        }
                        Err(error) => failure = target::failure(&error),
                    }
                }
                let (socket, at) = found.ok_or(failure)?;
                (Reached::Udp(socket, place), at)
            }
        };
        // Only who has answered is pinned alone: a datagram's connect asks nobody.
        if let (Some(pin), Reached::Tcp(..)) = (pin, &reached) {
            self.pinned().insert(pin, vec![at.ip()]);
        }
        Ok(reached)
    }

    async fn carry(&self, wanted: Incoming, flow: FlowId, reached: Reached, begun: Instant) {
        let (local, took) = (reached.local(), begun.elapsed());
        // Without a stream the technician changed their mind, or the session is over.
        let totals = match reached {
            Reached::Tcp(tcp, _place) => match self.handle.accept(wanted.stream, took, local).await {
                Some(stream) => pump(tcp, stream).await,
                None => FlowTotals::default(),
            },
            Reached::Udp(socket, _place) => match self.handle.accept_datagrams(wanted.stream, took, local).await {
                Some(datagrams) => udp::carry(socket, datagrams).await,
                None => FlowTotals::default(),
            },
            Reached::Echo(echo) => match self.handle.accept_datagrams(wanted.stream, took, local).await {
                Some(datagrams) => echo.carry(datagrams).await,
                None => FlowTotals::default(),
            },
        };
        self.closed(flow, totals, begun).await;
    }

    async fn closed(&self, flow: FlowId, totals: FlowTotals, begun: Instant) {
        let closed = Happening::FlowClosed {
            session: self.terms.grant.session,
            flow,
            bytes_up: totals.sent,
            bytes_down: totals.received,
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        self.tell(closed).await;
    }

    fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.terms.services.iter().find(|service| service.name == *name)
    }

    async fn place(&self, service: &Service) -> Result<Place, OpenError> {
        in_use(self.places.take(&service.name).await, &service.name)
    }

    async fn pinned_or(
        &self,
        pin: &Pin,
        look: impl Future<Output = Result<Vec<IpAddr>, target::NoTarget>>,
    ) -> Result<Vec<IpAddr>, OpenError> {
        let pinned = self.pinned().get(pin).cloned();
        if let Some(addresses) = pinned {
            return Ok(addresses);
        }
        let addresses = look.await.inspect_err(|error| tracing::info!(?pin, %error, "there is no address to dial"))?;
        // Two flows may have looked at once: the first answer holds for both.
        Ok(self.pinned().entry(pin.clone()).or_insert(addresses).clone())
    }

    fn pinned(&self) -> MutexGuard<'_, HashMap<Pin, Vec<IpAddr>>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A target as both audit lists show it; a name with the address that was found for it.
    fn spelled(&self, target: &Target, at: Option<IpAddr>) -> String {
        match target {
            Target::Service(name) => match self.service(name) {
                Some(Service { protocol, host, port, .. }) => format!("{} {host}:{port}", protocol.word()),
                None => format!("service {name}"),
            },
            Target::Address { protocol, host: Host::Address(address), port } => {
                format!("{} {}", protocol.word(), SocketAddr::new(*address, *port))
            }
            Target::Address { protocol, host: host @ Host::Name(_), port } => match at {
                Some(at) => format!("{} {host}:{port} ({at})", protocol.word()),
                None => format!("{} {host}:{port}", protocol.word()),
            },
            Target::Echo { address } => format!("ping {address}"),
            Target::Call { listen, .. } => format!("call to {listen}"),
            Target::File { path, act } => files::spelled(path.as_ref(), *act),
            Target::Terminal { .. } => TERMINAL.to_owned(),
            Target::Discover => discover::spelled(&self.terms.networks),
            Target::Certify { name } => format!("blind page {name}"),
            Target::Blind => "blind page".to_owned(),
        }
    }

    async fn tell(&self, what: Happening) -> bool {
        self.events.send(what).await.is_ok()
    }
}

const fn outcome(error: OpenError) -> FlowOutcome {
    match error {
        OpenError::NotAllowed | OpenError::Consent => FlowOutcome::NotAllowed,
        OpenError::Refused => FlowOutcome::Refused,
        OpenError::TimedOut => FlowOutcome::TimedOut,
        OpenError::Unreachable => FlowOutcome::Unreachable,
        OpenError::NoSuchName => FlowOutcome::NoSuchName,
        OpenError::Limit | OpenError::Names => FlowOutcome::Limit,
        OpenError::Busy => FlowOutcome::Busy,
    }
}

/// What the technician hears of a service without a free place.
fn in_use(place: Result<Place, NoPlace>, service: &dyn std::fmt::Display) -> Result<Place, OpenError> {
    place.map_err(|error| match error {
        NoPlace::Taken(_) => {
            tracing::info!(%service, %error, "a service is in use");
            OpenError::Busy
        }
        NoPlace::Uncounted(ref source) => {
            tracing::error!(%service, %source, "a service's connections cannot be counted");
            OpenError::Limit
        }
    })
}

#[cfg(test)]
mod tests;
