//! Connections to a panel: streams of a session as bytes, TLS on them where the panel speaks it, and no more of them at
//! once than old panels stand.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut as _, BytesMut};
use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use super::{Panel, Scheme};
use crate::{
    Clock, FlowId, Random,
    session::{
        Stream,
        driver::{Handle, OpenFailure},
        inner_frame::{Class, Open, OpenError, ResetCode, Target},
    },
};

/// Connections to one panel at once; browsers open six, and web sockets stay.
const AT_ONCE: usize = 24;
/// Longest time for a connection, a free place and TLS included.
const WITHIN: Duration = Duration::from_secs(30);
/// What waits between a stream and HTTP, each way.
const BETWEEN: usize = 64 * 1024;

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Opens connections to one panel.
pub trait Dial: Send + Sync + 'static {
    /// One more.
    fn dial(&self) -> BoxFuture<'static, Result<Box<dyn Duplex>, Unreached>>;
}

/// There is no connection to the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The session does not cover it.
    #[error("this session may not reach it")]
    NotAllowed,
    /// Nobody listens.
    #[error("it refuses connections")]
    Refused,
    /// No answer.
    #[error("it does not answer")]
    Silent,
    /// No way to it.
    #[error("there is no way to it from the device")]
    Unreachable,
    /// Its name is unknown there.
    #[error("the device finds no address for its name")]
    NoSuchName,
    /// All places are taken.
    #[error("it takes no more connections")]
    Busy,
    /// It does not speak TLS, or none that anybody speaks today.
    #[error("it does not answer with TLS")]
    Tls,
    /// The session is over.
    #[error("the session is over")]
    Over,
}

impl From<OpenFailure> for Unreached {
    fn from(failure: OpenFailure) -> Self {
        match failure {
            OpenFailure::Over => Self::Over,
            OpenFailure::Target(OpenError::NotAllowed | OpenError::Consent) => Self::NotAllowed,
            OpenFailure::Target(OpenError::Refused) => Self::Refused,
            OpenFailure::Target(OpenError::TimedOut) => Self::Silent,
            OpenFailure::Target(OpenError::Unreachable) => Self::Unreachable,
            OpenFailure::Target(OpenError::NoSuchName) => Self::NoSuchName,
            OpenFailure::Target(OpenError::Limit | OpenError::Busy | OpenError::Names) => Self::Busy,
        }
    }
}

/// Dials by the streams of a running session.
#[derive(Clone)]
pub struct SessionDial {
    /// The session.
    pub handle: Handle,
    /// What to reach.
    pub target: Target,
    /// For flow ids.
    pub clock: Clock,
    /// For flow ids.
    pub random: Random,
    /// The session's end waits a moment for these.
    pub running: TaskTracker,
}

impl Dial for SessionDial {
    fn dial(&self) -> BoxFuture<'static, Result<Box<dyn Duplex>, Unreached>> {
        let Self { handle, target, clock, random, running } = self.clone();
        Box::pin(async move {
            let flow = FlowId::make(clock.now(), &random);
            let stream = handle.open(Open { flow, target, class: Class::Interactive, credit: 0 }).await?;
            Ok(as_bytes(stream, &running))
        })
    }
}

/// A stream as bytes; `running` waits for what carries them.
pub fn as_bytes(stream: Stream, running: &TaskTracker) -> Box<dyn Duplex> {
    let (near, far) = tokio::io::duplex(BETWEEN);
    let broken = Arc::new(AtomicBool::new(false));
    running.spawn(carry(far, stream, broken.clone()));
    Box::new(Carried { io: near, broken })
}

/// Carries bytes between a connection and a stream, until both directions have ended or one side breaks.
pub async fn join(io: impl Duplex, stream: Stream) {
    carry(io, stream, Arc::default()).await;
}

/// A stream as bytes. One that was broken off does not look as if it had come to its end.
struct Carried {
    io: DuplexStream,
    broken: Arc<AtomicBool>,
}

