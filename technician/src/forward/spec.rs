//! What the person wrote: `[LOCAL:]SERVICE`, `[LOCAL:]HOST:PORT[/udp]` or `socks5:LOCAL`, where LOCAL is a port or an
//! address with a port.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use gatelodge_proto::payload::{Host, Protocol, ServiceName};

/// One port to forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Where to listen; chosen from the target's port when absent. For calls, where the program listens.
    pub local: Option<SocketAddr>,
    /// What to reach.
    pub wanted: Wanted,
}

/// What a local port leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A service of the device.
    Service(ServiceName),
    /// A port in one of the device's networks.
    Place {
        /// How it is spoken to.
        protocol: Protocol,
        /// Where; a name is the device's to resolve.
        host: Host,
        /// The port.
        port: u16,
    },
    /// Wherever in the device's networks each connection asks for (RFC 1928).
    Socks5,
    /// The other way round: a port of the device whose calls go to a program here.
    Back(ServiceName),
}

/// The text is no forward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not [LOCAL:]SERVICE, [LOCAL:]HOST:PORT[/udp], socks5:LOCAL or back:NAME[=LOCAL]; write a service like panel-web, a local port with it like 8080:panel-web, a place like 8080:192.168.1.50:80, or calls of the installation like back:event-receiver=9000"
)]
pub struct InvalidForward(String);

impl Forward {
    /// The calls, when it is for the other way round.
    pub fn calls(&self) -> Option<Calls> {
        match &self.wanted {
            Wanted::Back(name) => Some(Calls { name: name.clone(), local: self.local }),
            Wanted::Service(_) | Wanted::Place { .. } | Wanted::Socks5 => None,
        }
    }
}

impl FromStr for Forward {
    type Err = InvalidForward;
    fn from_str(text: &str) -> Result<Self, InvalidForward> {
        let read = if let Some(local) = text.strip_prefix("socks5:") {
            address(local).map(|local| Self { local: Some(local), wanted: Wanted::Socks5 })
        } else if let Some(calls) = text.strip_prefix("back:") {
            calls.parse().ok().map(|Calls { name, local }| Self { local, wanted: Wanted::Back(name) })
        } else {
            // Nothing is both: a service's name has no dot and no bracket, and no host is a number.
            place(text).or_else(|| service(text))
        };
        read.ok_or_else(|| InvalidForward(text.chars().take(60).collect()))
    }
}

/// Calls to one of the device's ports, and the program here that takes them: `event-receiver=127.0.0.1:9000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// What the port is called.
    pub name: ServiceName,
    /// Where the program listens; at the port's own number when absent.
    pub local: Option<SocketAddr>,
}

/// The text names no calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not NAME[=LOCAL]; write a name like event-receiver, or one with a port of this computer like event-receiver=9000"
)]
pub struct InvalidCalls(String);

impl FromStr for Calls {
    type Err = InvalidCalls;
    fn from_str(text: &str) -> Result<Self, InvalidCalls> {
        let bad = || InvalidCalls(text.chars().take(60).collect());
        let (name, local) = match text.split_once('=') {
            None => (text, None),
            Some((name, local)) => (name, Some(address(local).filter(|at| at.port() != 0).ok_or_else(bad)?)),
        };
        Ok(Self { name: name.parse().map_err(|_| bad())?, local })
    }
}

fn service(text: &str) -> Option<Forward> {
    let (local, service) = match text.rsplit_once(':') {
        None => (None, text),
        Some((local, service)) => (Some(address(local)?), service),
    };
    Some(Forward { local, wanted: Wanted::Service(service.parse().ok()?) })
}

