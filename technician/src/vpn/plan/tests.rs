use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn network(name: &str, subnet: &str) -> Network {
    Network { name: name.parse().unwrap(), subnet: subnet.parse().unwrap() }
}

fn service(name: &str, protocol: Protocol, host: &str, port: u16) -> Service {
    Service { name: name.parse().unwrap(), protocol, host: host.into(), port }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn villa() -> (Vec<Network>, Vec<Service>) {
    let networks = vec![network("lan", "192.168.1.0/24"), network("lan6", "2001:db8:7::/64")];
    let services = vec![
        service("panel", Protocol::Tcp, "192.168.1.50", 80),
        service("panel-log", Protocol::Udp, "192.168.1.50", 514),
        service("nas", Protocol::Tcp, "nas.local", 443),
        service("own-page", Protocol::Tcp, "127.0.0.1", 8080),
    ];
    (networks, services)
}

fn planned(taken: &[&str], real: &[&str]) -> Result<Plan, Unplanned> {
    let (networks, services) = villa();
    let taken: Vec<_> = taken.iter().map(|text| text.parse().unwrap()).collect();
    let real: Vec<_> = real.iter().map(|text| ip(text)).collect();
    let site = Site { label: "villa-rosa", networks: &networks, services: &services, real: &real };
    Plan::make(site, Ranges::usual().unwrap(), &taken)
}

#[test]
fn a_site_with_the_same_network_as_this_computer_is_beside_it_with_familiar_numbers() {
    let plan = planned(&["192.168.1.0/24", "192.168.1.7/32"], &[]).unwrap();
    assert_eq!(plan.here(ip("192.168.1.50")), Some(ip("198.18.1.50")));
    assert_eq!(plan.at_site(ip("198.18.1.50")), Some(ip("192.168.1.50")));
    assert_eq!(plan.at_site(ip("192.168.1.50")), None, "this computer's own network stays its own");
    let second = planned(&["198.18.1.0/24"], &[]).unwrap();
    assert_eq!(second.here(ip("192.168.1.50")), Some(ip("198.18.2.50")), "two sites at once");
}

#[test]
fn a_packet_means_a_service_by_its_name_else_an_address_of_a_network_else_nothing() {
    let plan = planned(&[], &[]).unwrap();
    let tcp = |here, port| plan.target(Protocol::Tcp, here, port);
    let panel = ip("198.18.1.50");
    let named = |name: &str| Some(Target::Service(name.parse().unwrap()));
    assert_eq!(tcp(panel, 80), named("panel"));
    assert_eq!(plan.target(Protocol::Udp, panel, 514), named("panel-log"));
    let host = Host::Address(ip("192.168.1.50"));
    assert_eq!(tcp(panel, 81), Some(Target::Address { protocol: Protocol::Tcp, host, port: 81 }));
    assert_eq!(plan.echo(panel), Some(Target::Echo { address: ip("192.168.1.50") }));
    for nobodys in ["198.18.1.0", "198.18.1.255", "198.18.7.1", "192.168.1.50", "127.0.0.1"] {
        assert_eq!((tcp(ip(nobodys), 80), plan.echo(ip(nobodys))), (None, None), "{nobodys}");
    }
    let nas = plan.service(&"nas".parse().unwrap()).unwrap();
    assert_eq!(tcp(nas, 443), named("nas"));
    assert_eq!((tcp(nas, 80), plan.echo(nas)), (None, None), "no more than the service");
    assert!(plan.routes().any(|route| route.contains(nas)));
    assert!(plan.is_resolver(plan.links[0].resolver) && !plan.is_resolver(plan.links[0].own));
}

#[test]
fn names_are_of_the_service_and_the_device() {
    let plan = planned(&[], &[]).unwrap();
    let names: Vec<_> = plan.names().collect();
    assert_eq!(names[0], ("panel.villa-rosa.gatelodge".to_owned(), ip("198.18.1.50")));
    assert_eq!(names.len(), 4);
}

#[test]
fn an_address_keeps_its_number_only_where_nothing_here_has_it() {
    let free = planned(&["10.0.0.0/8"], &["192.168.1.50", "192.168.9.9"]).unwrap();
    assert_eq!((&free.real[..], &free.not_real[..]), (&[ip("192.168.1.50")][..], &[ip("192.168.9.9")][..]));
    assert_eq!(free.at_site(ip("192.168.1.50")), Some(ip("192.168.1.50")));
    assert!(free.routes().any(|route| route.to_string() == "192.168.1.50/32"));
    let used = planned(&["192.168.0.0/16"], &["192.168.1.50"]).unwrap();
    assert_eq!((used.real.len(), used.not_real.len()), (0, 1));
}

#[test]
fn without_room_or_without_anything_to_reach_there_is_no_plan() {
    let full = planned(&["198.18.0.0/15"], &[]).unwrap_err();
    assert_eq!(full.to_string(), "no block in 198.18.0.0/15 is free and as large as 192.168.1.0/24");
    let nothing = Site { label: "villa-rosa", networks: &[], services: &[], real: &[] };
    assert_eq!(Plan::make(nothing, Ranges::usual().unwrap(), &[]), Err(Unplanned::Nothing));
}

fn subnets(most: usize) -> impl Strategy<Value = Vec<Subnet>> {
    let around = prop_oneof![Just(0xC612_0000u32), Just(0xC0A8_0000), Just(0x0A00_0000)];
    let one = (around, 0u32..0x2_0000, 16u8..=32)
        .prop_map(|(base, low, prefix)| Subnet::holding(Ipv4Addr::from_bits(base | low).into(), prefix).unwrap());
    prop::collection::vec(one, 0..most)
}

proptest! {
    #[test]
    fn every_plan_is_one_to_one_and_clear_of_everything_here(
        taken in subnets(12),
        sites in subnets(4),
        real in prop::collection::vec(0u32..0x2_0000, 0..4),
        hosts in prop::collection::vec("[a-z]{1,8}", 0..5),
        probe: u32,
    ) {
        let networks: Vec<_> = sites
            .iter()
            .enumerate()
            .map(|(index, subnet)| Network { name: format!("n{index}").parse().unwrap(), subnet: *subnet })
            .collect();
        let services: Vec<_> =
            hosts.iter().enumerate().map(|(n, host)| service(&format!("s{n}"), Protocol::Tcp, host, 80)).collect();
        let real: Vec<IpAddr> = real.iter().map(|low| Ipv4Addr::from_bits(0xC0A8_0000 | low).into()).collect();
        let site = Site { label: "villa", networks: &networks, services: &services, real: &real };
        let Ok(plan) = Plan::make(site, Ranges::usual().unwrap(), &taken) else { return Ok(()) };

        let blocks: Vec<_> = plan.blocks().collect();
        for (index, block) in blocks.iter().enumerate() {
            prop_assert!(block.prefix() > 0, "never a default route");
            prop_assert!(!taken.iter().any(|other| overlap(*other, *block)), "{block} is taken");
            // Two wished numbers may be the same one.
            prop_assert!(blocks[..index].iter().all(|other| other == block || !overlap(*other, *block)));
        }
        prop_assert_eq!(plan.real.len() + plan.not_real.len(), real.len());
        for mapping in &plan.mappings {
            let (subnet, block) = (mapping.network.subnet, mapping.block);
            prop_assert_eq!(subnet.prefix(), block.prefix());
            let mask = u32::MAX.checked_shr(subnet.prefix().into()).unwrap_or(0);
            let IpAddr::V4(first) = subnet.first() else { unreachable!() };
            let host = Ipv4Addr::from_bits(first.to_bits() | (probe & mask));
            let here = carried_over(host.into(), subnet, block).unwrap();
            prop_assert_eq!(plan.at_site(here), Some(host.into()), "one to one");
            let IpAddr::V4(here) = here else { unreachable!() };
            prop_assert_eq!(here.to_bits() & mask, probe & mask, "the same host octets");
        }
        let anywhere: IpAddr = Ipv4Addr::from_bits(probe).into();
        if plan.target(Protocol::Tcp, anywhere, 80).is_some() || plan.echo(anywhere).is_some() {
            prop_assert!(plan.routes().any(|route| route.contains(anywhere)), "only what is routed here");
        }
        for (_, address) in plan.services() {
            prop_assert!(plan.routes().any(|route| route.contains(address)));
        }
    }
}