impl AsyncRead for Carried {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        let at_end = matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before && buffer.remaining() > 0;
        if at_end && self.broken.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        read
    }
}

impl AsyncWrite for Carried {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Why carrying stopped.
enum Stopped {
    Near,
    Stream,
}

impl From<io::Error> for Stopped {
    fn from(_: io::Error) -> Self {
        Self::Near
    }
}

impl From<ResetCode> for Stopped {
    fn from(_: ResetCode) -> Self {
        Self::Stream
    }
}

async fn carry(io: impl Duplex, stream: Stream, broken: Arc<AtomicBool>) {
    let (mut reader, mut writer) = tokio::io::split(io);
    let out = async {
        let mut buffer = BytesMut::new();
        loop {
            let room = stream.room().await?;
            buffer.reserve(room.min(BETWEEN));
            if reader.read_buf(&mut (&mut buffer).limit(room)).await? == 0 {
                stream.finish().await?;
                return Ok(());
            }
            stream.send(buffer.split().freeze()).await?;
        }
    };
    let back = async {
        loop {
            let mut gathered = stream.gather(BETWEEN).await?;
            if gathered.is_empty() {
                writer.shutdown().await?;
                return Ok::<_, Stopped>(());
            }
            let bytes = bytes::Buf::remaining(&gathered);
            writer.write_all_buf(&mut gathered).await?;
            stream.consumed(bytes).await?;
        }
    };
    let stopped = tokio::select! {
        done = async { tokio::try_join!(out, back) } => done.err(),
        _ = stream.broken() => Some(Stopped::Stream),
    };
    match stopped {
        None => {}
        Some(Stopped::Near) => stream.reset(ResetCode::Broken),
        Some(Stopped::Stream) => {
            broken.store(true, Ordering::Release);
            stream.reset(ResetCode::Cancelled);
        }
    }
}

/// What HTTP's client takes its connections from.
#[derive(Clone)]
pub(super) struct Connector {
    dial: Arc<dyn Dial>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    places: Arc<Semaphore>,
}

impl Connector {
    pub(super) fn new(panel: &Panel, dial: impl Dial, provider: Arc<CryptoProvider>) -> Result<Self, rustls::Error> {
        let tls = match panel.scheme {
            Scheme::Http => None,
            Scheme::Https => {
                // What is no name of TLS is left out of the greeting; never the TLS.
                let unnamed = ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
                let name = ServerName::try_from(panel.host.clone()).unwrap_or(unnamed);
                Some((any_panel(provider)?, name))
            }
        };
        Ok(Self { dial: Arc::new(dial), tls, places: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    async fn connect(self) -> Result<Wire, Unreached> {
        let place = self.places.acquire_owned().await.map_err(|_| Unreached::Over)?;
        let io = self.dial.dial().await?;
        let io: Box<dyn Duplex> = match self.tls {
            None => io,
            Some((tls, name)) => Box::new(tls.connect(name, io).await.map_err(|_| Unreached::Tls)?),
        };
        Ok(Wire { io, _place: place })
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = Unreached;
    type Future = BoxFuture<'static, Result<Self::Response, Unreached>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreached>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connecting = self.clone().connect();
        Box::pin(async move {
            tokio::time::timeout(WITHIN, connecting).await.unwrap_or(Err(Unreached::Busy)).map(TokioIo::new)
        })
    }
}

/// A connection in its place.
pub(super) struct Wire {
    io: Box<dyn Duplex>,
    _place: OwnedSemaphorePermit,
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

fn any_panel(provider: Arc<CryptoProvider>) -> Result<TlsConnector, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyPanel(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A panel makes its certificate itself, for no name that anybody could check. That it is the panel at this address is
/// the device's word, as it is for a browser beside it whose user has pressed "go on".
#[derive(Debug)]
struct AnyPanel(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyPanel {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
