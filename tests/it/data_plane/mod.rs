//! The whole data plane over real sockets in one process: relay, device's end, technician's end, a panel behind it.
//! Who may join the relay is the caller's word here, a list of tickets; everything else is what the programs run.

mod bytes;
mod calls;
mod endings;
mod failures;
mod pinned;
mod places;
mod rates;
mod refusals;
mod tap;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::serve::ListenerExt as _;
use futures_util::{FutureExt as _, future::BoxFuture};
use gatelodge_agent::{
    consent::Gate,
    session::{Limits, Newer, Places, Start, Wish, run as run_device},
    state::PrivateKey,
};
use gatelodge_cloud::{
    clock::Clock,
    pki::{Csr, Names, Pki},
    sessions::relay::{Admission, Admitted, Carried, Entry, Limit, Refusal, Relay, Report, Settings, Unrecorded},
};
use gatelodge_proto::{
    DeviceId, OrganisationId, Random, SessionId, Timestamp, UserId,
    api::{Join, RELAY_PATH},
    enrol::Credentials,
    grant::{Grant, SignedGrant, Technician},
    payload::{Consent, EndReason, Happening, Protocol, Service, SessionOrder},
    session::{Ending, Role, relay_frame::RelayError},
};
use gatelodge_technician::forward::{self, Back, Forward, ForwardError, Session, SessionKey, Update, Wanted};
use gatelodge_tests::wait::wait_until;
use sha2::{Digest as _, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::bytes::noise;
use self::tap::Tap;

const PATIENCE: Duration = Duration::from_secs(20);
const TICKETS: [&str; 2] = ["00000000000000000000000000000001", "00000000000000000000000000000002"];

/// Tickets for one session, and what the relay said of it.
#[derive(Clone)]
struct Book {
    session: SessionId,
    pledges: Arc<Mutex<Vec<[u8; 32]>>>,
    reports: Arc<Mutex<Vec<Report>>>,
    limits: Arc<Mutex<Vec<Limit>>>,
}

impl Admission for Book {
    fn admit(&self, entry: Entry, role: Role) -> BoxFuture<'_, Result<Admitted, Refusal>> {
        let expected = match role {
            Role::Technician => TICKETS[0],
            Role::Device => TICKETS[1],
        };
        let known = match entry {
            Entry::First { ticket } => ticket == expected,
            Entry::Again { secret } => {
                let secret: Vec<u8> =
                    (0..64).step_by(2).map(|at| u8::from_str_radix(&secret[at..at + 2], 16).unwrap()).collect();
                self.pledges
                    .lock()
                    .unwrap()
                    .iter()
                    .any(|pledge| pledge.as_slice() == Sha256::digest(&secret).as_slice())
            }
        };
        let limits = self.limits.lock().unwrap().clone();
        let (lifetime, carried) = (Duration::from_secs(3600), Carried::default());
        let admitted =
            Admitted { session: self.session, lifetime, until: now() + lifetime, begun: false, carried, limits };
        async move { if known { Ok(admitted) } else { Err(RelayError::Ticket.into()) } }.boxed()
    }

    fn report(&self, report: Report) -> BoxFuture<'_, Result<(), Unrecorded>> {
        if let Report::Joined { pledge, .. } = report {
            self.pledges.lock().unwrap().extend(pledge);
        }
        self.reports.lock().unwrap().push(report);
        async { Ok(()) }.boxed()
    }
}

/// A cloud's keys and relay, an enrolled device, and a technician's session key.
struct Plane {
    _keys: tempfile::TempDir,
    pki: Pki,
    relay: Relay,
    book: Book,
    tap: Tap,
    /// What the session was opened with.
    grant: Mutex<Option<Grant>>,
    device: DeviceId,
    device_key: PrivateKey,
    session_key: SessionKey,
}

/// What one test changes before the two ends set out.
struct Change {
    grant: Grant,
    /// The device's own services; the grant's when absent.
    own_services: Option<Vec<Service>>,
    /// Which programs take the installation's calls.
    backs: Vec<Back>,
    /// How far the device's clock is behind.
    behind: Duration,
    /// How far it is ahead.
    ahead: Duration,
    start: Box<dyn FnOnce(&mut Start)>,
    join: Box<dyn FnOnce(&mut Join)>,
}

