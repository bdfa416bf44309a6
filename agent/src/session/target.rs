//! Where a session may go: the address of a service, or a place in one of its networks, after name resolution, in one
//! spelling, and never a forbidden one.
//!
//! The device itself is reached only when its own settings name it as a service's host.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use gatelodge_proto::{
    payload::{Host, Network, Service},
    session::inner_frame::OpenError,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::lookup::{Lookups, NoAddress};

/// Longest wait for a target's answer, over all its addresses.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no address to dial.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTarget {
    /// No session may reach the address.
    #[error("{0} is {1}, which no session may reach")]
    Forbidden(IpAddr, &'static str),
    /// No network of the session holds the address.
    #[error("{0} is in none of the session's networks")]
    Outside(IpAddr),
    /// The session has no network.
    #[error("the session reaches services only, and no network")]
    NoNetwork,
    /// The name has no address, or is not looked up.
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
}

impl From<NoTarget> for OpenError {
    fn from(why: NoTarget) -> Self {
        match why {
            NoTarget::Forbidden(..) | NoTarget::Outside(_) | NoTarget::NoNetwork => Self::NotAllowed,
            NoTarget::NoAddress(NoAddress::Unknown(_)) => Self::NoSuchName,
            NoTarget::NoAddress(NoAddress::Busy) => Self::Names,
        }
    }
}

/// Resolves a service of the device's own list, once; the caller pins the answer for the session. Never empty.
///
/// Whoever is in a session must not press Allow for the next one: no service is the device's own `page`, whatever its
/// host is called. In a network nothing of the device itself is reached anyway.
pub(super) async fn resolve(
    lookups: &Lookups,
    service: &Service,
    page: Option<SocketAddr>,
) -> Result<Vec<IpAddr>, NoTarget> {
    let found = lookups.addresses(&service.host).await?;
    // A name with one forbidden address is not trusted for its others: it may be rebound between two lookups.
    for address in &found {
        check(*address, names_loopback(&service.host)).map_err(|why| NoTarget::Forbidden(*address, why))?;
        if page.is_some_and(|page| page.port() == service.port) && is_own(*address) {
            return Err(NoTarget::Forbidden(*address, OWN_PAGE));
        }
    }
    Ok(found)
}

/// Resolves a place in the session's networks, once; the caller pins the answer for the session. Never empty. A name may
/// have addresses elsewhere, which are not dialled.
pub(super) async fn resolve_in(lookups: &Lookups, networks: &[Network], host: &Host) -> Result<Vec<IpAddr>, NoTarget> {
    let found: Vec<IpAddr> = match host {
        Host::Address(address) => vec![*address],
        // Whoever may reach no network learns no names of it either.
        Host::Name(_) if networks.is_empty() => return Err(NoTarget::NoNetwork),
        Host::Name(name) => lookups.addresses(name.as_str()).await?,
    };
    let mut inside = Vec::new();
    for address in &found {
        match allow(networks, *address) {
            Ok(()) => inside.push(*address),
            Err(NoTarget::Outside(_)) => {}
            // As above: it is not trusted for its others.
            Err(why @ (NoTarget::Forbidden(..) | NoTarget::NoNetwork | NoTarget::NoAddress(_))) => return Err(why),
        }
    }
    match (inside.is_empty(), found.first()) {
        (false, _) => Ok(inside),
        (true, Some(outside)) => Err(NoTarget::Outside(*outside)),
        (true, None) => Err(NoAddress::Unknown(io::ErrorKind::NotFound.into()).into()),
    }
}

/// Whether an address may be reached as a part of the session's networks.
pub(super) fn allow(networks: &[Network], address: IpAddr) -> Result<(), NoTarget> {
    forbidden(address).map_or(Ok(()), |why| Err(NoTarget::Forbidden(address, why)))?;
    if !networks.iter().any(|network| network.subnet.contains(address)) {
        return Err(NoTarget::Outside(address));
    }
    if is_own(address) { Err(NoTarget::Forbidden(address, LOOPBACK)) } else { Ok(()) }
}

/// Only an address of this machine can be bound; in doubt it is one.
pub(crate) fn is_own(address: IpAddr) -> bool {
    let bound = std::net::UdpSocket::bind((address, 0));
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// Dials checked addresses in their order, each with its share of the time; gives the first that answers, or how the
/// last failed.
pub(super) async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), OpenError> {
    let deadline = Instant::now() + CONNECT_WITHIN;
    let mut failure = OpenError::NoSuchName;
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
        failure = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok((tcp, *address)),
            Ok(Err(error)) => self::failure(&error),
            Err(_) => OpenError::TimedOut,
        };
    }
    Err(failure)
}

