//! The byte stream over an in-memory pair of message channels.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};

use super::*;
use crate::session::relay_frame::Welcome;

/// A web socket made of two channels.
struct Memory {
    sink: Option<mpsc::UnboundedSender<Bytes>>,
    stream: mpsc::UnboundedReceiver<Bytes>,
}

impl Stream for Memory {
    type Item = io::Result<Bytes>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_recv(cx).map(|message| message.map(Ok))
    }
}

impl Sink<Bytes> for Memory {
    type Error = io::Error;
    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn start_send(self: Pin<&mut Self>, message: Bytes) -> io::Result<()> {
        let sink = self.sink.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        sink.send(message).map_err(io::Error::other)
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink = None;
        Poll::Ready(Ok(()))
    }
}

fn memory() -> (Memory, Memory) {
    let ((a, from_a), (b, from_b)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    (Memory { sink: Some(a), stream: from_b }, Memory { sink: Some(b), stream: from_a })
}

async fn say(relay: &mut Memory, frame: RelayFrame) {
    relay.send(frame.encode()).await.unwrap();
}

async fn hear(relay: &mut Memory) -> RelayFrame {
    RelayFrame::decode(relay.next().await.unwrap().unwrap()).unwrap().unwrap()
}

fn welcome() -> RelayFrame {
    RelayFrame::Welcome(Welcome { slot: 1, max_frame: 65536, buffer: 262_144, wait_s: 60, alternates: vec![] })
}

async fn joined() -> (Carrier<Memory>, Memory) {
    let (end, mut relay) = memory();
    say(&mut relay, welcome()).await;
    say(&mut relay, RelayFrame::Ping { stamp: 5 }).await;
    say(&mut relay, RelayFrame::PeerUp { version: 1 }).await;
    let carrier = Carrier::join(end, Role::Device, "ticket".into()).await.unwrap();
    assert!(matches!(hear(&mut relay).await, RelayFrame::Hello(hello) if hello.ticket == "ticket"));
    assert_eq!(hear(&mut relay).await, RelayFrame::Pong { stamp: 5 });
    (carrier, relay)
}

#[tokio::test]
async fn bytes_go_out_in_numbered_frames_within_the_limit() {
    let (mut carrier, mut relay) = joined().await;
    carrier.write_all(&vec![7; 100_000]).await.unwrap();
    let mut expected = 0;
    while expected < 100_000 {
        let frame = hear(&mut relay).await;
        assert!(frame.encode().len() <= crate::session::relay_frame::MAX_BYTES);
        let RelayFrame::Data { seq, payload } = frame else { panic!("{frame:?}") };
        assert_eq!(seq, expected);
        expected += payload.len() as u64;
    }
}

#[tokio::test]
async fn bytes_that_arrive_are_acknowledged_every_64_kib_and_pings_answered_between() {
    let (mut carrier, mut relay) = joined().await;
    let payload = Bytes::from(vec![1; 40_000]);
    say(&mut relay, RelayFrame::Data { seq: 0, payload: payload.clone() }).await;
    say(&mut relay, RelayFrame::Data { seq: 40_000, payload }).await;
    say(&mut relay, RelayFrame::Ping { stamp: 8 }).await;
    say(&mut relay, RelayFrame::Data { seq: 80_000, payload: Bytes::from_static(b"!") }).await;
    let mut bytes = vec![0; 80_001];
    carrier.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes.last(), Some(&b'!'));
    assert_eq!(hear(&mut relay).await, RelayFrame::Ack { next: 80_000 });
    assert_eq!(hear(&mut relay).await, RelayFrame::Pong { stamp: 8 });
}

#[tokio::test]
async fn a_gap_a_repeat_and_a_false_acknowledgement_end_the_carrier() {
    let data = |seq| RelayFrame::Data { seq, payload: Bytes::from_static(b"abc") };
    for wrong in [data(4), data(2), data(0), RelayFrame::Ack { next: 1 }] {
        let (mut carrier, mut relay) = joined().await;
        say(&mut relay, data(0)).await;
        say(&mut relay, wrong).await;
        drop(relay);
        let mut bytes = [0; 6];
        let error = carrier.read_exact(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn the_relays_last_word_is_kept() {
    for (frame, end) in [
        (RelayFrame::Revoke { reason: EndReason::Customer }, CarrierEnd::Revoked(EndReason::Customer)),
        (RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 0 }, CarrierEnd::PeerDown(PeerLoss::Lost)),
        (RelayFrame::Error { code: RelayError::Full, retry_ms: 0 }, CarrierEnd::Refused(RelayError::Full)),
    ] {
        let (mut carrier, mut relay) = joined().await;
        let last = carrier.end();
        say(&mut relay, frame).await;
        carrier.read_u8().await.unwrap_err();
        assert_eq!(last.get(), Some(&end));
    }
}

#[tokio::test]
async fn leaving_says_why() {
    let (mut carrier, mut relay) = joined().await;
    carrier.leave(EndReason::Device).await;
    assert_eq!(hear(&mut relay).await, RelayFrame::Revoke { reason: EndReason::Device });
    assert!(relay.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_stays_alone_is_told() {
    let (end, mut relay) = memory();
    say(&mut relay, welcome()).await;
    assert!(matches!(Carrier::join(end, Role::Technician, String::new()).await, Err(JoinError::Alone)));

    let (end, mut relay) = memory();
    say(&mut relay, RelayFrame::Error { code: RelayError::Ticket, retry_ms: 0 }).await;
    let refused = Carrier::join(end, Role::Technician, String::new()).await;
    assert!(matches!(refused, Err(JoinError::Refused(RelayError::Ticket))));
}

#[tokio::test]
async fn plain_web_sockets_are_for_this_machine_only() {
    let roots = rustls::RootCertStore::empty();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = Arc::new(tls);
    for address in ["ws://relay.example/relay/v1", "http://127.0.0.1/", "relay", "wss://"] {
        assert!(matches!(dial(address, tls.clone()).await, Err(DialError::Address(_))), "{address}");
    }
}
