//! The pages around a panel's web page: asking for it, waiting, going in, and what is said at its address.

use std::time::Duration;

use askama::Template;
use gatelodge_proto::{DeviceId, SessionId, api::SessionState, payload::ServiceKind};

use super::{SessionRow, row::Shown as _};
use crate::render::Page;

/// What a technician may choose on a device's page.
#[derive(Debug, Clone)]
pub struct WebPageChoice {
    /// The services that a browser may reach.
    pub services: Vec<WebService>,
    /// The networks in which an address may be typed.
    pub networks: Vec<String>,
    /// Lengths on offer, in minutes.
    pub minutes: Vec<u32>,
    /// Whether the reader may enter in an emergency without an answer.
    pub break_glass: bool,
    /// Whether there are pages that the portal cannot read.
    pub blind: bool,
}

/// A service that a browser may reach.
#[derive(Debug, Clone)]
pub struct WebService {
    /// Its name.
    pub name: String,
    /// What people call it, where its device says so.
    pub title: Option<String>,
    /// What it is for, where its device says so.
    pub kind: Option<ServiceKind>,
    /// Where it is.
    pub place: String,
}

impl WebService {
    /// What is picked.
    pub fn label(&self, page: &Page) -> String {
        match (&self.title, self.kind) {
            (Some(title), _) => title.clone(),
            (None, Some(kind)) => page.t(&format!("kind-{}", kind.word())),
            (None, None) => self.name.clone(),
        }
    }
}

impl WebPageChoice {
    /// Whether there is anything to open.
    pub const fn has_some(&self) -> bool {
        !(self.services.is_empty() && self.networks.is_empty())
    }

    /// Where an address may be from.
    pub fn address_label(&self, page: &Page) -> String {
        let key = if self.services.is_empty() { "web-page-address-alone" } else { "web-page-address" };
        page.t1(key, "networks", self.networks.join(", "))
    }

    /// Lengths that a technician may choose, as far as the settings let them.
    pub fn lengths(most: u32) -> Vec<u32> {
        let within = [30, 60, 120, 240].into_iter().filter(|minutes| *minutes <= most);
        within.chain((most < 30).then_some(most)).collect()
    }

    /// A length in words.
    pub fn length(page: &Page, minutes: &u32) -> String {
        page.span(Duration::from_secs(u64::from(*minutes) * 60))
    }
}

/// [`WEB_PAGE`](crate::render::paths::WEB_PAGE).
#[derive(Debug, Template)]
#[template(path = "web_page/wait.html")]
pub struct WebPage {
    /// The frame.
    pub page: Page,
    /// The session.
    pub shown: SessionRow,
    /// Which service.
    pub service: String,
    /// Whether it can be opened from here: its key is in this node's memory.
    pub is_here: bool,
    /// Whether the portal cannot read it.
    pub blind: bool,
    /// Where the panel is that shows a certificate of its own.
    pub certificate_of: Option<String>,
}

/// The step from the portal to a panel's own origin: posts `ticket` there.
#[derive(Debug, Template)]
#[template(path = "web_page/enter.html")]
pub struct EnterWebPage {
    /// The frame.
    pub page: Page,
    /// Where to.
    pub address: String,
    /// Used once, within 30 seconds.
    pub ticket: String,
}

/// [`OWN_PAGE`](crate::render::paths::OWN_PAGE): somebody has come by a device's web address.
#[derive(Debug, Template)]
#[template(path = "web_page/own.html")]
pub struct OwnPage {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// Whether the reader's passkey is pinned on it, and signs first.
    pub is_pinned: bool,
}

/// Where a page at a panel's address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateLink {
    /// To the portal.
    Portal,
    /// The same once more.
    Again,
}

/// What is said at a panel's address in its place.
#[derive(Debug, Template)]
#[template(path = "web_page/gate.html")]
pub struct Gate {
    /// The frame.
    pub page: Page,
    /// In a few words.
    pub title: String,
    /// What happened.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// Where it leads.
    pub link: GateLink,
    /// The portal's origin.
    pub portal: String,
}

impl WebPage {
    /// Whether the customer has still to answer.
    pub fn waits(&self) -> bool {
        self.shown.state == SessionState::Waiting
    }

    /// Whether it can be gone to.
    pub fn is_open(&self) -> bool {
        self.shown.state == SessionState::Open && self.is_here
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
