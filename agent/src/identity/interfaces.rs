//! The network interfaces as the kernel lists them in /sys/class/net, with their addresses when the running system is
//! read.

use std::path::Path;

use gatelodge_proto::{identity::MacAddress, payload};

use super::{addresses, text_of};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInterface {
    /// The kernel's name.
    pub name: String,
    /// The kernel's number; cards come before what is set up on them.
    pub index: u32,
    /// Its hardware address, when it is one of a single device.
    pub mac: Option<MacAddress>,
    /// Whether hardware stands behind it.
    pub physical: bool,
    /// What a bridge, bond or VLAN is made of.
    pub made_of: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<std::net::IpAddr>,
}

impl NetworkInterface {
    /// As reports show it.
    pub fn reported(&self) -> payload::Interface {
        payload::Interface { name: self.name.clone(), mac: self.mac, addresses: self.addresses.clone() }
    }
}

/// All interfaces but the loopback, in the kernel's order.
pub fn interfaces(root: &Path) -> Vec<NetworkInterface> {
    let addresses = if root == Path::new("/") { addresses::read().unwrap_or_default() } else { Vec::new() };
    let Ok(entries) = std::fs::read_dir(root.join("sys/class/net")) else { return Vec::new() };
    let mut found: Vec<NetworkInterface> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name != "lo")
        .map(|name| one(root, name, &addresses))
        .collect();
    found.sort_by(|a, b| (a.index, &a.name).cmp(&(b.index, &b.name)));
    found
}

fn one(root: &Path, name: String, addresses: &[addresses::Assigned]) -> NetworkInterface {
    let folder = format!("sys/class/net/{name}");
    let index = text_of(root, &format!("{folder}/ifindex")).and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
    let made_of = std::fs::read_dir(root.join(&folder))
        .map(|entries| {
            let mut lower: Vec<String> = entries
                .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_prefix("lower_")?.to_owned()))
                .collect();
            lower.sort();
            lower
        })
        .unwrap_or_default();
    NetworkInterface {
        index,
        mac: text_of(root, &format!("{folder}/address")).and_then(|text| text.parse().ok()),
        physical: root.join(&folder).join("device").exists(),
        made_of,
        addresses: addresses.iter().filter(|one| one.index == index).map(|one| one.address).collect(),
        name,
    }
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tree;

    #[test]
    fn cards_come_first_and_the_loopback_never() {
        let root = tree(&[
            ("sys/class/net/lo/ifindex", "1"),
            ("sys/class/net/br0/ifindex", "4"),
            ("sys/class/net/br0/lower_eth0/x", ""),
            ("sys/class/net/br0/address", "02:00:00:00:00:02\n"),
            ("sys/class/net/eth0/ifindex", "2"),
            ("sys/class/net/eth0/address", "00:11:22:33:44:55\n"),
            ("sys/class/net/eth0/device/vendor", "0x8086"),
            ("sys/class/net/tun0/ifindex", "9"),
            ("sys/class/net/tun0/address", ""),
        ]);
        let found = super::interfaces(root.path());
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["eth0", "br0", "tun0"]);
        assert!(found[0].physical && !found[1].physical);
        assert_eq!(found[1].made_of, ["eth0"]);
        assert_eq!(found[2].mac, None);
    }

    #[test]
    fn the_running_system_is_read_with_its_addresses() {
        for interface in super::interfaces(std::path::Path::new("/")) {
            assert!(interface.addresses.iter().all(|address| !address.is_loopback()), "{interface:?}");
        }
    }
}
