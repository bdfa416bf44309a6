//! Reaching the relay: TCP, the cloud's HTTPS certificate, the upgrade: to raw frames where everybody between lets that
//! through, to a web socket elsewhere.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _, future::BoxFuture};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};
use url::Url;

use super::{PROTOCOL, Piece, Proxy, ProxyError, Raw, ReadAhead, Sight, proxy::hear, route::Route};
use crate::{
    Random,
    session::{line::Redial, relay_frame::MAX_BYTES},
};

/// Longest time for connection, TLS and upgrade together.
const WITHIN: Duration = Duration::from_secs(20);

/// Whoever does not know the upgrade may also not answer.
const RAW_WITHIN: Duration = Duration::from_secs(5);
/// A connection whose bytes nobody acknowledges for so long is broken (`TCP_USER_TIMEOUT`).
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Most bytes that wait in the kernel before they are sent (`TCP_NOTSENT_LOWAT`).
const UNSENT: u32 = 128 * 1024;

/// The relay could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Not `wss://host...`, or `ws://` to another machine.
    #[error("`{0}` is not the address of a relay; it starts with wss://")]
    Address(String),
    /// No TCP connection.
    #[error("no connection to the relay at {at}")]
    Connect {
        /// `host:port`.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// The proxy does not let this program through.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// TLS failed.
    #[error("the relay at {at} did not show a certificate that this program trusts")]
    Tls {
        /// `host:port`.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// The server is there and speaks no relay.
    #[error("the server at {at} did not answer as a relay")]
    Upgrade {
        /// `host:port`.
        at: String,
        /// Why.
        source: Box<tungstenite::Error>,
    },
    /// It took too long.
    #[error("the relay at {0} did not answer within 20 seconds")]
    Late(String),
}

/// The bytes under the frames.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// How frames travel on a connection to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Upgraded to [`PROTOCOL`]: cheapest.
    Raw,
    /// A web socket: known to everybody between.
    WebSocket,
}

/// An open connection to a relay, as binary messages.
pub struct RelaySocket(Upgraded);

enum Upgraded {
    Raw(Box<Raw<Box<dyn Wire>>>),
    WebSocket(Box<WebSocketStream<Box<dyn Wire>>>),
}

/// Opens connections to one relay, and remembers which way gets through. Clones remember together.
#[derive(Clone)]
pub struct Dialler {
    relay: String,
    tls: Arc<rustls::ClientConfig>,
    proxy: Option<Proxy>,
    random: Random,
    known: Arc<Mutex<Known>>,
}

/// What earlier connections taught.
#[derive(Debug, Default)]
struct Known {
    raw: RawIs,
    /// Of the newest connection.
    route: Option<Route>,
    way: Option<Way>,
}

/// What is known of raw frames on the way to the relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum RawIs {
    /// To be tried first.
    #[default]
    First,
    /// They were promised and stood still: a web socket is tried next, and shows whether it was the way's fault.
    Doubtful,
    /// They do not get through, and a web socket does.
    Useless,
}

impl Dialler {
    /// To `relay`, whose certificate `tls` trusts, through a proxy when there is one. A relay without TLS is on this
    /// machine, where no proxy leads.
    pub fn new(relay: String, tls: Arc<rustls::ClientConfig>, proxy: Option<Proxy>, random: Random) -> Self {
        Self { relay, tls, proxy, random, known: Arc::default() }
    }

    /// Opens a connection.
    pub async fn dial(&self) -> Result<RelaySocket, DialError> {
        let before = self.known().raw;
        if before == RawIs::First {
            match self.by(Way::Raw).await {
                Err(DialError::Upgrade { at, source }) if does_not_get_through(&source) => {
                    tracing::debug!(at, error = %source, "raw frames do not get through, trying a web socket");
                }
                reached => return reached,
            }
        }
        let reached = self.by(Way::WebSocket).await;
        let raw = match (before, &reached) {
            (RawIs::First, Ok(_)) => RawIs::Useless,
            (RawIs::First | RawIs::Doubtful, Err(_)) => RawIs::First,
            (RawIs::Doubtful | RawIs::Useless, _) => before,
        };
        self.known().raw = raw;
        reached
    }

    async fn by(&self, way: Way) -> Result<RelaySocket, DialError> {
        let proxy = self.proxy.as_ref().map(|proxy| (proxy, &self.random));
        let connected = |tcp: &TcpStream| {
            let mut known = self.known();
            (known.route, known.way) = (Route::of(tcp).ok(), Some(way));
        };
        reach(&self.relay, self.tls.clone(), proxy, way, connected).await
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redial<RelaySocket> for Dialler {
    fn dial(&mut self) -> BoxFuture<'static, Result<RelaySocket, DialError>> {
        let dialler = self.clone();
        Box::pin(async move { Self::dial(&dialler).await })
    }

    fn sight(&self) -> Option<Sight> {
        let route = self.known().route;
        route.and_then(Route::look)
    }

    fn answered(&mut self, well: bool) {
        let mut known = self.known();
        known.raw = match (known.raw, known.way, well) {
            (RawIs::First, Some(Way::Raw), false) => RawIs::Doubtful,
            (RawIs::Doubtful, Some(Way::WebSocket), true) => RawIs::Useless,
            (RawIs::Doubtful, Some(Way::WebSocket), false) => RawIs::First,
            (raw, _, _) => raw,
        };
    }
}

/// An answer that is no upgrade, or none at all. A relay that is full or broken is no better by another way.
fn does_not_get_through(error: &tungstenite::Error) -> bool {
    let tungstenite::Error::Io(error) = error else { return false };
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::TimedOut)
}

