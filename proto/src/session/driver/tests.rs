//! Two drivers over a pipe in memory, with real TCP connections pumped through them.

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    super::{
        FlowTotals,
        carrier::CarrierEnd,
        inner_frame::{self, Class, Open, Target},
        pump,
        stream::Arrival,
    },
    *,
};
use crate::{FlowId, Random, Timestamp};

struct Session {
    technician: Handle,
    device: Handle,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    ends: JoinSet<Ending>,
}

fn session(pipe: usize) -> Session {
    session_within(pipe, Settings::DEVICE)
}

fn session_within(pipe: usize, settings: Settings) -> Session {
    let (near, far) = duplex(pipe);
    let make =
        |io: DuplexStream, role, settings| Driver::new(Channel::new(io), role, settings, LineView::of_a_stream());
    let (technician, technician_handle, outlets) = make(near, Role::Technician, Settings::TECHNICIAN);
    let (device, device_handle, device_outlets) = make(far, Role::Device, settings);
    let mut ends = JoinSet::new();
    ends.spawn(async { technician.run().await.0 });
    ends.spawn(async { device.run().await.0 });
    drop(outlets);
    Session { technician: technician_handle, device: device_handle, incoming: device_outlets.incoming, ends }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("in time")
}

fn want() -> Open {
    Open {
        flow: FlowId::make(Timestamp::from_seconds(1), &Random::seeded(1)),
        target: Target::Service("panel".parse().unwrap()),
        class: Class::Bulk,
        credit: 0,
    }
}

impl Session {
    async fn open(&mut self) -> (Stream, Stream) {
        let opening = self.technician.open(want());
        let accepting = async {
            let wanted = self.incoming.recv().await.unwrap();
            self.device.accept(wanted.stream, Duration::ZERO, String::new()).await.unwrap()
        };
        let (near, far) = tokio::join!(opening, accepting);
        (near.unwrap(), far)
    }

    /// Sends on the stream until it is held up, and gives how much that was.
    async fn fills(near: &Stream) -> usize {
        let mut sent = 0;
        // A reader's credit would be back long before.
        while let Ok(room) = tokio::time::timeout(Duration::from_millis(20), near.room()).await {
            let room = room.unwrap();
            near.send(noise(sent as u64, room).into()).await.unwrap();
            sent += room;
        }
        sent
    }

    async fn open_datagrams(&mut self) -> (Datagrams, Datagrams) {
        let opening = self.technician.open_datagrams(want());
        let accepting = async {
            let wanted = self.incoming.recv().await.unwrap();
            self.device.accept_datagrams(wanted.stream, Duration::ZERO, String::new()).await.unwrap()
        };
        let (near, far) = tokio::join!(opening, accepting);
        (near.unwrap(), far)
    }

    /// A stream with a TCP connection at both ends, pumped.
    async fn connected(&mut self) -> (TcpStream, TcpStream, JoinSet<FlowTotals>) {
        let (near, far) = self.open().await;
        let ((client, inner), (outer, target)) = tokio::join!(tcp_pair(), tcp_pair());
        let mut pumps = JoinSet::new();
        pumps.spawn(pump(inner, near));
        pumps.spawn(pump(outer, far));
        (client, target, pumps)
    }
}

#[tokio::test]
async fn sixty_streams_that_nobody_reads_cost_a_mebibyte_and_hurt_no_other() {
    let mut session = session_within(20_000, Settings { opens_per_second: 100, ..Settings::DEVICE });
    let (mut stalled, mut held) = (Vec::new(), 0);
    for _ in 0..60 {
        let (near, far) = session.open().await;
        held += Session::fills(&near).await;
        stalled.push((near, far));
    }
    assert!((60 * 4096..1 << 20).contains(&held), "{held} bytes are held");
    let (mut client, mut target, _pumps) = session.connected().await;
    let sent = noise(1, 8_000_000);
    let mut back = vec![0; sent.len()];
    let write = async { client.write_all(&sent).await.unwrap() };
    let read = async { target.read_exact(&mut back).await.unwrap() };
    in_time(async { tokio::join!(write, read) }).await;
    assert!(back == sent, "other bytes arrive beside streams that stand still");
    let more: usize = {
        let mut more = 0;
        for (near, _) in &stalled {
            more += Session::fills(near).await;
        }
        more
    };
    assert_eq!(more, 0, "what nobody reads gives no credit back");
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let random = Random::seeded(seed);
    (0..length.div_ceil(4096)).flat_map(|_| random.bytes::<4096>()).take(length).collect()
}

