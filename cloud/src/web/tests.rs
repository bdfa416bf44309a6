//! The kit as a browser meets it: over a real socket.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::ws::{WebSocket, WebSocketUpgrade},
    response::Redirect,
    routing::{get, post},
};
use gatelodge_proto::Timestamp;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::render::{Html, Refusals, asset_path, flashes, pages};

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

fn app() -> Router {
    let page = |visitor: Visitor| async move {
        Html(pages::SignIn {
            page: visitor.page(Timestamp::EPOCH),
            form: pages::SignInForm::default(),
            refusals: Refusals::none(),
        })
    };
    let routes = Router::new()
        .route("/sign-in", get(page))
        .route("/named", post(|Form(named): Form<Named>| async move { named.name }))
        .route("/panics", get(panics))
        .route("/moved", post(|| async { (flash(flashes::LINK_SENT), Redirect::to("/sign-in")) }))
        .route("/api/v1/thing", get(|| async { Err::<(), _>(Fault::throttled(30)) }))
        .route("/relay/v1", get(|ws: WebSocketUpgrade| async { ws.on_upgrade(echo) }));
    portal(routes, &Hardening { https: true, public_origin: None }).unwrap()
}

fn ask(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "portal.test")
}

async fn answer(request: Request<Body>) -> (StatusCode, http::HeaderMap, String) {
    let (parts, body) = app().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8_lossy(&bytes).into_owned())
}

async fn page(path: &str, language: &str) -> (StatusCode, http::HeaderMap, String) {
    answer(ask("GET", path).header(header::ACCEPT_LANGUAGE, language).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let (status, headers, _) = page("/sign-in", "en").await;
    assert_eq!(status, StatusCode::OK);
    for (name, part) in [
        ("content-security-policy", "default-src 'self'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("strict-transport-security", "max-age="),
        ("x-request-id", "-"),
    ] {
        let value = headers[name].to_str().unwrap();
        assert!(value.contains(part), "{name}: {value}");
    }
}

#[tokio::test]
async fn faults_speak_the_visitors_language_and_the_apis_format() {
    let (status, _, text) = page("/nowhere", "fr").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text.contains("Cette page n’existe pas") && text.contains("lang=\"fr\""), "{text}");

    let (status, headers, text) = page("/panics", "en").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let id = headers["x-request-id"].to_str().unwrap();
    assert!(text.contains("Something is broken on our side") && text.contains(id), "{text}");
    assert!(!text.contains("on purpose"), "what broke stays in the log");

    let (status, headers, text) = page("/api/v1/thing", "en").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(headers[header::RETRY_AFTER], "30");
    let problem: gatelodge_proto::api::Problem = serde_json::from_str(&text).unwrap();
    assert_eq!((problem.code.as_str(), problem.status), ("throttled", 429));

    let (status, _, text) = page("/named", "en").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(text.contains("This page is not here"), "{text}");
}

#[tokio::test]
async fn forms_from_another_site_and_oversized_ones_are_refused_with_a_page() {
    let form = |origin: &str, body: String| {
        ask("POST", "/named")
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap()
    };
    let (status, _, text) = answer(form("https://portal.test", "name=a".into())).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "a"));
    let (status, _, text) = answer(form("https://evil.test", "name=a".into())).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("This was sent from another site"), "{text}");
    let (status, _, text) = answer(form("https://portal.test", format!("name={}", "a".repeat(FORM_BODY_BYTES)))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(text.contains("This is too much at once"), "{text}");
    let (status, _, text) = answer(form("https://portal.test", "other=a".into())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("did not arrive whole"), "{text}");
    let (status, ..) = answer(form("https://portal.test", "name=a%00b".into())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, ..) = page("/sign-in?next=%00", "en").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_message_survives_one_redirect_and_is_shown_once() {
    let (_, headers, _) = answer(ask("POST", "/moved").body(Body::empty()).unwrap()).await;
    let set = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("__Host-gl-flash=flash-link-sent; Path=/;"), "{set}");
    assert!(set.ends_with("Secure; HttpOnly; SameSite=Lax"), "{set}");
    let back =
        |cookie: &'static str| ask("GET", "/sign-in").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let (_, headers, text) = answer(back("__Host-gl-flash=flash-link-sent")).await;
    assert!(text.contains("class=\"notice done\""), "{text}");
    assert!(headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let (_, _, text) = answer(back("__Host-gl-flash=<script>")).await;
    assert!(!text.contains("class=\"notice"), "{text}");
}

#[tokio::test]
async fn language_and_theme_are_kept_and_only_own_pages_are_led_back_to() {
    let request = ask("POST", "/preferences")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("language=fr&theme=dark&back=//evil.test"))
        .unwrap();
    let (status, headers, _) = answer(request).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/"));
    let cookies: Vec<_> =
        headers.get_all(header::SET_COOKIE).iter().map(|c| c.to_str().unwrap().split(';').next().unwrap()).collect();
    assert_eq!(cookies, ["__Host-gl-language=fr", "__Host-gl-theme=dark"]);
    let request = ask("GET", "/sign-in").header(header::COOKIE, cookies.join("; ")).body(Body::empty()).unwrap();
    let (_, _, text) = answer(request).await;
    assert!(text.contains("<html lang=\"fr\" data-theme=\"dark\">"), "{text}");
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_their_hash() {
    let path = asset_path("gatelodge.css");
    let (status, headers, text) = page(&path, "en").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    assert_eq!(headers[header::CONTENT_TYPE], "text/css");
    assert!(text.contains("--accent"));
    let request = ask("GET", &path).header(header::IF_NONE_MATCH, &headers[header::ETAG]).body(Body::empty()).unwrap();
    assert_eq!(answer(request).await.0, StatusCode::NOT_MODIFIED);
    assert_eq!(page("/assets/0000000000000000-gatelodge.css", "en").await.0, StatusCode::NOT_FOUND);
}

async fn served(limits: Limits) -> (std::net::SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let token = stop.clone();
    let task = tokio::spawn(async move {
        serve(listener, app(), Serving { tls: None, limits, by_name: None }, token).await.unwrap();
    });
    (address, stop, task)
}

#[tokio::test]
async fn plain_http_stays_on_loopback() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(listener, app(), Serving::default(), CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("plain HTTP is served on loopback only, not on 0.0.0.0"), "{error}");
}

