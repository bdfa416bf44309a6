//! Under which origin a panel's pages are: a host name of 128 random bits for a technician's session, the device's web
//! address for its owner's, or a port where there are no names. Pure.

use gatelodge_proto::{
    Random,
    identity::WebAddress,
    web::{Face, Scheme, blind::NAMES, door::label},
};
use url::Url;

use crate::config::{Config, PortRange};

/// How the names of technicians' sessions begin. No web address has this form: those are at most 40 characters of words.
const SESSION: &str = "s-";
/// Two characters and 26 letters and digits.
const SESSION_LENGTH: usize = 28;

/// What tells one panel's origin from another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    /// The first label of a host name.
    Host(String),
    /// A port.
    Port(u16),
}

impl Label {
    /// A new one that nobody can guess.
    pub fn random(random: &Random) -> Self {
        Self::Host(format!("{SESSION}{}", label(random.bytes())))
    }

    /// The same, for pages that the gateway cannot read.
    pub fn blind(random: &Random) -> Self {
        Self::Host(format!("{NAMES}{}", label(random.bytes())))
    }

    /// Whether only the device answers there.
    pub fn is_blind(&self) -> bool {
        matches!(self, Self::Host(name) if name.len() == SESSION_LENGTH && name.starts_with(NAMES))
    }

    /// A device's own.
    pub fn own(address: &WebAddress) -> Self {
        Self::Host(address.as_str().to_owned())
    }

    /// The web address that this is, when it is one.
    pub fn web_address(&self) -> Option<WebAddress> {
        match self {
            Self::Host(name) if !is_session(name) && !self.is_blind() => name.parse().ok(),
            Self::Host(_) | Self::Port(_) => None,
        }
    }
}

fn is_session(name: &str) -> bool {
    name.len() == SESSION_LENGTH && name.starts_with(SESSION)
}

/// Where origins come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// There are none.
    Off,
    /// Host names below this domain.
    Hosts {
        /// How browsers come.
        scheme: Scheme,
        /// The domain.
        domain: String,
        /// The port of the portal, where it is not the scheme's own.
        port: Option<u16>,
    },
    /// Ports of this host.
    Ports {
        /// The host.
        host: String,
        /// Which ports.
        range: PortRange,
    },
}

impl Naming {
    /// As the settings say.
    pub fn of(config: &Config) -> Self {
        let (gateway, public) = (&config.gateway, &config.public_url);
        let scheme = if public.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        match (gateway.ports, &gateway.base_domain) {
            _ if !gateway.is_on() => Self::Off,
            (Some(range), domain) => {
                let host = domain.clone().or_else(|| public.host_str().map(ToOwned::to_owned));
                Self::Ports { host: host.unwrap_or_default(), range }
            }
            (None, Some(domain)) => Self::Hosts { scheme, domain: domain.clone(), port: public.port() },
            (None, None) => Self::Off,
        }
    }

    /// Whether there are any.
    pub const fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Whose origin a request is for, by the host that it names.
    pub fn addressed(&self, host: &str) -> Option<Label> {
        let Self::Hosts { domain, .. } = self else { return None };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            Some(_) | None => host,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let label = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
        (!label.is_empty() && !label.contains('.')).then(|| Label::Host(label.to_owned()))
    }

    /// The origin of a label.
    pub fn face(&self, label: &Label) -> Option<Face> {
        match (self, label) {
            (Self::Hosts { scheme, domain, port }, Label::Host(name)) => {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                let authority = format!("{name}.{domain}{port}");
                Some(Face { scheme: *scheme, authority, port_of_its_own: None })
            }
            (Self::Ports { host, .. }, Label::Port(port)) => {
                let authority = format!("{host}:{port}");
                Some(Face { scheme: Scheme::Https, authority, port_of_its_own: Some(*port) })
            }
            (Self::Off | Self::Hosts { .. } | Self::Ports { .. }, _) => None,
        }
    }
}

