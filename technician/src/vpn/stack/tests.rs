mod scene;

use std::net::IpAddr;

use gatelodge_proto::payload::Host;
use proptest::prelude::*;
use smoltcp::{iface::SocketSet, socket::tcp::State};

use self::scene::{PANEL, Scene, icmp};
use super::*;

#[test]
fn a_syn_is_held_until_the_device_has_connected() {
    let mut scene = Scene::new();
    let socket = scene.dial(PANEL, 80, 40_000);
    assert!(scene.settle().is_empty(), "no word before the device's");
    let wanted = scene.stack.poll_wanted().unwrap();
    assert_eq!(wanted.target, Target::Service("panel".parse().unwrap()));
    scene.pass(Duration::from_secs(2));
    assert!(scene.settle().is_empty());
    assert_eq!(scene.stack.poll_wanted(), None, "a SYN that comes again is the same one");
    scene.stack.answer(wanted.flow, Ok(()), scene.now);
    scene.settle();
    assert_eq!(scene.program(socket).state(), State::Established);
}

#[test]
fn a_target_looks_as_it_would_from_beside_the_device() {
    for (failure, expected) in [
        (OpenError::Refused, "reset"),
        (OpenError::Busy, "reset"),
        (OpenError::TimedOut, "silence"),
        (OpenError::Limit, "silence"),
        (OpenError::Names, "silence"),
        (OpenError::Unreachable, "host"),
        (OpenError::NoSuchName, "host"),
        (OpenError::NotAllowed, "prohibited"),
        (OpenError::Consent, "prohibited"),
    ] {
        let mut scene = Scene::new();
        let socket = scene.dial(PANEL, 81, 40_000);
        scene.settle();
        let Wanted { flow, target } = scene.stack.poll_wanted().unwrap();
        let host = Host::Address("192.168.1.50".parse().unwrap());
        assert_eq!(target, Target::Address { protocol: Protocol::Tcp, host, port: 81 });
        scene.stack.answer(flow, Err(failure.into()), scene.now);
        let told = scene.settle();
        let said = match &told[..] {
            [] => "silence",
            [_] if scene.program(socket).state() == State::Closed => "reset",
            [one] => {
                let (kind, code, quoted) = icmp(one);
                assert_eq!(&quoted[16..20], &[198, 18, 1, 50], "it quotes the SYN");
                match (kind, code) {
                    (3, 1) => "host",
                    (3, 13) => "prohibited",
                    other => panic!("{other:?}"),
                }
            }
            more => panic!("{} packets", more.len()),
        };
        assert_eq!(said, expected, "{failure:?}");
        assert!(scene.stack.held.is_empty() && scene.stack.connections.is_empty());
    }
}

#[test]
fn what_is_not_in_the_plan_is_refused_without_asking_the_device() {
    let mut scene = Scene::new();
    for to in ["198.18.1.255", "198.18.9.9", "8.8.8.8"] {
        scene.dial(to, 80, 41_000);
        let (kind, code, _) = icmp(&scene.settle()[0]);
        assert_eq!((kind, code), (3, 13), "{to}");
        scene.sockets = SocketSet::new(vec![]);
    }
    assert_eq!(scene.stack.poll_wanted(), None);
}

#[test]
fn only_this_computers_own_programs_are_served() {
    let mut scene = Scene::new();
    scene.own = "192.168.7.7".parse().unwrap();
    scene.udp(5000, PANEL, 514, b"from a neighbour");
    assert_eq!((scene.stack.poll_wanted(), scene.stack.poll_packet(scene.now)), (None, None));
}

