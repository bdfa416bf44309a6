//! Where panels' web pages are: under host names, or at ports.

use std::{path::PathBuf, str::FromStr};

use gatelodge_proto::settings::SettingsError;
use serde::Deserialize;
use url::{Host, Url};

/// Where panels' web pages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Below which domain each has a host name; none when there is no such domain.
    pub base_domain: Option<String>,
    /// Where each has a port, instead.
    pub ports: Option<PortRange>,
    /// What signs for pages that the portal cannot read; none when there are no such pages.
    pub blind: Option<BlindFiles>,
    /// At once on this node.
    pub pages: u32,
    /// Terminals in the portal at once on this node; they need no place of their own.
    pub terminals: u32,
}

/// The vendor's own CA for the names of pages that the portal cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindFiles {
    /// Its certificate, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// Ports from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last, no less than the first.
    pub last: u16,
}

/// The text names no ports.
#[derive(Debug, thiserror::Error)]
#[error("`gateway.ports` is `{0}`; write the first and the last port, like 9000-9099")]
pub struct InvalidPorts(String);

impl FromStr for PortRange {
    type Err = InvalidPorts;
    fn from_str(text: &str) -> Result<Self, InvalidPorts> {
        let bad = || InvalidPorts(text.chars().take(40).collect());
        let (first, last) = text.split_once('-').ok_or_else(bad)?;
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad);
        let (first, last) = (port(first)?, port(last)?);
        if first > last { Err(bad()) } else { Ok(Self { first, last }) }
    }
}

#[derive(Deserialize)]
pub(super) struct Raw {
    base_domain: Option<String>,
    ports: Option<String>,
    blind_ca_certificate: Option<PathBuf>,
    blind_ca_key: Option<PathBuf>,
    pages: u32,
    terminals: u32,
}

impl Gateway {
    pub(super) fn read(raw: Raw, public_url: &Url) -> Result<Self, SettingsError> {
        let ports = raw.ports.as_deref().map(str::parse::<PortRange>).transpose();
        let ports = ports.map_err(|error| SettingsError::Value(error.to_string()))?;
        let base_domain = match raw.base_domain {
            Some(text) => Some(domain(&text).ok_or_else(|| {
                SettingsError::Value(format!(
                    "`gateway.base_domain` is `{text}`; give a domain alone, like web.example"
                ))
            })?),
            None => public_url.host_str().filter(|host| *host == "localhost" && ports.is_none()).map(ToOwned::to_owned),
        };
        let blind = match (raw.blind_ca_certificate, raw.blind_ca_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(BlindFiles { certificate, key }),
            (Some(_), None) | (None, Some(_)) => {
                return Err(SettingsError::Value(
                    "`gateway.blind_ca_certificate` and `gateway.blind_ca_key` go together; give both or none".into(),
                ));
            }
        };
        if blind.is_some() && (base_domain.is_none() || ports.is_some()) {
            return Err(SettingsError::Value(
                "`gateway.blind_ca_certificate` needs host names for web pages: set `gateway.base_domain`, and no \
                 `gateway.ports`"
                    .into(),
            ));
        }
        Ok(Self { base_domain, ports, blind, pages: raw.pages, terminals: raw.terminals })
    }

    /// Whether there is a place for web pages at all.
    pub const fn is_on(&self) -> bool {
        (self.base_domain.is_some() || self.ports.is_some()) && self.pages > 0
    }

    /// Below which domain a device has its web address; none where pages have ports.
    pub fn names(&self) -> Option<&str> {
        self.base_domain.as_deref().filter(|_| self.ports.is_none())
    }
}

/// A host name in lower case, without a dot at the end.
fn domain(text: &str) -> Option<String> {
    match Host::parse(text.trim().trim_end_matches('.')) {
        Ok(Host::Domain(name)) => Some(name),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(base_domain: Option<String>) -> Raw {
        let (ports, blind_ca_certificate, blind_ca_key) = (None, None, None);
        Raw { base_domain, ports, blind_ca_certificate, blind_ca_key, pages: 10, terminals: 10 }
    }

    fn read(base_domain: Option<&str>, ports: Option<&str>, public_url: &str) -> Gateway {
        let (base_domain, ports) = (base_domain.map(Into::into), ports.map(Into::into));
        let raw = Raw { ports, ..raw(base_domain) };
        Gateway::read(raw, &public_url.parse().unwrap()).unwrap()
    }

    #[test]
    fn without_a_word_there_are_pages_on_this_machine_alone() {
        assert_eq!(read(None, None, "https://localhost:8443").names(), Some("localhost"));
        assert!(!read(None, None, "https://portal.example").is_on());
        assert_eq!(read(Some("Web.Example."), None, "https://portal.example").names(), Some("web.example"));
        let ports = read(None, Some("9000-9099"), "https://portal.example");
        assert!(ports.is_on() && ports.names().is_none());
        assert_eq!(ports.ports, Some(PortRange { first: 9000, last: 9099 }));
        for bad in ["9000", "9099-9000", "0-9", "a-b", ""] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ca_for_blind_pages_comes_with_its_key_and_a_domain() {
        let file = |name: &str| Some(PathBuf::from(name));
        let url = "https://portal.example".parse().unwrap();
        let read = |raw: Raw| Gateway::read(raw, &url).map_err(|error| error.to_string());
        let both = || Raw { blind_ca_certificate: file("ca.pem"), blind_ca_key: file("ca.key"), ..raw(None) };
        let domain = || Some("web.example".to_owned());
        assert!(read(Raw { base_domain: domain(), ..both() }).unwrap().blind.is_some());
        let half = read(Raw { base_domain: domain(), blind_ca_key: None, ..both() }).unwrap_err();
        assert!(half.contains("go together"), "{half}");
        for unnamed in [both(), Raw { base_domain: domain(), ports: Some("9000-9001".into()), ..both() }] {
            let unnamed = read(unnamed).unwrap_err();
            assert!(unnamed.contains("`gateway.base_domain`"), "{unnamed}");
        }
    }
}
