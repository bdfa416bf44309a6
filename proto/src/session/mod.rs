//! The session data plane that agent, technician and cloud share (DESIGN section 9): frames, mux, inner TLS, carrier, driver.
//!
//! From the outside in: relay frames, raw or in web socket messages ([`carrier`]), TLS 1.3 between technician and device
//! ([`handshake`]), inner frames ([`inner_frame`]), streams ([`mux`], pure) and their tokio loop ([`driver`]).
//! Nothing here decides what a session may reach; that is the grant's and the agent's word.

mod bucket;
pub mod carrier;
pub mod client;
mod datagrams;
pub mod driver;
pub mod files;
pub mod finds;
pub mod handshake;
pub mod inner_frame;
pub mod line;
pub mod look;
mod meter;
pub mod mux;
mod pieces;
mod pipe;
mod pump;
pub mod relay_frame;
mod stream;
pub mod terminal;
mod wire;

pub use bucket::Bucket;
pub use datagrams::Datagrams;
pub use pump::{FlowTotals, pump};
pub use stream::{Arrival, Stream};
pub use wire::FrameError;

use crate::payload::EndReason;

/// The version of the frames in this module, said in HELLO.
pub const VERSION: u16 = 2;

/// For the runtimes that carry sessions (tokio's `event_interval`): with bulk always at hand, a turn takes so long that
/// an answer would wait for milliseconds before anybody looked whether it has come.
pub const TURNS_BETWEEN_LOOKS: u32 = 8;

/// Which end of a session somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opens streams; TLS client.
    Technician,
    /// Dials targets; TLS server.
    Device,
}

impl Role {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Technician => Self::Device,
            Self::Device => Self::Technician,
        }
    }

    /// The stable word for logs and databases.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Technician => "technician",
            Self::Device => "device",
        }
    }
}

/// How a session ended, as one end saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// What exactly, for logs and `--json`; absent when the reason says it all.
    pub detail: Option<String>,
}

impl Ending {
    /// An end that needs no more words.
    pub const fn plain(reason: EndReason) -> Self {
        Self { reason, detail: None }
    }

    /// An end with its detail.
    pub fn because(reason: EndReason, detail: &impl ToString) -> Self {
        Self { reason, detail: Some(detail.to_string()) }
    }
}
