//! One connection to the relay, raw or a web socket: how it is reached, how an end joins by it, and the words of its end.
//!
//! What it carries is the [`line`](super::line)'s, which outlives it.

mod dial;
mod join;
mod proxy;
mod raw;
mod read_ahead;
mod route;

use std::io;

use bytes::Bytes;
use futures_util::{Sink, Stream};

pub use self::{
    dial::{DialError, Dialler, RelaySocket, Way, dial},
    join::{JoinError, join},
    proxy::{InvalidProxy, Proxy, ProxyError},
    raw::{PROTOCOL, Piece, Raw},
    read_ahead::ReadAhead,
    route::Sight,
};
use super::{
    Ending, Role,
    line::Violation,
    relay_frame::{PeerLoss, RelayError},
};
use crate::payload::EndReason;

/// What a carrier needs of a connection: whole binary messages, both ways.
pub trait Messages: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = io::Error> + Unpin + Send {}

impl<S: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = io::Error> + Unpin + Send> Messages for S {}

/// Why nothing is carried any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierEnd {
    /// The relay, or the other end through it, ended the session.
    Revoked(EndReason),
    /// The other end is gone.
    PeerDown(PeerLoss),
    /// The relay will not go on.
    Refused(RelayError),
    /// The connection was lost, and none came in time.
    GivenUp,
    /// What arrived cannot be a continuation.
    Violated(Violation),
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
            // It showed a ticket long ago, and comes again with its own secret.
            Self::Refused(RelayError::Ticket) => {
                Ending::because(EndReason::RelayLost, &"the relay did not take this end of the session back")
            }
            Self::Refused(error) => Ending::because(EndReason::RelayLost, &error),
            Self::GivenUp => {
                Ending::because(EndReason::RelayLost, &"the connection was lost and did not come back in 90 seconds")
            }
            Self::Violated(violation) => Ending::because(EndReason::RelayLost, &violation),
        }
    }
}
