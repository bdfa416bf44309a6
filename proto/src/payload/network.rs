//! A network that a device lets sessions reach as a whole, and the places in it. Parsed once; says nothing of who may go there.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{Protocol, ServiceName};

/// A network reachable through a device, as the device sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Network {
    /// The name people use, like `lan`.
    pub name: ServiceName,
    /// Its addresses.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "192.168.1.0/24"))]
    pub subnet: Subnet,
}

/// A port of a device at which its installation calls the technician's computer while a session lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Listen {
    /// The name people use, like `event-receiver`.
    pub name: ServiceName,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The port on the device.
    pub port: u16,
    /// Who may call.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "192.168.1.0/24"))]
    pub from: Subnet,
}

/// The addresses that begin with the same bits (RFC 4632, RFC 4291 section 2.3), like `192.168.1.0/24`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    first: IpAddr,
    prefix: u8,
}

/// The text is no subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubnet {
    /// Not an address, a slash and a number of bits.
    #[error("`{0}` is not a network; write its first address and its prefix length, like 192.168.1.0/24")]
    Shape(String),
    /// An address in the middle.
    #[error("`{given}` is an address in a network, not the network; write {network}")]
    HostBits {
        /// As it was written.
        given: String,
        /// What was probably meant.
        network: Subnet,
    },
}

impl Subnet {
    /// The network of this prefix length that holds the address; `None` when no address has so many bits, and for an
    /// IPv4 address in the spelling of IPv6 (mapped), which belongs to an IPv4 network.
    pub fn holding(address: IpAddr, prefix: u8) -> Option<Self> {
        let first = match address {
            IpAddr::V4(address) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) if prefix <= 128 && address.to_ipv4_mapped().is_none() => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V4(_) | IpAddr::V6(_) => return None,
        };
        Some(Self { first, prefix })
    }

    /// The first address.
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// How many bits all its addresses share.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address is in it. An IPv4 address in the spelling of IPv6 is in no network.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::holding(address, self.prefix).is_some_and(|network| network == *self)
    }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;
    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let shape = || InvalidSubnet::Shape(text.chars().take(60).collect());
        let (address, prefix) = text.split_once('/').ok_or_else(shape)?;
        let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit()) && prefix.len() <= 3;
        if !plain || (prefix.len() > 1 && prefix.starts_with('0')) {
            return Err(shape());
        }
        let address: IpAddr = address.parse().map_err(|_| shape())?;
        let network = prefix.parse().ok().and_then(|prefix| Self::holding(address, prefix)).ok_or_else(shape)?;
        if network.first == address {
            Ok(network)
        } else {
            Err(InvalidSubnet::HostBits { given: text.chars().take(60).collect(), network })
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

crate::canonical_text!(Subnet);

/// A place in a network: a literal address, or a name that the device resolves.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// A literal address.
    Address(IpAddr),
    /// A host name.
    Name(HostName),
}

/// A host name in lower case: labels of letters, digits, dashes and underscores (RFC 1123 section 2.1 and what is in
/// use), at most 253 characters. Never one that a system's resolver takes for an address, like `127.1` or `0x7f000001`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// The text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a host name; write one like 192.168.1.50 or panel.local")]
pub struct InvalidHost(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = InvalidHost;
    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        match text.parse()? {
            Host::Name(name) => Ok(name),
            Host::Address(address) => Err(InvalidHost(address.to_string())),
        }
    }
}

impl FromStr for Host {
    type Err = InvalidHost;
    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let name = text.to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_name = name.len() <= 253 && name.split('.').all(label) && !ends_in_a_number(&name);
        if is_name { Ok(Self::Name(HostName(name))) } else { Err(InvalidHost(text.chars().take(60).collect())) }
    }
}

/// Such names are addresses to `inet_aton` (<https://url.spec.whatwg.org/#ends-in-a-number-checker>).
fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(&name.0),
        }
    }
}

crate::canonical_text!(Host);

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_network_has_one_spelling() {
        for text in
            ["192.168.1.0/24", "10.0.0.0/8", "192.168.1.50/32", "0.0.0.0/0", "fd00::/48", "2001:db8::1/128", "::/0"]
        {
            assert_eq!(text.parse::<Subnet>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "192.168.1.0",
            "192.168.1.0/",
            "192.168.1.0/33",
            "192.168.1.0/024",
            "192.168.1.0/+8",
            "192.168.1/24",
            "192.168.1.0/24/1",
            "fd00::/129",
            "::ffff:192.168.1.0/120",
            "fe80::%eth0/64",
            "lan/24",
            "192.168.1.0/ 24",
        ] {
            assert!(matches!(text.parse::<Subnet>(), Err(InvalidSubnet::Shape(_))), "{text}");
        }
        let inside = "192.168.1.50/24".parse::<Subnet>().unwrap_err();
        assert!(inside.to_string().ends_with("write 192.168.1.0/24"), "{inside}");
    }

    #[test]
    fn an_address_in_disguise_is_in_no_network() {
        let lan: Subnet = "192.168.1.0/24".parse().unwrap();
        assert!(lan.contains("192.168.1.255".parse().unwrap()));
        for other in ["192.168.2.0", "::ffff:192.168.1.50", "::192.168.1.50", "fd00::1"] {
            assert!(!lan.contains(other.parse().unwrap()), "{other}");
            assert!(!"::/0".parse::<Subnet>().unwrap().contains("::ffff:192.168.1.50".parse().unwrap()));
        }
    }

    #[test]
    fn what_a_resolver_takes_for_an_address_is_no_name() {
        for number in
            ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "0", "1.2.3.4.5", "panel.0x", "a.12"]
        {
            assert!(number.parse::<Host>().is_err(), "{number}");
        }
        for bad in [
            "",
            ".",
            "panel.",
            ".panel",
            "a..b",
            "pan el",
            "-a",
            "a-",
            "fe80::1%eth0",
            "[::1]",
            "panel:80",
            "é",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
        assert_eq!("Panel.Local".parse::<Host>().unwrap().to_string(), "panel.local");
        assert_eq!("FD00:0::1".parse::<Host>().unwrap().to_string(), "fd00::1");
        assert!(matches!("192.168.1.50".parse::<Host>(), Ok(Host::Address(_))));
    }

    proptest! {
        #[test]
        fn a_network_holds_exactly_the_addresses_with_its_first_bits(bits: u32, other: u32, prefix in 0u8..=32) {
            let network = Subnet::holding(Ipv4Addr::from_bits(bits).into(), prefix).unwrap();
            prop_assert_eq!(network.to_string().parse::<Subnet>().unwrap(), network);
            prop_assert!(network.contains(Ipv4Addr::from_bits(bits).into()));
            let same = prefix == 0 || (bits ^ other) >> (32 - prefix) == 0;
            prop_assert_eq!(network.contains(Ipv4Addr::from_bits(other).into()), same);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = text.parse::<Subnet>();
            if let Ok(host) = text.parse::<Host>() {
                prop_assert_eq!(host.to_string().parse::<Host>().unwrap(), host);
            }
        }
    }
}
