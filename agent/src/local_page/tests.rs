//! The page over a real socket, as browsers, other sites and impatient people meet it.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    num::NonZeroU64,
};

use gatelodge_proto::{
    Random, SessionId, Timestamp,
    consent::{Challenge, ConsentKind, PinId},
    payload::{Consent, DeviceState, EndReason, FlowOutcome, Happening, Life},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use super::*;
use crate::{
    audit::{Audit, Deed, Visit},
    config,
    identity::{Identity, MacSource, SerialSource},
    run::PageOrder,
    status::{Board, LiveSession, OfferShown, OnSiteCodeShown, PinShown, SessionLimits, Stage, WantedShown},
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Shown {
    page: serve::Served,
    board: Board,
    orders: mpsc::Receiver<PageOrder>,
    folder: tempfile::TempDir,
}

async fn shown() -> Shown {
    shown_where_terminals_are(None).await
}

async fn shown_where_terminals_are(user: Option<String>) -> Shown {
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
    let folder = tempfile::tempdir().unwrap();
    let page = serve(&config.local_page, user, board.clone(), sender, folder.path(), &Random::seeded(1)).await.unwrap();
    Shown { page, board, orders, folder }
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
            opening: gatelodge_proto::opening::Opening::default(),
        });
        status.sessions = vec![LiveSession {
            session,
            technician: "Marc Petit".into(),
            organisation: "Petit Alarmes".into(),
            since: NOW,
            until: NOW,
            reason: Some("yearly check".into()),
            consent_kind: ConsentKind::Passkey,
            opened: vec!["tcp 192.168.1.50:80".into()],
            break_glass: false,
        }];
    });
    session
}

async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    code_of(answer)
}

fn code_of(answer: String) -> (u16, String) {
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (code, answer)
}

async fn get(address: SocketAddr, path: &str, more: &str) -> (u16, String) {
    ask(address, &get_request(address, path, more)).await
}

fn get_request(address: SocketAddr, path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n")
}

async fn press(address: SocketAddr, session: SessionId, host: &str, origin: &str, token: &str) -> (u16, String) {
    post(address, &format!("/sessions/{session}/stop"), host, origin, &format!("token={token}")).await
}

async fn post(address: SocketAddr, path: &str, host: &str, origin: &str, body: &str) -> (u16, String) {
    ask(address, &post_request(path, host, origin, body)).await
}

fn post_request(path: &str, host: &str, origin: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn token_in(page: &str) -> String {
    let start = page.find("name=\"token\" value=\"").unwrap() + 20;
    page[start..start + 32].to_owned()
}

/// What a program of `user` reads there. A socket belongs to the user of the thread that made it (credentials(7)), and a
/// thread that has become somebody else is of no further use.
async fn ask_as(user: u32, address: SocketAddr, request: String) -> (u16, String) {
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(user)).unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        sender.send(answer).unwrap();
    });
    code_of(answer.await.unwrap())
}

#[tokio::test]
async fn the_user_of_terminals_gets_no_word_and_presses_nothing() {
    let own = rustix::process::geteuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    // Root can be anybody here, and nobody else can: root has no terminal.
    let (name, user) = passwd
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?.to_owned(), fields.nth(1)?.parse::<u32>().ok()?))
        })
        .find(|(_, user)| if own == 0 { *user != 0 } else { *user == own })
        .unwrap();
    let mut shown = shown_where_terminals_are(Some(name)).await;
    let address = shown.page.address;
    for path in ["/", "/token", "/status.json", "/history"] {
        let (code, said) = ask_as(user, address, get_request(address, path, "")).await;
        assert!(code == 403 && said.contains("programs in terminals"), "{path}: {said}");
    }
    let session = live(&shown.board);
    let host = address.to_string();
    let stop = post_request(&format!("/sessions/{session}/stop"), &host, &format!("http://{host}"), "token=");
    assert_eq!(ask_as(user, address, stop).await.0, 403);
    assert!(shown.orders.try_recv().is_err());

    let other = shown_where_terminals_are(Some("nobody-here".into())).await;
    let asked = get_request(other.page.address, "/", "");
    assert_eq!(ask_as(user, other.page.address, asked).await.0, 200);
}