#[test]
fn either_side_may_end_first_and_the_other_goes_on() {
    let mut scene = Scene::new();
    let (socket, flow) = scene.connected(40_000);
    scene.program(socket).send_slice(b"last words").unwrap();
    scene.program(socket).close();
    scene.settle();
    assert_eq!(scene.read(flow, 4), Poll::Ready(Ok(Some(Bytes::from_static(b"last")))));
    assert_eq!(scene.read(flow, 99), Poll::Ready(Ok(Some(Bytes::from_static(b" words")))));
    assert_eq!(scene.read(flow, 99), Poll::Ready(Ok(None)));
    assert_eq!(scene.write(flow, b"answer"), Poll::Ready(Ok(6)));
    scene.stack.finish(flow);
    scene.settle();
    let mut answer = [0; 6];
    assert_eq!(scene.program(socket).recv_slice(&mut answer), Ok(6));
    assert_eq!(&answer, b"answer");
    scene.acknowledged();
    assert!(scene.stack.connections.is_empty(), "nothing of it is left");

    let (socket, flow) = scene.connected(40_001);
    scene.stack.finish(flow);
    scene.settle();
    assert!(!scene.program(socket).may_recv());
    scene.program(socket).send_slice(b"still here").unwrap();
    scene.settle();
    assert_eq!(scene.read(flow, 99), Poll::Ready(Ok(Some(Bytes::from_static(b"still here")))));
    scene.program(socket).close();
    scene.acknowledged();
    assert!(scene.stack.connections.is_empty());
}

#[test]
fn a_break_on_either_side_is_a_reset_on_the_other() {
    let mut scene = Scene::new();
    let (socket, flow) = scene.connected(40_000);
    scene.stack.abort(flow);
    scene.settle();
    assert_eq!(scene.program(socket).state(), State::Closed);
    let (socket, flow) = scene.connected(40_001);
    scene.program(socket).abort();
    scene.settle();
    assert_eq!(scene.read(flow, 99), Poll::Ready(Err(Gone)));
    assert_eq!(scene.write(flow, b"x"), Poll::Ready(Err(Gone)));
    assert!(scene.stack.connections.is_empty());
}

#[test]
fn a_program_that_does_not_read_costs_one_buffer() {
    let mut scene = Scene::new();
    let (_, flow) = scene.connected(40_000);
    let mut taken = 0;
    for _ in 0..10_000 {
        match scene.write(flow, &[7; 1000]) {
            Poll::Ready(Ok(bytes)) => taken += bytes,
            Poll::Ready(Err(Gone)) => panic!("gone"),
            Poll::Pending => break,
        }
        scene.settle();
    }
    assert!((64 * 1024..=300 * 1024).contains(&taken), "{taken}");
}

#[test]
fn ends_that_come_again_are_another_flow() {
    let mut scene = Scene::new();
    let (socket, old) = scene.connected(40_000);
    scene.program(socket).abort();
    scene.settle();
    let (socket, new) = scene.connected(40_000);
    scene.program(socket).send_slice(b"new").unwrap();
    scene.settle();
    assert_eq!(old.ends, new.ends);
    assert_eq!(scene.read(old, 99), Poll::Ready(Err(Gone)));
    assert_eq!(scene.read(new, 99), Poll::Ready(Ok(Some(Bytes::from_static(b"new")))));
}

#[test]
fn datagrams_go_both_ways_until_nobody_has_said_anything_for_two_minutes() {
    let mut scene = Scene::new();
    scene.udp(5000, PANEL, 514, b"one");
    scene.udp(5000, PANEL, 514, b"two");
    let Wanted { flow, .. } = scene.stack.poll_wanted().unwrap();
    assert_eq!(scene.stack.poll_wanted(), None);
    scene.stack.answer(flow, Ok(()), scene.now);
    assert_eq!(scene.datagram(flow), Poll::Ready(Some(Bytes::from_static(b"one"))));
    assert_eq!(scene.datagram(flow), Poll::Ready(Some(Bytes::from_static(b"two"))));
    assert_eq!(scene.datagram(flow), Poll::Pending);
    scene.pass(Duration::from_secs(100));
    scene.stack.put_datagram(flow, b"answer", scene.now);
    let answer = scene.stack.poll_packet(scene.now).unwrap();
    let Packet { from, to, body: Body::Udp { from: 514, to: 5000, payload: b"answer" } } = parse(&answer).unwrap()
    else {
        panic!("{answer:?}")
    };
    assert_eq!((from.to_string().as_str(), to), (PANEL, scene.own));
    scene.pass(Duration::from_secs(100));
    assert_eq!(scene.datagram(flow), Poll::Pending, "an answer counts");
    assert_eq!(scene.stack.poll_timeout(scene.now), Some(scene.now + Duration::from_secs(20)));
    scene.pass(Duration::from_secs(20));
    assert_eq!(scene.datagram(flow), Poll::Ready(None));
}

