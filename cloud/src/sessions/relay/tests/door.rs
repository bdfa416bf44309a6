//! How a connection gets in: raw or as a web socket, from programs and not from browsers, and strangers not too many.

use super::*;

#[tokio::test]
async fn a_program_that_is_not_let_through_raw_takes_a_web_socket_and_remembers_it() {
    for (raw, upgrades) in [
        (true, ["gatelodge-relay", "gatelodge-relay"].as_slice()),
        (false, &["gatelodge-relay", "websocket", "websocket"]),
    ] {
        let book = Book::with(&["device"]);
        let relay = Relay::new(Settings { raw, ..Settings::default() }, Random::seeded(1), book.clone());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let routes = relay.routes().layer(axum::middleware::map_request(move |request: Request| {
            seen.lock().unwrap().push(request.headers()["upgrade"].to_str().unwrap().to_owned());
            std::future::ready(request)
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let dialler = Dialler::new(format!("ws://{address}{RELAY_PATH}"), trusting_nobody(), None, Random::seeded(2));
        for ticket in ["device", "nobody"] {
            let mut leg = Leg(dialler.dial().await.unwrap(), address);
            let hello = Hello {
                version: VERSION,
                role: Role::Device,
                carrier: 0,
                ticket: ticket.into(),
                resume: None,
                pledge: None,
            };
            leg.say(RelayFrame::Hello(hello)).await;
            if ticket == "nobody" {
                assert_eq!(leg.hear().await, Some(RelayFrame::Error { code: RelayError::Ticket, retry_ms: 0 }));
            }
        }
        assert_eq!(*asked.lock().unwrap(), upgrades);
    }
}

#[tokio::test]
async fn a_browser_has_no_business_here() {
    let (_relay, address) = relay(Settings::default(), &Book::default()).await;
    for (origin, status) in [("Origin: https://evil.example\r\n", "403"), ("", "101")] {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {RELAY_PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{origin}\r\n"
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        tcp.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *format!("HTTP/1.1 {status}").as_bytes());
    }
}

#[tokio::test]
async fn strangers_have_their_own_few_places_and_leave_them_when_they_are_known() {
    let book = Book::with(&["device"]);
    let (_relay, address) = relay(Settings { max_strangers: 2, ..Settings::default() }, &book).await;
    let mut silent = Leg::dial(address, Role::Device).await;
    let _other = Leg::dial(address, Role::Device).await;
    let full = knock(address).await;
    assert!(full.starts_with("HTTP/1.1 503 ") && full.to_ascii_lowercase().contains("retry-after: 3"), "{full}");
    let hello =
        Hello { version: VERSION, role: Role::Device, carrier: 0, ticket: "device".into(), resume: None, pledge: None };
    silent.say(RelayFrame::Hello(hello)).await;
    let joined = Report::Joined { session: session(), role: Role::Device, again: false, pledge: None };
    while !book.reports().contains(&joined) {
        tokio::task::yield_now().await;
    }
    assert!(knock(address).await.starts_with("HTTP/1.1 101 "), "the one who is known made room");
}
