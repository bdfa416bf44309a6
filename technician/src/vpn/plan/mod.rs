//! Where a site's addresses are on this computer: each network one to one in a free block, the own address and the
//! resolver beside them, the names. Pure: what is taken here is told to it, and it changes nothing.
//!
//! Every block is free by construction: it overlaps no route or address of this computer and no other live session.
//! Nothing here ever makes a default route.

mod blocks;
mod names;

use std::net::IpAddr;

use gatelodge_proto::{
    payload::{Host, Network, Protocol, Service, ServiceName, Subnet},
    session::inner_frame::Target,
};

use self::blocks::{carried_over, free_last, free_like, is_nobodys, nth, overlap, single, width};
pub use self::names::{TOP, label};

/// Of the own address and the resolver: four addresses of either family.
const LINK_BITS: u8 = 2;

/// Where blocks are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    /// For IPv4.
    pub v4: Subnet,
    /// For IPv6.
    pub v6: Subnet,
}

/// What a session shall reach.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The device's label in names, like `villa-rosa`.
    pub label: &'a str,
    /// Networks, each reached as a whole.
    pub networks: &'a [Network],
    /// Services; those with an address in a network are reached in it.
    pub services: &'a [Service],
    /// Addresses wanted under their own numbers too.
    pub real: &'a [IpAddr],
}

/// Where a network is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// At the site.
    pub network: Network,
    /// Here, as large.
    pub block: Subnet,
}

/// A service outside the networks: an address here that stands for its host, whatever that is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stand {
    host: String,
    address: IpAddr,
}

/// The own end of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The block of both addresses.
    pub block: Subnet,
    /// This computer's.
    pub own: IpAddr,
    /// Answers for names; exists in the session's process alone.
    pub resolver: IpAddr,
}

/// The whole plan of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The device's label in names.
    pub label: String,
    /// One for each family that is in use; IPv4 first, always.
    pub links: Vec<Link>,
    /// The networks.
    pub mappings: Vec<Mapping>,
    /// Addresses reached under their own numbers.
    pub real: Vec<IpAddr>,
    /// Addresses that were wanted so, and are in use on this computer.
    pub not_real: Vec<IpAddr>,
    stands: Vec<Stand>,
    stands_block: Option<Subnet>,
    services: Vec<Service>,
}

/// There is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unplanned {
    /// Nothing to reach.
    #[error("the device offers no network and no service")]
    Nothing,
    /// The range is full, or smaller than the network.
    #[error("no block in {range} is free and as large as {wanted}")]
    NoRoom {
        /// What needs a place.
        wanted: Subnet,
        /// Where it was looked for.
        range: Subnet,
    },
}

impl Plan {
    /// Finds a place for everything, clear of what is taken on this computer.
    pub fn make(site: Site<'_>, ranges: Ranges, taken: &[Subnet]) -> Result<Self, Unplanned> {
        if site.networks.is_empty() && site.services.is_empty() {
            return Err(Unplanned::Nothing);
        }
        // What goes under its own number must not be hidden by a block, and the other way round.
        let (real, not_real) = site.real.iter().partition::<Vec<IpAddr>, _>(|address| {
            let free = !taken.iter().any(|other| other.contains(**address));
            free && site.reaches(**address)
        });
        let mut busy = taken.to_vec();
        busy.extend(real.iter().copied().filter_map(single));
        let mut mappings = Vec::new();
        for network in site.networks {
            let (first, prefix) = (network.subnet.first(), network.subnet.prefix());
            let range = ranges.of(first);
            let block =
                free_like(range, prefix, first, &busy).ok_or(Unplanned::NoRoom { wanted: network.subnet, range })?;
            busy.push(block);
            mappings.push(Mapping { network: network.clone(), block });
        }
        let (stands_block, stands) = stands(site, ranges.v4, &mut busy)?;
        let with_v6 =
            mappings.iter().any(|mapping| mapping.block.first().is_ipv6()) || real.iter().any(IpAddr::is_ipv6);
        let mut links = Vec::new();
        for range in [Some(ranges.v4), with_v6.then_some(ranges.v6)].into_iter().flatten() {
            links.push(link(range, &mut busy)?);
        }
        let (label, services) = (site.label.to_owned(), site.services.to_vec());
        Ok(Self { label, links, mappings, real, not_real, stands, stands_block, services })
    }

    /// Every block and address that leads to the session. Never a default route.
    pub fn routes(&self) -> impl Iterator<Item = Subnet> {
        let blocks = self.mappings.iter().map(|mapping| mapping.block).chain(self.stands_block);
        blocks.chain(self.real.iter().copied().filter_map(single))
    }

    /// Everything that this session takes on this computer.
    pub fn blocks(&self) -> impl Iterator<Item = Subnet> {
        self.links.iter().map(|link| link.block).chain(self.routes())
    }

    /// This computer's own address of that family.
    pub fn own(&self, like: IpAddr) -> Option<IpAddr> {
        self.links.iter().map(|link| link.own).find(|own| own.is_ipv4() == like.is_ipv4())
    }

    /// Where names are answered.
    pub fn is_resolver(&self, address: IpAddr) -> bool {
        self.links.iter().any(|link| link.resolver == address)
    }

