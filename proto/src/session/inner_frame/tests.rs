//! Round trips, golden bytes and bad input.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{
        files::{FileAct, FileDigest},
        wire,
    },
    body::MAX_CONSENT,
    *,
};
use crate::{
    FlowId, Random, Timestamp,
    payload::{Feature, Host, Network, Protocol, ServiceName, Subnet},
};

const OPEN_ERRORS: [OpenError; 9] = [
    OpenError::NotAllowed,
    OpenError::Refused,
    OpenError::TimedOut,
    OpenError::Unreachable,
    OpenError::NoSuchName,
    OpenError::Limit,
    OpenError::Consent,
    OpenError::Busy,
    OpenError::Names,
];

fn any_grant() -> impl Strategy<Value = Warrant> {
    ("[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,90}", vec(any::<u8>(), 0..200))
        .prop_map(|(grant, consent)| Warrant { grant: grant.parse().unwrap(), consent: consent.into() })
}

fn any_service() -> impl Strategy<Value = ServiceName> {
    "[a-z0-9][a-z0-9-]{0,39}".prop_map(|name| name.parse().unwrap())
}

fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(Host::Address),
        "[a-z][a-z0-9]{0,20}(\\.[a-z]{1,20}){0,3}".prop_map(|name| name.parse().unwrap())
    ]
}

fn any_act() -> impl Strategy<Value = FileAct> {
    let moment = (0i64..4_000_000_000_000_000).prop_map(Timestamp::from_micros);
    prop_oneof![
        Just(FileAct::List),
        Just(FileAct::Get { from: 0, modified: None }),
        (any::<u64>(), moment).prop_map(|(from, moment)| FileAct::Get { from, modified: Some(moment) }),
        (any::<u64>(), any::<[u8; 32]>()).prop_map(|(size, digest)| FileAct::Put { size, digest: FileDigest(digest) }),
    ]
}

fn any_size() -> impl Strategy<Value = Size> {
    (1..=u16::MAX, 1..=u16::MAX).prop_map(|(columns, rows)| Size { columns, rows })
}

fn any_target() -> impl Strategy<Value = Target> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    prop_oneof![
        any_service().prop_map(Target::Service),
        (protocol, any_host(), any::<u16>()).prop_map(|(protocol, host, port)| Target::Address {
            protocol,
            host,
            port
        }),
        any::<std::net::IpAddr>().prop_map(|address| Target::Echo { address }),
        (any_service(), any::<std::net::IpAddr>(), any::<u16>())
            .prop_map(|(listen, address, port)| Target::Call { listen, caller: (address, port).into() }),
        (any_act(), proptest::option::of("[a-z]{1,9}(/[A-Za-z0-9_. é-]{3,20}){0,3}"))
            .prop_map(|(act, path)| Target::File { path: path.map(|path| path.parse().unwrap()), act }),
        (any_size(), "[a-z][a-z0-9-]{0,30}", proptest::option::of("[a-zé |]{1,200}")).prop_map(
            |(size, term, command)| {
                Target::Terminal {
                    size,
                    term: term.parse().unwrap(),
                    command: command.map(|line| line.parse().unwrap()),
                }
            }
        ),
        Just(Target::Discover),
        Just(Target::Certify { name: "b-x.web.example".parse().unwrap() }),
        Just(Target::Blind),
    ]
}

fn any_network() -> impl Strategy<Value = Network> {
    (any_service(), any::<[u8; 4]>(), 0u8..=32)
        .prop_map(|(name, first, prefix)| Network { name, subnet: Subnet::holding(first.into(), prefix).unwrap() })
}

fn any_open() -> impl Strategy<Value = Open> {
    let class = prop_oneof![Just(Class::Interactive), Just(Class::Bulk)];
    (any::<[u8; 16]>(), any_target(), class, any::<u32>()).prop_map(|(flow, target, class, credit)| Open {
        flow: FlowId::from_uuid(uuid::Uuid::from_bytes(flow)),
        target,
        class,
        credit,
    })
}

