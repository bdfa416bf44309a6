//! Dialling through networks that hinder one way or the other.

use std::collections::VecDeque;

use tokio::{io::AsyncReadExt as _, net::TcpListener, sync::mpsc, task::JoinSet};

use super::*;

/// What becomes of a request to upgrade.
#[derive(Debug, Clone, Copy)]
enum Upgrade {
    Taken,
    Refused,
    /// It is never answered.
    Hangs,
}

/// A server that answers upgrades in this order; and what it was asked for, in order.
async fn server(answers: &[Upgrade], tasks: &mut JoinSet<()>) -> (Dialler, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (asked, asks) = mpsc::unbounded_channel();
    let mut answers: VecDeque<_> = answers.iter().copied().collect();
    tasks.spawn(async move {
        let mut held = Vec::new();
        while let Some(answer) = answers.pop_front() {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(tcp.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let field = |name: &str| {
                let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
                line.map(|line| line[name.len()..].trim().to_owned())
            };
            let upgrade = field("upgrade:").unwrap();
            let key = field("sec-websocket-key:").unwrap_or_default();
            let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
            let head = match answer {
                Upgrade::Taken => format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                ),
                Upgrade::Refused => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
                Upgrade::Hangs => String::new(),
            };
            tcp.write_all(head.as_bytes()).await.unwrap();
            asked.send(upgrade).unwrap();
            held.push(tcp);
        }
        std::future::pending::<()>().await;
    });
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    (Dialler::new(format!("ws://{at}/relay"), Arc::new(tls), None, Random::seeded(1)), asks)
}

async fn asked(asks: &mut mpsc::UnboundedReceiver<String>, count: usize) -> Vec<String> {
    let mut asked = Vec::new();
    asks.recv_many(&mut asked, count).await;
    asked
}

const RAW: &str = PROTOCOL;
const WEB: &str = "websocket";

#[tokio::test]
async fn an_upgrade_that_hangs_or_is_refused_is_left_for_a_web_socket_for_good() {
    for first in [Upgrade::Hangs, Upgrade::Refused] {
        let mut tasks = JoinSet::new();
        let (dialler, mut asks) = server(&[first, Upgrade::Taken, Upgrade::Taken], &mut tasks).await;
        dialler.dial().await.unwrap();
        dialler.clone().dial().await.unwrap();
        assert_eq!(asked(&mut asks, 9).await, [RAW, WEB, WEB], "{first:?}");
    }
}

#[tokio::test]
async fn raw_frames_that_stand_still_after_their_upgrade_are_left_for_a_web_socket_that_does_better() {
    let mut tasks = JoinSet::new();
    let (mut dialler, mut asks) = server(&[Upgrade::Taken; 3], &mut tasks).await;
    for well in [false, true, true] {
        dialler.dial().await.unwrap();
        dialler.answered(well);
    }
    assert_eq!(asked(&mut asks, 9).await, [RAW, WEB, WEB]);
}

#[tokio::test]
async fn raw_frames_are_tried_again_when_a_web_socket_does_no_better() {
    for second in [Upgrade::Taken, Upgrade::Refused] {
        let mut tasks = JoinSet::new();
        let (mut dialler, mut asks) = server(&[Upgrade::Taken, second, Upgrade::Taken], &mut tasks).await;
        dialler.dial().await.unwrap();
        dialler.answered(false);
        if dialler.dial().await.is_ok() {
            dialler.answered(false);
        }
        dialler.dial().await.unwrap();
        assert_eq!(asked(&mut asks, 9).await, [RAW, WEB, RAW], "{second:?}");
    }
}