/// How a connect failed.
pub(super) fn failure(error: &io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => OpenError::Refused,
        io::ErrorKind::TimedOut => OpenError::TimedOut,
        _ => OpenError::Unreachable,
    }
}

/// Whether the settings name loopback itself, and not something that happens to resolve to it.
fn names_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check(address: IpAddr, loopback_declared: bool) -> Result<(), &'static str> {
    match forbidden(address) {
        Some(LOOPBACK) if loopback_declared => Ok(()),
        Some(why) => Err(why),
        None => Ok(()),
    }
}

const LOOPBACK: &str = "the device itself";
const OWN_PAGE: &str = "the device's own page";

/// What keeps an address from every session, whatever the settings and the grant say, save loopback that the settings
/// name as a service's host.
pub(crate) fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => forbidden_ipv4(address),
        IpAddr::V6(address) => forbidden_ipv6(address),
    }
}

/// RFC 6890 and its registry.
fn forbidden_ipv4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("no address"),
        [127, ..] => Some(LOOPBACK),
        [169, 254, ..] => Some("link-local"),
        [224..=239, ..] => Some("multicast"),
        [240..=255, ..] => Some("broadcast or reserved"),
        _ => None,
    }
}

/// RFC 4291 and the registries of transition mechanisms: whatever carries an IPv4 address inside would go around the
/// rules for that address.
fn forbidden_ipv6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("no address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(LOOPBACK),
        [0, 0, 0, 0, 0, 0xffff, ..] => Some("an IPv4 address in disguise (mapped)"),
        [0, 0, 0, 0, 0xffff, 0, ..] => Some("an IPv4 address in disguise (translated)"),
        [0, 0, 0, 0, 0, 0, ..] => Some("an IPv4 address in disguise (compatible)"),
        [0x0064, 0xff9b, ..] => Some("an IPv4 address in disguise (NAT64)"),
        [0x2002, ..] => Some("an IPv4 address in disguise (6to4)"),
        [0x2001, 0, ..] => Some("an IPv4 address in disguise (Teredo)"),
        [0x0100, 0, 0, 0, ..] => Some("the discard prefix"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfec0..=0xfeff, ..] => Some("site-local, which is abolished"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::payload::Protocol;
    use proptest::prelude::*;

    use super::*;

    fn refusal(address: &str) -> Option<&'static str> {
        check(address.parse().unwrap(), false).err()
    }

    #[test]
    fn forbidden_addresses_in_every_spelling() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.1.2.3",
            "169.254.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:192.168.1.50",
            "::ffff:7f00:1",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "::192.168.1.50",
            "::2",
            "64:ff9b::7f00:1",
            "64:ff9b::192.168.1.50",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:132::1",
            "2001:0:4136:e378::1",
            "100::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff05::2",
        ] {
            assert!(refusal(address).is_some(), "{address}");
        }
    }

    #[test]
    fn ordinary_addresses_of_a_site_and_beyond() {
        for address in [
            "192.168.1.50",
            "10.0.0.7",
            "172.16.3.4",
            "100.64.0.9",
            "8.8.8.8",
            "223.255.255.1",
            "1.2.3.4",
            "fd00::50",
            "2001:db8::1",
            "2a00:1450::1",
            "2003::1",
        ] {
            assert_eq!(refusal(address), None, "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_ipv6_spelling_of_an_ipv4_address_passes(octets in any::<[u8; 4]>()) {
            let plain = Ipv4Addr::from(octets);
            let [a, b] = [u16::from_be_bytes([octets[0], octets[1]]), u16::from_be_bytes([octets[2], octets[3]])];
            for disguised in [
                plain.to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
            ] {
                prop_assert!(check(disguised.into(), false).is_err(), "{disguised}");
            }
        }
    }

    fn networks(subnets: &[&str]) -> Vec<Network> {
        let named = |subnet: &&str| Network { name: "lan".parse().unwrap(), subnet: subnet.parse().unwrap() };
        subnets.iter().map(named).collect()
    }

    /// As wide as can be written, and wider than the settings take.
    const ALL: [&str; 2] = ["0.0.0.0/0", "::/0"];

    proptest! {
        #[test]
        fn in_whatever_network_a_forbidden_address_stays_forbidden(octets in any::<[u8; 4]>(), bits: u128) {
            let plain = Ipv4Addr::from(octets);
            let disguised = [
                plain.to_ipv6_mapped(),
                plain.to_ipv6_compatible(),
                Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(plain.to_bits())),
                Ipv6Addr::from_bits(0x2002 << 112 | u128::from(plain.to_bits()) << 80),
                Ipv6Addr::from_bits(0x2001 << 112 | u128::from(plain.to_bits())),
            ];
            let lists = [networks(&ALL), networks(&["192.168.1.0/24"])];
            for networks in &lists {
                for address in disguised {
                    prop_assert!(allow(networks, address.into()).is_err(), "{address}");
                }
                for address in [IpAddr::from(plain), Ipv6Addr::from_bits(bits).into()] {
                    let fits = forbidden(address).is_none() && networks.iter().any(|network| network.subnet.contains(address));
                    prop_assert!(fits || allow(networks, address).is_err(), "{address}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_place_is_in_the_sessions_networks_and_never_the_device_itself() {
        let lan = networks(&["192.0.2.0/24", "2001:db8::/64"]);
        let lookups = Lookups::of_system();
        let place =
            async |networks: &[Network], host: &str| resolve_in(&lookups, networks, &host.parse().unwrap()).await;
        for inside in ["192.0.2.50", "2001:db8::50"] {
            assert_eq!(place(&lan, inside).await.unwrap(), [inside.parse::<IpAddr>().unwrap()]);
        }
        for outside in ["192.0.3.50", "2001:db8:0:1::50", "8.8.8.8"] {
            assert!(matches!(place(&lan, outside).await, Err(NoTarget::Outside(_))), "{outside}");
        }
        for own in ["127.0.0.1", "::1", "localhost", "::ffff:192.0.2.50", "169.254.1.1", "255.255.255.255"] {
            assert!(matches!(place(&networks(&ALL), own).await, Err(NoTarget::Forbidden(..))), "{own}");
        }
        // An address of this machine that is not loopback, when it has one.
        let own = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        if own.connect("192.0.2.1:9").is_ok() {
            let own = own.local_addr().unwrap().ip();
            assert!(matches!(allow(&networks(&ALL), own), Err(NoTarget::Forbidden(..))), "{own}");
        }
        assert!(matches!(place(&lan, "panel.invalid").await, Err(NoTarget::NoAddress(NoAddress::Unknown(_)))));
    }

    async fn resolved(host: &str) -> Result<IpAddr, NoTarget> {
        let service = Service { name: "panel".parse().unwrap(), protocol: Protocol::Tcp, host: host.into(), port: 80 };
        resolve(&Lookups::of_system(), &service, None).await.map(|found| found[0])
    }

    #[tokio::test]
    async fn the_device_s_own_page_is_no_target_by_whatever_host() {
        let mut own = vec!["127.0.0.1".to_owned(), "127.9.9.9".into(), "::1".into(), "localhost".into()];
        // An address of this machine that is not loopback, when it has one.
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.1:9").is_ok() {
            own.push(socket.local_addr().unwrap().ip().to_string());
        }
        let lookups = Lookups::of_system();
        for host in own {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let service = Service { name: "panel".parse().unwrap(), protocol, host: host.clone(), port: 7480 };
                for listens in ["127.0.0.1:7480", "0.0.0.0:7480", "[::]:7480", "192.0.2.1:7480"] {
                    let refused = resolve(&lookups, &service, Some(listens.parse().unwrap())).await;
                    assert!(matches!(refused, Err(NoTarget::Forbidden(_, OWN_PAGE))), "{host} {listens}: {refused:?}");
                }
                let elsewhere = resolve(&lookups, &service, Some("127.0.0.1:7481".parse().unwrap())).await;
                assert!(elsewhere.is_ok(), "{host}: another port of the device is another program's");
            }
        }
        let neighbour =
            Service { name: "panel".parse().unwrap(), protocol: Protocol::Tcp, host: "192.0.2.50".into(), port: 7480 };
        assert!(resolve(&lookups, &neighbour, Some("0.0.0.0:7480".parse().unwrap())).await.is_ok());
    }

    #[tokio::test]
    async fn the_next_address_is_dialled_when_one_does_not_answer() {
        let closed = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let panel = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = panel.local_addr().unwrap();
        let (tcp, at) = connect(&[closed, open]).await.unwrap();
        assert_eq!((tcp.peer_addr().unwrap(), at), (open, open));
        assert_eq!(connect(&[closed, closed]).await.unwrap_err(), OpenError::Refused);
    }

    #[tokio::test]
    async fn loopback_only_when_the_settings_name_it() {
        assert_eq!(resolved("127.0.0.1").await.unwrap(), "127.0.0.1".parse::<IpAddr>().unwrap());
        assert!(resolved("::1").await.unwrap().is_loopback());
        assert!(resolved("localhost").await.unwrap().is_loopback());
        // Spellings that the system's resolver understands and a reader of the settings may not.
        for host in ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "::ffff:127.0.0.1", "0", "localhost."] {
            let refused = resolved(host).await;
            assert!(matches!(refused, Err(NoTarget::Forbidden(..) | NoTarget::NoAddress(_))), "{host}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn a_name_without_address_says_so() {
        assert!(matches!(resolved("panel.invalid").await, Err(NoTarget::NoAddress(NoAddress::Unknown(_)))));
    }
}