fn any_frame() -> impl Strategy<Value = InnerFrame> {
    let id = any::<u32>;
    let payload = || vec(any::<u8>(), 0..2000).prop_map(Bytes::from);
    let reason = select(EndReason::ALL.as_slice());
    prop_oneof![
        any_grant().prop_map(InnerFrame::Grant),
        (
            any::<u16>(),
            any::<u16>(),
            any::<u32>(),
            vec(any_service(), 0..20),
            vec(any_network(), 0..5),
            vec(any_service(), 0..5),
            (any::<u64>(), vec(any::<bool>(), Feature::ALL.len()))
        )
            .prop_map(
                |(version, max_streams, seconds_left, services, mut networks, mut listens, (rate, flags))| {
                    let mut rate = std::num::NonZeroU64::new(rate % 3);
                    let had = |(feature, flag): (Feature, bool)| flag.then_some(feature);
                    let mut features: Vec<_> = Feature::ALL.into_iter().zip(flags).filter_map(had).collect();
                    if version < 2 {
                        networks.clear();
                        listens.clear();
                        features.clear();
                        rate = None;
                    }
                    InnerFrame::Accept(Accept {
                        version,
                        max_streams,
                        seconds_left,
                        services,
                        networks,
                        listens,
                        rate,
                        features,
                    })
                }
            ),
        (1u8..=6, "\\PC{0,60}").prop_map(|(code, sentence)| InnerFrame::Deny { code: denial(code).unwrap(), sentence }),
        (id(), any_open()).prop_map(|(stream, open)| InnerFrame::Open { stream, open }),
        (id(), any::<u32>(), any::<u32>(), "[ -~]{0,50}").prop_map(|(stream, credit, connect_us, local)| {
            InnerFrame::OpenOk { stream, credit, connect_us, local }
        }),
        (id(), select(OPEN_ERRORS.as_slice())).prop_map(|(stream, code)| InnerFrame::OpenErr { stream, code }),
        (id(), payload()).prop_map(|(stream, payload)| InnerFrame::Data { stream, payload }),
        (id(), any::<u32>()).prop_map(|(stream, bytes)| InnerFrame::Credit { stream, bytes }),
        id().prop_map(|stream| InnerFrame::Fin { stream }),
        (id(), 1u8..=3).prop_map(|(stream, code)| InnerFrame::Rst { stream, code: reset(code).unwrap() }),
        (id(), payload()).prop_map(|(stream, payload)| InnerFrame::Dgram { stream, payload }),
        any::<u32>().prop_map(|seconds| InnerFrame::ExpiryWarn { seconds }),
        any_grant().prop_map(InnerFrame::Extend),
        (prop_oneof![Just(Role::Technician), Just(Role::Device)], reason)
            .prop_map(|(by, reason)| InnerFrame::Revoked { by, reason }),
        any::<u64>().prop_map(|stamp| InnerFrame::Ping { stamp }),
        any::<u64>().prop_map(|stamp| InnerFrame::Pong { stamp }),
        (any::<u64>(), any::<u64>(), any::<u16>(), any::<u32>()).prop_map(
            |(bytes_up, bytes_down, streams, round_trip_us)| InnerFrame::Stats(Stats {
                bytes_up,
                bytes_down,
                streams,
                round_trip_us
            })
        ),
    ]
}

proptest! {
    #[test]
    fn frames_round_trip_however_the_bytes_arrive(frames in vec(any_frame(), 1..6), step in 1usize..700) {
        let mut wire = BytesMut::new();
        for frame in &frames {
            frame.put(&mut wire);
        }
        let (mut buffer, mut seen) = (BytesMut::new(), Vec::new());
        for piece in wire.chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = InnerFrame::take(&mut buffer).unwrap() {
                seen.push(frame);
            }
        }
        prop_assert_eq!(seen, frames);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300), kind in 0u8..20) {
        let _ = InnerFrame::take(&mut BytesMut::from(bytes.as_slice()));
        let _ = InnerFrame::parse(kind, 1, bytes.into());
    }
}

