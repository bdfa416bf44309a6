//! The names of flows: what their packets have in common, and a number that no other flow of the session has.

use std::{collections::HashMap, net::SocketAddr};

use gatelodge_proto::session::inner_frame::Target;

/// What the packets of a flow have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ends {
    /// What it is.
    pub kind: Kind,
    /// The program on this computer. The identifier of a ping stands for its port.
    pub from: SocketAddr,
    /// Whom it means, as this computer numbers it.
    pub to: SocketAddr,
}

/// What a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
    /// Pings and their answers.
    Echo,
}

/// A flow. Its ends may be those of an earlier one; its number is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What its packets say.
    pub ends: Ends,
    pub(super) number: u64,
}

/// A flow to open at the device; [`Stack::answer`] wants to know how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The flow.
    pub flow: Flow,
    /// Where it goes.
    pub target: Target,
}

/// A flow is over on this computer's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Something of one flow.
pub(super) struct Numbered<T> {
    pub(super) number: u64,
    pub(super) it: T,
}

/// Things of flows, found by their ends.
pub(super) trait OfFlow<T> {
    /// What is that flow's, and not a later one's with the same ends.
    fn of(&mut self, flow: Flow) -> Option<&mut T>;
    fn remove_if(&mut self, flow: Flow) -> Option<T>;
}

impl<T> OfFlow<T> for HashMap<Ends, Numbered<T>> {
    fn of(&mut self, flow: Flow) -> Option<&mut T> {
        self.get_mut(&flow.ends).filter(|own| own.number == flow.number).map(|own| &mut own.it)
    }

    fn remove_if(&mut self, flow: Flow) -> Option<T> {
        self.of(flow)?;
        self.remove(&flow.ends).map(|own| own.it)
    }
}