#[tokio::test]
async fn root_is_spoken_to_whoever_has_the_terminals() {
    if rustix::process::geteuid().is_root() {
        let shown = shown_where_terminals_are(Some("root".into())).await;
        assert_eq!(get(shown.page.address, "/", "").await.0, 200);
    }
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

/// A request, a key that is offered and one that is pinned; more than a device shows at a time.
fn asked(board: &Board) -> (Challenge, PinId) {
    let (draft, pin) = (Challenge::of_rule("e30"), PinId::make(&Random::seeded(4)));
    board.update(|status| {
        let (fingerprint, site) = ("11111 22222 33333 44444 55555 66666".to_owned(), "lodge.example".to_owned());
        status.consent.offered = Some(OfferShown { fingerprint: fingerprint.clone(), site: site.clone() });
        status.consent.pinned = Some(PinShown { pin, fingerprint, site, since: NOW });
        status.consent.wanted = vec![WantedShown {
            draft,
            session: SessionId::make(NOW, &Random::seeded(5)),
            technician: "Paul Petit".into(),
            organisation: "Petit Alarmes".into(),
            reaches: vec!["panel-web".into(), "192.168.1.0/24".into()],
            reason: Some("<i>battery</i>".into()),
            minutes: 90,
            longer: false,
        }];
    });
    (draft, pin)
}

#[tokio::test]
async fn it_shows_who_asks_to_enter_who_is_in_and_on_whose_word() {
    let shown = shown().await;
    let address = shown.page.address;
    let (_, page) = get(address, "/", "").await;
    assert!(page.contains("The portal’s word or a press on this page, and this device’s own switch:"), "{page}");
    assert_eq!(get(address, "/key", "").await.0, 404, "there is none to remove");
    live(&shown.board);
    asked(&shown.board);
    let (_, page) = get(address, "/", "").await;
    for words in [
        "Signed by your passkey.",
        "tcp 192.168.1.50:80",
        "Somebody asks to enter",
        "Paul Petit (Petit Alarmes)",
        "panel-web, 192.168.1.0/24",
        "1\u{a0}h 30\u{a0}min",
        "11111 22222 33333 44444 55555 66666",
        "lodge.example",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("<i>battery") && !page.contains("The portal’s word and"), "{page}");
    let (_, page) = get(address, "/", "Accept-Language: fr\r\n").await;
    assert!(page.contains("Quelqu’un demande à entrer") && page.contains("Signée par votre clé d’accès."), "{page}");
    let (code, page) = get(address, "/key", "").await;
    assert!(code == 200 && page.contains("Remove this key from the device"), "{page}");
}

#[tokio::test]
async fn a_press_counts_for_what_was_shown_on_this_page_alone() {
    let mut shown = shown().await;
    let address = shown.page.address;
    let (draft, pin) = asked(&shown.board);
    let (host, own) = (address.to_string(), format!("http://{address}"));
    let token = get(address, "/token", "").await.1.rsplit("\r\n\r\n").next().unwrap().to_owned();
    assert_eq!(token_in(&get(address, "/", "").await.1), token);
    let digits = "11111+22222+33333+44444+55555+66666";
    let fingerprint = digits.replace('+', " ");
    for (path, field, order) in [
        ("/consent/allow", format!("draft={draft}"), PageOrder::Answer { draft, allowed: true }),
        ("/consent/refuse", format!("draft={draft}"), PageOrder::Answer { draft, allowed: false }),
        ("/key/confirm", format!("fingerprint={digits}"), PageOrder::ConfirmKey { fingerprint: fingerprint.clone() }),
        ("/key/decline", format!("fingerprint={digits}"), PageOrder::DeclineKey { fingerprint }),
        ("/key/forget", format!("pin={pin}"), PageOrder::ForgetKey { pin }),
        ("/rules/take-back", String::new(), PageOrder::TakeRulesBack),
    ] {
        let body = format!("token={token}&{field}");
        let body = body.trim_end_matches('&');
        let stale = body.replace(&token, &"0".repeat(32));
        assert_eq!(post(address, path, &host, "http://evil.example", body).await.0, 403, "{path}");
        assert_eq!(post(address, path, "evil.example", "http://evil.example", body).await.0, 403, "{path}");
        assert_eq!(post(address, path, &host, &own, &stale).await.0, 403, "{path}");
        assert_eq!(get(address, path, "").await.0, 405, "{path}");
        assert!(shown.orders.try_recv().is_err(), "{path}: nothing was ordered");
        assert_eq!(post(address, path, &host, &own, body).await.0, 303, "{path}");
        assert_eq!(shown.orders.recv().await, Some(order));
    }
    let other = Challenge::of_rule("e31");
    let body = format!("token={token}&draft={other}");
    assert_eq!(post(address, "/consent/allow", &host, &own, &body).await.0, 404, "not what is shown");
    let body = format!("token={token}&fingerprint=11111");
    assert_eq!(post(address, "/key/confirm", &host, &own, &body).await.0, 404);
    let body = format!("token={token}&pin={}", PinId::make(&Random::seeded(9)));
    assert_eq!(post(address, "/key/forget", &host, &own, &body).await.0, 404);
    assert!(shown.orders.try_recv().is_err());
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = config::LocalPage { listen: taken.local_addr().unwrap(), lan: false };
    let shown = shown().await;
    let refused = serve(&settings, None, shown.board, mpsc::channel(1).0, shown.folder.path(), &Random::seeded(1))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains(&settings.listen.to_string()));
    assert!(refused.next_step().contains("local_page.listen"));
}

