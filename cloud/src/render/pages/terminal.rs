//! The terminal of a device in the portal: asking for it, waiting, and being at it.

use askama::Template;
use gatelodge_proto::{SessionId, api::SessionState};

use super::{SessionRow, row::Shown as _};
use crate::render::Page;

/// With what a technician may ask for a terminal, or a look around, on a device's page.
#[derive(Debug, Clone)]
pub struct WishChoice {
    /// Lengths on offer, in minutes.
    pub minutes: Vec<u32>,
    /// Whether the reader may enter in an emergency without an answer.
    pub break_glass: bool,
    /// Where to look around: networks by name, and their addresses.
    pub networks: Vec<(String, String)>,
}

/// [`TERMINAL`](crate::render::paths::TERMINAL).
#[derive(Debug, Template)]
#[template(path = "terminal/page.html")]
pub struct TerminalPage {
    /// The frame.
    pub page: Page,
    /// The session.
    pub shown: SessionRow,
    /// Who can replay it beside the technician's own organisation.
    pub customer: Option<String>,
    /// Whether it can be opened from here: its key is in this node's memory.
    pub is_here: bool,
}

impl TerminalPage {
    /// Whether the customer has still to answer.
    pub fn waits(&self) -> bool {
        self.shown.state == SessionState::Waiting
    }

    /// Whether it may be gone to.
    pub fn is_allowed(&self) -> bool {
        self.shown.state == SessionState::Open
    }

    /// The one session, as lists have theirs.
    pub fn each(&self) -> &[SessionRow] {
        std::slice::from_ref(&self.shown)
    }

    /// Its session.
    pub fn id(&self) -> SessionId {
        self.shown.id
    }
}
