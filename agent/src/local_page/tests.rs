//! The page over a real socket, as browsers, other sites and impatient people meet it.

use std::{net::SocketAddr, num::NonZeroU64};

use gatelodge_proto::{
    Random, SessionId, Timestamp,
    payload::{Consent, DeviceState, Life},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use super::*;
use crate::{
    config,
    identity::{Identity, MacSource, SerialSource},
    run::PageOrder,
    status::{Board, LiveSession, OnSiteCodeShown, SessionLimits, Stage},
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Shown {
    page: serve::Served,
    board: Board,
    orders: mpsc::Receiver<PageOrder>,
}

async fn shown() -> Shown {
    let settings = "[cloud]\nurl = \"https://cloud.example.com\"\n[local_page]\nlisten = \"127.0.0.1:0\"\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), settings).unwrap();
    let config = config::read(Some(file.path()), std::iter::empty()).unwrap();
    let identity = Identity {
        id_code: Some("RR52-AFY2-T1GJ".parse().unwrap()),
        serial: "AX-100/7".parse().unwrap(),
        serial_source: SerialSource::Factory,
        mac: "02:42:AC:11:00:02".parse().unwrap(),
        mac_source: MacSource::Factory,
        model: "<b>AX</b> 100".into(),
        firmware: "Debian".into(),
        factory_secret: None,
    };
    let board = Board::new(&identity, &config, NOW);
    let (sender, orders) = mpsc::channel(4);
    let page = serve(&config.local_page, board.clone(), sender, &Random::seeded(1)).await.unwrap();
    Shown { page, board, orders }
}

fn live(board: &Board) -> SessionId {
    let session = SessionId::make(NOW, &Random::seeded(2));
    board.update(|status| {
        status.stage = Stage::Enrolled { device: gatelodge_proto::DeviceId::make(NOW, &Random::seeded(3)), epoch: 1 };
        status.registration = Some(DeviceState {
            epoch: 1,
            version: 2,
            life: Life::Active,
            customer: Some("Anna Rossi".into()),
            installer: Some("Petit Alarmes".into()),
            web_address: None,
            consent: Consent::Ask,
        });
        status.sessions = vec![LiveSession {
            session,
            technician: "Marc Petit".into(),
            organisation: "Petit Alarmes".into(),
            since: NOW,
            until: NOW,
            reason: Some("yearly check".into()),
        }];
    });
    session
}

async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (code, answer)
}

async fn get(address: SocketAddr, path: &str, more: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n")).await
}

async fn press(address: SocketAddr, session: SessionId, host: &str, origin: &str, token: &str) -> (u16, String) {
    let body = format!("token={token}");
    let request = format!(
        "POST /sessions/{session}/stop HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(address, &request).await
}

fn token_in(page: &str) -> String {
    let start = page.find("name=\"token\" value=\"").unwrap() + 20;
    page[start..start + 32].to_owned()
}

#[tokio::test]
async fn it_shows_identity_code_and_state_and_escapes_what_hardware_says() {
    let shown = shown().await;
    shown.board.update(|status| {
        status.on_site_code = Some(OnSiteCodeShown { code: "4F7K-92XQ".into(), valid_until: NOW });
    });
    let (code, page) = get(shown.page.address, "/", "").await;
    assert_eq!(code, 200);
    for words in ["RR52-AFY2-T1GJ", "02:42:AC:11:00:02", "AX-100/7", "4F7K-92XQ", "Not enrolled yet."] {
        assert!(page.contains(words), "{words} is missing");
    }
    assert!(!page.contains("<b>AX"), "what the hardware says was not escaped");
    assert!(page.contains("frame-ancestors 'none'") && !page.contains("<script>") && !page.contains("style="));
    live(&shown.board);
    let (_, page) = get(shown.page.address, "/", "Accept-Language: fr-FR\r\n").await;
    assert!(page.contains("Actif.") && page.contains("lang=\"fr\"") && page.contains("Marc Petit (Petit Alarmes)"));
    let (_, json) = get(shown.page.address, "/status.json", "").await;
    assert!(json.contains("\"stage\":\"enrolled\"") && json.contains("\"life\":\"active\""));
    let (_, label) = get(shown.page.address, "/label.svg", "").await;
    assert!(label.contains("<svg"));
}

#[tokio::test]
async fn it_shows_what_sessions_are_held_to_while_they_may_enter_at_all() {
    let shown = shown().await;
    let limits = |max_minutes, rate| SessionLimits { max_minutes, at_once: 4, rate: NonZeroU64::new(rate) };
    let (_, page) = get(shown.page.address, "/", "").await;
    for words in ["24\u{a0}h at most", "4 at most", "As fast as the connection"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    shown.board.update(|status| status.limits = Some(limits(90, 1_500_000)));
    let (_, page) = get(shown.page.address, "/", "").await;
    for words in ["1\u{a0}h 30\u{a0}min at most", "1.5\u{a0}MB/s each way at most"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    shown.board.update(|status| status.limits = Some(limits(45, 512_000)));
    let (_, page) = get(shown.page.address, "/", "Accept-Language: fr\r\n").await;
    for words in ["45\u{a0}min au plus", "512\u{a0}ko/s au plus dans chaque sens"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    shown.board.update(|status| status.remote_access = false);
    let (_, page) = get(shown.page.address, "/", "").await;
    assert!(!page.contains("Limits of a session") && page.contains("switched off"), "{page}");
}

#[tokio::test]
async fn another_site_can_neither_read_it_nor_press_its_button() {
    let mut shown = shown().await;
    let session = live(&shown.board);
    let address = shown.page.address;
    let rebound = "GET /status.json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let (code, answer) = ask(address, rebound).await;
    assert!(code == 403 && !answer.contains("AX-100"), "{answer}");
    let (_, page) = get(address, "/", "").await;
    let (token, host) = (token_in(&page), address.to_string());
    let own = format!("http://{host}");
    for (host, origin, token) in [
        (host.as_str(), "http://evil.example", token.as_str()),
        ("evil.example", "http://evil.example", token.as_str()),
        (host.as_str(), own.as_str(), "00000000000000000000000000000000"),
    ] {
        assert_eq!(press(address, session, host, origin, token).await.0, 403, "{host} {origin}");
    }
    let (code, _) = get(address, &format!("/sessions/{session}/stop"), "").await;
    assert_eq!(code, 405, "a GET changes nothing");
    assert!(shown.orders.try_recv().is_err(), "nothing was ordered");
}

#[tokio::test]
async fn the_stop_button_ends_that_session() {
    let mut shown = shown().await;
    let session = live(&shown.board);
    let address = shown.page.address;
    let token = token_in(&get(address, "/", "").await.1);
    let own = format!("http://{address}");
    let (code, _) = press(address, session, &address.to_string(), &own, &token).await;
    assert_eq!(code, 303);
    assert_eq!(shown.orders.recv().await, Some(PageOrder::StopSession(session)));
    let other = SessionId::make(NOW, &Random::seeded(9));
    assert_eq!(press(address, other, &address.to_string(), &own, &token).await.0, 404);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = config::LocalPage { listen: taken.local_addr().unwrap(), lan: false };
    let shown = shown().await;
    let refused = serve(&settings, shown.board, mpsc::channel(1).0, &Random::seeded(1)).await.unwrap_err();
    assert!(refused.to_string().contains(&settings.listen.to_string()));
    assert!(refused.next_step().contains("local_page.listen"));
}
