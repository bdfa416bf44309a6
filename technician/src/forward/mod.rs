//! The technician's end of one session: joins the relay, meets the device in TLS, shows the grant, and carries each
//! connection to a local port to one of the device's services, or does other work of the same session ([`run_with`]).
//! Binds local addresses only; decides nothing.

mod calls;
mod fan;
mod key;
mod listen;
mod serve;
mod socks5;
mod spec;

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use gatelodge_proto::{
    FlowId, Random,
    api::Join,
    payload::{EndReason, Network, ServiceName},
    session::{
        Ending, Role, VERSION,
        carrier::{DialError, Dialler, JoinError, Proxy, RelaySocket},
        driver::{Channel, Counters, Driver, Handle, Notice, OpenFailure, Unaccepted},
        handshake::{self, Identity},
        inner_frame::{Accept, Target, Warrant},
        line::{Joining, KEEPS, Line, LineState, LineView},
        mux::Settings,
    },
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use self::{
    calls::Back,
    key::{KeyError, SessionKey},
    listen::{BindError, Listener, bind},
    spec::{Calls, Forward, InvalidForward, Wanted},
};
use crate::{clock::Clock, tls::provider};

/// Longest time for the inner handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(15);

/// What a session is made of.
pub struct Session {
    /// From the cloud.
    pub join: Join,
    /// Whose CSR the cloud certified.
    pub key: SessionKey,
    /// Trusts the cloud's HTTPS certificate.
    pub tls: Arc<rustls::ClientConfig>,
    /// Where the installation's calls go.
    pub backs: Vec<Back>,
    /// On the way to the relay.
    pub proxy: Option<Proxy>,
    /// For flow ids.
    pub clock: Clock,
    /// For flow ids, and for the secret by which the session is joined again.
    pub random: Random,
}

/// What happens in a running session.
#[derive(Debug)]
pub enum Update {
    /// The relay took the ticket and the device is there; the handshake begins.
    Meeting,
    /// The device accepted: ports carry bytes from now on.
    Joined {
        /// What may be opened.
        services: Vec<ServiceName>,
        /// Seconds left, by the device's count.
        seconds_left: u32,
        /// What the session carries, for the live line.
        counters: Arc<Counters>,
        /// How much the device carries a second each way at most, when it said so.
        rate: Option<NonZeroU64>,
        /// The way to the device.
        line: LineView,
    },
    /// The device does not listen there, though the session covers it.
    Deaf(ServiceName),
    /// A flow reached its target.
    FlowOpened {
        /// What was reached for.
        target: Target,
        /// The device's side has the same id.
        flow: FlowId,
    },
    /// A flow did not reach its target.
    FlowFailed {
        /// What was reached for.
        target: Target,
        /// The device's side has the same id.
        flow: FlowId,
        /// Why.
        failure: OpenFailure,
    },
    /// A flow is over.
    FlowClosed {
        /// What was reached for.
        target: Target,
        /// The device's side has the same id.
        flow: FlowId,
        /// Bytes towards the technician.
        bytes_up: u64,
        /// Bytes towards the installation.
        bytes_down: u64,
    },
    /// The session ends in so many seconds.
    ExpiryWarn(u32),
    /// The way to the device is lost, or there again.
    Line(LineState),
}

/// The session did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
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

impl ForwardError {
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

/// Forwards open local ports until the session ends; `stop` ends it from this side.
pub async fn run(
    session: Session,
    listeners: Vec<Listener>,
    stop: impl Future<Output = ()>,
    updates: mpsc::UnboundedSender<Update>,
) -> Result<Ending, ForwardError> {
    run_with(session, async move |flows: Flows| flows.serve(&listeners).await, stop, updates).await
}

/// Runs a session until it ends; `stop` ends it from this side. `work` begins when the device has accepted, opens flows,
/// and goes on as long as the session does: it is dropped with it.
pub async fn run_with(
    session: Session,
    work: impl AsyncFnOnce(Flows),
    stop: impl Future<Output = ()>,
    updates: mpsc::UnboundedSender<Update>,
) -> Result<Ending, ForwardError> {
    let mut stop = std::pin::pin!(stop);
    let dialler = dialler(&session);
    let socket = tokio::select! {
        dialled = dialler.dial() => dialled?,
        () = &mut stop => return Ok(Ending::plain(EndReason::Technician)),
    };
    let mut line = tokio::select! {
        joined = Line::join(socket, joining(&session, dialler)) => joined?,
        () = &mut stop => return Ok(Ending::plain(EndReason::Technician)),
    };
    let _ = updates.send(Update::Meeting);
    let view = line.view();
    let met = tokio::select! {
        met = meet(&mut line, &session) => met,
        () = &mut stop => Err(ForwardError::Ended(Ending::plain(EndReason::Technician))),
    };
    let (channel, accept) = match met {
        Ok(met) => met,
        Err(error) => {
            // A handshake also breaks when the session is revoked meanwhile; then the relay's word explains it. What the
            // device itself says is authentic and stands.
            let error = match (error, view.end()) {
                (ForwardError::Unaccepted(denied @ Unaccepted::Denied { .. }), _) => ForwardError::Unaccepted(denied),
                (_, Some(end)) => ForwardError::Ended(end.ending(Role::Technician)),
                (error, None) => error,
            };
            line.leave(error.reason()).await;
            return Err(error);
        }
    };
    let (driver, handle, outlets) = Driver::new(channel, Role::Technician, Settings::TECHNICIAN, view.clone());
    let _ = updates.send(Update::Joined {
        services: accept.services,
        seconds_left: accept.seconds_left,
        counters: handle.counters().clone(),
        rate: accept.rate,
        line: view.clone(),
    });
    for back in session.backs.iter().filter(|back| !accept.listens.contains(&back.name)) {
        let _ = updates.send(Update::Deaf(back.name.clone()));
    }
    let running = TaskTracker::new();
    let flows = Flows {
        handle: handle.clone(),
        networks: accept.networks.into(),
        updates: updates.clone(),
        clock: session.clock,
        random: session.random.clone(),
        running: running.clone(),
    };
    let supervise = async {
        let calls = flows.clone();
        let calls = calls.answer(outlets.incoming, &session.backs);
        tokio::join!(work(flows), calls, tell(outlets.notices, &updates), show(view, &updates), async {
            (&mut stop).await;
            handle.end(Ending::plain(EndReason::Technician)).await;
        })
    };
    let ending = tokio::select! {
        (ending, _) = driver.run() => ending,
        _ = supervise => Ending::plain(EndReason::Technician),
    };
    running.close();
    let _ = tokio::time::timeout(Duration::from_secs(1), running.wait()).await;
    line.leave(ending.reason).await;
    Ok(ending)
}

fn dialler(session: &Session) -> Dialler {
    let (relay, tls) = (session.join.relay.clone(), session.tls.clone());
    Dialler::new(relay, tls, session.proxy.clone(), session.random.clone())
}

fn joining(session: &Session, dialler: Dialler) -> Joining<RelaySocket> {
    let (ticket, random) = (session.join.ticket.clone(), session.random.clone());
    Joining { role: Role::Technician, ticket, keeps: KEEPS, redial: Box::new(dialler), random }
}

type Met<'a> = (Channel<tokio_rustls::TlsStream<&'a mut Line<RelaySocket>>>, Accept);

async fn meet<'a>(line: &'a mut Line<RelaySocket>, session: &Session) -> Result<Met<'a>, ForwardError> {
    let join = &session.join;
    let identity = Identity { chain: handshake::certificates(&join.chain)?, key: session.key.der() };
    let config = handshake::technician_side(identity, &join.device_ca, join.device, provider())?;
    let tls = tokio::time::timeout(HANDSHAKE_WITHIN, handshake::connect(line, config))
        .await
        .map_err(|late| ForwardError::Handshake(late.into()))?
        .map_err(ForwardError::Handshake)?;
    let mut channel = Channel::new(tls);
    let warrant = Warrant { grant: join.grant.clone(), consent: bytes::Bytes::new() };
    let accept = channel.present(warrant).await.map_err(ForwardError::Unaccepted)?;
    tracing::debug!(version = accept.version, own = VERSION, "the device accepted");
    Ok((channel, accept))
}

/// Passes on what the device says about the session.
async fn tell(mut notices: mpsc::UnboundedReceiver<Notice>, updates: &mpsc::UnboundedSender<Update>) {
    while let Some(Notice::ExpiryWarn(seconds)) = notices.recv().await {
        let _ = updates.send(Update::ExpiryWarn(seconds));
    }
    std::future::pending::<()>().await;
}

/// Passes on when the way to the device is lost and when it is there again.
async fn show(mut view: LineView, updates: &mpsc::UnboundedSender<Update>) {
    while let Some(state) = view.changed().await {
        let _ = updates.send(Update::Line(state));
    }
    std::future::pending::<()>().await;
}

/// Opens the flows of a running session and tells what becomes of them.
#[derive(Clone)]
pub struct Flows {
    pub(crate) handle: Handle,
    /// What may be reached as a whole.
    networks: Arc<[Network]>,
    pub(crate) updates: mpsc::UnboundedSender<Update>,
    clock: Clock,
    random: Random,
    /// A session's end waits for these, so that each flow has said how it ended.
    pub(crate) running: TaskTracker,
}

impl Flows {
    /// An id for one more flow.
    pub(crate) fn id(&self) -> FlowId {
        FlowId::make(self.clock.now(), &self.random)
    }
}
