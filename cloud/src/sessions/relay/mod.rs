//! The relay: pairs the two legs of a session in memory and passes their ciphertext on.
//!
//! It never dials, never decrypts, and never holds more than 256 KiB a direction, beside what TLS has read ahead: it
//! stops reading instead. Who may join, and what is written down, is its [`Admission`]'s word.

mod brake;
mod cause;
mod direction;
mod enter;
mod keeper;
mod leg;
mod room;
mod socket;
#[cfg(test)]
mod tests;
mod writer;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRequest as _, Request, State, WebSocketUpgrade},
    http::{
        StatusCode,
        header::{ORIGIN, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
    routing::any,
};
use futures_util::future::BoxFuture;
use gatelodge_proto::{
    Random, SessionId, Timestamp,
    api::RELAY_PATH,
    payload::EndReason,
    session::{
        Role,
        line::AWAY,
        relay_frame::{MAX_BYTES, RelayError, RelayFrame},
    },
};

use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::brake::{Limit, Whose};
use self::{
    cause::Cause,
    direction::GATHERED,
    room::{RoomId, Rooms},
};

/// When to come back to a relay that is full or closing.
const RETRY_AFTER_S: &str = "3";

/// Whose word the relay follows.
pub trait Admission: Send + Sync + 'static {
    /// Takes a join ticket, once, or the secret of an end that was here before. Called before anything is known of the
    /// connection but its first frame.
    fn admit(&self, entry: Entry, role: Role) -> BoxFuture<'_, Result<Admitted, Refusal>>;

    /// Writes down what happened. [`Report::Joined`] holds the welcome back until this has answered, and after an error
    /// there the end is not taken in; [`Report::Paired`] holds the bytes back, and an error there ends the session: no
    /// audit, no session. Errors of the other reports are logged.
    fn report(&self, report: Report) -> BoxFuture<'_, Result<(), Unrecorded>>;
}

/// With what an end comes.
pub enum Entry {
    /// For the first time.
    First {
        /// The one-use join ticket.
        ticket: String,
    },
    /// Because its connection was lost.
    Again {
        /// The secret that it pledged.
        secret: String,
    },
}

/// A ticket or secret was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// For this session.
    pub session: SessionId,
    /// Which may last this long from now on.
    pub lifetime: Duration,
    /// Until when that is, by the clock of whoever admits.
    pub until: Timestamp,
    /// Whether both ends have been there before, at this relay or another.
    pub begun: bool,
    /// What it has carried by all that is written down.
    pub carried: Carried,
    /// How fast it may carry.
    pub limits: Vec<Limit>,
}

/// An end does not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// For this reason.
    #[error(transparent)]
    Code(#[from] RelayError),
    /// It was here before, and its session has ended meanwhile.
    #[error("the session is over ({})", .0.word())]
    Ended(EndReason),
}

impl Refusal {
    fn frame(self) -> RelayFrame {
        match self {
            Self::Code(code) => RelayFrame::Error { code, retry_ms: 0 },
            Self::Ended(reason) => RelayFrame::Revoke { reason },
        }
    }
}

/// The report could not be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session's audit row could not be written")]
pub struct Unrecorded;

/// What happened in the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// One end has its place, and is not welcomed yet.
    Joined {
        /// The session.
        session: SessionId,
        /// Which end.
        role: Role,
        /// It was here before.
        again: bool,
        /// SHA-256 of the secret by which it will come again, when it comes for the first time.
        pledge: Option<[u8; 32]>,
    },
    /// Both ends are here; no byte flows between these legs yet. Said anew when one of them was replaced.
    Paired {
        /// The session.
        session: SessionId,
    },
    /// It goes on. Said every [`Settings::report_every`].
    Bytes {
        /// The session.
        session: SessionId,
        /// What it has carried.
        carried: Carried,
    },
    /// It is over. Said exactly once for each session that anybody joined.
    Ended {
        /// The session.
        session: SessionId,
        /// Why.
        reason: EndReason,
        /// What it has carried.
        carried: Carried,
    },
}

/// Bytes of ciphertext.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Towards the technician.
    pub up: u64,
    /// Towards the installation.
    pub down: u64,
}

/// A session that somebody has joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// Which.
    pub session: SessionId,
    /// Whether both ends are here.
    pub paired: bool,
    /// What it has carried.
    pub carried: Carried,
}

/// Times of the relay.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// HELLO within this after the connection.
    pub hello_within: Duration,
    /// The second end within this after the first.
    pub peer_within: Duration,
    /// An end that was lost within this.
    pub back_within: Duration,
    /// PING a leg this often.
    pub ping_every: Duration,
    /// PING a leg this often while the other takes nothing from it.
    pub ping_held_up: Duration,
    /// A leg that was not heard for this long is dead.
    pub dead_after: Duration,
    /// How often [`Report::Bytes`] is said.
    pub report_every: Duration,
    /// Sessions at once.
    pub max_sessions: usize,
    /// Connections at once that have not shown a good ticket.
    pub max_strangers: usize,
    /// Whether connections may be raw.
    pub raw: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hello_within: Duration::from_secs(10),
            peer_within: Duration::from_secs(60),
            back_within: AWAY,
            ping_every: Duration::from_secs(15),
            ping_held_up: Duration::from_secs(5),
            dead_after: Duration::from_secs(40),
            report_every: Duration::from_secs(10),
            max_sessions: 5_000,
            max_strangers: 512,
            raw: true,
        }
    }
}

