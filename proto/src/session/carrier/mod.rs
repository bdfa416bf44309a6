//! One web socket to the relay, seen as an ordered byte stream of DATA frames.
//!
//! Checks sequence numbers, acknowledges, answers PINGs, and keeps the relay's last word in [`CarrierEnd`].
//! It never reads what it carries: inner TLS lies on top.

mod dial;
mod stream;

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};

pub use self::dial::{DialError, RelaySocket, dial};
use super::{
    Ending, VERSION,
    relay_frame::{Hello, PeerLoss, RelayError, RelayFrame},
};
use crate::{payload::EndReason, session::Role};

/// What a carrier needs of a web socket: whole binary messages, both ways.
pub trait Messages: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = io::Error> + Unpin + Send {}

impl<S: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = io::Error> + Unpin + Send> Messages for S {}

/// Longest time between HELLO and WELCOME.
const WELCOME_WITHIN: Duration = Duration::from_secs(15);

/// The carrier could not be joined to the other end.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The relay refused the ticket.
    #[error("the relay refused: {0}")]
    Refused(RelayError),
    /// The session ended before the other end came.
    #[error("the session ended before it began ({})", .0.word())]
    Ended(EndReason),
    /// The other end did not come in time.
    #[error("the other end did not come in time")]
    Alone,
    /// The connection broke.
    #[error("the connection to the relay broke")]
    Broken(#[source] io::Error),
}

impl JoinError {
    /// The same as an end of the session.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Refused(_) => Ending::because(EndReason::Refused, self),
            Self::Ended(reason) => Ending::plain(*reason),
            Self::Alone => Ending::plain(EndReason::NeverJoined),
            Self::Broken(error) => Ending::because(EndReason::RelayLost, error),
        }
    }
}

/// Why the carrier carries no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierEnd {
    /// The relay, or the other end through it, ended the session.
    Revoked(EndReason),
    /// The other end is gone.
    PeerDown(PeerLoss),
    /// The relay will not go on.
    Refused(RelayError),
}

impl CarrierEnd {
    /// The same as an end of the session, seen by the end `role`.
    pub fn ending(self, role: Role) -> Ending {
        match self {
            Self::Revoked(reason) => Ending::plain(reason),
            Self::PeerDown(PeerLoss::Lost) => {
                Ending::because(EndReason::RelayLost, &"the other end lost its connection")
            }
            Self::PeerDown(PeerLoss::Left) => Ending::plain(match role {
                Role::Technician => EndReason::Device,
                Role::Device => EndReason::Technician,
            }),
            Self::Refused(error) => Ending::because(EndReason::RelayLost, &error),
        }
    }
}

/// A joined carrier: [`tokio::io::AsyncRead`] and [`tokio::io::AsyncWrite`] of the bytes between the two ends.
pub struct Carrier<S> {
    socket: S,
    end: Arc<OnceLock<CarrierEnd>>,
    inbound: stream::Inbound,
    outbound: stream::Outbound,
}

impl<S: Messages> Carrier<S> {
    /// Says HELLO, and waits for the relay's WELCOME and then for the other end.
    pub async fn join(mut socket: S, role: Role, ticket: String) -> Result<Self, JoinError> {
        let hello = Hello { version: VERSION, role, carrier: 0, ticket, resume: None };
        socket.send(RelayFrame::Hello(hello).encode()).await.map_err(JoinError::Broken)?;
        let mut within = WELCOME_WITHIN;
        loop {
            let Ok(frame) = tokio::time::timeout(within, next(&mut socket)).await else {
                return Err(JoinError::Alone);
            };
            match frame? {
                RelayFrame::Welcome(welcome) => {
                    // The relay ends the wait itself; this is for a relay that does not.
                    within = Duration::from_secs(u64::from(welcome.wait_s)) + WELCOME_WITHIN;
                }
                RelayFrame::PeerUp { .. } => break,
                RelayFrame::Ping { stamp } => {
                    socket.send(RelayFrame::Pong { stamp }.encode()).await.map_err(JoinError::Broken)?;
                }
                RelayFrame::Revoke { reason } => return Err(JoinError::Ended(reason)),
                RelayFrame::Error { code, .. } => return Err(JoinError::Refused(code)),
                RelayFrame::PeerDown { .. } => return Err(JoinError::Alone),
                RelayFrame::Pong { .. } | RelayFrame::Rate { .. } | RelayFrame::GoAway { .. } => {}
                RelayFrame::Hello(_) | RelayFrame::Data { .. } | RelayFrame::Ack { .. } => {
                    return Err(JoinError::Refused(RelayError::Protocol));
                }
            }
        }
        Ok(Self {
            socket,
            end: Arc::new(OnceLock::new()),
            inbound: stream::Inbound::default(),
            outbound: stream::Outbound::default(),
        })
    }

    /// Where the relay's last word will be found, also while TLS owns the carrier.
    pub fn end(&self) -> Arc<OnceLock<CarrierEnd>> {
        self.end.clone()
    }

    /// Tells the relay, and through it the other end, why this end leaves, and closes. Best effort: within two seconds.
    pub async fn leave(&mut self, reason: EndReason) {
        let farewell = async {
            self.socket.send(RelayFrame::Revoke { reason }.encode()).await?;
            self.socket.close().await
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), farewell).await;
    }
}

async fn next<S: Messages>(socket: &mut S) -> Result<RelayFrame, JoinError> {
    loop {
        let message = match socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(JoinError::Broken(error)),
            None => return Err(JoinError::Broken(io::ErrorKind::UnexpectedEof.into())),
        };
        let frame = RelayFrame::decode(message).map_err(|error| JoinError::Broken(io::Error::other(error)))?;
        if let Some(frame) = frame {
            return Ok(frame);
        }
    }
}

#[cfg(test)]
mod tests;