#[test]
fn golden_bytes() {
    let flow = FlowId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(4));
    let name: ServiceName = "panel-web".parse().unwrap();
    let warrant = || Warrant { grant: "eyJ9.c2ln".parse().unwrap(), consent: Bytes::from_static(b"proof") };
    let target = Target::Service(name.clone());
    let services = vec![name];
    let networks = vec![Network { name: "lan".parse().unwrap(), subnet: "192.168.1.0/24".parse().unwrap() }];
    let accept = |version, networks| Accept {
        version,
        max_streams: 64,
        seconds_left: 3600,
        services: services.clone(),
        networks,
        listens: Vec::new(),
        rate: None,
        features: Vec::new(),
    };
    let calls = || vec!["event-receiver".parse().unwrap()];
    let open = |target| InnerFrame::Open { stream: 1, open: Open { flow, target, class: Class::Bulk, credit: 65536 } };
    let host = |text: &str| text.parse().unwrap();
    let terminal = |command: Option<&str>| Target::Terminal {
        size: Size { columns: 132, rows: 43 },
        term: "xterm-256color".parse().unwrap(),
        command: command.map(|line| line.parse().unwrap()),
    };
    let payload = || Bytes::from_static(b"GET /");
    let frames = [
        ("grant", InnerFrame::Grant(warrant())),
        ("accept", InnerFrame::Accept(accept(1, Vec::new()))),
        ("accept_networks", InnerFrame::Accept(accept(2, networks))),
        (
            "accept_rate",
            InnerFrame::Accept(Accept { rate: std::num::NonZeroU64::new(2_000_000), ..accept(2, Vec::new()) }),
        ),
        ("accept_listens", InnerFrame::Accept(Accept { listens: calls(), ..accept(2, Vec::new()) })),
        (
            "accept_features",
            InnerFrame::Accept(Accept { features: Feature::ALL[..4].to_vec(), ..accept(2, Vec::new()) }),
        ),
        ("accept_blind", InnerFrame::Accept(Accept { features: vec![Feature::WebBlind], ..accept(2, Vec::new()) })),
        ("deny", InnerFrame::Deny { code: Denial::Time, sentence: "too late".into() }),
        ("open", open(target)),
        ("open_address", open(Target::Address { protocol: Protocol::Tcp, host: host("192.168.1.50"), port: 10001 })),
        ("open_name", open(Target::Address { protocol: Protocol::Udp, host: host("panel.local"), port: 161 })),
        ("open_address_6", open(Target::Address { protocol: Protocol::Tcp, host: host("fd00::50"), port: 80 })),
        ("open_echo", open(Target::Echo { address: "192.168.1.50".parse().unwrap() })),
        ("open_call", open(Target::Call { listen: calls().remove(0), caller: "192.168.1.50:40312".parse().unwrap() })),
        ("open_file", open(Target::File { path: Some("logs/panel.log".parse().unwrap()), act: FileAct::List })),
        ("open_terminal", open(terminal(None))),
        ("open_terminal_command", open(terminal(Some("uname -a")))),
        ("open_discover", open(Target::Discover)),
        ("open_certify", open(Target::Certify { name: "b-x.web.example".parse().unwrap() })),
        ("open_blind", open(Target::Blind)),
        (
            "open_ok",
            InnerFrame::OpenOk { stream: 1, credit: 65536, connect_us: 812, local: "192.168.1.5:40000".into() },
        ),
        ("open_err", InnerFrame::OpenErr { stream: 1, code: OpenError::Refused }),
        ("open_err_busy", InnerFrame::OpenErr { stream: 1, code: OpenError::Busy }),
        ("open_err_names", InnerFrame::OpenErr { stream: 1, code: OpenError::Names }),
        ("data", InnerFrame::Data { stream: 1, payload: payload() }),
        ("credit", InnerFrame::Credit { stream: 1, bytes: 32768 }),
        ("fin", InnerFrame::Fin { stream: 1 }),
        ("rst", InnerFrame::Rst { stream: 1, code: ResetCode::Broken }),
        ("dgram", InnerFrame::Dgram { stream: 3, payload: payload() }),
        ("expiry_warn", InnerFrame::ExpiryWarn { seconds: 300 }),
        ("extend", InnerFrame::Extend(warrant())),
        ("revoked", InnerFrame::Revoked { by: Role::Device, reason: EndReason::Device }),
        ("ping", InnerFrame::Ping { stamp: 9 }),
        ("pong", InnerFrame::Pong { stamp: 9 }),
        ("stats", InnerFrame::Stats(Stats { bytes_up: 1, bytes_down: 2, streams: 3, round_trip_us: 4 })),
    ];
    wire::golden("inner_frames.hex", &frames.map(|(name, frame)| (name, frame.encode())));
}

