//! The machine of a look around, by its own clock: who is asked and tried, how much at most, and what is told.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use gatelodge_proto::{
    payload::Protocol,
    session::finds::{Find, FoundBy, MOST_FINDS},
};
use proptest::prelude::*;
use simple_dns::{CLASS, Label, Name, Packet, ResourceRecord, rdata, rdata::RData};

use super::{
    Known, Looks,
    neighbours::Neighbour,
    search::{Due, Ground, MOST_PROBES, MOST_QUESTIONS, PACE, Search, Sent},
};

const OWN: &str = "192.168.1.2";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ground(subnet: &str, own: Option<&str>) -> Ground {
    Ground { subnet: subnet.parse().unwrap(), own: own.map(|own| own.parse().unwrap()) }
}

fn lan(ports: &[u16]) -> Search {
    let looks = Looks { ports: ports.to_vec(), known: Vec::new() };
    Search::new(vec![ground("192.168.1.0/24", Some(OWN))], vec![ip(OWN)], &looks)
}

fn named(labels: &[&[u8]]) -> Name<'static> {
    let labels: Vec<_> = labels.iter().map(|label| Label::new(label.to_vec()).unwrap()).collect();
    Name::new_with_labels(&labels)
}

fn reply(records: Vec<(Name<'static>, RData<'static>)>) -> Vec<u8> {
    let mut packet = Packet::new_reply(0);
    let record = |(name, data)| ResourceRecord::new(name, CLASS::IN, 120, data);
    packet.answers = records.into_iter().map(record).collect();
    packet.build_bytes_vec().unwrap()
}

/// Says that it has a web page at that port of that address.
fn web(name: &[u8], port: u16, address: &str) -> Vec<u8> {
    let IpAddr::V4(address) = ip(address) else { panic!("{address} is not of IPv4") };
    let host = named(&[b"panel", b"local"]);
    let srv = rdata::SRV { priority: 0, weight: 0, port, target: host.clone() };
    reply(vec![
        (named(&[name, b"_http", b"_tcp", b"local"]), RData::SRV(srv)),
        (host, RData::A(rdata::A { address: address.to_bits() })),
    ])
}

/// Says that there is a kind of services, which is a question more for whoever looks around.
fn kind(number: usize) -> Vec<u8> {
    let kind = format!("_kind-{number}");
    let to = named(&[kind.as_bytes(), b"_tcp", b"local"]);
    reply(vec![(named(&[b"_services", b"_dns-sd", b"_udp", b"local"]), RData::PTR(rdata::PTR(to)))])
}

/// What is due until nothing is, with the moments of all packets; connections that are tried come about where `open` says.
fn play(search: &mut Search, mut hears: impl FnMut(&mut Search, &Due), open: &[&str]) -> (Vec<Duration>, Vec<Due>) {
    let (mut now, mut packets, mut all, mut probing) = (Duration::ZERO, Vec::new(), Vec::new(), Vec::new());
    for _ in 0..100_000 {
        let due = search.due(now);
        hears(search, &due);
        match &due {
            Due::Over => {
                all.push(due);
                return (packets, all);
            }
            Due::Neighbours => {}
            Due::Mdns(..) | Due::Ssdp(_) => packets.push(now),
            Due::Probe(at) => {
                packets.push(now);
                probing.push(*at);
            }
            Due::At(then) => {
                if probing.is_empty() {
                    now = *then;
                }
                for at in probing.drain(..) {
                    search.probed(at, open.contains(&at.to_string().as_str()));
                }
                continue;
            }
        }
        all.push(due);
    }
    panic!("it never ends");
}

fn told(search: &mut Search) -> Vec<Find> {
    std::iter::from_fn(|| search.fresh()).collect()
}

fn places(finds: &[Find]) -> Vec<String> {
    let place = |find: &Find| match find.port {
        Some((protocol, port)) => {
            format!("{} {} {}:{port} {}", find.by.word(), protocol.word(), find.address, find.name)
        }
        None => format!("{} {} {}", find.by.word(), find.address, find.name),
    };
    finds.iter().map(place).collect()
}

#[test]
fn without_declared_ports_nobody_is_tried_and_all_are_asked_few_times() {
    let mut search = lan(&[]);
    let (packets, all) = play(&mut search, |_, _| {}, &[]);
    assert_eq!(search.sent(), Sent { questions: 4, probes: 0 });
    assert_eq!(all.iter().filter(|due| **due == Due::Neighbours).count(), 2, "before, and after all were asked");
    assert!(packets.array_windows().all(|[one, next]| *next >= *one + PACE), "{packets:?}");
    assert_eq!((told(&mut search), search.is_cut()), (Vec::new(), false));
}

#[test]
fn declared_ports_are_tried_once_on_each_address_and_nothing_else_is() {
    let mut search = lan(&[80, 10_001]);
    let (packets, all) = play(&mut search, |_, _| {}, &["192.168.1.50:80"]);
    let tried: Vec<_> = all.iter().filter_map(|due| if let Due::Probe(at) = due { Some(*at) } else { None }).collect();
    let each: BTreeSet<_> = tried.iter().copied().collect();
    assert_eq!((tried.len(), each.len()), (253 * 2, 253 * 2), "254 addresses but the device's own");
    for never in ["192.168.1.0", "192.168.1.255", OWN] {
        assert!(!each.iter().any(|at| at.ip() == ip(never)), "{never}");
    }
    assert!(each.iter().all(|at| matches!(at.port(), 80 | 10_001)));
    assert!(packets.array_windows().all(|[one, next]| *next >= *one + PACE), "no two at once");
    assert_eq!(places(&told(&mut search)), ["port tcp 192.168.1.50:80 "]);
}

