//! A panel that makes everything difficult: absolute links to its own address, several cookies, redirects by `Host`,
//! digest authentication, web sockets, server-sent events, a gigabyte each way, and, at ports of their own, a page that
//! answers to one name alone, one with a certificate of its own, HTTP/1.0 and chunks with trailers. What it sends in bulk follows a pattern, so that each byte is compared.

use std::{
    convert::Infallible,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use axum::{
    Router,
    body::{Body, BodyDataStream},
    extract::{
        OriginalUri, Path, Request, State,
        ws::{Message, WebSocketUpgrade},
    },
    response::{
        Html, IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use md5::{Digest as _, Md5};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What its first page says.
pub const WORDS: &str = "Awkward panel: zone 3 is open";
/// What its old pages say.
pub const OLD_WORDS: &str = "Written for browsers of 1999";
/// The one name to which its pages at a port of their own answer.
pub const NAME: &str = "panel.test";
/// Who may see `/digest`.
pub const USER: (&str, &str) = ("installer", "1234");

const PIECE: usize = 64 * 1024;
/// No power of two, so that a piece that is missing or doubled shows.
const PERIOD: usize = 65_521;

/// A running awkward panel; dropping it closes it.
#[derive(Debug)]
pub struct Awkward {
    /// Most of its pages.
    pub web: SocketAddr,
    /// The same, for who asks for [`NAME`].
    pub named: SocketAddr,
    /// The same with TLS, whose certificate it has signed itself.
    pub locked: SocketAddr,
    /// `/` in HTTP/1.0, `/chunked` with trailers.
    pub old: SocketAddr,
    /// Each word goes to whoever listens to `/events`.
    pub events: broadcast::Sender<String>,
    /// What it was asked, in full.
    pub asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Here {
    /// What is before `://` in its links; web sockets have it too.
    secure: &'static str,
    /// Its own name.
    host: String,
    /// The same with its port.
    at: String,
    events: broadcast::Sender<String>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The pattern of what it sends and takes in bulk, so many bytes from this place on.
pub fn pattern(from: usize, bytes: usize) -> Bytes {
    static TWICE: std::sync::OnceLock<Bytes> = std::sync::OnceLock::new();
    let twice = TWICE.get_or_init(|| {
        let one: Vec<u8> = (0..PERIOD).map(|place| u8::try_from(place * 7 % 251).unwrap_or_default()).collect();
        one.iter().cycle().take(PERIOD + PIECE).copied().collect::<Vec<u8>>().into()
    });
    assert!(bytes <= PIECE, "a piece at a time");
    twice.slice(from % PERIOD..from % PERIOD + bytes)
}

/// Compares a body with the pattern, piece by piece; gives how many bytes were right before the first wrong one, or all.
#[derive(Debug, Default)]
pub struct Compared {
    /// Bytes that were right.
    pub right: usize,
    /// Whether one was wrong.
    pub wrong: bool,
}

impl Compared {
    /// The next bytes.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.wrong {
            let (piece, rest) = bytes.split_at(bytes.len().min(PIECE));
            self.wrong = pattern(self.right, piece.len()) != piece;
            self.right += piece.len();
            bytes = rest;
        }
    }
}

/// A body of so many bytes of the pattern, made as it is read.
pub fn bulk(bytes: usize) -> Body {
    let pieces = (0..bytes.div_ceil(PIECE)).map(move |piece| {
        let from = piece * PIECE;
        Ok::<_, Infallible>(pattern(from, PIECE.min(bytes - from)))
    });
    Body::from_stream(stream::iter(pieces))
}

impl Awkward {
    /// Opens it on `127.0.0.{host}`.
    pub async fn start(host: u8) -> anyhow::Result<Self> {
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
        let bind = async || TcpListener::bind((address, 0)).await.context("cannot open the panel");
        let (web, named, locked, old) = (bind().await?, bind().await?, bind().await?, bind().await?);
        let (at, old_at) = (web.local_addr()?, old.local_addr()?);
        let (named_at, locked_at) = (named.local_addr()?, locked.local_addr()?);
        let (events, asked) = (broadcast::Sender::new(16), Arc::<Mutex<Vec<String>>>::default());
        let here = |secure, host: String, port: u16| {
            let at = format!("{host}:{port}");
            Here { secure, host, at, events: events.clone(), asked: asked.clone() }
        };
        let own = here("", address.to_string(), at.port());
        let by_name = here("", NAME.to_owned(), named_at.port());
        let secure = here("s", address.to_string(), locked_at.port());
        let locked = Locked::around(locked, address)?;
        let mut tasks = JoinSet::new();
        // They end with the set that holds them.
        tasks.spawn(async move {
            let _ = axum::serve(web, pages(own)).await;
        });
        tasks.spawn(async move {
            let _ = axum::serve(named, pages(by_name)).await;
        });
        tasks.spawn(async move {
            let _ = axum::serve(locked, pages(secure)).await;
        });
        tasks.spawn(serve_old(old, old_at));
        Ok(Self { web: at, named: named_at, locked: locked_at, old: old_at, events, asked, _tasks: tasks })
    }

    /// Everything it was asked so far, head by head.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn pages(here: Here) -> Router {
    Router::new()
        .route("/", get(first))
        .route("/second", get(async || Html("<!doctype html><title>Second</title><h1>Second page</h1>")))
        .route("/host", get(by_host))
        .route("/cookies", get(cookies))
        .route("/digest", get(digest))
        .route("/live", get(live))
        .route("/spy", get(spy))
        .route("/socket", get(socket))
        .route("/events", get(listen))
        .route("/download/{bytes}", get(download))
        .route("/upload", post(upload))
        .route("/form", post(async |body: String| body))
        .route("/style.css", get(style))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(here.clone(), note))
        .with_state(here)
}

/// Takes connections with TLS.
struct Locked {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Locked {
    fn around(tcp: TcpListener, address: IpAddr) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed([address.to_string()]).context("cannot make a certificate")?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into())?;
        Ok(Self { tcp, tls: Arc::new(tls).into() })
    }
}

impl axum::serve::Listener for Locked {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (tcp, from) = axum::serve::Listener::accept(&mut self.tcp).await;
            // Who does not speak TLS is not answered.
            if let Ok(tls) = self.tls.accept(tcp).await {
                return (tls, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

async fn note(State(here): State<Here>, request: Request, next: axum::middleware::Next) -> Response {
    let mut head = format!("{} {}", request.method(), request.uri());
    for (name, value) in request.headers() {
        // Writing to a string cannot fail.
        let _ = write!(head, "\n{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    here.asked.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    next.run(request).await
}

async fn first(State(here): State<Here>) -> Response {
    let Here { secure: s, host, at, .. } = here;
    let page = format!(
        "<!doctype html><html lang=en><title>Awkward</title><link rel=stylesheet href=\"http{s}://{at}/style.css\"><h1>{WORDS}</h1>\
         <p><a id=next href=\"http{s}://{at}/second\">Second</a> <a href='//{at}/live'>Live</a>\
         <a id=elsewhere href=\"http://127.0.0.77:1/\">Elsewhere</a><script>var api = \"http{s}:\\/\\/{at}\\/api\";</script>"
    );
    let mut response = Html(page).into_response();
    for cookie in [format!("sid=abc; Domain={host}; Path=/; HttpOnly"), "lang=it; Path=/".to_owned()] {
        if let Ok(cookie) = cookie.parse() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// Only under its own address; everybody else is sent there.
async fn by_host(State(here): State<Here>, headers: HeaderMap) -> Response {
    let Here { secure: s, at, .. } = here;
    if headers.get(header::HOST).is_some_and(|host| host == at.as_str()) {
        return (StatusCode::FOUND, [(header::LOCATION, format!("http{s}://{at}/second"))]).into_response();
    }
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, format!("http{s}://{at}/host"))]).into_response()
}

async fn cookies(headers: HeaderMap) -> String {
    let lines: Vec<_> = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok()).collect();
    lines.join("\n")
}

async fn style(State(here): State<Here>) -> Response {
    let css = format!("h1 {{ background: url(http{}://{}/bg.png) }}", here.secure, here.at);
    ([(header::CONTENT_TYPE, "text/css")], css).into_response()
}

/// RFC 7616 as panels have it: MD5, and the address in it is the one in the request, to the letter.
async fn digest(OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let told = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = |name: &str| {
        let (_, rest) = told.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let hex = |text: String| Md5::digest(text).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let expected = said("nonce").map(|nonce| {
        let (who, what) = (hex(format!("{}:panel:{}", USER.0, USER.1)), hex(format!("GET:{path}")));
        hex(format!("{who}:{nonce}:{what}"))
    });
    if expected.is_some() && said("response") == expected && said("uri").as_deref() == Some(path) {
        return "let in by digest".into_response();
    }
    let ask = [(header::WWW_AUTHENTICATE, "Digest realm=\"panel\", nonce=\"n0nce\"")];
    (StatusCode::UNAUTHORIZED, ask, "who are you?").into_response()
}

/// What a browser says to be let in there.
pub fn digest_answer(path: &str) -> String {
    let hex = |text: String| Md5::digest(text).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let (who, what) = (hex(format!("{}:panel:{}", USER.0, USER.1)), hex(format!("GET:{path}")));
    let response = hex(format!("{who}:n0nce:{what}"));
    format!("Digest username=\"{}\", realm=\"panel\", nonce=\"n0nce\", uri=\"{path}\", response=\"{response}\"", USER.0)
}

/// Says by a web socket and a stream of events what happens.
async fn live(State(here): State<Here>) -> Html<String> {
    let Here { secure: s, at, .. } = here;
    Html(format!(
        "<!doctype html><html lang=en><title>Live</title><h1>Live</h1><p id=said>nothing</p><p id=told>nothing</p>\
         <a id=file href=\"http{s}://{at}/download/100000\" download=log.bin>Log</a>\
         <script>const s = new WebSocket('ws{s}://{at}/socket');\
         s.onopen = () => s.send('zone 3');\
         s.onmessage = (m) => document.getElementById('said').textContent = 'socket: ' + m.data;\
         new EventSource('http{s}://{at}/events').onmessage = (m) => document.getElementById('told').textContent = 'event: ' + m.data;\
         setInterval(() => fetch('/second').then((a) => {{ if (a.status === 410) location.reload(); }}, () => {{}}), 500);\
         </script>"
    ))
}

/// Tries to read and to frame the portal, which is the parameter.
async fn spy() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=en><title>Spy</title><h1>Spy</h1><p id=fetched>waiting</p><p id=framed>waiting</p>\
         <script>const portal = new URLSearchParams(location.search).get('portal');\
         const say = (id, text) => document.getElementById(id).textContent = id + ': ' + text;\
         fetch(portal + '/my-data', { credentials: 'include' }).then((a) => a.text()).then((t) => say('fetched', 'READ ' + t.length), () => say('fetched', 'refused'));\
         const frame = document.createElement('iframe'); frame.src = portal + '/my-data';\
         frame.onload = () => { try { say('framed', frame.contentDocument ? 'READ' : 'closed'); } catch { say('framed', 'closed'); } };\
         document.body.append(frame);</script>",
    )
}

async fn socket(State(here): State<Here>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let own = format!("http{}://{}", here.secure, here.at);
    if headers.get(header::ORIGIN).is_none_or(|origin| origin != own.as_str()) {
        return (StatusCode::FORBIDDEN, "not from this panel's own page").into_response();
    }
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(text) = message
                && socket.send(Message::Text(format!("heard {text}").into())).await.is_err()
            {
                return;
            }
        }
    })
}