#[tokio::test]
async fn half_a_header_and_a_silent_connection_are_closed() {
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(3_600));
    let slow_header = Limits { headers: short, idle: long, ..Limits::default() };
    let silent = Limits { headers: long, idle: short, drain: short, ..Limits::default() };
    for limits in [slow_header, silent] {
        let (address, _stop, _task) = served(limits).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /sign-in HTTP/1.1\r\nHost: ").await.unwrap();
        let mut rest = Vec::new();
        // Only so that a connection that stays open fails the test instead of hanging it.
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
}

#[tokio::test]
async fn an_upgraded_web_socket_outlives_the_idle_limit_and_stopping_lets_requests_finish() {
    let (address, stop, task) = served(Limits { idle: Duration::from_millis(20), ..Limits::default() }).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let upgrade = "GET /relay/v1 HTTP/1.1\r\nHost: portal.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));

    // Another connection lives and dies by the idle limit meanwhile; the socket is still there afterwards.
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(b"GET /sign-in HTTP/1.1\r\nHost: portal.test\r\n\r\n").await.unwrap();
    let mut page = Vec::new();
    other.read_to_end(&mut page).await.unwrap();
    assert!(String::from_utf8_lossy(&page).starts_with("HTTP/1.1 200"));
    // One masked text frame `hi` (RFC 6455 section 5.7) comes back unmasked.
    socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut echoed = [0; 4];
    socket.read_exact(&mut echoed).await.unwrap();
    assert_eq!(echoed, [0x81, 2, b'h', b'i']);

    stop.cancel();
    task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
