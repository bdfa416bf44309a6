//! The relay over real connections on loopback, web sockets and raw ones. Who may join is the caller's word, here a
//! list of tickets.

mod again;
mod door;
mod last;

use std::{
    net::SocketAddr,
    sync::{Mutex, atomic::AtomicBool},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use gatelodge_proto::{
    Timestamp,
    session::{
        VERSION,
        carrier::{Dialler, RelaySocket, Way, dial},
        relay_frame::{Hello, PeerLoss, RelayFrame},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

/// The end of every session, by the clock of who admits.
const UNTIL: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[derive(Clone, Default)]
struct Book(Arc<Pages>);

#[derive(Default)]
struct Pages {
    tickets: Mutex<Vec<String>>,
    reports: Mutex<Vec<Report>>,
    closed: AtomicBool,
}

impl Book {
    fn with(tickets: &[&str]) -> Self {
        let book = Self::default();
        book.0.tickets.lock().unwrap().extend(tickets.iter().map(ToString::to_string));
        book
    }

    fn reports(&self) -> Vec<Report> {
        self.0.reports.lock().unwrap().clone()
    }

    async fn ended(&self) -> (EndReason, Carried) {
        loop {
            for report in self.reports() {
                if let Report::Ended { reason, carried, .. } = report {
                    return (reason, carried);
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Admission for Book {
    fn admit(&self, entry: Entry, role: Role) -> BoxFuture<'_, Result<Admitted, Refusal>> {
        let mut tickets = self.0.tickets.lock().unwrap();
        let carried = Carried::default();
        let admitted = match entry {
            Entry::First { ticket } => tickets.iter().position(|known| *known == ticket).map(|at| {
                let lifetime = Duration::from_millis(if ticket.ends_with("short") { 50 } else { 3_600_000 });
                tickets.remove(at);
                Admitted { session: session(), lifetime, until: UNTIL, begun: false, carried, limits: Vec::new() }
            }),
            // Each end's secret is its name.
            Entry::Again { secret } => (secret == role.word()).then_some(Admitted {
                session: session(),
                lifetime: Duration::from_secs(3600),
                until: UNTIL,
                begun: true,
                carried,
                limits: Vec::new(),
            }),
        };
        async move { admitted.ok_or_else(|| RelayError::Ticket.into()) }.boxed()
    }

    fn report(&self, report: Report) -> BoxFuture<'_, Result<(), Unrecorded>> {
        let unrecorded = self.0.closed.load(std::sync::atomic::Ordering::Relaxed);
        self.0.reports.lock().unwrap().push(report);
        async move { if unrecorded { Err(Unrecorded) } else { Ok(()) } }.boxed()
    }
}

fn session() -> SessionId {
    SessionId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(7))
}

async fn relay(settings: Settings, book: &Book) -> (Relay, SocketAddr) {
    let relay = Relay::new(settings, Random::seeded(1), book.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = relay.routes();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (relay, address)
}

fn trusting_nobody() -> Arc<rustls::ClientConfig> {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Arc::new(tls)
}

struct Leg(RelaySocket, SocketAddr);

impl Leg {
    /// One end by a web socket and one raw: the relay does not see the difference.
    async fn dial(address: SocketAddr, role: Role) -> Self {
        let way = if role == Role::Device { Way::Raw } else { Way::WebSocket };
        Self(dial(&format!("ws://{address}{RELAY_PATH}"), trusting_nobody(), way).await.unwrap(), address)
    }

    async fn hello(address: SocketAddr, role: Role, ticket: &str) -> Self {
        Self::of_version(address, VERSION, role, ticket).await
    }

    async fn of_version(address: SocketAddr, version: u16, role: Role, ticket: &str) -> Self {
        let mut leg = Self::dial(address, role).await;
        let hello = Hello { version, role, carrier: 0, ticket: ticket.into(), resume: None, pledge: None };
        leg.say(RelayFrame::Hello(hello)).await;
        leg
    }

    async fn again(address: SocketAddr, role: Role) -> Self {
        let mut leg = Self::dial(address, role).await;
        let (version, ticket) = (VERSION, role.word().to_owned());
        let hello = Hello { version, role, carrier: 0, ticket, resume: Some(4), pledge: None };
        leg.say(RelayFrame::Hello(hello)).await;
        leg
    }

    /// Waits for the other end, and gives the name of the pairing.
    async fn up(&mut self) -> u64 {
        match self.hear().await {
            Some(RelayFrame::PeerUp { version: VERSION, epoch }) => epoch,
            other => panic!("{other:?}"),
        }
    }

    async fn say(&mut self, frame: RelayFrame) {
        self.0.send(frame.encode()).await.unwrap();
    }

    /// The next frame that is no WELCOME or PING; none when the relay closed.
    async fn hear(&mut self) -> Option<RelayFrame> {
        loop {
            match RelayFrame::decode(self.0.next().await?.ok()?).unwrap() {
                Some(RelayFrame::Ping { stamp }) => {
                    let _ = self.0.send(RelayFrame::Pong { stamp }.encode()).await;
                }
                Some(RelayFrame::Welcome(welcome)) => assert_eq!(welcome.max_frame, 65536),
                frame => return frame,
            }
        }
    }
}

async fn paired(settings: Settings) -> (Book, Relay, Leg, Leg) {
    let book = Book::with(&["device", "technician"]);
    let (relay, address) = relay(settings, &book).await;
    let mut device = Leg::hello(address, Role::Device, "device").await;
    let mut technician = Leg::hello(address, Role::Technician, "technician").await;
    let epoch = device.up().await;
    assert_eq!(technician.up().await, epoch);
    (book, relay, device, technician)
}

fn data(seq: u64, payload: &'static [u8]) -> RelayFrame {
    RelayFrame::Data { seq, payload: Bytes::from_static(payload) }
}

#[tokio::test]
async fn two_ends_meet_and_their_bytes_pass_unchanged_and_counted() {
    let (book, relay, mut device, mut technician) = paired(Settings::default()).await;
    let joined = |role| Report::Joined { session: session(), role, again: false, pledge: None };
    assert_eq!(book.reports(), [joined(Role::Device), joined(Role::Technician), Report::Paired { session: session() }]);
    for frame in [data(0, b"down"), RelayFrame::Ack { next: 0 }, data(4, b"!")] {
        technician.say(frame.clone()).await;
        assert_eq!(device.hear().await, Some(frame));
    }
    device.say(data(0, b"up")).await;
    assert_eq!(technician.hear().await, Some(data(0, b"up")));
    let carried = Carried { up: 2, down: 5 };
    assert_eq!(relay.live(), [Live { session: session(), paired: true, carried }]);

    technician.say(data(5, b"last")).await;
    technician.say(RelayFrame::Revoke { reason: EndReason::Technician }).await;
    assert_eq!(device.hear().await, Some(data(5, b"last")), "what was on the way still arrives");
    assert_eq!(device.hear().await, Some(RelayFrame::Revoke { reason: EndReason::Technician }));
    assert_eq!(device.hear().await, None);
    assert_eq!(book.ended().await, (EndReason::Technician, Carried { up: 2, down: 9 }));
    assert!(relay.live().is_empty());
}

#[tokio::test]
async fn a_ticket_is_good_once_and_a_place_is_taken_once() {
    let book = Book::with(&["one", "two"]);
    let (_relay, address) = relay(Settings::default(), &book).await;
    let mut first = Leg::hello(address, Role::Device, "one").await;
    for (ticket, code) in [("none", RelayError::Ticket), ("one", RelayError::Ticket)] {
        let mut leg = Leg::hello(address, Role::Device, ticket).await;
        assert_eq!(leg.hear().await, Some(RelayFrame::Error { code, retry_ms: 0 }));
        assert_eq!(leg.hear().await, None);
    }
    // The first is in its place once it is welcomed.
    assert!(matches!(first.0.next().await, Some(Ok(_))));
    let mut leg = Leg::hello(address, Role::Device, "two").await;
    assert_eq!(leg.hear().await, Some(RelayFrame::Error { code: RelayError::Taken, retry_ms: 0 }));
}

#[tokio::test]
async fn revoking_tells_both_ends_why_and_is_reported_once() {
    let (book, relay, mut device, mut technician) = paired(Settings::default()).await;
    assert!(relay.revoke(session(), EndReason::Customer));
    assert!(!relay.revoke(session(), EndReason::Expired));
    for leg in [&mut device, &mut technician] {
        assert_eq!(leg.hear().await, Some(RelayFrame::Revoke { reason: EndReason::Customer }));
        assert_eq!(leg.hear().await, None);
    }
    assert_eq!(book.ended().await.0, EndReason::Customer);
    assert_eq!(book.reports().iter().filter(|report| matches!(report, Report::Ended { .. })).count(), 1);
}

#[tokio::test]
async fn an_end_cannot_give_the_customers_reason() {
    let (book, _relay, mut device, mut technician) = paired(Settings::default()).await;
    device.say(RelayFrame::Revoke { reason: EndReason::Customer }).await;
    assert_eq!(technician.hear().await, Some(RelayFrame::Revoke { reason: EndReason::Device }));
    assert_eq!(book.ended().await.0, EndReason::Device);
}

#[tokio::test]
async fn an_end_that_does_not_answer_pings_is_dead() {
    let times = Settings {
        ping_every: Duration::from_millis(20),
        dead_after: Duration::from_millis(400),
        ..Settings::default()
    };
    let (_book, _relay, device, mut technician) = paired(times).await;
    // The device's connection stays open, and nobody reads from it.
    let heard = technician.hear().await;
    assert_eq!(heard, Some(RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 90_000 }));
    drop(device);
}

#[tokio::test]
async fn who_stays_alone_is_told_and_so_is_the_cloud() {
    let book = Book::with(&["one"]);
    let times = Settings { peer_within: Duration::from_millis(50), ..Settings::default() };
    let (_relay, address) = relay(times, &book).await;
    let mut leg = Leg::hello(address, Role::Technician, "one").await;
    assert_eq!(leg.hear().await, Some(RelayFrame::Revoke { reason: EndReason::NeverJoined }));
    assert_eq!(book.ended().await.0, EndReason::NeverJoined);
}

#[tokio::test]
async fn a_session_ends_with_its_lifetime() {
    let book = Book::with(&["short"]);
    let (_relay, address) = relay(Settings::default(), &book).await;
    let mut leg = Leg::hello(address, Role::Technician, "short").await;
    assert_eq!(leg.hear().await, Some(RelayFrame::Revoke { reason: EndReason::Expired }));
}

#[tokio::test]
async fn a_session_that_was_extended_ends_later() {
    let book = Book::with(&["short"]);
    let (relay, address) = relay(Settings::default(), &book).await;
    let mut leg = Leg::hello(address, Role::Technician, "short").await;
    while relay.live().is_empty() {
        tokio::task::yield_now().await;
    }
    relay.move_end(session(), UNTIL + Duration::from_secs(3600));
    let first_end = Duration::from_millis(50);
    assert!(timeout(3 * first_end, leg.hear()).await.is_err(), "it goes on");
    assert_eq!(relay.live().len(), 1);
}

#[tokio::test]
async fn without_an_audit_row_no_byte_flows() {
    let book = Book::with(&["device", "technician"]);
    let (_relay, address) = relay(Settings::default(), &book).await;
    book.0.closed.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut device = Leg::hello(address, Role::Device, "device").await;
    let mut technician = Leg::hello(address, Role::Technician, "technician").await;
    for leg in [&mut device, &mut technician] {
        assert_eq!(leg.hear().await, Some(RelayFrame::Error { code: RelayError::Unavailable, retry_ms: 0 }));
    }
}

#[tokio::test]
async fn bytes_before_the_other_end_is_there_end_the_leg() {
    let book = Book::with(&["one"]);
    let (_relay, address) = relay(Settings::default(), &book).await;
    let mut leg = Leg::hello(address, Role::Technician, "one").await;
    leg.say(data(0, b"early")).await;
    assert_eq!(leg.hear().await, None);
    assert_eq!(book.ended().await.0, EndReason::RelayLost);
}

#[tokio::test]
async fn the_first_frame_is_a_hello_of_this_version() {
    let (_relay, address) = relay(Settings::default(), &Book::default()).await;
    let hello =
        Hello { version: 99, role: Role::Device, carrier: 0, ticket: String::new(), resume: None, pledge: None };
    for (frame, code) in
        [(RelayFrame::Hello(hello), RelayError::Version), (RelayFrame::Ack { next: 0 }, RelayError::Protocol)]
    {
        let mut leg = Leg::dial(address, Role::Device).await;
        leg.say(frame).await;
        assert_eq!(leg.hear().await, Some(RelayFrame::Error { code, retry_ms: 0 }));
    }
}

#[tokio::test]
async fn a_relay_that_closes_sends_its_ends_elsewhere_writes_down_what_they_carried_and_takes_nobody_in() {
    let (book, relay, mut device, mut technician) = paired(Settings::default()).await;
    let address = device.1;
    technician.say(data(0, b"four")).await;
    assert_eq!(device.hear().await, Some(data(0, b"four")));
    let mut silent = Leg::dial(address, Role::Device).await;
    relay.close(EndReason::RelayLost, Duration::from_secs(20)).await;
    let (session, carried) = (session(), Carried { up: 0, down: 4 });
    assert_eq!(book.reports().last(), Some(&Report::Bytes { session, carried }), "written when the relay is closed");
    for leg in [&mut device, &mut technician] {
        assert_eq!(leg.hear().await, Some(RelayFrame::GoAway { drain_ms: 0, alternates: vec![] }));
        assert_eq!(leg.hear().await, None);
    }
    assert_eq!(silent.hear().await, Some(RelayFrame::Error { code: RelayError::Unavailable, retry_ms: 0 }));
    assert!(knock(address).await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn a_relay_that_closes_ends_the_sessions_of_version_1() {
    let book = Book::with(&["device"]);
    let (relay, address) = relay(Settings::default(), &book).await;
    let mut device = Leg::of_version(address, 1, Role::Device, "device").await;
    while relay.live().is_empty() {
        tokio::task::yield_now().await;
    }
    relay.close(EndReason::RelayLost, Duration::from_secs(20)).await;
    assert_eq!(book.ended().await.0, EndReason::RelayLost);
    assert_eq!(device.hear().await, Some(RelayFrame::Revoke { reason: EndReason::RelayLost }));
}

/// The first words of the relay's answer to an upgrade.
async fn knock(address: SocketAddr) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let words = format!(
        "GET {RELAY_PATH} HTTP/1.1\r\nhost: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    tcp.write_all(words.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut some = [0; 512];
        let read = tcp.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    answer
}