/// The relay of one node. Clones are the same relay.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    settings: Settings,
    random: Random,
    admission: Box<dyn Admission>,
    rooms: Rooms,
    /// Places for connections without a good ticket.
    strangers: Arc<Semaphore>,
    /// Legs, and ends that are being written down.
    under_way: TaskTracker,
    closing: CancellationToken,
}

impl Relay {
    /// A relay without sessions.
    pub fn new(settings: Settings, random: Random, admission: impl Admission) -> Self {
        Self(Arc::new(Inner {
            settings,
            random,
            admission: Box::new(admission),
            rooms: Rooms::default(),
            strangers: Arc::new(Semaphore::new(settings.max_strangers)),
            under_way: TaskTracker::new(),
            closing: CancellationToken::new(),
        }))
    }

    /// The connections that are upgraded at [`RELAY_PATH`].
    pub fn routes(&self) -> Router {
        Router::new().route(RELAY_PATH, any(upgrade)).with_state(self.clone())
    }

    /// Ends a session now; both ends are told why. False when nobody had joined it.
    pub fn revoke(&self, session: SessionId, reason: EndReason) -> bool {
        self.end(session, None, Cause::Word(reason))
    }

    /// Moves the end of a session to that moment, by the difference to the one that it had: whichever way a wall clock is
    /// set meanwhile, it lasts as much longer as was allowed, or as much less as its device keeps.
    pub fn move_end(&self, session: SessionId, until: Timestamp) {
        self.0.rooms.move_end(session, until);
    }

    /// The sessions that somebody has joined.
    pub fn live(&self) -> Vec<Live> {
        self.0.rooms.live()
    }

    /// Takes nobody in any more and lets go of every session: ends that know how join it again at whoever comes next,
    /// what they carry is written down; other sessions end for this reason. Waits until both ends were told and all is
    /// written down, but no longer than `within`.
    pub async fn close(&self, reason: EndReason, within: Duration) {
        self.0.closing.cancel();
        for live in self.live() {
            if !self.let_go(live.session) {
                self.revoke(live.session, reason);
            }
        }
        self.0.under_way.close();
        if timeout(within, self.0.under_way.wait()).await.is_err() {
            tracing::warn!(left = self.0.under_way.len(), "the relay closes before all ends are written");
        }
    }

    /// Sends the ends of a session elsewhere; false when they do not know how to go on there.
    fn let_go(&self, session: SessionId) -> bool {
        let Some(carried) = self.0.rooms.hand_over(session) else { return false };
        let relay = self.clone();
        self.0.under_way.spawn(async move { relay.tell(Report::Bytes { session, carried }).await });
        true
    }

    fn end(&self, session: SessionId, room: Option<RoomId>, cause: Cause) -> bool {
        let Some(carried) = self.0.rooms.end(session, room, cause) else { return false };
        let relay = self.clone();
        self.0.under_way.spawn(async move {
            relay.tell(Report::Ended { session, reason: cause.reason(), carried }).await;
        });
        true
    }

    async fn tell(&self, report: Report) {
        if let Err(error) = self.0.admission.report(report).await {
            tracing::warn!(?report, %error, "a relay report is lost");
        }
    }
}

async fn upgrade(State(relay): State<Relay>, mut request: Request) -> Response {
    // Only browsers send Origin, and no page has business here (cross-site WebSocket hijacking).
    if request.headers().contains_key(ORIGIN) {
        return (StatusCode::FORBIDDEN, "this address is for gatelodge and gatelodge-agent, not for browsers\n")
            .into_response();
    }
    let place = relay.0.strangers.clone().try_acquire_owned().ok().filter(|_| !relay.0.closing.is_cancelled());
    let Some(place) = place else {
        let later = [(RETRY_AFTER, RETRY_AFTER_S)];
        return (StatusCode::SERVICE_UNAVAILABLE, later, "the relay takes nobody in now: try again soon\n")
            .into_response();
    };
    let under_way = relay.0.under_way.clone();
    if relay.0.settings.raw && socket::wants_raw(&request) {
        let upgraded = hyper::upgrade::on(&mut request);
        under_way.spawn(async move {
            let upgraded = tokio::select! {
                upgraded = timeout(relay.0.settings.hello_within, upgraded) => upgraded,
                () = relay.0.closing.cancelled() => return,
            };
            let Ok(upgraded) = upgraded else { return };
            match upgraded {
                Ok(connection) => leg::serve(relay, place, socket::of_raw(connection)).await,
                Err(error) => tracing::debug!(%error, "an upgrade broke off"),
            }
        });
        return socket::switching();
    }
    let socket = match WebSocketUpgrade::from_request(request, &()).await {
        Ok(socket) => socket,
        Err(rejection) => return rejection.into_response(),
    };
    socket
        .max_message_size(MAX_BYTES)
        .max_frame_size(MAX_BYTES)
        .read_buffer_size(16 * 1024)
        .write_buffer_size(GATHERED)
        .max_write_buffer_size(4 * MAX_BYTES)
        .on_upgrade(move |socket| under_way.track_future(leg::serve(relay, place, socket::of_web_socket(socket))))
}