/// A running session.
struct Live {
    technician: JoinHandle<Result<Ending, ForwardError>>,
    device: JoinHandle<Ending>,
    updates: mpsc::UnboundedReceiver<Update>,
    events: mpsc::Receiver<Happening>,
    /// What is wished of the device's end.
    wish: mpsc::Sender<Wish>,
    stop_technician: CancellationToken,
    ports: Vec<SocketAddr>,
}

fn now() -> Timestamp {
    Clock::system().now()
}

fn service(name: &str, at: SocketAddr) -> Service {
    Service { name: name.parse().unwrap(), protocol: Protocol::Tcp, host: at.ip().to_string(), port: at.port() }
}

impl Plane {
    async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let (keys, random) = (tempfile::tempdir().unwrap(), Random::system());
        let names = Names { server: vec!["localhost".into()], node: "a".into() };
        let pki = Pki::open(keys.path(), &Clock::system(), &random, &names).unwrap();
        let book = Book {
            pledges: Arc::default(),
            session: SessionId::make(now(), &random),
            reports: Arc::default(),
            limits: Arc::default(),
        };
        let relay = Relay::new(settings, random.clone(), book.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = Tap::before(listener.local_addr().unwrap()).await;
        let listener = listener.tap_io(|tcp| tcp.set_nodelay(true).unwrap());
        let routes = relay.routes();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            pki,
            relay,
            book,
            tap,
            grant: Mutex::default(),
            device: DeviceId::make(now(), &random),
            device_key: PrivateKey::make().unwrap(),
            session_key: SessionKey::make().unwrap(),
            _keys: keys,
        }
    }

    fn change(&self, services: &[Service]) -> Change {
        let (random, from) = (Random::system(), now());
        let grant = Grant {
            session: self.book.session,
            device: self.device,
            epoch: 2,
            technician: Technician {
                user: UserId::make(from, &random),
                name: "Marc Petit".into(),
                organisation: OrganisationId::make(from, &random),
                organisation_name: "Petit Alarmes".into(),
            },
            key_thumbprint: Csr::parse(&self.session_key.csr().unwrap()).unwrap().thumbprint_hex(),
            services: services.to_vec(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            recording: Vec::new(),
            from,
            until: from + Duration::from_secs(3600),
            lifetime_s: 3600,
            idle_s: 900,
            consent: Consent::Always,
            reason: Some("yearly check".into()),
            ticket_number: None,
            break_glass: false,
        };
        Change {
            grant,
            own_services: None,
            backs: Vec::new(),
            behind: Duration::ZERO,
            ahead: Duration::ZERO,
            start: Box::new(|_| {}),
            join: Box::new(|_| {}),
        }
    }

    fn certify(&self, key: &PrivateKey) -> String {
        self.pki.sign_device(self.device, &Csr::parse(&key.request().unwrap()).unwrap(), now()).unwrap().chain
    }

    /// Sends both ends out.
    async fn go(self, change: Change) -> (Arc<Self>, Live) {
        let (pki, grant) = (&self.pki, change.grant);
        let signed = SignedGrant::sign(&grant, pki.grant_key());
        *self.grant.lock().unwrap() = Some(grant.clone());
        let relay = format!("ws://{}{RELAY_PATH}", self.tap.address);
        let mut start = Start {
            order: SessionOrder {
                grant: signed.clone(),
                proof: None,
                relay: relay.clone(),
                ticket: TICKETS[1].into(),
                recording: None,
            },
            key: self.device_key.clone(),
            credentials: Credentials {
                device: self.device,
                epoch: 2,
                chain: self.certify(&self.device_key),
                device_ca: pki.device_ca().into(),
                session_ca: pki.session_ca().into(),
                grant_key: pki.grant_public_key().to_string(),
                mqtt: "localhost:8883".into(),
            },
            epoch: 2,
            services: change.own_services.unwrap_or_else(|| grant.services.clone()),
            networks: grant.networks.clone(),
            listens: grant.listens.clone(),
            features: grant.features.clone(),
            terminal: None,
            places: Places::default(),
            folders: Vec::new(),
            looks: gatelodge_agent::session::Looks::default(),
            limits: Limits::default(),
            proxy: None,
            ca_file: None,
            clock_lacks_us: 0,
            gate: Gate::default(),
            page: None,
        };
        let csr = Csr::parse(&self.session_key.csr().unwrap()).unwrap();
        let until = now() + Duration::from_secs(900);
        let mut join = Join {
            relay,
            ticket: TICKETS[0].into(),
            chain: pki.sign_session_key(&csr, grant.session, now(), until).unwrap().chain,
            device_ca: pki.device_ca().into(),
            device: self.device,
            grant: signed,
            until: grant.until,
        };
        (change.start)(&mut start);
        (change.join)(&mut join);

        let mut listeners = Vec::new();
        for service in &grant.services {
            let local = Some("127.0.0.1:0".parse().unwrap());
            let forward = Forward { local, wanted: Wanted::Service(service.name.clone()) };
            listeners.push(forward::bind(&forward, std::slice::from_ref(service)).await.unwrap());
        }
        if !grant.networks.is_empty() {
            let socks = Forward { local: Some("127.0.0.1:0".parse().unwrap()), wanted: Wanted::Socks5 };
            listeners.push(forward::bind(&socks, &[]).await.unwrap());
        }
        let ports = listeners.iter().map(|listener| listener.local).collect();
        let session = Session {
            join,
            key: self.session_key.clone(),
            tls: Arc::new(gatelodge_technician::tls::cloud_tls(None).unwrap()),
            backs: change.backs,
            proxy: None,
            clock: gatelodge_technician::clock::Clock::system(),
            random: Random::system(),
        };
        let (told, updates) = mpsc::unbounded_channel();
        let (happened, events) = mpsc::channel(1024);
        let (wish, wishes) = mpsc::channel(1);
        let stop_technician = CancellationToken::new();
        let stop = stop_technician.clone().cancelled_owned();
        let technician = tokio::spawn(forward::run(session, listeners, stop, told));
        let device =
            tokio::spawn(run_device(start, now() + change.ahead - change.behind, Random::system(), wishes, happened));
        (Arc::new(self), Live { technician, device, updates, events, wish, stop_technician, ports })
    }

    /// A session that has come up.
    async fn up(self, services: &[Service]) -> (Arc<Self>, Live) {
        let change = self.change(services);
        let (plane, mut live) = self.go(change).await;
        live.joined().await;
        (plane, live)
    }

    /// The relay's last word on the session.
    async fn reported_end(&self) -> EndReason {
        wait_until("the relay reported the end", PATIENCE, async || {
            let reports = self.book.reports.lock().unwrap();
            Ok(reports.iter().find_map(|report| match report {
                Report::Ended { reason, .. } => Some(*reason),
                _ => None,
            }))
        })
        .await
        .unwrap()
    }
}

impl Live {
    async fn joined(&mut self) {
        loop {
            match tokio::time::timeout(PATIENCE, self.updates.recv()).await.unwrap() {
                Some(Update::Joined { .. }) => return,
                Some(_) => {}
                None => panic!("the session did not come up"),
            }
        }
    }

    async fn connect(&self, port: usize) -> TcpStream {
        TcpStream::connect(self.ports[port]).await.unwrap()
    }

    /// How both ends saw the end: technician, device.
    async fn ends(&mut self) -> (Result<Ending, ForwardError>, Ending) {
        let both = async { (&mut self.technician).await.unwrap() };
        let technician = tokio::time::timeout(PATIENCE, both).await.unwrap();
        let device = tokio::time::timeout(PATIENCE, &mut self.device).await.unwrap().unwrap();
        (technician, device)
    }

    /// Everything the device said, after its end.
    async fn events(&mut self) -> Vec<Happening> {
        let mut events = Vec::new();
        while let Some(event) = self.events.recv().await {
            events.push(event);
        }
        events
    }
}