#[test]
fn a_closed_udp_port_is_told_as_one() {
    let mut scene = Scene::new();
    let sent = scene.udp(5000, PANEL, 9, b"hello");
    let Wanted { flow, .. } = scene.stack.poll_wanted().unwrap();
    scene.stack.answer(flow, Err(OpenError::Refused.into()), scene.now);
    let (kind, code, quoted) = icmp(&scene.stack.poll_packet(scene.now).unwrap());
    assert_eq!((kind, code, quoted), (3, 3, sent));
    assert_eq!(scene.datagram(flow), Poll::Ready(None));

    // The device learns it later than it opens the flow.
    for answers in [0, 1] {
        let sent = scene.udp(5001, PANEL, 9, b"hello");
        let Wanted { flow, .. } = scene.stack.poll_wanted().unwrap();
        scene.stack.answer(flow, Ok(()), scene.now);
        for _ in 0..answers {
            scene.stack.put_datagram(flow, b"hello yourself", scene.now);
            scene.stack.poll_packet(scene.now).unwrap();
        }
        scene.stack.hung_up(flow);
        let told = scene.stack.poll_packet(scene.now).map(|packet| icmp(&packet));
        assert_eq!(told, (answers == 0).then_some((3, 3, sent)), "{answers} answers");
    }
}

#[test]
fn the_conversation_that_is_silent_longest_makes_room() {
    let mut scene = Scene::new();
    let mut flows = Vec::new();
    for port in 0..=u16::try_from(MOST_CONVERSATIONS).unwrap() {
        scene.udp(5000 + port, PANEL, 514, b"hello");
        flows.push(scene.stack.poll_wanted().unwrap().flow);
        scene.pass(Duration::from_millis(1));
    }
    assert_eq!(scene.stack.conversations.len(), MOST_CONVERSATIONS);
    assert_eq!(scene.datagram(flows[0]), Poll::Ready(None));
    assert!(scene.datagram(flows[1]).is_ready() && scene.datagram(flows[MOST_CONVERSATIONS]).is_ready());
}

#[test]
fn a_ping_is_answered_with_its_own_identifier() {
    for to in [PANEL, "fd6c:9a41:d27e:7::50"] {
        let mut scene = Scene::new();
        let to: IpAddr = to.parse().unwrap();
        let own = scene.stack.plan.own(to).unwrap();
        let to = scene.stack.plan.here("2001:db8:7::50".parse().unwrap()).filter(|_| to.is_ipv6()).unwrap_or(to);
        let mut ping = packet::echo_reply(own, to, 77, b"\0\x05data");
        let head = if to.is_ipv4() { 20 } else { 40 };
        ping[head] = if to.is_ipv4() { 8 } else { 128 };
        scene.stack.handle_packet(&ping, scene.now);
        let Wanted { flow, target } = scene.stack.poll_wanted().unwrap();
        assert!(matches!(target, Target::Echo { .. }), "{target:?}");
        assert_eq!(scene.datagram(flow), Poll::Ready(Some(Bytes::from_static(b"\0\x05data"))));
        scene.stack.put_datagram(flow, b"\0\x05data", scene.now);
        let answer = scene.stack.poll_packet(scene.now).unwrap();
        assert_eq!(answer[head], if to.is_ipv4() { 0 } else { 129 });
        assert_eq!(&answer[head + 4..], b"\0\x4d\0\x05data");
    }
}