    /// The site's address behind one of this computer's; `None` for those that stand for a host, and for foreign ones.
    pub fn at_site(&self, here: IpAddr) -> Option<IpAddr> {
        if self.real.contains(&here) {
            return Some(here);
        }
        self.mappings.iter().find_map(|mapping| carried_over(here, mapping.block, mapping.network.subnet))
    }

    /// Where a site's address is on this computer.
    pub fn here(&self, at_site: IpAddr) -> Option<IpAddr> {
        self.mappings.iter().find_map(|mapping| carried_over(at_site, mapping.network.subnet, mapping.block))
    }

    /// What a packet to that port means. A service goes by its name, so that the device's own word for it counts.
    pub fn target(&self, protocol: Protocol, here: IpAddr, port: u16) -> Option<Target> {
        let at_site = self.at_site(here);
        let service = self.services.iter().find(|service| {
            let at = service.host.parse().ok();
            service.protocol == protocol
                && service.port == port
                && ((at.is_some() && at == at_site) || self.stand(&service.host) == Some(here))
        });
        if let Some(service) = service {
            return Some(Target::Service(service.name.clone()));
        }
        let address = self.in_network(at_site?)?;
        Some(Target::Address { protocol, host: Host::Address(address), port })
    }

    /// What a ping to that address means.
    pub fn echo(&self, here: IpAddr) -> Option<Target> {
        Some(Target::Echo { address: self.in_network(self.at_site(here)?)? })
    }

    /// The service's address on this computer, when it has one.
    pub fn service(&self, name: &ServiceName) -> Option<IpAddr> {
        let service = self.services.iter().find(|service| service.name == *name)?;
        let mapped = service.host.parse().ok().and_then(|address| self.here(address));
        mapped.or_else(|| self.stand(&service.host))
    }

    /// The services with their addresses and ports on this computer.
    pub fn services(&self) -> impl Iterator<Item = (&Service, IpAddr)> {
        self.services.iter().filter_map(|service| Some((service, self.service(&service.name)?)))
    }

    fn stand(&self, host: &str) -> Option<IpAddr> {
        self.stands.iter().find(|stand| stand.host == host).map(|stand| stand.address)
    }

    /// The address, when it can be somebody's in one of the networks.
    fn in_network(&self, at_site: IpAddr) -> Option<IpAddr> {
        let network = self.mappings.iter().find(|mapping| mapping.network.subnet.contains(at_site))?;
        (!is_nobodys(at_site, network.network.subnet)).then_some(at_site)
    }
}

impl Ranges {
    /// Blocks come from here unless somebody says otherwise (docs/decisions/0010).
    ///
    /// IPv4: RFC 2544's benchmark range, which no site, carrier or VPN numbers its hosts from. IPv6: a unique local
    /// prefix of this product, its 40 bits drawn once (RFC 4193 section 3.2.2).
    pub fn usual() -> Option<Self> {
        Some(Self { v4: "198.18.0.0/15".parse().ok()?, v6: "fd6c:9a41:d27e::/48".parse().ok()? })
    }

    const fn of(self, address: IpAddr) -> Subnet {
        match address {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        }
    }
}

impl Site<'_> {
    fn reaches(&self, address: IpAddr) -> bool {
        let in_network = self.networks.iter().any(|network| network.subnet.contains(address));
        in_network || self.services.iter().any(|service| service.host.parse() == Ok(address))
    }

    fn has_place(&self, host: &str) -> bool {
        host.parse().is_ok_and(|address| self.networks.iter().any(|network| network.subnet.contains(address)))
    }
}

/// A host that no network holds gets an address of its own, so that its services have one.
fn stands(site: Site<'_>, range: Subnet, busy: &mut Vec<Subnet>) -> Result<(Option<Subnet>, Vec<Stand>), Unplanned> {
    let mut hosts: Vec<_> =
        site.services.iter().map(|service| service.host.as_str()).filter(|host| !site.has_place(host)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    if hosts.is_empty() {
        return Ok((None, Vec::new()));
    }
    let needed = (hosts.len() + 2).next_power_of_two().ilog2();
    let prefix = 32 - u8::try_from(needed).unwrap_or(32).min(32);
    let block = free_last(range, prefix, busy)
        .ok_or_else(|| Unplanned::NoRoom { wanted: Subnet::holding(range.first(), prefix).unwrap_or(range), range })?;
    busy.push(block);
    let stand = |(index, host): (usize, &&str)| {
        nth(block, index as u128 + 1).map(|address| Stand { host: (*host).to_owned(), address })
    };
    Ok((Some(block), hosts.iter().enumerate().filter_map(stand).collect()))
}

fn link(range: Subnet, busy: &mut Vec<Subnet>) -> Result<Link, Unplanned> {
    let prefix = width(range.first()) - LINK_BITS;
    let full = Unplanned::NoRoom { wanted: Subnet::holding(range.first(), prefix).unwrap_or(range), range };
    let block = free_last(range, prefix, busy).ok_or_else(|| full.clone())?;
    let (Some(own), Some(resolver)) = (nth(block, 1), nth(block, 2)) else { return Err(full) };
    busy.push(block);
    debug_assert!(!busy[..busy.len() - 1].iter().any(|other| overlap(*other, block)), "a link's block is free");
    Ok(Link { block, own, resolver })
}

#[cfg(test)]
mod tests;
