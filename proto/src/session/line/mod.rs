//! A byte stream between the two ends that outlives its carriers: lost ones are replaced, and ciphertext is sent again
//! from where the other end stands. Inner TLS lies on top and never learns of it.
//!
//! [`machine`] is what must be right, pure; the rest dials, asks whether the relay is still there, and gives up. The
//! owner of a [`Line`] polls it, no task of its own runs.

mod drive;
mod flight;
mod incoming;
mod io;
mod leg;
mod lookout;
mod machine;
mod outgoing;
mod retry;
mod tempo;
mod view;

use std::{
    io::ErrorKind,
    pin::Pin,
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _, future::BoxFuture};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep_until, timeout},
};

use self::{leg::Leg, lookout::Lookout, retry::Retry};
pub use self::{
    machine::{Machine, Violation},
    tempo::Tempo,
    view::{LineState, LineView},
};
use super::{
    Role, VERSION,
    carrier::{CarrierEnd, DialError, JoinError, Messages, Sight, join},
    relay_frame::{Hello, PeerLoss, RelayFrame},
};
use crate::{Random, payload::EndReason};

/// A session lives so long without a carrier.
pub const AWAY: Duration = Duration::from_secs(90);
/// Longest farewell.
const FAREWELL: Duration = Duration::from_secs(2);
/// Longest wait for the other end's own word, where it is the one that ended the session.
const AFTER_THE_OTHER: Duration = Duration::from_secs(1);

/// Most ciphertext that an end keeps for another carrier: 200 MB/s on a way of 40 ms. How much it keeps is what its way
/// carries in little more than a round trip.
pub const KEEPS: usize = 8 * 1024 * 1024;

/// How an end comes to the relay again.
pub trait Redial<S>: Send {
    /// Opens another connection.
    fn dial(&mut self) -> BoxFuture<'static, Result<S, DialError>>;

    /// What there is to see of the way that connections take; none where it cannot be seen. It costs little and sends
    /// nothing.
    fn sight(&self) -> Option<Sight>;

    /// Whether the relay answered HELLO over the connection that was opened last. One that was opened and then stood
    /// still may be better opened in another way.
    fn answered(&mut self, well: bool);
}

/// What an end joins with.
pub struct Joining<S> {
    /// Which end.
    pub role: Role,
    /// One-use ticket for the first carrier.
    pub ticket: String,
    /// Most unacknowledged ciphertext, in bytes.
    pub keeps: usize,
    /// For the carriers after the first.
    pub redial: Box<dyn Redial<S>>,
    /// For the secret by which this end joins again, and for the pauses between attempts.
    pub random: Random,
}

/// A joined line: [`tokio::io::AsyncRead`] and [`tokio::io::AsyncWrite`] of the bytes between the two ends.
pub struct Line<S> {
    role: Role,
    secret: Secret,
    machine: Machine,
    way: Way<S>,
    redial: Box<dyn Redial<S>>,
    retry: Retry,
    lookout: Lookout,
    /// The other end's frame version, once known.
    peer: Option<u16>,
    /// Since when there is no way to the other end.
    away_since: Option<Instant>,
    up_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    end: Arc<OnceLock<CarrierEnd>>,
    /// What the relay said last of its rate; 0 for none.
    rate: Arc<AtomicU64>,
    state: watch::Sender<LineState>,
    tempo: Arc<Tempo>,
}

