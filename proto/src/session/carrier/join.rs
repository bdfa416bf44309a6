//! From HELLO to WELCOME.

use std::{io, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};

use super::Messages;
use crate::{
    payload::EndReason,
    session::{
        Ending,
        relay_frame::{Hello, RelayError, RelayFrame, Welcome},
    },
};

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

/// Says HELLO and waits until the relay has taken it. The other end may still be to come.
pub async fn join<S: Messages>(socket: &mut S, hello: Hello) -> Result<Welcome, JoinError> {
    socket.send(RelayFrame::Hello(hello).encode()).await.map_err(JoinError::Broken)?;
    let welcome = async {
        loop {
            match next(socket).await? {
                RelayFrame::Welcome(welcome) => return Ok(welcome),
                RelayFrame::Ping { stamp } => {
                    socket.send(RelayFrame::Pong { stamp }.encode()).await.map_err(JoinError::Broken)?;
                }
                RelayFrame::Revoke { reason } => return Err(JoinError::Ended(reason)),
                RelayFrame::Error { code, .. } => return Err(JoinError::Refused(code)),
                RelayFrame::Pong { .. } | RelayFrame::Rate { .. } | RelayFrame::GoAway { .. } => {}
                RelayFrame::Hello(_)
                | RelayFrame::PeerUp { .. }
                | RelayFrame::PeerDown { .. }
                | RelayFrame::Data { .. }
                | RelayFrame::Ack { .. }
                | RelayFrame::Sync { .. } => return Err(JoinError::Refused(RelayError::Protocol)),
            }
        }
    };
    tokio::time::timeout(WELCOME_WITHIN, welcome).await.unwrap_or_else(|late| Err(JoinError::Broken(late.into())))
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
