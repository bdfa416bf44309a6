//! Where somebody wants to open a web page, as it is typed: a literal address, with or without a port. A name is none: only
//! the device could say in which network it is. Pure.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use gatelodge_proto::{
    payload::{Host, Network, Protocol, Scheme},
    session::inner_frame::Target,
    web::Panel,
};

/// A neighbour's web page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    scheme: Option<Scheme>,
    at: SocketAddr,
}

/// The text is no such place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write an address like 192.168.1.50 or 192.168.1.50:8080")]
pub struct InvalidPlace;

impl FromStr for Place {
    type Err = InvalidPlace;
    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let text = text.trim();
        let said = [Scheme::Https, Scheme::Http].into_iter().find_map(|scheme| {
            let (before, rest) = text.split_once("://")?;
            before.eq_ignore_ascii_case(scheme.word()).then_some((scheme, rest))
        });
        let (scheme, rest) = said.map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
        let at = match bare.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, scheme.unwrap_or(Scheme::Http).port()),
            Err(_) => rest.parse().map_err(|_| InvalidPlace)?,
        };
        // An address that means another one on each interface is in no network.
        let is_scoped = matches!(at, SocketAddr::V6(at) if at.scope_id() != 0);
        if at.port() == 0 || is_scoped { Err(InvalidPlace) } else { Ok(Self { scheme, at }) }
    }
}

impl Place {
    /// The first of those networks that it is in.
    pub fn network<'a>(&self, networks: &'a [Network]) -> Option<&'a Network> {
        networks.iter().find(|network| network.subnet.contains(self.at.ip()))
    }

    /// Its pages.
    pub fn panel(&self) -> Panel {
        Panel::at(self.at, self.scheme)
    }

    /// What the device is asked to reach.
    pub fn target(&self) -> Target {
        Target::Address { protocol: Protocol::Tcp, host: Host::Address(self.at.ip()), port: self.at.port() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(text: &str) -> Result<String, InvalidPlace> {
        text.parse::<Place>().map(|place| place.panel().origin())
    }

    #[test]
    fn an_address_is_read_as_people_type_it() {
        for (typed, read) in [
            ("192.168.1.50:8081", "http://192.168.1.50:8081"),
            (" 192.168.1.50 ", "http://192.168.1.50"),
            ("192.168.1.50:443", "https://192.168.1.50"),
            ("http://192.168.1.50/", "http://192.168.1.50"),
            ("HTTPS://192.168.1.50", "https://192.168.1.50"),
            ("http://192.168.1.50:443", "http://192.168.1.50:443"),
            ("https://192.168.1.50:9001/", "https://192.168.1.50:9001"),
            ("2001:db8:7::50", "http://[2001:db8:7::50]"),
            ("[2001:db8:7::50]:8080", "http://[2001:db8:7::50]:8080"),
        ] {
            assert_eq!(origin(typed).as_deref(), Ok(read), "{typed}");
        }
        for none in [
            "",
            "panel",
            "panel.local:80",
            "192.168.1.50:0",
            "192.168.1.50:65536",
            "192.168.1",
            "[fe80::1%2]:80",
            "ftp://192.168.1.50",
            "http://192.168.1.50/setup",
            "192.168.1.50:80:80",
            "http://a@192.168.1.50",
            "[::1",
        ] {
            assert_eq!(origin(none), Err(InvalidPlace), "{none}");
        }
    }

    #[test]
    fn a_place_is_in_the_network_that_has_its_address() {
        let network =
            |name: &str, subnet: &str| Network { name: name.parse().unwrap(), subnet: subnet.parse().unwrap() };
        let networks = [network("lan", "192.168.1.0/24"), network("hall", "192.168.2.0/24")];
        let found = |typed: &str| {
            let place: Place = typed.parse().unwrap();
            place.network(&networks).map(|network| network.name.to_string())
        };
        assert_eq!(found("192.168.2.9:80").as_deref(), Some("hall"));
        for outside in ["192.168.3.9:80", "127.0.0.1:80", "[::ffff:192.168.1.50]:80", "169.254.169.254"] {
            assert_eq!(found(outside), None, "{outside}");
        }
    }

    proptest! {
        #[test]
        fn nothing_typed_panics_and_what_is_read_is_where_it_says(text in "\\PC{0,40}", bits: u32, port in 1u16..) {
            let _ = origin(&text);
            let at = SocketAddr::new(std::net::Ipv4Addr::from_bits(bits).into(), port);
            let place: Place = at.to_string().parse().unwrap();
            prop_assert_eq!(place.at, at);
        }
    }
}
