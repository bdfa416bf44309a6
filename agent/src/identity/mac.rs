//! Which MAC address stands for the device: that of the interface with the default route, seen through bridges and
//! bonds down to the card; a virtual one only where there is nothing else, as in a container, and then said so.

use std::{fmt, path::Path};

use gatelodge_proto::identity::MacAddress;

use super::{interfaces::NetworkInterface, text_of};

/// Where the MAC address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MacSource {
    /// `identity.mac_address`.
    Configured,
    /// The factory data.
    Factory,
    /// The card with the default route.
    DefaultRoute(String),
    /// The first card; none has the default route.
    FirstCard(String),
    /// No card at all: a virtual interface had to do.
    Virtual(String),
}

impl fmt::Display for MacSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => f.write_str("from identity.mac_address"),
            Self::Factory => f.write_str("from the factory data"),
            Self::DefaultRoute(name) => write!(f, "of {name}, which has the default route"),
            Self::FirstCard(name) => write!(f, "of {name}, the first card; none has the default route"),
            Self::Virtual(name) => write!(
                f,
                "of {name}, which is virtual and may change: set identity.mac_address to the label's, or accept it in a container"
            ),
        }
    }
}

pub(super) fn choose(root: &Path, interfaces: &[NetworkInterface]) -> Option<(MacAddress, MacSource)> {
    let named = |name: &str| interfaces.iter().find(|one| one.name == name);
    let route = default_route(root);
    let way_out = route.as_deref().and_then(named);
    if let Some(card) = way_out.and_then(|one| card_under(one, interfaces, 4))
        && let Some(mac) = card.mac
    {
        return Some((mac, MacSource::DefaultRoute(card.name.clone())));
    }
    if let Some((card, mac)) = interfaces.iter().filter(|one| one.physical).find_map(|one| Some((one, one.mac?))) {
        return Some((mac, MacSource::FirstCard(card.name.clone())));
    }
    way_out.into_iter().chain(interfaces).find_map(|one| Some((one.mac?, MacSource::Virtual(one.name.clone()))))
}

/// The card itself, or the first card below a bridge, bond or VLAN; nested at most `depth` deep.
fn card_under<'a>(
    interface: &'a NetworkInterface,
    all: &'a [NetworkInterface],
    depth: u8,
) -> Option<&'a NetworkInterface> {
    if interface.physical {
        return Some(interface);
    }
    let depth = depth.checked_sub(1)?;
    interface
        .made_of
        .iter()
        .filter_map(|name| all.iter().find(|one| one.name == *name))
        .find_map(|one| card_under(one, all, depth))
}

/// The interface of the IPv4 default route with the lowest metric, else of the IPv6 one.
fn default_route(root: &Path) -> Option<String> {
    ipv4_default(&text_of(root, "proc/net/route").unwrap_or_default())
        .or_else(|| ipv6_default(&text_of(root, "proc/net/ipv6_route").unwrap_or_default()))
}

fn ipv4_default(table: &str) -> Option<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [name, destination, _, flags, _, _, metric, mask, ..] = fields[..] else { return None };
            let up = u32::from_str_radix(flags, 16).ok()? & 1 == 1;
            (up && destination == "00000000" && mask == "00000000")
                .then(|| Some((metric.parse::<u32>().ok()?, name.to_owned())))?
        })
        .min()
        .map(|(_, name)| name)
}

fn ipv6_default(table: &str) -> Option<String> {
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [destination, prefix, _, _, _, metric, _, _, _, name] = fields[..] else { return None };
            let default = prefix == "00" && destination.chars().all(|c| c == '0');
            (default && name != "lo").then(|| Some((u32::from_str_radix(metric, 16).ok()?, name.to_owned())))?
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{interfaces, tests::tree};

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    fn chosen(files: &[(&str, &str)]) -> Option<(String, MacSource)> {
        let root = tree(files);
        choose(root.path(), &interfaces(root.path())).map(|(mac, source)| (mac.to_string(), source))
    }

    fn card<'a>(name: &'a str, index: &'a str, mac: &'a str) -> Vec<(String, &'a str)> {
        vec![
            (format!("sys/class/net/{name}/ifindex"), index),
            (format!("sys/class/net/{name}/address"), mac),
            (format!("sys/class/net/{name}/device/vendor"), "0x8086"),
        ]
    }

    fn with<'a>(cards: &'a [(String, &'a str)], rest: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        cards.iter().map(|(path, text)| (path.as_str(), *text)).chain(rest.iter().copied()).collect()
    }

    #[test]
    fn the_card_with_the_cheapest_default_route() {
        let cards = [card("eth0", "2", "00:11:22:33:44:50"), card("wlan0", "3", "00:11:22:33:44:51")].concat();
        let routes = format!(
            "{ROUTES}eth0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
             wlan0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        );
        let (mac, source) = chosen(&with(&cards, &[("proc/net/route", &routes)])).unwrap();
        assert_eq!((mac.as_str(), source), ("00:11:22:33:44:51", MacSource::DefaultRoute("wlan0".into())));
    }

    #[test]
    fn a_bridge_is_seen_through_and_a_tunnel_is_passed_over() {
        let cards = card("eth0", "2", "00:11:22:33:44:50");
        let bridge = [
            ("sys/class/net/br0/ifindex", "5"),
            ("sys/class/net/br0/address", "02:AA:AA:AA:AA:AA"),
            ("sys/class/net/br0/lower_eth0/x", ""),
        ];
        let over = |name: &str| format!("{ROUTES}{name}\t00000000\t0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        let routes = over("br0");
        let files = [&bridge[..], &[("proc/net/route", routes.as_str())]].concat();
        assert_eq!(chosen(&with(&cards, &files)).unwrap().1, MacSource::DefaultRoute("eth0".into()));

        let routes = over("wg0");
        let files = [("sys/class/net/wg0/ifindex", "9"), ("proc/net/route", routes.as_str())];
        assert_eq!(chosen(&with(&cards, &files)).unwrap().1, MacSource::FirstCard("eth0".into()));
    }

    #[test]
    fn without_any_default_route_the_first_card_and_ipv6_counts() {
        let cards = [card("eth1", "3", "00:11:22:33:44:51"), card("eth0", "2", "00:11:22:33:44:50")].concat();
        assert_eq!(chosen(&with(&cards, &[])).unwrap().1, MacSource::FirstCard("eth0".into()));
        let zeros = "0".repeat(32);
        let v6 = format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000000 00000000 00000003     eth1\n"
        );
        assert_eq!(
            chosen(&with(&cards, &[("proc/net/ipv6_route", &v6)])).unwrap().1,
            MacSource::DefaultRoute("eth1".into())
        );
    }

    #[test]
    fn in_a_container_the_virtual_way_out_has_to_do_and_says_so() {
        let routes = format!("{ROUTES}eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        let files = [
            ("sys/class/net/dummy0/ifindex", "2"),
            ("sys/class/net/dummy0/address", "02:00:00:00:00:01"),
            ("sys/class/net/eth0/ifindex", "7"),
            ("sys/class/net/eth0/address", "02:42:AC:11:00:02"),
            ("proc/net/route", routes.as_str()),
        ];
        let (mac, source) = chosen(&files).unwrap();
        assert_eq!((mac.as_str(), &source), ("02:42:AC:11:00:02", &MacSource::Virtual("eth0".into())));
        assert!(source.to_string().contains("identity.mac_address"));
        assert_eq!(chosen(&files[..4]).unwrap().1, MacSource::Virtual("dummy0".into()));
        assert_eq!(chosen(&[]), None);
    }
}
