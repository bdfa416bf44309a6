//! What the person wrote: `[LOCAL:]SERVICE`, where LOCAL is a port or an address with a port.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use gatelodge_proto::payload::ServiceName;

/// One port to forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Where to listen; chosen from the service's port when absent.
    pub local: Option<SocketAddr>,
    /// What to reach.
    pub service: ServiceName,
}

/// The text is no forward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not [LOCAL:]SERVICE; write a service name like panel-web, or a local port with it like 8080:panel-web"
)]
pub struct InvalidForward(String);

impl FromStr for Forward {
    type Err = InvalidForward;
    fn from_str(text: &str) -> Result<Self, InvalidForward> {
        let bad = || InvalidForward(text.chars().take(60).collect());
        let (local, service) = match text.rsplit_once(':') {
            None => (None, text),
            Some((local, service)) => (Some(address(local).ok_or_else(bad)?), service),
        };
        Ok(Self { local, service: service.parse().map_err(|_| bad())? })
    }
}

/// A port alone is one of this computer: other computers see it only when an address says so.
fn address(local: &str) -> Option<SocketAddr> {
    match local.parse::<u16>() {
        Ok(port) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        Err(_) => local.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_with_or_without_a_place_to_listen() {
        let read = |text: &str| text.parse::<Forward>().unwrap();
        let service: ServiceName = "panel-web".parse().unwrap();
        assert_eq!(read("panel-web"), Forward { local: None, service: service.clone() });
        for (text, local) in [
            ("8080:panel-web", "127.0.0.1:8080"),
            ("192.168.7.1:8080:panel-web", "192.168.7.1:8080"),
            ("[::1]:8080:panel-web", "[::1]:8080"),
        ] {
            assert_eq!(read(text), Forward { local: Some(local.parse().unwrap()), service: service.clone() }, "{text}");
        }
    }

    #[test]
    fn anything_else_is_quoted_in_the_refusal() {
        for text in ["", "8080:", ":panel-web", "99999:panel-web", "Panel Web", "host:80:panel-web"] {
            let refused = text.parse::<Forward>().unwrap_err().to_string();
            assert!(refused.starts_with(&format!("`{text}` is not [LOCAL:]SERVICE")), "{refused}");
        }
    }
}
