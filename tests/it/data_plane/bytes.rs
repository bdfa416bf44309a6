//! What goes in comes out: whole, in order, both ways, however many streams, and unseen on the way.

use gatelodge_proto::{
    payload::{EndReason, FlowOutcome, Happening},
    session::Ending,
};
use gatelodge_tests::panel::{Panel, WORDS};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use super::{Plane, service};

/// Bytes that no misplaced piece of themselves resembles (xorshift, for speed without optimisation).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::from_fn(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state.to_le_bytes())
    });
    words.take(length.div_ceil(8)).flatten().take(length).collect()
}

#[tokio::test]
async fn eight_streams_carry_their_bytes_there_and_back() {
    let panel = Panel::start(21).await.unwrap();
    let (plane, mut live) = Plane::start().await.up(&[service("echo", panel.echo)]).await;
    let mut work = JoinSet::new();
    for seed in 0..8 {
        let tcp = live.connect(0).await;
        work.spawn(async move {
            let sent = noise(seed, 700_000);
            let (mut reader, mut writer) = tcp.into_split();
            let expected = Sha256::digest(&sent);
            let write = async {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let mut back = Vec::new();
            let ((), read) = tokio::join!(write, reader.read_to_end(&mut back));
            read.unwrap();
            assert!(Sha256::digest(&back) == expected, "stream {seed}: {} of 700000 bytes", back.len());
        });
    }
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    live.stop_technician.cancel();
    let (technician, device) = live.ends().await;
    assert_eq!(technician.unwrap(), Ending::plain(EndReason::Technician));
    assert_eq!(device, Ending::plain(EndReason::Technician));
    assert_eq!(plane.reported_end().await, EndReason::Technician);

    let events = live.events().await;
    assert!(matches!(events[0], Happening::SessionJoined { .. }));
    let opened = |event: &&Happening| matches!(event, Happening::FlowOpened { outcome: FlowOutcome::Opened, .. });
    assert_eq!(events.iter().filter(opened).count(), 8);
    let closed =
        |event: &&Happening| matches!(event, Happening::FlowClosed { bytes_up: 700_000, bytes_down: 700_000, .. });
    assert_eq!(events.iter().filter(closed).count(), 8);
    let whole = 8 * 700_000;
    assert!(
        matches!(events.last(), Some(Happening::SessionEnded { reason: EndReason::Technician, bytes_up, bytes_down, .. })
        if (*bytes_up, *bytes_down) == (whole, whole))
    );
}

#[tokio::test]
async fn a_web_page_of_the_installation_is_read_and_a_half_close_is_answered() {
    let panel = Panel::start(22).await.unwrap();
    let services = [service("web", panel.web), service("echo", panel.echo)];
    let (_plane, live) = Plane::start().await.up(&services).await;
    let mut web = live.connect(0).await;
    web.write_all(b"GET / HTTP/1.1\r\nhost: panel\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    web.read_to_string(&mut page).await.unwrap();
    assert!(page.contains(WORDS), "{page}");

    let mut echo = live.connect(1).await;
    echo.write_all(b"last words").await.unwrap();
    echo.shutdown().await.unwrap();
    let mut answer = String::new();
    echo.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "last words");
}

#[tokio::test]
async fn the_relay_sees_sizes_and_no_words() {
    const CANARY: &[u8] = b"canary-4711-the-code-of-the-alarm-is-2580";
    let panel = Panel::start(23).await.unwrap();
    let (plane, live) = Plane::start().await.up(&[service("echo", panel.echo)]).await;
    let mut tcp = live.connect(0).await;
    for _ in 0..50 {
        tcp.write_all(CANARY).await.unwrap();
        let mut back = vec![0; CANARY.len()];
        tcp.read_exact(&mut back).await.unwrap();
        assert_eq!(back, CANARY);
    }
    let (times, bytes) = plane.tap.saw(CANARY);
    assert!(bytes > 2 * 50 * CANARY.len(), "the tap is on the line: {bytes}");
    assert_eq!(times, 0);
}

#[tokio::test]
async fn the_tap_would_see_words_that_are_not_encrypted() {
    use bytes::Bytes;
    use futures_util::{SinkExt as _, StreamExt as _};
    use gatelodge_proto::{
        api::RELAY_PATH,
        session::{
            Role, VERSION,
            carrier::{Way, dial},
            relay_frame::{Hello, RelayFrame},
        },
    };
    let plane = Plane::start().await;
    let tls = std::sync::Arc::new(gatelodge_technician::tls::cloud_tls(None).unwrap());
    let mut legs = Vec::new();
    for (role, ticket) in [(Role::Technician, super::TICKETS[0]), (Role::Device, super::TICKETS[1])] {
        let mut leg =
            dial(&format!("ws://{}{RELAY_PATH}", plane.tap.address), tls.clone(), Way::WebSocket).await.unwrap();
        let hello = Hello { version: VERSION, role, carrier: 0, ticket: ticket.into(), resume: None, pledge: None };
        leg.send(RelayFrame::Hello(hello).encode()).await.unwrap();
        legs.push(leg);
    }
    for leg in &mut legs {
        let up = |message| matches!(RelayFrame::decode(message).unwrap(), Some(RelayFrame::PeerUp { .. }));
        while !up(leg.next().await.unwrap().unwrap()) {}
    }
    let payload = Bytes::from_static(b"plain words");
    legs[0].send(RelayFrame::Data { seq: 0, payload }.encode()).await.unwrap();
    while !legs[1].next().await.unwrap().unwrap().ends_with(b"plain words") {}
    assert_eq!(plane.tap.saw(b"plain words").0, 1);
}

#[tokio::test]
async fn a_slow_reader_holds_up_the_sender_and_nothing_fills_up() {
    let target = TcpListener::bind("127.0.0.24:0").await.unwrap();
    let panel = Panel::start(24).await.unwrap();
    let services = [service("upload", target.local_addr().unwrap()), service("echo", panel.echo)];
    let (_plane, live) = Plane::start().await.up(&services).await;
    let mut tcp = live.connect(0).await;
    let (mut slow, _) = target.accept().await.unwrap();
    // More than all buffers of the kernel on the way can hold: with nobody reading at the end, the sender has to stop.
    let whole = noise(9, 20 << 20);
    let mut sent = 0;
    loop {
        let chunk = &whole[sent..(sent + 65_536).min(whole.len())];
        match tokio::time::timeout(std::time::Duration::from_millis(500), tcp.write(chunk)).await {
            Ok(written) => sent += written.unwrap(),
            Err(_) => break,
        }
        assert!(sent < whole.len(), "somebody took everything");
    }
    let mut echo = live.connect(1).await;
    echo.write_all(b"others go on").await.unwrap();
    let mut back = [0; 12];
    echo.read_exact(&mut back).await.unwrap();

    let expected = Sha256::digest(&whole);
    let rest = async {
        tcp.write_all(&whole[sent..]).await.unwrap();
        tcp.shutdown().await.unwrap();
    };
    let mut arrived = Vec::new();
    let ((), read) = tokio::join!(rest, slow.read_to_end(&mut arrived));
    read.unwrap();
    assert!(Sha256::digest(&arrived) == expected, "{} bytes", arrived.len());
}
