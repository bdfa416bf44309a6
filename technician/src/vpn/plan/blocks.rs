//! Finds free blocks of addresses in a range. Pure arithmetic on subnets; knows nothing of sites.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatelodge_proto::payload::Subnet;

/// Bits of an address of this family.
pub(super) const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address of the same family as `like` with these bits.
fn address(bits: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(bits & u128::from(u32::MAX)).unwrap_or_default()).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
    }
}

/// Addresses of a prefix this long, less one.
fn span(like: IpAddr, prefix: u8) -> u128 {
    u128::MAX.checked_shr(128 - u32::from(width(like) - prefix)).unwrap_or(0)
}

/// The last address of a subnet.
fn last(subnet: Subnet) -> u128 {
    bits(subnet.first()) + span(subnet.first(), subnet.prefix())
}

/// The subnet that is this address alone.
pub(super) fn single(address: IpAddr) -> Option<Subnet> {
    Subnet::holding(address, width(address))
}

/// Whether the two share an address.
pub(super) fn overlap(one: Subnet, other: Subnet) -> bool {
    one.contains(other.first()) || other.contains(one.first())
}

/// The address as far from the start of `to` as `host` is from the start of `from`; `None` when it lies outside.
pub(super) fn carried_over(host: IpAddr, from: Subnet, to: Subnet) -> Option<IpAddr> {
    if !from.contains(host) {
        return None;
    }
    let there = address(bits(to.first()) + (bits(host) - bits(from.first())), to.first());
    to.contains(there).then_some(there)
}

/// The address so far from the start of a subnet; `None` when it lies outside.
pub(super) fn nth(subnet: Subnet, offset: u128) -> Option<IpAddr> {
    let there = bits(subnet.first()).checked_add(offset)?;
    (there <= last(subnet)).then(|| address(there, subnet.first()))
}

/// Whether it is the first or last address of an IPv4 subnet that has such (RFC 1122 section 3.2.1.3): nobody's own.
pub(super) fn is_nobodys(host: IpAddr, subnet: Subnet) -> bool {
    host.is_ipv4() && subnet.prefix() < 31 && (host == subnet.first() || bits(host) == last(subnet))
}

/// A block of this prefix length in `range` that overlaps nothing in `taken`: the one with the same low bits as `like`
/// where it is free, so that numbers stay familiar, else the first one after it.
pub(super) fn free_like(range: Subnet, prefix: u8, like: IpAddr, taken: &[Subnet]) -> Option<Subnet> {
    if prefix < range.prefix() || range.first().is_ipv4() != like.is_ipv4() {
        return None;
    }
    let low = bits(like) & span(range.first(), range.prefix());
    let wished = Subnet::holding(address(bits(range.first()) | low, like), prefix)?;
    first_free(range, wished, taken).or_else(|| first_free(range, Subnet::holding(range.first(), prefix)?, taken))
}

/// The last free block of this prefix length.
pub(super) fn free_last(range: Subnet, prefix: u8, taken: &[Subnet]) -> Option<Subnet> {
    let mut candidate = Subnet::holding(address(last(range), range.first()), prefix)?;
    if prefix < range.prefix() {
        return None;
    }
    while let Some(obstacle) = taken.iter().find(|other| overlap(**other, candidate)) {
        let before = bits(obstacle.first()).min(bits(candidate.first())).checked_sub(1)?;
        candidate = Subnet::holding(address(before, range.first()), prefix)?;
        if !range.contains(candidate.first()) {
            return None;
        }
    }
    Some(candidate)
}

fn first_free(range: Subnet, from: Subnet, taken: &[Subnet]) -> Option<Subnet> {
    let mut candidate = from;
    while let Some(obstacle) = taken.iter().find(|other| overlap(**other, candidate)) {
        let after = last(*obstacle).max(last(candidate)).checked_add(1)?;
        if after > last(range) {
            return None;
        }
        candidate = Subnet::holding(address(after, range.first()), candidate.prefix())?;
    }
    Some(candidate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn the_familiar_block_first_then_the_next_free_one() {
        let range = subnet("198.18.0.0/15");
        let like = |taken: &[&str]| {
            let taken: Vec<_> = taken.iter().map(|text| subnet(text)).collect();
            free_like(range, 24, "192.168.1.0".parse().unwrap(), &taken).map(|block| block.to_string())
        };
        assert_eq!(like(&[]).as_deref(), Some("198.18.1.0/24"));
        assert_eq!(like(&["198.18.1.7/32"]).as_deref(), Some("198.18.2.0/24"));
        assert_eq!(like(&["198.18.0.0/16"]).as_deref(), Some("198.19.0.0/24"));
        assert_eq!(like(&["198.18.1.0/24", "198.18.2.0/23", "198.19.0.0/16"]).as_deref(), Some("198.18.4.0/24"));
        assert_eq!(
            like(&[
                "198.18.1.0/24",
                "198.18.2.0/23",
                "198.18.4.0/22",
                "198.18.8.0/21",
                "198.18.16.0/20",
                "198.18.32.0/19",
                "198.18.64.0/18",
                "198.18.128.0/17",
                "198.19.0.0/16"
            ])
            .as_deref(),
            Some("198.18.0.0/24")
        );
        assert_eq!(like(&["198.0.0.0/8"]), None);
        assert_eq!(free_like(range, 14, "10.0.0.0".parse().unwrap(), &[]), None, "larger than the range");
        assert_eq!(free_last(range, 30, &[subnet("198.19.255.254/32")]), Some(subnet("198.19.255.248/30")));
        assert_eq!(free_last(range, 30, &[subnet("198.18.0.0/15")]), None);
        assert_eq!(free_last(subnet("0.0.0.0/0"), 30, &[subnet("0.0.0.0/0")]), None);
    }

    proptest! {
        #[test]
        fn what_is_found_is_free_and_within_and_nothing_is_missed(
            likes: u32, prefix in 20u8..=28, places in prop::collection::vec((any::<u16>(), 18u8..=32), 0..24),
        ) {
            let range = subnet("10.9.0.0/16");
            let taken: Vec<_> = places
                .into_iter()
                .map(|(low, prefix)| Subnet::holding(Ipv4Addr::from_bits(0x0A09_0000 | u32::from(low)).into(), prefix).unwrap())
                .collect();
            let every: Vec<_> = (0..1u32 << (prefix - 16))
                .map(|index| Subnet::holding(Ipv4Addr::from_bits(0x0A09_0000 + (index << (32 - prefix))).into(), prefix).unwrap())
                .filter(|block| !taken.iter().any(|other| other.contains(block.first()) || block.contains(other.first())))
                .collect();
            let found = [
                free_like(range, prefix, Ipv4Addr::from_bits(likes).into(), &taken),
                free_last(range, prefix, &taken),
            ];
            for found in found {
                prop_assert_eq!(found.is_some(), !every.is_empty());
                prop_assert!(found.is_none_or(|block| every.contains(&block)));
            }
            prop_assert_eq!(found[1], every.last().copied());
        }
    }
}