/// Opens a connection to a relay, this way only. `tls` trusts the cloud's HTTPS certificate.
pub async fn dial(relay: &str, tls: Arc<rustls::ClientConfig>, way: Way) -> Result<RelaySocket, DialError> {
    reach(relay, tls, None, way, |_| ()).await
}

async fn reach(
    relay: &str,
    tls: Arc<rustls::ClientConfig>,
    proxy: Option<(&Proxy, &Random)>,
    way: Way,
    connected: impl FnOnce(&TcpStream),
) -> Result<RelaySocket, DialError> {
    let url = Url::parse(relay).map_err(|_| DialError::Address(relay.to_owned()))?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(DialError::Address(relay.to_owned()));
    };
    // The ticket travels in HELLO: connections without TLS are for one machine alone.
    let secure = match url.scheme() {
        "wss" => true,
        "ws" if is_loopback(&url) => false,
        _ => return Err(DialError::Address(relay.to_owned())),
    };
    let at = format!("{host}:{port}");
    let host = host.trim_matches(['[', ']']);
    let opened = async {
        let connect = |source| DialError::Connect { at: at.clone(), source };
        let tcp = match proxy.filter(|_| secure) {
            Some((proxy, random)) => proxy.connect(host, port, random).await?,
            None => TcpStream::connect((host, port)).await.map_err(connect)?,
        };
        connected(&tcp);
        tune(&tcp).map_err(connect)?;
        let wire = secured(host, tcp, secure.then_some(tls), &at).await?;
        match way {
            Way::Raw => upgrade_raw(&url, wire, &at).await,
            Way::WebSocket => upgrade_web(&url, wire, &at).await,
        }
    };
    tokio::time::timeout(WITHIN, opened).await.unwrap_or_else(|_| Err(DialError::Late(at.clone())))
}

async fn secured(
    host: &str,
    tcp: TcpStream,
    tls: Option<Arc<rustls::ClientConfig>>,
    at: &str,
) -> Result<Box<dyn Wire>, DialError> {
    let Some(config) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| DialError::Address(at.to_owned()))?;
    let stream = TlsConnector::from(config).connect(name, ReadAhead::new(tcp)).await;
    Ok(Box::new(stream.map_err(|source| DialError::Tls { at: at.to_owned(), source })?))
}

async fn upgrade_raw(url: &Url, mut wire: Box<dyn Wire>, at: &str) -> Result<RelaySocket, DialError> {
    let refused = |source: io::Error| DialError::Upgrade { at: at.to_owned(), source: Box::new(source.into()) };
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n\r\n");
    let answer = async {
        wire.write_all(request.as_bytes()).await?;
        wire.flush().await?;
        hear(&mut wire).await
    };
    let late = |_| Err(io::ErrorKind::TimedOut.into());
    let head = tokio::time::timeout(RAW_WITHIN, answer).await.unwrap_or_else(late).map_err(refused)?;
    if head.switches_to(PROTOCOL) {
        Ok(RelaySocket(Upgraded::Raw(Box::new(Raw::new(wire)))))
    } else {
        let kind = if head.is_broken() { io::ErrorKind::Other } else { io::ErrorKind::Unsupported };
        Err(refused(io::Error::new(kind, format!("it answered {}", head.said()))))
    }
}

async fn upgrade_web(url: &Url, wire: Box<dyn Wire>, at: &str) -> Result<RelaySocket, DialError> {
    // Messages are whole relay frames already, so nothing is gained by holding them back.
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES))
        .read_buffer_size(32 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_BYTES);
    let (socket, _) = client_async_with_config(url.as_str(), wire, Some(config))
        .await
        .map_err(|source| DialError::Upgrade { at: at.to_owned(), source: Box::new(source) })?;
    Ok(RelaySocket(Upgraded::WebSocket(Box::new(socket))))
}

/// Small frames leave at once, a peer that is gone is noticed, and what waits does so where it can still be overtaken.
fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = socket2::SockRef::from(tcp);
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_tcp_notsent_lowat(UNSENT)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn broken(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

impl Stream for RelaySocket {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let socket = match &mut self.0 {
            Upgraded::WebSocket(socket) => socket,
            Upgraded::Raw(raw) => {
                return Poll::Ready(match ready!(raw.poll_next_unpin(cx)) {
                    Some(Ok(Piece::Frame(bytes))) => Some(Ok(bytes)),
                    Some(Ok(Piece::Closed)) | None => None,
                    Some(Err(error)) => Some(Err(error)),
                });
            }
        };
        loop {
            return Poll::Ready(match ready!(socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Binary(bytes))) => Some(Ok(bytes)),
                Some(Ok(Message::Close(_))) | None => None,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                    Some(Err(io::Error::new(io::ErrorKind::InvalidData, "the relay sent text")))
                }
                Some(Err(error)) => Some(Err(broken(error))),
            });
        }
    }
}

impl Sink<Bytes> for RelaySocket {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Upgraded::Raw(raw) => raw.poll_ready_unpin(cx),
            Upgraded::WebSocket(socket) => socket.poll_ready_unpin(cx).map_err(broken),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> io::Result<()> {
        match &mut self.0 {
            Upgraded::Raw(raw) => raw.start_send_unpin(message),
            Upgraded::WebSocket(socket) => socket.start_send_unpin(Message::Binary(message)).map_err(broken),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Upgraded::Raw(raw) => raw.poll_flush_unpin(cx),
            Upgraded::WebSocket(socket) => socket.poll_flush_unpin(cx).map_err(broken),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Upgraded::Raw(raw) => raw.poll_close_unpin(cx),
            Upgraded::WebSocket(socket) => socket.poll_close_unpin(cx).map_err(broken),
        }
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