/// Where the way to the relay stands.
enum Way<S> {
    /// The next attempt comes then.
    Resting(Instant),
    /// An attempt runs.
    Dialling(BoxFuture<'static, Result<S, NotAgain>>),
    /// The relay took this end in.
    Joined(Leg<S>),
}

/// Why an attempt to join again failed.
#[derive(Debug, thiserror::Error)]
enum NotAgain {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Join(#[from] JoinError),
}

/// Lets this end join its session again. The relay's cloud has only ever seen its hash until then.
struct Secret([u8; 32]);

impl Secret {
    fn pledge(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    fn reveal(&self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl<S: Messages + 'static> Line<S> {
    /// Joins over this connection, and waits until the other end is there too. Connections that are lost meanwhile are
    /// replaced.
    pub async fn join(mut socket: S, joining: Joining<S>) -> Result<Self, JoinError> {
        let Joining { role, ticket, keeps, mut redial, random } = joining;
        let secret = Secret(random.bytes());
        let pledge = Some(secret.pledge());
        let hello = Hello { version: VERSION, role, carrier: 0, ticket, resume: None, pledge };
        let welcome = match join(&mut socket, hello.clone()).await {
            // HELLO may not have arrived, and its ticket be good still.
            Err(JoinError::Broken(error)) => {
                tracing::debug!(%error, "the relay does not answer HELLO, trying again");
                redial.answered(false);
                socket = redial.dial().await.map_err(|_| JoinError::Broken(error))?;
                join(&mut socket, hello).await?
            }
            joined => joined?,
        };
        redial.answered(true);
        let now = Instant::now();
        let mut lookout = Lookout::new(now.into_std());
        lookout.begin(redial.sight(), now.into_std());
        lookout.joined(redial.sight(), now.into_std());
        let mut line = Self {
            role,
            secret,
            machine: Machine::new(keeps),
            way: Way::Joined(Leg::new(socket, now)),
            redial,
            retry: Retry::new(random),
            lookout,
            peer: None,
            away_since: Some(now),
            up_since: None,
            timer: Box::pin(sleep_until(now)),
            end: Arc::default(),
            rate: Arc::default(),
            state: watch::Sender::new(LineState::Away { since: now }),
            tempo: Arc::default(),
        };
        // The relay ends the wait itself; this is for a relay that does not.
        let within = Duration::from_secs(u64::from(welcome.wait_s)) + AWAY;
        match timeout(within, std::future::poll_fn(|cx| line.poll_paired(cx))).await {
            Ok(()) => {}
            Err(_) => return Err(JoinError::Alone),
        }
        match line.end.get() {
            None => Ok(line),
            Some(CarrierEnd::Revoked(reason)) => Err(JoinError::Ended(*reason)),
            Some(CarrierEnd::Refused(code)) => Err(JoinError::Refused(*code)),
            Some(CarrierEnd::PeerDown(PeerLoss::Lost | PeerLoss::Left)) => Err(JoinError::Alone),
            Some(CarrierEnd::GivenUp) => Err(JoinError::Broken(ErrorKind::TimedOut.into())),
            Some(CarrierEnd::Violated(violation)) => Err(JoinError::Broken(std::io::Error::other(*violation))),
        }
    }

    /// Where the line stands and how it ended, also while TLS owns it.
    pub fn view(&self) -> LineView {
        LineView::new(self.end.clone(), self.state.subscribe(), self.tempo.clone(), self.rate.clone())
    }

    /// Sends what was written, tells the relay, and through it the other end, why this end leaves, and closes. Best
    /// effort: within five seconds at the very worst, and not without a carrier.
    ///
    /// An end that leaves because the other one said so lets it tell the relay first: what the relay hears first is
    /// what the audit says.
    pub async fn leave(&mut self, reason: EndReason) {
        if self.is_others_word(reason) {
            let _ = timeout(AFTER_THE_OTHER, std::future::poll_fn(|cx| self.poll_over(cx))).await;
        }
        // The word itself is said in any case: without it the other end would wait for this one to come again.
        let _ = timeout(FAREWELL, std::future::poll_fn(|cx| self.poll_sent(cx))).await;
        let Way::Joined(leg) = &mut self.way else { return };
        let word = async {
            leg.socket.send(RelayFrame::Revoke { reason }.encode()).await?;
            leg.socket.close().await?;
            // Closed with bytes unread, the system would take back what has not left, and the word with it.
            while let Some(unread) = leg.socket.next().await {
                unread?;
            }
            Ok::<_, std::io::Error>(())
        };
        let _ = timeout(FAREWELL, word).await;
    }

    /// Whether only the other end, or the cloud, ends sessions for this reason.
    const fn is_others_word(&self, reason: EndReason) -> bool {
        match (self.role, reason) {
            (_, EndReason::Refused | EndReason::RelayLost | EndReason::NeverJoined)
            | (Role::Technician, EndReason::Technician) => false,
            (Role::Technician, _)
            | (Role::Device, EndReason::Technician | EndReason::Customer | EndReason::Revoked) => true,
            (Role::Device, _) => false,
        }
    }

    /// HELLO of a carrier that replaces a lost one.
    fn hello_again(&self) -> Hello {
        Hello {
            version: VERSION,
            role: self.role,
            carrier: 0,
            ticket: self.secret.reveal(),
            resume: Some(self.machine.expected()),
            pledge: None,
        }
    }
}

#[cfg(test)]
mod tests;
