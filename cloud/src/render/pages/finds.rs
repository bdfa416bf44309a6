//! What there is on the networks of a device: asking, looking, and what was found.

use std::net::{IpAddr, SocketAddr};

use askama::Template;
use gatelodge_proto::{SessionId, api::SessionState, identity::MacAddress, payload::Protocol, session::finds::FoundBy};

use super::{SessionRow, row::Shown as _};
use crate::render::Page;

/// How it stands with a look around that the customer has allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookStands {
    /// Nobody has begun it.
    Asked,
    /// On the way to the device.
    Joining,
    /// The device looks around.
    Looking,
    /// It has looked everywhere,
    Done,
    /// or as far as it may.
    Cut,
    /// It does not; its own sentence.
    Refused(String),
    /// It broke off.
    Broken,
    /// The session is over.
    Over,
    /// Its key is not in this node's memory.
    Elsewhere,
}

/// Something that was found.
#[derive(Debug, Clone)]
pub struct FindRow {
    /// Where.
    pub address: IpAddr,
    /// What can be opened there, where that is known.
    pub port: Option<(Protocol, u16)>,
    /// How it was found.
    pub by: FoundBy,
    /// What it calls itself.
    pub name: String,
    /// What it says it is.
    pub what: String,
    /// Its hardware address.
    pub mac: Option<MacAddress>,
    /// Whether it is a web page that can be opened here.
    pub opens: bool,
}

impl FindRow {
    /// Where it is, like `192.168.1.50:80`; another protocol than TCP is named.
    pub fn place(&self) -> String {
        match self.port {
            None => self.address.to_string(),
            Some((Protocol::Tcp, port)) => SocketAddr::new(self.address, port).to_string(),
            Some((Protocol::Udp, port)) => format!("udp {}", SocketAddr::new(self.address, port)),
        }
    }

    /// What it is, in a word that people know where there is one.
    pub fn kind(&self, page: &Page) -> String {
        match self.what.trim_start_matches('_').split('.').next().unwrap_or_default() {
            "" if self.opens => page.t("finds-kind-page"),
            "http" | "https" | "web" => page.t("finds-kind-page"),
            "ipp" | "ipps" | "printer" => page.t("finds-kind-printer"),
            "ssh" | "sftp-ssh" => page.t("finds-kind-ssh"),
            "smb" | "afpovertcp" | "nfs" => page.t("finds-kind-files"),
            "rtsp" => page.t("finds-kind-camera"),
            _ => self.what.clone(),
        }
    }
}

/// [`FINDS`](crate::render::paths::FINDS).
#[derive(Debug, Template)]
#[template(path = "finds/page.html")]
pub struct FindsPage {
    /// The frame.
    pub page: Page,
    /// The session.
    pub shown: SessionRow,
    /// How it stands with the look around.
    pub stands: LookStands,
    /// What was found so far.
    pub finds: Vec<FindRow>,
    /// Steps that were taken, of so many that are known.
    pub progress: Option<(u32, u32)>,
}

impl FindsPage {
    /// Whether the customer has still to answer.
    pub fn waits(&self) -> bool {
        self.shown.state == SessionState::Waiting
    }

    /// Whether it is allowed and not over.
    pub fn is_open(&self) -> bool {
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