async fn listen(State(here): State<Here>) -> impl IntoResponse {
    let heard = stream::unfold(here.events.subscribe(), |mut events| async {
        let word = events.recv().await.ok()?;
        Some((Ok::<_, Infallible>(Event::default().data(word)), events))
    });
    let first = stream::once(async { Ok(Event::default().data("listening")) });
    Sse::new(first.chain(heard)).keep_alive(KeepAlive::default())
}

async fn download(Path(bytes): Path<usize>) -> Response {
    let head =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_LENGTH, bytes.to_string())];
    (head, bulk(bytes)).into_response()
}

async fn upload(request: Request) -> String {
    let mut body: BodyDataStream = request.into_body().into_data_stream();
    let mut compared = Compared::default();
    while let Some(Ok(bytes)) = body.next().await {
        compared.take(&bytes);
    }
    format!("{} bytes, {}", compared.right, if compared.wrong { "wrong" } else { "right" })
}

async fn serve_old(listener: TcpListener, at: SocketAddr) {
    let mut answers = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        answers.spawn(async move {
            // A broken connection is its caller's affair.
            let _ = answer_old(tcp, at).await;
        });
    }
}

/// One request a connection, and its end is the end of the page.
async fn answer_old(mut tcp: TcpStream, at: SocketAddr) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if tcp.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if head.starts_with("GET /chunked ") {
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                      5\r\nzone \r\n6\r\n3 open\r\n0\r\nX-Sum: 11\r\n\r\n";
        tcp.write_all(answer.as_bytes()).await?;
        return tcp.shutdown().await;
    }
    let answer = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: old=1\r\nSet-Cookie: older=2\r\n\r\n\
         <HTML><HEAD><TITLE>Old</TITLE></HEAD><BODY><H1>{OLD_WORDS}</H1><A HREF=http://{at}/next>next</A></BODY></HTML>"
    );
    tcp.write_all(answer.as_bytes()).await?;
    tcp.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_is_wrong_missing_or_doubled_is_seen() {
        let whole: Vec<u8> = (0..4).flat_map(|piece| pattern(piece * PIECE, PIECE)).collect();
        let compared = |bytes: &[&[u8]]| {
            let mut compared = Compared::default();
            for bytes in bytes {
                compared.take(bytes);
            }
            (compared.right, compared.wrong)
        };
        assert_eq!(compared(&[&whole]), (4 * PIECE, false));
        assert_eq!(compared(&[&whole[..7], &whole[7..70_000], &whole[70_000..]]), (4 * PIECE, false));
        assert!(compared(&[&whole[..100], &whole[101..]]).1, "missing");
        assert!(compared(&[&whole[..PIECE], &whole[..PIECE]]).1, "doubled");
    }
}