/// The origin of pages that the gateway cannot read: always with TLS, at the address that devices come to.
pub fn blind_face(config: &Config, label: &Label) -> Option<Face> {
    let (Label::Host(name), Some(domain)) = (label, config.gateway.names()) else { return None };
    let public = &config.public_url;
    let port = if public.scheme() == "https" { public.port() } else { config.device_url.port() };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(Face { scheme: Scheme::Https, authority: format!("{name}.{domain}{port}"), port_of_its_own: None })
}

/// The portal's origin, from which alone browsers come in.
pub fn portal_origin(public_url: &Url) -> String {
    public_url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(pairs: &[(&str, &str)]) -> Naming {
        let pairs = pairs.iter().map(|(name, value)| (format!("GATELODGE__{name}"), (*value).to_owned()));
        Naming::of(&Config::load(None, pairs).unwrap())
    }

    #[test]
    fn a_session_has_a_host_name_that_nobody_guesses_and_its_own_origin() {
        let hosts = naming(&[("PUBLIC_URL", "https://portal.example"), ("GATEWAY__BASE_DOMAIN", "web.example")]);
        let label = Label::random(&Random::seeded(1));
        let face = hosts.face(&label).unwrap();
        let Label::Host(name) = &label else { panic!("{label:?}") };
        assert_eq!(name.len(), SESSION_LENGTH);
        assert_eq!(face.origin(), format!("https://{name}.web.example"));
        for host in [format!("{name}.web.example"), format!("{}.WEB.example.:443", name.to_uppercase())] {
            assert_eq!(hosts.addressed(&host), Some(label.clone()), "{host}");
        }
        for other in ["web.example", "portal.example", "a.b.web.example", ".web.example", "evilweb.example", "[::1]:80"]
        {
            assert_eq!(hosts.addressed(other), None, "{other}");
        }
        let blind = Label::blind(&Random::seeded(1));
        assert!(blind.is_blind() && !label.is_blind(), "{blind:?}");
        assert_eq!((label.web_address(), blind.web_address()), (None, None));
        assert_eq!(hosts.addressed("villa-rosa.web.example").unwrap().web_address().unwrap().as_str(), "villa-rosa");
    }

    #[test]
    fn blind_pages_come_by_tls_even_where_the_portal_does_not() {
        let face = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (format!("GATELODGE__{name}"), (*value).to_owned()));
            blind_face(&Config::load(None, pairs).unwrap(), &Label::Host("b-x".into())).unwrap().origin()
        };
        let local = face(&[("PUBLIC_URL", "http://localhost:8080"), ("DEVICE_URL", "https://localhost:8443")]);
        assert_eq!(local, "https://b-x.localhost:8443");
        let own = face(&[("PUBLIC_URL", "https://portal.example"), ("GATEWAY__BASE_DOMAIN", "web.example")]);
        assert_eq!(own, "https://b-x.web.example");
    }

    #[test]
    fn on_one_machine_pages_are_below_localhost_at_the_portals_port() {
        let own = naming(&[("PUBLIC_URL", "http://localhost:8080"), ("DEVICE_URL", "https://localhost:8443")]);
        let face = own.face(&Label::Host("s-x".into())).unwrap();
        assert_eq!((face.origin().as_str(), face.scheme), ("http://s-x.localhost:8080", Scheme::Http));
        assert_eq!(naming(&[("PUBLIC_URL", "https://portal.example")]), Naming::Off);
    }

    #[test]
    fn without_names_a_port_is_an_origin() {
        let ports = naming(&[("PUBLIC_URL", "https://portal.example"), ("GATEWAY__PORTS", "9000-9001")]);
        let face = ports.face(&Label::Port(9001)).unwrap();
        assert_eq!((face.origin().as_str(), face.port_of_its_own), ("https://portal.example:9001", Some(9001)));
        assert_eq!(face.pass_cookie(), "__Host-gl-pass-9001");
        assert_eq!((ports.addressed("portal.example:9001"), ports.face(&Label::Host("s-x".into()))), (None, None));
    }
}