#[tokio::test]
async fn bytes_arrive_whole_both_ways_on_many_streams() {
    let mut session = session(20_000);
    let mut work = JoinSet::new();
    for seed in 0..8 {
        let (client, target, pumps) = session.connected().await;
        for (tcp, own, others) in [(client, seed, seed + 100), (target, seed + 100, seed)] {
            work.spawn(async move {
                let (mut reader, mut writer) = tcp.into_split();
                let write = async move {
                    writer.write_all(&noise(own, 1_000_000)).await.unwrap();
                    writer.shutdown().await.unwrap();
                };
                let read = async move {
                    let mut bytes = Vec::new();
                    reader.read_to_end(&mut bytes).await.unwrap();
                    assert!(Sha256::digest(&bytes) == Sha256::digest(noise(others, 1_000_000)), "stream {own}");
                };
                tokio::join!(write, read);
            });
        }
        work.spawn(async move {
            let mut pumps = pumps;
            while let Some(totals) = pumps.join_next().await {
                assert_eq!(totals.unwrap(), FlowTotals { sent: 1_000_000, received: 1_000_000 });
            }
        });
    }
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    let counters = session.technician.counters();
    assert_eq!(counters.sent.load(Ordering::Relaxed), 8_000_000);
    assert_eq!(counters.received.load(Ordering::Relaxed), 8_000_000);
}

#[tokio::test]
async fn a_half_closed_connection_still_answers() {
    let mut session = session(20_000);
    let (mut client, mut target, _pumps) = session.connected().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    target.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    target.write_all(b"answer").await.unwrap();
    drop(target);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
}

#[tokio::test]
async fn a_reader_that_stops_holds_up_its_window_and_nobody_else() {
    let mut session = session(20_000);
    let (near, far) = session.open().await;
    let (mut other_client, mut other_target, _pumps) = session.connected().await;
    // Sends until there is no more credit: the far side never consumes.
    let mut sent = 0;
    while let Ok(room) = tokio::time::timeout(Duration::from_millis(200), near.room()).await {
        let bytes = vec![1; room.unwrap()];
        sent += bytes.len();
        near.send(bytes.into()).await.unwrap();
    }
    assert_eq!(sent, Settings::DEVICE.window as usize);

    other_client.write_all(b"still moving").await.unwrap();
    let mut word = [0; 12];
    other_target.read_exact(&mut word).await.unwrap();

    let mut arrived = 0;
    while arrived < sent {
        let Arrival::Data(bytes) = far.next().await.unwrap() else { panic!("not finished") };
        arrived += bytes.len();
        far.consumed(bytes.len()).await.unwrap();
    }
    assert!(near.room().await.is_ok(), "credit came back");
}

#[tokio::test]
async fn datagrams_arrive_one_by_one_both_ways_and_the_end_of_one_is_the_end_of_both() {
    let mut session = session(20_000);
    let (near, far) = session.open_datagrams().await;
    for length in [0, 1, 1472, inner_frame::MAX_PAYLOAD] {
        near.send(vec![7; length].into());
        assert_eq!(in_time(far.recv()).await, Some(vec![7; length].into()));
        far.send(vec![8; length].into());
        assert_eq!(in_time(near.recv()).await, Some(vec![8; length].into()));
    }
    near.send(vec![0; inner_frame::MAX_PAYLOAD + 1].into());
    near.send(bytes::Bytes::from_static(b"after one that is too large"));
    assert_eq!(in_time(far.recv()).await.as_deref(), Some(b"after one that is too large".as_slice()));
    assert_eq!(session.device.counters().streams.load(Ordering::Relaxed), 1);
    near.send(bytes::Bytes::from_static(b"the last"));
    drop(near);
    assert_eq!(in_time(far.recv()).await.as_deref(), Some(b"the last".as_slice()));
    assert_eq!(in_time(far.recv()).await, None);
    // The session goes on.
    let (near, far) = session.open_datagrams().await;
    drop(far);
    assert_eq!(in_time(near.recv()).await, None);
}