#[test]
fn version_1_reads_a_busy_target_as_a_limit_and_an_acceptance_without_networks() {
    for code in [OpenError::Busy, OpenError::Names] {
        let limit = InnerFrame::OpenErr { stream: 1, code }.encode();
        assert_eq!(limit[HEADER], 6, "the code that version 1 knows, and a byte that it does not read");
    }
    let mut accept = BytesMut::from([2u8, 0, 0, 10, 0, 0, 0, 0, 0, 1, 0, 64, 0, 0, 14, 16, 0, 0].as_slice());
    let Some(InnerFrame::Accept(accept)) = InnerFrame::take(&mut accept).unwrap() else { panic!("ACCEPT") };
    assert_eq!((accept.version, accept.networks), (1, Vec::new()));
}

#[test]
fn a_host_that_is_none_and_a_protocol_of_later_are_no_target() {
    let target = Target::Address { protocol: Protocol::Udp, host: "panel".parse().unwrap(), port: 7 };
    let flow = FlowId::from_uuid(uuid::Uuid::nil());
    let good = InnerFrame::Open { stream: 1, open: Open { flow, target, class: Class::Bulk, credit: 0 } }.encode();
    let (protocol, name) = (HEADER + 16 + 1 + 4 + 1, good.len() - 5);
    for (at, byte, field) in [(protocol, 3, "protocol"), (name, b'/', "host"), (name + 4, b'.', "host")] {
        let mut bytes = BytesMut::from(good.as_ref());
        bytes[at] = byte;
        assert_eq!(InnerFrame::take(&mut bytes), Err(FrameError::Field(field)));
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_its_bytes_arrive() {
    let mut buffer = BytesMut::from([7u8, 0, 0xff, 0xff, 0, 0, 0, 1].as_slice());
    assert_eq!(InnerFrame::take(&mut buffer), Err(FrameError::TooLong(HEADER + 0xffff)));
}

#[test]
fn hints_of_later_versions_are_skipped_and_unknown_orders_are_not() {
    let mut buffer = BytesMut::from([0x90u8, 0, 0, 1, 0, 0, 0, 0, 42].as_slice());
    InnerFrame::Ping { stamp: 1 }.put(&mut buffer);
    assert_eq!(InnerFrame::take(&mut buffer), Ok(Some(InnerFrame::Ping { stamp: 1 })));
    let mut buffer = BytesMut::from([0x40u8, 0, 0, 0, 0, 0, 0, 0].as_slice());
    assert_eq!(InnerFrame::take(&mut buffer), Err(FrameError::UnknownType(0x40)));
}

#[test]
fn the_largest_grant_fits_one_frame() {
    let text = format!("{}.a", "a".repeat(crate::grant::MAX_BYTES - 2));
    let warrant = Warrant { grant: text.parse().unwrap(), consent: vec![1; MAX_CONSENT].into() };
    let frame = InnerFrame::Grant(warrant);
    let mut bytes = BytesMut::from(frame.encode().as_ref());
    assert!(bytes.len() <= MAX_BYTES);
    assert_eq!(InnerFrame::take(&mut bytes), Ok(Some(frame)));
}
