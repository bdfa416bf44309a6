//! The accept loop: every connection has a limit on its handshake, its headers, its idling and its end.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use gatelodge_proto::session::carrier::ReadAhead;
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{
    LongBody,
    by_name::{ByName, Replayed, Taker, UNRECOGNIZED_NAME, greeting},
};

/// What a connection may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at the same time; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time for the headers of a request, and between two requests of an HTTP/1.1 connection.
    pub headers: Duration,
    /// Time without a request being handled before a connection is closed.
    pub idle: Duration,
    /// Time for what is under way when the server stops or an idle connection is closed.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}

/// How to serve.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// TLS; ALPN is filled in when it is empty. `None` is plain HTTP, on a loopback address only.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Limits.
    pub limits: Limits,
    /// Who takes connections by the name in their TLS greeting; without it, all are the server's.
    pub by_name: Option<ByName>,
}

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Plain HTTP beyond this machine.
    #[error("plain HTTP is served on loopback only, not on {0}; configure a certificate or listen on 127.0.0.1")]
    PlainBeyondLoopback(SocketAddr),
    /// The listener has no address.
    #[error("the listening socket cannot tell its address: {0}")]
    NoAddress(#[source] std::io::Error),
}

/// Accepts until `stop`, then lets what is under way finish. Handlers find the peer's address as
/// `ConnectInfo<SocketAddr>`. Connections leave these limits when they are upgraded; whoever serves them
/// watches over them.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    serving: Serving,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::NoAddress)?;
    if serving.tls.is_none() && !address.ip().is_loopback() {
        return Err(ServeError::PlainBeyondLoopback(address));
    }
    let tls = serving.tls.map(with_alpn).map(TlsAcceptor::from);
    let (limits, by_name) = (Arc::new(serving.limits), serving.by_name);
    let room = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();

    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let (tls, router, limits, stop) = (tls.clone(), router.clone(), Arc::clone(&limits), stop.clone());
        let by_name = by_name.clone();
        connections.spawn(async move {
            let _place = place;
            if stream.set_nodelay(true).is_err() {
                return;
            }
            match tls {
                None => drive(stream, peer, router, &limits, stop).await,
                Some(tls) => match timeout(limits.handshake, greeted(stream, by_name, &tls)).await {
                    Ok(Ok(Greeted::Ours(stream))) => drive(*stream, peer, router, &limits, stop).await,
                    Ok(Ok(Greeted::Other(carried))) => tokio::select! {
                        () = carried => {}
                        () = stop.cancelled() => {}
                    },
                    Ok(Ok(Greeted::Nobody)) => tracing::debug!(%peer, "nobody has the name of a TLS greeting"),
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
                },
            }
        });
    }
    drop(listener);
    connections.close();
    if timeout(limits.drain + Duration::from_secs(1), connections.wait()).await.is_err() {
        tracing::info!(left = connections.len(), "connections were cut at the end of the drain");
    }
    Ok(())
}

/// What came of a TLS greeting.
enum Greeted {
    Ours(Box<TlsStream<ReadAhead<Replayed<TcpStream>>>>),
    Other(BoxFuture<'static, ()>),
    Nobody,
}

async fn greeted(mut tcp: TcpStream, by_name: Option<ByName>, tls: &TlsAcceptor) -> io::Result<Greeted> {
    let Some(by_name) = by_name else {
        let io = Replayed { first: Bytes::new(), io: tcp };
        return Ok(Greeted::Ours(Box::new(tls.accept(ReadAhead::new(io)).await?)));
    };
    let (first, name) = greeting(&mut tcp).await?;
    match by_name.taker(name.as_deref()) {
        Taker::Here => {
            let io = Replayed { first, io: tcp };
            Ok(Greeted::Ours(Box::new(tls.accept(ReadAhead::new(io)).await?)))
        }
        Taker::Other(carry) => Ok(Greeted::Other(carry(Box::new(Replayed { first, io: tcp })))),
        Taker::Nobody => {
            tcp.write_all(&UNRECOGNIZED_NAME).await?;
            tcp.shutdown().await?;
            Ok(Greeted::Nobody)
        }
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // Out of file descriptors or memory: accepting at once again would only spin.
            tracing::warn!(%error, "a connection could not be accepted");
            sleep(Duration::from_millis(200)).await;
            None
        }
    }
}

fn with_alpn(config: Arc<rustls::ServerConfig>) -> Arc<rustls::ServerConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

async fn drive(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    limits: &Limits,
    stop: CancellationToken,
) {
    let activity = Activity::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, activity) = (router.clone(), activity.clone());
        async move {
            let under_way = UnderWay::of(activity);
            let Ok(mut response): Result<_, Infallible> = router.oneshot(request.map(Body::new)).await;
            // Whoever streams for long watches over it; the connection is in use as long as that lasts.
            if let Some(long) = response.extensions_mut().remove::<LongBody>() {
                return Ok(response.map(|body| Body::new(long.over(body, under_way))));
            }
            Ok::<_, Infallible>(response)
        }
    });

    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.headers).max_headers(100);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(Some(100))
        .max_header_list_size(32 * 1024);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));

    let mut cut: Option<Instant> = None;
    loop {
        let wake = cut.unwrap_or_else(|| activity.idle_at(limits.idle));
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%peer, %error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled(), if cut.is_none() => {}
            () = sleep_until(wake) => match cut {
                Some(_) => return,
                None if activity.idle_at(limits.idle) > Instant::now() => continue,
                None => {}
            },
        }
        connection.as_mut().graceful_shutdown();
        cut = Some(Instant::now() + limits.drain);
    }
}

/// One request that is under way.
pub(super) struct UnderWay(Activity);

impl UnderWay {
    fn of(activity: Activity) -> Self {
        activity.change(|now| now.requests += 1);
        Self(activity)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.change(|now| now.requests -= 1);
    }
}

/// What is under way on one connection.
#[derive(Clone)]
struct Activity(Arc<Mutex<Now>>);

struct Now {
    requests: usize,
    since: Instant,
}

impl Activity {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Now { requests: 0, since: Instant::now() })))
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut now);
        now.since = Instant::now();
    }

    fn idle_at(&self, limit: Duration) -> Instant {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.requests > 0 { Instant::now() + limit } else { now.since + limit }
    }
}