#[tokio::test]
async fn datagrams_that_nobody_takes_hold_nobody_up_and_the_newest_are_left() {
    let mut session = session(20_000);
    let (near, far) = session.open_datagrams().await;
    let (mut client, mut target, _pumps) = session.connected().await;
    for number in 0..5000u32 {
        near.send(vec![number.to_be_bytes(); 250].concat().into());
        if number.is_multiple_of(100) {
            client.write_all(b"x").await.unwrap();
            in_time(target.read_u8()).await.unwrap();
        }
    }
    let (mut seen, mut last) = (0, None);
    while last != Some(4999) {
        let datagram = in_time(far.recv()).await.unwrap();
        let number = u32::from_be_bytes(datagram[..4].try_into().unwrap());
        assert!(last.is_none_or(|last| last < number), "in order");
        assert!(datagram.chunks(4).all(|chunk| chunk == number.to_be_bytes()), "whole");
        (seen, last) = (seen + 1, Some(number));
    }
    assert!(seen < 1000, "what was not taken in time was dropped: {seen}");
}

#[tokio::test]
async fn bytes_on_a_flow_of_datagrams_are_void_and_stop_at_the_window() {
    let mut session = session(20_000);
    let opening = session.technician.open(want());
    let accepting = async {
        let wanted = session.incoming.recv().await.unwrap();
        session.device.accept_datagrams(wanted.stream, Duration::ZERO, String::new()).await.unwrap()
    };
    let (near, far) = tokio::join!(opening, accepting);
    let near = near.unwrap();
    near.send(vec![1; 100].into()).await.unwrap();
    near.finish().await.unwrap();
    assert_eq!(in_time(far.recv()).await, None, "bytes are no datagram, and FIN ends the flow");
    assert_eq!(in_time(near.next()).await, Ok(Arrival::End), "in both directions");
}

#[tokio::test]
async fn a_broken_connection_is_a_reset_at_the_other_end() {
    let mut session = session(20_000);
    let (client, mut target, _pumps) = session.connected().await;
    client.set_zero_linger().unwrap();
    drop(client);
    let error = target.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_refused_target_says_why_and_leaves_nothing_behind() {
    let mut session = session(20_000);
    for code in [OpenError::Refused, OpenError::NotAllowed, OpenError::TimedOut] {
        let refusing = async {
            let wanted = session.incoming.recv().await.unwrap();
            session.device.refuse(wanted.stream, code).await;
        };
        let (opened, ()) = tokio::join!(session.technician.open(want()), refusing);
        assert_eq!(opened.err(), Some(OpenFailure::Target(code)));
    }
    assert_eq!(session.device.counters().streams.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn ending_tells_the_peer_and_breaks_every_stream() {
    let mut session = session(20_000);
    let (near, far) = session.open().await;
    session.device.end(Ending::plain(EndReason::Device)).await;
    while let Some(ending) = session.ends.join_next().await {
        assert_eq!(ending.unwrap(), Ending::plain(EndReason::Device));
    }
    assert_eq!(near.next().await, Err(ResetCode::Ending));
    assert_eq!(far.broken().await, ResetCode::Ending);
    assert_eq!(session.technician.open(want()).await.err(), Some(OpenFailure::Over));
}

#[tokio::test]
async fn a_dropped_stream_is_cancelled() {
    let mut session = session(20_000);
    let (near, far) = session.open().await;
    drop(near);
    assert_eq!(far.next().await, Err(ResetCode::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_is_given_up() {
    let (near, _far) = duplex(20_000);
    let (driver, _handle, _outlets) =
        Driver::new(Channel::new(near), Role::Device, Settings::DEVICE, LineView::of_a_stream());
    assert_eq!(driver.run().await.0, Ending::because(EndReason::RelayLost, &"the other end fell silent"));
}

#[tokio::test]
async fn the_relays_last_word_explains_a_broken_channel() {
    for (word, reason) in [(None, EndReason::RelayLost), (Some(EndReason::Customer), EndReason::Customer)] {
        let (near, far) = duplex(20_000);
        let view = word.map(|reason| LineView::of_an_end(CarrierEnd::Revoked(reason)));
        let view = view.unwrap_or_else(LineView::of_a_stream);
        let (driver, _handle, _outlets) = Driver::new(Channel::new(near), Role::Device, Settings::DEVICE, view);
        drop(far);
        assert_eq!(driver.run().await.0.reason, reason);
    }
}