fn place(text: &str) -> Option<Forward> {
    let (text, protocol) = match text.rsplit_once('/') {
        Some((text, "udp")) => (text, Protocol::Udp),
        Some((text, "tcp")) => (text, Protocol::Tcp),
        Some(_) => return None,
        None => (text, Protocol::Tcp),
    };
    let (head, port) = text.rsplit_once(':')?;
    let (local, host) = match head.strip_suffix(']') {
        Some(bracketed) => {
            let (local, host) = bracketed.rsplit_once('[')?;
            (local.strip_suffix(':').or(local.is_empty().then_some(""))?, host.parse::<IpAddr>().ok()?.to_string())
        }
        None => match head.rsplit_once(':') {
            Some((local, host)) => (local, host.to_owned()),
            None => ("", head.to_owned()),
        },
    };
    let local = if local.is_empty() && !head.starts_with(':') { None } else { Some(address(local)?) };
    let (host, port) = (host.parse().ok()?, port.parse().ok().filter(|port| *port != 0)?);
    Some(Forward { local, wanted: Wanted::Place { protocol, host, port } })
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
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Forward {
        text.parse().unwrap()
    }

    #[test]
    fn a_service_with_or_without_a_place_to_listen() {
        let wanted = || Wanted::Service("panel-web".parse().unwrap());
        assert_eq!(read("panel-web"), Forward { local: None, wanted: wanted() });
        for (text, local) in [
            ("8080:panel-web", "127.0.0.1:8080"),
            ("192.168.7.1:8080:panel-web", "192.168.7.1:8080"),
            ("[::1]:8080:panel-web", "[::1]:8080"),
        ] {
            assert_eq!(read(text), Forward { local: Some(local.parse().unwrap()), wanted: wanted() }, "{text}");
        }
        assert_eq!(read("8080:443").wanted, Wanted::Service("443".parse().unwrap()), "no host is a number");
    }

    #[test]
    fn a_place_in_a_network_with_or_without_a_place_to_listen() {
        for (text, local, protocol, host, port) in [
            ("192.168.1.50:80", None, Protocol::Tcp, "192.168.1.50", 80),
            ("192.168.1.50:80/tcp", None, Protocol::Tcp, "192.168.1.50", 80),
            ("8080:192.168.1.50:80", Some("127.0.0.1:8080"), Protocol::Tcp, "192.168.1.50", 80),
            ("192.168.7.1:8080:192.168.1.50:80", Some("192.168.7.1:8080"), Protocol::Tcp, "192.168.1.50", 80),
            ("panel.local:161/udp", None, Protocol::Udp, "panel.local", 161),
            ("panel:10001", None, Protocol::Tcp, "panel", 10001),
            ("8080:panel.local:80", Some("127.0.0.1:8080"), Protocol::Tcp, "panel.local", 80),
            ("[fd00::50]:80", None, Protocol::Tcp, "fd00::50", 80),
            ("8080:[fd00::50]:80/udp", Some("127.0.0.1:8080"), Protocol::Udp, "fd00::50", 80),
            ("[::1]:8080:[fd00::50]:80", Some("[::1]:8080"), Protocol::Tcp, "fd00::50", 80),
        ] {
            let wanted = Wanted::Place { protocol, host: host.parse().unwrap(), port };
            assert_eq!(read(text), Forward { local: local.map(|local| local.parse().unwrap()), wanted }, "{text}");
        }
        for (text, local) in [("socks5:1080", "127.0.0.1:1080"), ("socks5:192.168.7.1:1080", "192.168.7.1:1080")] {
            assert_eq!(read(text), Forward { local: Some(local.parse().unwrap()), wanted: Wanted::Socks5 });
        }
    }

    #[test]
    fn calls_of_the_installation_with_or_without_a_place_of_the_program() {
        for (text, local) in [
            ("back:event-receiver", None),
            ("back:event-receiver=9001", Some("127.0.0.1:9001")),
            ("back:event-receiver=192.168.7.1:9001", Some("192.168.7.1:9001")),
            ("back:9000=[::1]:9001", Some("[::1]:9001")),
        ] {
            let Forward { local: read, wanted } = read(text);
            assert_eq!(read, local.map(|local| local.parse().unwrap()), "{text}");
            assert!(matches!(wanted, Wanted::Back(_)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_quoted_in_the_refusal() {
        for text in [
            "",
            "8080:",
            ":panel-web",
            "99999:panel-web",
            "Panel Web",
            "host:80:panel-web",
            ":192.168.1.50:80",
            "fd00::50:80",
            "192.168.1.50:0",
            "192.168.1.50:80/sctp",
            "127.1:80",
            "socks5:",
            "socks5:panel",
            "[panel]:80",
            "x[fd00::1]:80",
            "back:",
            "back:Event Receiver",
            "back:event-receiver=",
            "back:event-receiver=0",
            "back:event-receiver=panel",
        ] {
            let refused = text.parse::<Forward>().unwrap_err().to_string();
            assert!(refused.starts_with(&format!("`{text}` is not [LOCAL:]SERVICE")), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9:./=\\[\\]]{0,40}") {
            let _ = text.parse::<Forward>();
        }
    }
}
