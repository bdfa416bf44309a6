//! Flows between a real driver and a technician who speaks frame by frame, as no honest program does.

use std::sync::OnceLock;

use bytes::BytesMut;
use gatelodge_proto::{
    DeviceId, OrganisationId, Random, SessionId, Timestamp, UserId,
    grant::{Grant, Technician},
    payload::Consent,
    session::{
        Role,
        driver::{Channel, Driver},
        inner_frame::{Class, InnerFrame, Open, ResetCode, StreamId},
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
        from: NOW,
        until: NOW + hour,
        lifetime_s: 3600,
        idle_s: 900,
        consent: Consent::Ask,
        reason: None,
    };
    Terms { grant, services, lifetime: hour, idle: hour }
}

/// The technician's end of a session whose device is real.
struct Speaker {
    io: DuplexStream,
    heard: BytesMut,
    events: mpsc::Receiver<Happening>,
    next: StreamId,
}

fn session(services: Vec<Service>, room: usize) -> Speaker {
    let (near, far) = duplex(64 * 1024);
    let (events, told) = mpsc::channel(room);
    let word = Arc::new(OnceLock::new());
    let (driver, handle, mut outlets) =
        Driver::new(Channel::new(far), Role::Device, Limits::default().settings(), word);
    let mut flows = Flows::new(terms(services), handle, events, Limits::default());
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
        let target = Target::Service(service.parse().unwrap());
        let open = Open { flow, target, class: Class::Interactive, credit: 1024 };
        self.say(InnerFrame::Open { stream, open }).await;
        stream
    }

    async fn take_back(&mut self, stream: StreamId) {
        self.say(InnerFrame::Rst { stream, code: ResetCode::Cancelled }).await;
    }

    /// What the device answers to the stream's OPEN.
    async fn answer(&mut self, stream: StreamId) -> Result<(), OpenError> {
        loop {
            while let Some(frame) = InnerFrame::take(&mut self.heard).unwrap() {
                match frame {
                    InnerFrame::OpenOk { stream: about, .. } if about == stream => return Ok(()),
                    InnerFrame::OpenErr { stream: about, code } if about == stream => return Err(code),
                    _ => {}
                }
            }
            assert_ne!(self.io.read_buf(&mut self.heard).await.unwrap(), 0, "the device goes on");
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
