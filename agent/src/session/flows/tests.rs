//! Flows between a real driver and a technician who speaks frame by frame, as no honest program does.
use bytes::BytesMut;
use gatelodge_proto::{
    DeviceId, OrganisationId, Random, SessionId, Timestamp, UserId,
    grant::{Grant, Technician},
    payload::{Consent, Feature, Network},
    session::{
        Role,
        driver::{Channel, Driver},
        inner_frame::{Class, InnerFrame, Open, ResetCode, StreamId},
        line::LineView,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    net::{TcpListener, TcpSocket},
    sync::mpsc,
};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn service(name: &str, at: SocketAddr) -> Service {
    Service { name: name.parse().unwrap(), protocol: Protocol::Tcp, host: at.ip().to_string(), port: at.port() }
}

/// Nobody is there; what is asked for is refused before anything is sent.
#[tokio::test]
async fn who_has_not_the_feature_or_no_network_is_told_of_nothing() {
    let lan: Network = Network { name: "lan".parse().unwrap(), subnet: "192.0.2.0/24".parse().unwrap() };
    for (features, networks) in [
        (Vec::new(), vec![lan.clone()]),
        (vec![Feature::Files, Feature::Web], vec![lan]),
        (vec![Feature::Discovery], Vec::new()),
    ] {
        let terms = Terms { networks, features, ..terms(Vec::new()) };
        let mut speaker = session_with(terms, Places::default(), 8);
        let flow = FlowId::make(NOW, &Random::seeded(3));
        speaker.open_target(1, flow, Target::Discover).await;
        let refused = loop {
            if let InnerFrame::OpenErr { code, .. } = speaker.frame().await {
                break code;
            }
        };
        assert_eq!(refused, OpenError::NotAllowed);
        let Some(Happening::FlowOpened { outcome, target, .. }) = speaker.events.recv().await else {
            panic!("it is not in the record")
        };
        assert_eq!(outcome, FlowOutcome::NotAllowed, "{target}");
    }
}

/// The gateway is such a session's client: what it could read is refused, even where the device's own settings let no
/// browser in and the grant's services are all there.
#[tokio::test]
async fn a_session_that_the_portal_cannot_read_opens_nothing_in_the_clear() {
    let panel = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = panel.local_addr().unwrap();
    let lan = || Network { name: "lan".parse().unwrap(), subnet: "192.0.2.0/24".parse().unwrap() };
    for own in [vec![Feature::WebBlind], Vec::new()] {
        let mut terms = Terms { networks: vec![lan()], features: own, ..terms(vec![service("panel", at)]) };
        terms.grant.features = vec![Feature::WebBlind];
        let mut speaker = session_with(terms, Places::default(), 64);
        let targets = [
            Target::Service("panel".parse().unwrap()),
            Target::Address { protocol: Protocol::Tcp, host: "192.0.2.1".parse().unwrap(), port: 80 },
            Target::Echo { address: "192.0.2.1".parse().unwrap() },
            Target::File { path: None, act: gatelodge_proto::session::files::FileAct::List },
            Target::Discover,
            // No page is certified yet.
            Target::Blind,
        ];
        for (number, target) in targets.into_iter().enumerate() {
            let (stream, clear) = (1 + 2 * u32::try_from(number).unwrap(), target != Target::Blind);
            let flow = FlowId::make(NOW + Duration::from_secs(u64::from(stream)), &Random::seeded(3));
            speaker.open_target(stream, flow, target.clone()).await;
            let answer = loop {
                match speaker.frame().await {
                    InnerFrame::OpenErr { stream: about, code } if about == stream => break Err(code),
                    InnerFrame::OpenOk { stream: about, .. } if about == stream => break Ok(()),
                    _ => {}
                }
            };
            assert_eq!(answer, Err(OpenError::NotAllowed), "{target:?}");
            if clear {
                let told = speaker.events.recv().await;
                let Some(Happening::FlowOpened { outcome, .. }) = told else { panic!("{told:?}") };
                assert_eq!(outcome, FlowOutcome::NotAllowed, "{target:?}");
            }
        }
        let reached = tokio::time::timeout(Duration::from_millis(50), panel.accept()).await;
        assert!(reached.is_err(), "the panel was reached");
    }
}

fn udp_service(name: &str, at: SocketAddr) -> Service {
    Service { protocol: Protocol::Udp, ..service(name, at) }
}

fn terms(services: Vec<Service>) -> Terms {
    let random = Random::seeded(1);
    let hour = Duration::from_secs(3600);
    let grant = Grant {
        session: SessionId::make(NOW, &random),
        device: DeviceId::make(NOW, &random),
        epoch: 1,
        technician: Technician {
            user: UserId::make(NOW, &random),
            name: "Marc Petit".into(),
            organisation: OrganisationId::make(NOW, &random),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: String::new(),
        services: services.clone(),
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        recording: Vec::new(),
        from: NOW,
        until: NOW + hour,
        lifetime_s: 3600,
        idle_s: 900,
        consent: Consent::Ask,
        reason: None,
        ticket_number: None,
        break_glass: false,
    };
    Terms {
        grant,
        services,
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        lifetime: hour,
        until: NOW + hour,
        idle: hour,
    }
}

/// The technician's end of a session whose device is real.
struct Speaker {
    io: DuplexStream,
    heard: BytesMut,
    events: mpsc::Receiver<Happening>,
    next: StreamId,
}

fn session(services: Vec<Service>, room: usize) -> Speaker {
    session_with(terms(services), Places::default(), room)
}

fn session_with(terms: Terms, places: Places, room: usize) -> Speaker {
    let (near, far) = duplex(64 * 1024);
    let (events, told) = mpsc::channel(room);
    let line = LineView::of_a_stream();
    let (driver, handle, mut outlets) =
        Driver::new(Channel::new(far), Role::Device, Limits::default().settings(), line);
    let terminals = Terminals::new(None, true, &terms.grant, None);
    let own =
        Own { places, page: None, limits: Limits::default(), folders: Vec::new(), looks: Looks::default(), terminals };
    let mut flows = Flows::new(terms, own, handle, events, Ids::from(NOW, Random::seeded(2)));
    tokio::spawn(driver.run());
    tokio::spawn(async move {
        while let Some(wanted) = outlets.incoming.recv().await {
            flows.open(wanted).await;
        }
    });
    Speaker { io: near, heard: BytesMut::new(), events: told, next: 1 }
}

impl Speaker {
    async fn say(&mut self, frame: InnerFrame) {
        self.io.write_all(&frame.encode()).await.unwrap();
    }

    async fn open(&mut self, flow: FlowId, service: &str) -> StreamId {
        // A technician's streams are odd.
        let stream = self.next;
        self.next += 2;
        self.open_target(stream, flow, Target::Service(service.parse().unwrap())).await;
        stream
    }

    async fn open_target(&mut self, stream: StreamId, flow: FlowId, target: Target) {
        let open = Open { flow, target, class: Class::Interactive, credit: 1024 };
        self.say(InnerFrame::Open { stream, open }).await;
    }

    /// The next datagram of the stream; `None` when it is over.
    async fn datagram(&mut self, stream: StreamId) -> Option<Vec<u8>> {
        loop {
            match self.frame().await {
                InnerFrame::Dgram { stream: about, payload } if about == stream => return Some(payload.into()),
                InnerFrame::Rst { stream: about, .. } if about == stream => return None,
                _ => {}
            }
        }
    }

    /// The next frame; meanwhile the device is told that somebody is there.
    async fn frame(&mut self) -> InnerFrame {
        loop {
            match InnerFrame::take(&mut self.heard).unwrap() {
                Some(InnerFrame::Ping { stamp }) => self.say(InnerFrame::Pong { stamp }).await,
                Some(frame) => return frame,
                None => assert_ne!(self.io.read_buf(&mut self.heard).await.unwrap(), 0, "the device goes on"),
            }
        }
    }

    /// Is there, and wants nothing.
    async fn listen(&mut self) {
        loop {
            self.frame().await;
        }
    }

    async fn send(&mut self, stream: StreamId, datagram: &'static [u8]) {
        self.say(InnerFrame::Dgram { stream, payload: datagram.into() }).await;
    }

    async fn take_back(&mut self, stream: StreamId) {
        self.say(InnerFrame::Rst { stream, code: ResetCode::Cancelled }).await;
    }

    /// What the device answers to the stream's OPEN.
    async fn answer(&mut self, stream: StreamId) -> Result<(), OpenError> {
        loop {
            match self.frame().await {
                InnerFrame::OpenOk { stream: about, .. } if about == stream => return Ok(()),
                InnerFrame::OpenErr { stream: about, code } if about == stream => return Err(code),
                _ => {}
            }
        }
    }

    async fn opened(&mut self) -> (FlowId, String, FlowOutcome) {
        loop {
            if let Happening::FlowOpened { flow, target, outcome, .. } = self.events.recv().await.unwrap() {
                return (flow, target, outcome);
            }
        }
    }
}

fn flow(number: u64) -> FlowId {
    FlowId::make(NOW, &Random::seeded(number))
}

#[tokio::test]
async fn a_flow_id_is_good_once_so_that_no_target_hides_behind_another() {
    let (shown, hidden) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let services = vec![service("shown", shown.local_addr().unwrap()), service("hidden", hidden.local_addr().unwrap())];
    let mut technician = session(services, 16);
    let first = technician.open(flow(1), "shown").await;
    technician.answer(first).await.unwrap();
    for ended in [false, true] {
        let again = technician.open(flow(1), "hidden").await;
        assert_eq!(technician.answer(again).await, Err(OpenError::NotAllowed), "its first has ended: {ended}");
        technician.take_back(first).await;
    }
    let other = technician.open(flow(2), "shown").await;
    technician.answer(other).await.unwrap();
    assert_eq!((technician.opened().await.0, technician.opened().await.0), (flow(1), flow(2)));
    let reached = tokio::select! {
        biased;
        _ = hidden.accept() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!reached);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_nobody_wants_any_more_is_not_waited_for() {
    // A backlog of nothing holds one connection; the kernel leaves the next without an answer.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = silent.listen(0).unwrap();
    let address = silent.local_addr().unwrap();
    let _first = TcpStream::connect(address).await.unwrap();
    let mut technician = session(vec![service("silent", address)], 16);
    let begun = Instant::now();
    let stream = technician.open(flow(1), "silent").await;
    technician.take_back(stream).await;
    assert_eq!(technician.opened().await.2, FlowOutcome::TimedOut);
    assert_eq!(begun.elapsed(), Duration::ZERO, "it did not wait for the target");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_when_its_flow_has_said_what_became_of_it() {
    let mut technician = session(Vec::new(), 1);
    for number in 0..100 {
        // As fast as the device takes them, and each taken back, so that only what still runs counts.
        tokio::time::advance(Duration::from_millis(20)).await;
        let stream = technician.open(flow(number), "unknown").await;
        technician.take_back(stream).await;
    }
    let last = technician.open(flow(1000), "unknown").await;
    assert_eq!(technician.answer(last).await, Err(OpenError::Limit), "nobody takes its events");
}

#[tokio::test]
async fn datagrams_go_both_ways_each_flow_by_a_socket_of_its_own() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let target = UdpSocket::bind(host).await.unwrap();
        let mut technician = session(vec![udp_service("bus", target.local_addr().unwrap())], 16);
        let [first, second] = [technician.open(flow(1), "bus").await, technician.open(flow(2), "bus").await];
        technician.answer(first).await.unwrap();
        technician.answer(second).await.unwrap();
        let mut heard = [0; 64];
        let mut from = Vec::new();
        for (stream, word) in [(first, b"one".as_slice()), (second, b"two")] {
            technician.send(stream, word).await;
            let (length, peer) = target.recv_from(&mut heard).await.unwrap();
            assert_eq!(&heard[..length], word);
            from.push(peer);
        }
        assert_ne!(from[0], from[1]);
        // An empty datagram is one too.
        for (peer, stream, word) in [(from[1], second, b"to two".as_slice()), (from[0], first, b"")] {
            target.send_to(word, peer).await.unwrap();
            assert_eq!(technician.datagram(stream).await.as_deref(), Some(word));
        }
        // A stranger's datagram is not the target's.
        let stranger = UdpSocket::bind(host).await.unwrap();
        stranger.send_to(b"stranger", from[0]).await.unwrap();
        target.send_to(b"target", from[0]).await.unwrap();
        assert_eq!(technician.datagram(first).await.as_deref(), Some(b"target".as_slice()));
    }
}

#[tokio::test]
async fn a_flow_of_datagrams_ends_with_a_port_where_nobody_listens() {
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut technician = session(vec![udp_service("bus", closed)], 16);
    let stream = technician.open(flow(1), "bus").await;
    technician.answer(stream).await.unwrap();
    technician.send(stream, b"anybody?").await;
    assert_eq!(technician.datagram(stream).await, None);
    let closed = loop {
        if let Happening::FlowClosed { flow, bytes_down, .. } = technician.events.recv().await.unwrap() {
            break (flow, bytes_down);
        }
    };
    assert_eq!(closed, (flow(1), 8));
}

#[tokio::test(start_paused = true)]
async fn a_flow_of_datagrams_ends_when_nobody_speaks() {
    let target = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut technician = session(vec![udp_service("bus", target.local_addr().unwrap())], 16);
    let stream = technician.open(flow(1), "bus").await;
    technician.answer(stream).await.unwrap();
    let _ = tokio::time::timeout(udp::IDLE / 2, technician.listen()).await;
    technician.send(stream, b"still here").await;
    target.recv(&mut [0; 64]).await.unwrap();
    let spoke = Instant::now();
    assert_eq!(technician.datagram(stream).await, None);
    assert!((udp::IDLE * 3 / 4..udp::IDLE * 2).contains(&spoke.elapsed()), "{:?}", spoke.elapsed());
}

#[tokio::test]
async fn a_place_in_no_network_of_the_session_is_refused_and_noted() {
    let listening = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listening.local_addr().unwrap().port();
    let mut terms = terms(Vec::new());
    terms.networks = vec![Network { name: "lan".parse().unwrap(), subnet: "192.0.2.0/24".parse().unwrap() }];
    let mut technician = session_with(terms, Places::default(), 16);
    let places = [
        (Protocol::Tcp, "127.0.0.1", "tcp 127.0.0.1:"),
        (Protocol::Udp, "::1", "udp [::1]:"),
        (Protocol::Tcp, "localhost", "tcp localhost:"),
        (Protocol::Tcp, "::ffff:192.0.2.1", "tcp [::ffff:192.0.2.1]:"),
        (Protocol::Tcp, "198.51.100.1", "tcp 198.51.100.1:"),
    ];
    for (number, (protocol, host, spelled)) in (1..).zip(places) {
        let stream = number * 2 - 1;
        let target = Target::Address { protocol, host: host.parse().unwrap(), port };
        technician.open_target(stream, flow(u64::from(number)), target).await;
        assert_eq!(technician.answer(stream).await, Err(OpenError::NotAllowed), "{host}");
        let (_, target, outcome) = technician.opened().await;
        assert_eq!((target, outcome), (format!("{spelled}{port}"), FlowOutcome::NotAllowed));
    }
    let reached = tokio::select! {
        biased;
        _ = listening.accept() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!reached);
}

#[tokio::test(start_paused = true)]
async fn a_panel_that_takes_one_connection_has_one_and_the_next_is_told() {
    let panel = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let places = Places::one("panel", folder.path());
    let services = vec![service("panel", panel.local_addr().unwrap())];
    // Two sessions of one device.
    let mut first = session_with(terms(services.clone()), places.clone(), 16);
    let mut second = session_with(terms(services), places, 16);
    let stream = first.open(flow(1), "panel").await;
    first.answer(stream).await.unwrap();
    let refused = second.open(flow(2), "panel").await;
    let answer = tokio::select! {
        answer = second.answer(refused) => answer,
        () = first.listen() => unreachable!(),
    };
    assert_eq!(answer, Err(OpenError::Busy));
    assert_eq!(second.opened().await.2, FlowOutcome::Busy);
    let waits = second.open(flow(3), "panel").await;
    first.take_back(stream).await;
    second.answer(waits).await.unwrap();
}