#[test]
fn in_a_large_network_who_was_found_is_tried_and_nobody_else() {
    let looks = Looks { ports: vec![80], known: Vec::new() };
    let mut search = Search::new(vec![ground("10.0.0.0/8", Some("10.0.0.2"))], vec![ip("10.0.0.2")], &looks);
    let mac = "00:1B:44:11:3A:B7".parse().unwrap();
    let table = [Neighbour { address: ip("10.7.7.7"), mac }, Neighbour { address: ip("192.168.1.7"), mac }];
    let hears = |search: &mut Search, due: &Due| {
        if *due == Due::Neighbours {
            search.neighbours(&table);
        }
    };
    let (_, all) = play(&mut search, hears, &[]);
    let tried: Vec<_> = all.into_iter().filter(|due| matches!(due, Due::Probe(_))).collect();
    assert_eq!(tried, [Due::Probe("10.7.7.7:80".parse().unwrap())]);
    let found = told(&mut search);
    assert_eq!(places(&found), ["neighbour 10.7.7.7 "]);
    assert_eq!(found[0].mac, Some(mac));
}

#[test]
fn what_is_found_is_in_the_sessions_networks_whoever_says_so() {
    let mut search = lan(&[]);
    search.mdns(ip("192.168.1.50"), &web(b"Panel", 80, "192.168.1.50"));
    search.mdns(ip("192.168.1.51"), &web(b"Elsewhere", 81, "10.0.0.1"));
    search.mdns(ip("192.168.1.52"), &web(b"Loopback", 82, "127.0.0.1"));
    search.mdns(ip("192.168.1.53"), &web(b"The device", 83, OWN));
    search.mdns(ip("192.168.1.54"), &web(b"For another", 84, "192.168.1.60"));
    search.mdns(ip("10.0.0.1"), &web(b"From elsewhere", 85, "192.168.1.61"));
    search.ssdp(ip("10.0.0.1"), b"HTTP/1.1 200 OK\r\nSERVER: x\r\n");
    let found = told(&mut search);
    assert_eq!(
        places(&found),
        [
            "mdns tcp 192.168.1.50:80 Panel",
            "mdns tcp 192.168.1.51:81 Elsewhere",
            "mdns tcp 192.168.1.52:82 Loopback",
            "mdns tcp 192.168.1.53:83 The device",
            "mdns tcp 192.168.1.60:84 For another",
        ]
    );
    assert_eq!(found[0].what.as_str(), "_http._tcp");
}

#[test]
fn a_service_of_the_settings_is_told_and_never_tried() {
    let at = "192.168.1.50:80".parse().unwrap();
    let looks =
        Looks { ports: vec![80], known: vec![Known { at, protocol: Protocol::Tcp, name: "Programming".into() }] };
    let mut search = Search::new(vec![ground("192.168.1.0/24", Some(OWN))], vec![ip(OWN)], &looks);
    let (_, all) = play(&mut search, |_, _| {}, &[]);
    assert!(!all.contains(&Due::Probe(at)));
    assert_eq!(places(&told(&mut search)), ["settings tcp 192.168.1.50:80 Programming"]);
}

#[test]
fn who_says_too_much_costs_no_more_than_is_allowed() {
    let mut search = lan(&[80, 81, 82, 83, 84, 85, 86]);
    let mut number = 0;
    // Each packet is answered by many, who each name kinds and places without end.
    let hears = |search: &mut Search, due: &Due| {
        if matches!(due, Due::Mdns(..) | Due::Ssdp(_)) {
            for host in 3..250_u8 {
                for _ in 0..5 {
                    number += 1;
                    let from = IpAddr::from([192, 168, 1, host]);
                    search.mdns(from, &kind(number));
                    search.mdns(from, &web(b"x", u16::try_from(number % 60_000 + 1).unwrap(), "192.168.1.9"));
                }
            }
        }
    };
    let (packets, _) = play(&mut search, hears, &[]);
    let Sent { questions, probes } = search.sent();
    assert!(questions <= MOST_QUESTIONS && probes <= MOST_PROBES, "{questions} questions, {probes} connections");
    assert_eq!(packets.len(), questions + probes);
    assert!(told(&mut search).len() <= MOST_FINDS && search.is_cut());
}

#[test]
fn who_changes_its_name_all_the_time_is_told_once() {
    let mut search = lan(&[]);
    for number in 0..1000_u32 {
        search.mdns(ip("192.168.1.50"), &web(number.to_string().as_bytes(), 80, "192.168.1.50"));
    }
    assert_eq!(places(&told(&mut search)), ["mdns tcp 192.168.1.50:80 0"]);
    search.ssdp(ip("192.168.1.50"), b"HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.50/\r\nSERVER: x\r\n");
    assert_eq!(told(&mut search), [], "said less well, and read no more");
    assert_eq!(FoundBy::Mdns.word(), "mdns");
}

proptest! {
    #[test]
    fn nothing_outside_the_networks_is_ever_tried_or_told(
        hosts in proptest::collection::vec(any::<u32>(), 0..20),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut search = lan(&[80]);
        for host in hosts {
            let address: IpAddr = std::net::Ipv4Addr::from_bits(host).into();
            search.mdns(ip("192.168.1.50"), &web(b"x", 80, &address.to_string()));
            search.mdns(address, &bytes);
            search.ssdp(address, &bytes);
        }
        let (_, all) = play(&mut search, |_, _| {}, &[]);
        let lan: gatelodge_proto::payload::Subnet = "192.168.1.0/24".parse().unwrap();
        for due in all {
            if let Due::Probe(at) = due {
                prop_assert!(lan.contains(at.ip()) && at.ip() != ip(OWN));
            }
        }
        prop_assert!(told(&mut search).iter().all(|find| lan.contains(find.address)));
    }
}
