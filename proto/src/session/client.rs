//! The end that opens streams: joins the relay, meets the device in TLS, shows the grant, and runs the session until it
//! ends. The technician's program and the cloud's gateway are such ends. Decides nothing, and opens no stream by itself.

use std::{sync::Arc, time::Duration};

use rustls::{crypto::CryptoProvider, pki_types::PrivateKeyDer};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{
    Ending, Role, VERSION,
    carrier::{DialError, Dialler, JoinError, Proxy, RelaySocket},
    driver::{Channel, Driver, Handle, Incoming, Notice, Unaccepted},
    handshake::{self, Identity},
    inner_frame::{Accept, Warrant},
    line::{Joining, KEEPS, Line, LineView},
    mux::Settings,
};
use crate::{Random, api::Join, payload::EndReason};

/// Longest time for the inner handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(15);
/// How long the end of a session waits for what its flows have to say.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);

/// What a session's client is made of.
pub struct Client {
    /// From the cloud.
    pub join: Join,
    /// Whose CSR the cloud certified.
    pub key: PrivateKeyDer<'static>,
    /// Trusts the relay's HTTPS certificate.
    pub tls: Arc<rustls::ClientConfig>,
    /// For the TLS with the device.
    pub provider: Arc<CryptoProvider>,
    /// On the way to the relay.
    pub proxy: Option<Proxy>,
    /// For the secret by which the session is joined again.
    pub random: Random,
}

/// A session that the device has accepted.
pub struct Inside {
    /// Opens streams.
    pub handle: Handle,
    /// What the device allows.
    pub accept: Accept,
    /// The way to the device.
    pub line: LineView,
    /// What the installation wants.
    pub incoming: mpsc::UnboundedReceiver<Incoming>,
    /// What the device says about the session.
    pub notices: mpsc::UnboundedReceiver<Notice>,
    /// The session's end waits a moment for these.
    pub running: TaskTracker,
}

/// The session did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The relay cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The relay did not join the two ends.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Certificates or key of the session cannot be used.
    #[error(transparent)]
    Material(#[from] handshake::HandshakeError),
    /// Whoever answered is not the device, or does not take this key.
    #[error("what answered is not this device, or it did not take this session's key")]
    Handshake(#[source] std::io::Error),
    /// The device said no.
    #[error("the device refuses: {0}")]
    Unaccepted(#[source] Unaccepted),
    /// The session was ended while it came up.
    #[error("the session ended before it began ({})", .0.reason.word())]
    Ended(Ending),
}

impl ClientError {
    /// The same as an end of the session.
    pub fn reason(&self) -> EndReason {
        match self {
            Self::Dial(_) => EndReason::RelayLost,
            Self::Join(error) => error.ending().reason,
            Self::Ended(ending) => ending.reason,
            Self::Material(_) | Self::Handshake(_) | Self::Unaccepted(_) => EndReason::Refused,
        }
    }
}

impl Client {
    /// Runs the session until it ends; `stop` ends it from this side. `meeting` is called when the relay took the ticket
    /// and the device is there. `work` begins when the device has accepted, ends the session by its own end, and is dropped
    /// with it.
    pub async fn run(
        self,
        meeting: impl FnOnce(),
        work: impl AsyncFnOnce(Inside),
        stop: impl Future<Output = ()>,
    ) -> Result<Ending, ClientError> {
        let mut stop = std::pin::pin!(stop);
        let dialler = Dialler::new(self.join.relay.clone(), self.tls.clone(), self.proxy.clone(), self.random.clone());
        let socket = tokio::select! {
            dialled = dialler.dial() => dialled?,
            () = &mut stop => return Ok(Ending::plain(EndReason::Technician)),
        };
        let mut line = tokio::select! {
            joined = Line::join(socket, self.joining(dialler)) => joined?,
            () = &mut stop => return Ok(Ending::plain(EndReason::Technician)),
        };
        meeting();
        let view = line.view();
        let met = tokio::select! {
            met = self.meet(&mut line) => met,
            () = &mut stop => Err(ClientError::Ended(Ending::plain(EndReason::Technician))),
        };
        let (channel, accept) = match met {
            Ok(met) => met,
            Err(error) => {
                // A handshake also breaks when the session is revoked meanwhile; then the relay's word explains it. What
                // the device itself says is authentic and stands.
                let error = match (error, view.end()) {
                    (ClientError::Unaccepted(denied @ Unaccepted::Denied { .. }), _) => ClientError::Unaccepted(denied),
                    (_, Some(end)) => ClientError::Ended(end.ending(Role::Technician)),
                    (error, None) => error,
                };
                line.leave(error.reason()).await;
                return Err(error);
            }
        };
        let (driver, handle, outlets) = Driver::new(channel, Role::Technician, Settings::TECHNICIAN, view.clone());
        let running = TaskTracker::new();
        let inside = Inside {
            handle: handle.clone(),
            accept,
            line: view,
            incoming: outlets.incoming,
            notices: outlets.notices,
            running: running.clone(),
        };
        let over = Ending::plain(EndReason::Technician);
        let beside = async {
            let mut work = std::pin::pin!(work(inside));
            tokio::select! {
                () = &mut work => handle.end(over.clone()).await,
                () = &mut stop => {
                    handle.end(over.clone()).await;
                    work.await;
                }
            }
            std::future::pending::<()>().await;
        };
        let ending = tokio::select! {
            (ending, _) = driver.run() => ending,
            () = beside => over.clone(),
        };
        running.close();
        let _ = tokio::time::timeout(SETTLES_WITHIN, running.wait()).await;
        line.leave(ending.reason).await;
        Ok(ending)
    }

    fn joining(&self, dialler: Dialler) -> Joining<RelaySocket> {
        let (ticket, random) = (self.join.ticket.clone(), self.random.clone());
        Joining { role: Role::Technician, ticket, keeps: KEEPS, redial: Box::new(dialler), random }
    }

    async fn meet<'a>(&self, line: &'a mut Line<RelaySocket>) -> Result<Met<'a>, ClientError> {
        let join = &self.join;
        let identity = Identity { chain: handshake::certificates(&join.chain)?, key: self.key.clone_key() };
        let config = handshake::technician_side(identity, &join.device_ca, join.device, self.provider.clone())?;
        let tls = tokio::time::timeout(HANDSHAKE_WITHIN, handshake::connect(line, config))
            .await
            .map_err(|late| ClientError::Handshake(late.into()))?
            .map_err(ClientError::Handshake)?;
        let mut channel = Channel::new(tls);
        let warrant = Warrant { grant: join.grant.clone(), consent: bytes::Bytes::new() };
        let accept = channel.present(warrant).await.map_err(ClientError::Unaccepted)?;
        tracing::debug!(version = accept.version, own = VERSION, "the device accepted");
        Ok((channel, accept))
    }
}

type Met<'a> = (Channel<tokio_rustls::TlsStream<&'a mut Line<RelaySocket>>>, Accept);
