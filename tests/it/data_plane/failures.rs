//! A relay that changes what it carries, and what stands in the way to a relay instead of it.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{
    Random,
    api::RELAY_PATH,
    https::{Client, NoAnswer, Setup},
    payload::{EndReason, Happening},
    session::carrier::{DialError, Way, dial},
};
use gatelodge_tests::panel::Panel;
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use super::{PATIENCE, Plane, noise, service};

#[tokio::test]
async fn a_relay_that_changes_a_byte_ends_the_session_and_gets_no_wrong_byte_through() {
    for seed in 0..4 {
        let panel = Panel::start(28).await.unwrap();
        let (plane, mut live) = Plane::start().await.up(&[service("echo", panel.echo)]).await;
        // More than can be on its way at once: the change comes before the last of it.
        let sent = noise(seed, 32 << 20);
        let (mut reader, mut writer) = live.connect(0).await.into_split();
        let words = sent.clone();
        let writing = tokio::spawn(async move { writer.write_all(&words).await });
        let mut back = vec![0; 1 << 20];
        reader.read_exact(&mut back).await.unwrap();
        plane.tap.flip();
        let mut rest = Vec::new();
        // A break, and not an end: nobody may take what came for the whole.
        assert!(reader.read_to_end(&mut rest).await.is_err(), "the program sees that it broke");
        back.extend_from_slice(&rest);
        assert!(back.len() < sent.len() && sent.starts_with(&back), "{} bytes came back", back.len());
        writing.await.unwrap().unwrap_err();
        let (technician, device) = live.ends().await;
        let reasons = [technician.unwrap().reason, device.reason];
        let known = [EndReason::RelayLost, EndReason::Refused, EndReason::Device, EndReason::Technician];
        assert!(reasons.iter().all(|reason| known.contains(reason)), "{reasons:?}");
        let told = live.events().await;
        assert!(matches!(told.last(), Some(Happening::SessionEnded { .. })), "the audit has its end: {told:?}");
    }
}

/// Answers everybody with a certificate of its own, as a proxy that reads along does.
async fn reads_along(tasks: &mut JoinSet<()>) -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let _ = acceptor.accept(tcp).await;
        }
    });
    port
}

#[tokio::test]
async fn who_reads_along_with_a_certificate_of_its_own_is_told_from_the_cloud() {
    let mut tasks = JoinSet::new();
    let port = reads_along(&mut tasks).await;
    let tls = || gatelodge_technician::tls::cloud_tls(None).unwrap();
    let relay = format!("wss://localhost:{port}{RELAY_PATH}");
    let refused = dial(&relay, Arc::new(tls()), Way::Raw).await.err().unwrap();
    assert!(matches!(refused, DialError::Tls { .. }), "{refused:?}");
    let client = Client::new(Setup {
        tls: tls(),
        proxy: None,
        random: Random::seeded(1),
        own: None,
        user_agent: "test/1",
        within: PATIENCE,
        connect_within: PATIENCE,
        most: 100,
    });
    let url = format!("https://localhost:{port}/").parse().unwrap();
    let Err(NoAnswer::Unreachable(why)) = client.ask(http::Method::GET, &url, None, None).await else {
        panic!("it was taken for the cloud")
    };
    assert!(why.contains("certificate"), "{why}");
}

#[tokio::test]
async fn a_network_that_answers_for_everybody_is_no_relay() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = format!("ws://{}{RELAY_PATH}", listener.local_addr().unwrap());
    let portal = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let page = b"HTTP/1.1 302 Found\r\nLocation: http://hotel.example/login\r\nContent-Length: 0\r\n\r\n";
        tcp.write_all(page).await.unwrap();
        // Until the other side has read it and gone.
        let _ = tokio::time::timeout(Duration::from_secs(5), tcp.read_to_end(&mut Vec::new())).await;
    });
    let tls = Arc::new(gatelodge_technician::tls::cloud_tls(None).unwrap());
    let refused = dial(&relay, tls, Way::WebSocket).await.err().unwrap();
    assert!(matches!(refused, DialError::Upgrade { .. }), "{refused:?}");
    assert!(refused.to_string().ends_with("did not answer as a relay"), "{refused}");
    portal.await.unwrap();
}
