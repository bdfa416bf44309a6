//! A panel's web pages under an origin of their own: what the cloud's gateway and a device's own end of a web session
//! share. Passes requests on and answers back, streamed; decides nothing about who may, and keeps no byte of either.
//!
//! From the outside in: who gets in ([`door`] and what it says over HTTP, [`entrance`], both pure), what a browser may ask from where ([`manners`], pure), the passage
//! ([`passage`]) with what it changes on the way ([`headers`], [`cookies`], [`origins`], all pure), and the connection to
//! the panel ([`wire`]). Where the gateway cannot read what passes, [`blind`] is what it and the device say beside that.

pub mod blind;
pub mod cookies;
pub mod door;
pub mod entrance;
pub mod headers;
pub mod manners;
pub mod origins;
pub mod passage;
pub mod wire;

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use self::{
    door::{Door, EntryTicket, Pass},
    passage::{Body, Passage, Trouble},
    wire::{Dial, Duplex, Unreached},
};
pub use crate::payload::Scheme;
use crate::payload::{Profile, Service};

/// Where the pages that are ours are, on every origin of a panel: no panel has such a path.
pub const OWN_PATHS: &str = "/.gatelodge/";
/// Where a browser comes in, by `POST` with `ticket`.
pub const ENTER: &str = "/.gatelodge/enter";

/// The web pages of a panel, as its own network knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panel {
    /// How they are spoken to.
    pub scheme: Scheme,
    /// The name or address under which it is asked; IPv6 without brackets.
    pub host: String,
    /// Where the device finds it, when that is another one; its links may name either.
    pub found_at: Option<String>,
    /// The port.
    pub port: u16,
}

/// Ports at which panels speak TLS.
const TLS_PORTS: [u16; 3] = [443, 4443, 8443];

impl Panel {
    /// The pages of a service, as its device says; else with TLS where the port or the name says so.
    pub fn of(service: &Service, profile: Option<&Profile>) -> Self {
        let named = service.name.as_str().contains("https").then_some(Scheme::Https);
        let scheme = profile.and_then(|said| said.scheme).or(named).unwrap_or_else(|| by_port(service.port));
        let found_at = service.host.to_ascii_lowercase();
        let named = profile.and_then(|said| said.web_host.as_ref()).map(ToString::to_string);
        match named.filter(|name| *name != found_at) {
            Some(host) => Self { scheme, host, found_at: Some(found_at), port: service.port },
            None => Self { scheme, host: found_at, found_at: None, port: service.port },
        }
    }

    /// The pages at an address: with TLS where that is said, else where the port says so.
    pub fn at(at: SocketAddr, scheme: Option<Scheme>) -> Self {
        let scheme = scheme.unwrap_or_else(|| by_port(at.port()));
        Self { scheme, host: at.ip().to_string(), found_at: None, port: at.port() }
    }

    /// What a browser beside the panel would send as `Host`.
    pub fn authority(&self) -> String {
        let host = in_url(&self.host);
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }

    /// Its origin (RFC 6454).
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.word(), self.authority())
    }

    /// Every spelling of its host and port in links.
    fn authorities(&self) -> Vec<String> {
        let mut authorities = Vec::new();
        for host in [Some(&self.host), self.found_at.as_ref()].into_iter().flatten() {
            let host = in_url(host);
            authorities.push(format!("{host}:{}", self.port));
            authorities.extend((self.port == self.scheme.port()).then_some(host));
        }
        authorities
    }
}

fn by_port(port: u16) -> Scheme {
    if TLS_PORTS.contains(&port) { Scheme::Https } else { Scheme::Http }
}

fn in_url(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(_)) | Err(_) => host.to_owned(),
    }
}

/// The origin under which browsers see a panel's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// Whether browsers come with TLS.
    pub scheme: Scheme,
    /// Host, and port where it is not the scheme's own.
    pub authority: String,
    /// The port that tells this origin from others of the same host, whose cookies browsers do not keep apart.
    pub port_of_its_own: Option<u16>,
}

impl Face {
    /// The origin.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.word(), self.authority)
    }

    /// The cookie by which a browser that came in is known again.
    pub fn pass_cookie(&self) -> String {
        match self.port_of_its_own {
            None => format!("{}pass", cookies::OURS),
            Some(port) => format!("{}pass-{port}", cookies::OURS),
        }
    }
}
