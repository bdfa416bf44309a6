//! Datagrams, IPv6, connections that end one way first, and a SOCKS port: what goes where it may, and what does not.

use gatelodge_proto::{
    payload::{EndReason, FlowOutcome, Happening, Network, Protocol, Service},
    session::Ending,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UdpSocket},
};

use super::{Plane, service};

#[tokio::test]
async fn datagrams_of_several_programs_are_answered_each_to_its_own() {
    for (at, local) in [("127.0.0.25:0", "127.0.0.1:0"), ("[::1]:0", "127.0.0.1:0")] {
        let bus = UdpSocket::bind(at).await.unwrap();
        let service = Service { protocol: Protocol::Udp, ..service("bus", bus.local_addr().unwrap()) };
        let (_plane, mut live) = Plane::start().await.up(&[service]).await;
        let answers = async {
            let mut buffer = [0; 2000];
            loop {
                let (length, from) = bus.recv_from(&mut buffer).await.unwrap();
                buffer[..length].reverse();
                bus.send_to(&buffer[..length], from).await.unwrap();
            }
        };
        let asks = async {
            let programs = [UdpSocket::bind(local).await.unwrap(), UdpSocket::bind(local).await.unwrap()];
            for round in 0u8..20 {
                for (number, program) in (0u8..).zip(&programs) {
                    let length = 4 + usize::from(round) * 70;
                    let mut words = vec![number; length];
                    words[0] = round;
                    program.send_to(&words, live.ports[0]).await.unwrap();
                    let mut answer = [0; 2000];
                    let (read, from) = program.recv_from(&mut answer).await.unwrap();
                    words.reverse();
                    assert_eq!((&answer[..read], from), (&words[..], live.ports[0]));
                }
            }
        };
        tokio::select! {
            () = answers => {}
            () = asks => {}
        }
        live.stop_technician.cancel();
        assert_eq!(live.ends().await.0.unwrap(), Ending::plain(EndReason::Technician));
        let sum = (0..20).map(|round| 4 + round * 70).sum::<u64>();
        let closed: Vec<_> = live
            .events()
            .await
            .into_iter()
            .filter_map(|event| match event {
                Happening::FlowClosed { bytes_up, bytes_down, .. } => Some((bytes_up, bytes_down)),
                _ => None,
            })
            .collect();
        assert_eq!(closed, [(sum, sum), (sum, sum)], "a flow for each program");
    }
}

#[tokio::test]
async fn a_connection_ends_one_way_first_whichever_it_is() {
    for at in ["127.0.0.26:0", "[::1]:0"] {
        let target = TcpListener::bind(at).await.unwrap();
        let (_plane, live) = Plane::start().await.up(&[service("panel", target.local_addr().unwrap())]).await;
        for asks_first in [true, false] {
            let (mut near, (mut far, _)) = (live.connect(0).await, target.accept().await.unwrap());
            let (first, second) = if asks_first { (&mut near, &mut far) } else { (&mut far, &mut near) };
            first.write_all(b"my last word").await.unwrap();
            first.shutdown().await.unwrap();
            let mut heard = String::new();
            second.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, "my last word");
            // The other way is open still, and for as long as its end likes.
            for _ in 0..3 {
                second.write_all(b"yours").await.unwrap();
                let mut word = [0; 5];
                first.read_exact(&mut word).await.unwrap();
                assert_eq!(&word, b"yours");
            }
            second.shutdown().await.unwrap();
            assert_eq!(first.read(&mut [0; 1]).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_socks_port_says_by_its_number_why_a_place_is_not_reached() {
    let listening = TcpListener::bind("127.0.0.27:0").await.unwrap();
    let port = listening.local_addr().unwrap().port();
    let plane = Plane::start().await;
    let mut change = plane.change(&[]);
    let network = |name: &str, subnet: &str| Network { name: name.parse().unwrap(), subnet: subnet.parse().unwrap() };
    // Wider than the settings take: the device keeps its own addresses to itself even then.
    change.grant.networks = vec![network("all", "0.0.0.0/0")];
    let (_plane, mut live) = plane.go(change).await;
    live.joined().await;
    let [high, low] = port.to_be_bytes();
    let name = |name: &str| [&[3, u8::try_from(name.len()).unwrap()], name.as_bytes(), &[high, low]].concat();
    for (place, reply) in [
        (vec![1, 127, 0, 0, 27, high, low], 2),
        (vec![1, 169, 254, 1, 1, high, low], 2),
        (name("localhost"), 2),
        (name("panel.invalid"), 4),
        (name("127.27"), 8),
        ([&[4], &[0; 15][..], &[1, high, low]].concat(), 2),
        (vec![9], 8),
    ] {
        let mut tcp = live.connect(0).await;
        tcp.write_all(&[5, 1, 0]).await.unwrap();
        tcp.write_all(&[&[5, 1, 0], &place[..]].concat()).await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [5, 0, 5, reply, 0, 1, 0, 0, 0, 0, 0, 0], "{place:?}");
    }
    let reached = tokio::select! {
        biased;
        _ = listening.accept() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!reached, "no byte goes to the device's own ports");
    live.stop_technician.cancel();
    live.ends().await.0.unwrap();
    let outcomes: Vec<_> = live
        .events()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Happening::FlowOpened { target, outcome, .. } => Some((target, outcome)),
            _ => None,
        })
        .collect();
    let refused = |target: &str| (format!("tcp {target}:{port}"), FlowOutcome::NotAllowed);
    let unknown = (format!("tcp panel.invalid:{port}"), FlowOutcome::NoSuchName);
    let expected = [refused("127.0.0.27"), refused("169.254.1.1"), refused("localhost"), unknown, refused("[::1]")];
    assert_eq!(outcomes, expected);
}