#[tokio::test]
async fn it_shows_who_was_here_from_the_device_s_own_record_and_that_somebody_changed_it() {
    let shown = shown().await;
    let (code, page) = get(shown.page.address, "/history", "").await;
    assert!(code == 200 && page.contains("Nobody has asked to enter"), "{page}");
    let mut audit = Audit::open(shown.folder.path()).unwrap();
    let session = SessionId::make(NOW, &Random::seeded(2));
    let visit = Visit {
        session,
        technician: "Marc <b>Petit</b>".into(),
        technician_id: gatelodge_proto::UserId::make(NOW, &Random::seeded(3)),
        organisation: "Petit Alarmes".into(),
        organisation_id: gatelodge_proto::OrganisationId::make(NOW, &Random::seeded(4)),
        reach: vec!["panel-web".into()],
        reason: Some("yearly check".into()),
        ticket_number: Some("2026-0417".parse().unwrap()),
        from: NOW,
        until: NOW,
        consent: Consent::Ask,
        break_glass: false,
    };
    audit.note(NOW, Deed::SessionOpened(Box::new(visit))).unwrap();
    let flow = gatelodge_proto::FlowId::make(NOW, &Random::seeded(5));
    let (target, outcome) = ("tcp panel.local:80".to_owned(), FlowOutcome::TimedOut);
    let opened = Happening::FlowOpened { session, flow, target, outcome };
    let ended = Happening::SessionEnded { session, reason: EndReason::Customer, bytes_up: 2_000, bytes_down: 3 };
    audit.told(NOW, [opened, ended]).unwrap();
    let (_, page) = get(shown.page.address, "/history", "").await;
    for words in [
        "Petit Alarmes",
        "yearly check",
        "2026-0417",
        "tcp panel.local:80",
        "no answer",
        "stopped it in the portal",
        "2\u{a0}kB",
    ] {
        assert!(page.contains(words), "{words} is missing:\n{page}");
    }
    assert!(!page.contains("<b>Petit") && !page.contains("has changed this record"), "{page}");
    let (_, page) = get(shown.page.address, "/history", "Accept-Language: fr\r\n").await;
    assert!(page.contains("sans réponse") && page.contains("arrêtée dans le portail"), "{page}");
    let (_, record) = get(shown.page.address, "/history.jsonl", "").await;
    assert!(record.contains(&flow.to_string()) && record.contains("attachment"), "{record}");

    let path = shown.folder.path().join("audit.log");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("yearly", "weekly")).unwrap();
    let (code, page) = get(shown.page.address, "/history", "").await;
    assert!(code == 200 && page.contains("Somebody has changed this record") && page.contains("entry 1"), "{page}");
    let (code, _) = get(shown.page.address, "/history?skip=many", "").await;
    assert_eq!(code, 400);
}