#[test]
fn names_are_answered_beside_the_site_and_no_others() {
    let mut scene = Scene::new();
    let resolver = scene.stack.plan.links[0].resolver.to_string();
    let mut ask = |name: &str, kind: u8| {
        let mut query = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend_from_slice(label.as_bytes());
        }
        query.extend_from_slice(&[0, 0, kind, 0, 1]);
        scene.udp(5353, &resolver, 53, &query);
        let answer = scene.stack.poll_packet(scene.now).unwrap();
        let Body::Udp { from: 53, to: 5353, payload } = parse(&answer).unwrap().body else { panic!("{answer:?}") };
        assert_eq!(&payload[..2], &[1, 2]);
        let address = (payload[7] == 1).then(|| payload[payload.len() - 4..].to_vec());
        (payload[3] & 15, address)
    };
    assert_eq!(ask("Panel.villa-rosa.Gatelodge", 1), (0, Some(vec![198, 18, 1, 50])));
    assert_eq!(ask("panel.villa-rosa.gatelodge", 28), (0, None), "it has no IPv6 address, and exists");
    assert_eq!(ask("villa-rosa.gatelodge", 1), (0, None));
    assert_eq!(ask("nas.villa-rosa.gatelodge", 1), (3, None));
    assert_eq!(ask("portal.example.com", 1), (5, None));
    assert_eq!(ask("notgatelodge", 1), (5, None));
    assert_eq!(scene.stack.poll_wanted(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bytes_come_out_as_they_went_in(
        steps in prop::collection::vec((any::<bool>(), 1usize..20_000, 1usize..20_000), 1..40),
    ) {
        let mut scene = Scene::new();
        let (socket, flow) = scene.connected(40_000);
        let pattern: Vec<u8> = (0..=u8::MAX).cycle().zip((0..=252u8).cycle()).map(|(a, b)| a ^ b).take(1 << 20).collect();
        let (mut up, mut down, mut up_seen, mut down_seen) = (0, 0, 0, 0);
        for (upwards, bytes, read) in steps {
            if upwards {
                up += scene.program(socket).send_slice(&pattern[up..up + bytes]).unwrap();
            } else if let Poll::Ready(taken) = scene.write(flow, &pattern[down..down + bytes]) {
                down += taken.unwrap();
            }
            scene.settle();
            if let Poll::Ready(got) = scene.read(flow, read) {
                let got = got.unwrap().unwrap();
                prop_assert_eq!(&got[..], &pattern[up_seen..up_seen + got.len()]);
                up_seen += got.len();
            }
            let mut got = vec![0; read];
            let taken = scene.program(socket).recv_slice(&mut got).unwrap();
            prop_assert_eq!(&got[..taken], &pattern[down_seen..down_seen + taken]);
            down_seen += taken;
            prop_assert!(up_seen <= up && down_seen <= down);
        }
        for _ in 0..100 {
            scene.pass(Duration::from_millis(50));
            scene.settle();
            if let Poll::Ready(Ok(Some(got))) = scene.read(flow, 1 << 20) {
                prop_assert_eq!(&got[..], &pattern[up_seen..up_seen + got.len()]);
                up_seen += got.len();
            }
            let mut got = vec![0; 1 << 16];
            let taken = scene.program(socket).recv_slice(&mut got).unwrap();
            prop_assert_eq!(&got[..taken], &pattern[down_seen..down_seen + taken]);
            down_seen += taken;
        }
        prop_assert_eq!((up_seen, down_seen), (up, down), "nothing is lost");
    }

    #[test]
    fn no_packet_panics_and_none_is_answered_to_a_stranger(
        noise in prop::collection::vec(any::<u8>(), 0..120),
        at in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        kind in 0..3u8,
    ) {
        let mut scene = Scene::new();
        scene.stack.handle_packet(&noise, scene.now);
        let (from, to) = (SocketAddr::new(scene.own, 5000), SocketAddr::new(PANEL.parse().unwrap(), 53));
        let mut packet = match kind {
            0 => packet::udp(from, SocketAddr::new(scene.stack.plan.links[0].resolver, 53), &noise),
            1 => packet::udp(from, to, &noise),
            _ => packet::unreachable(from.ip(), to.ip(), Unreachable::Host, &noise),
        };
        for (index, byte) in at {
            let index = index.index(packet.len());
            packet[index] = byte;
        }
        scene.stack.handle_packet(&packet, scene.now);
        while let Some(packet) = scene.stack.poll_packet(scene.now) {
            prop_assert_eq!(parse(&packet).map_or(scene.own, |packet| packet.to), scene.own);
        }
    }
}
