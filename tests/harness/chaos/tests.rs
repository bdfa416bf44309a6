//! The splitter and the shuffle by themselves, and the proxy between real sockets.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A PUBLISH without properties whose payload is its number.
fn message(number: u16) -> Vec<u8> {
    let mut packet = vec![0x30, 6, 0, 1, b't', 0];
    packet.extend(number.to_be_bytes());
    packet
}

fn numbers(frames: &[Frame]) -> Vec<u16> {
    let number = |frame: &Frame| u16::from_be_bytes([frame.bytes[6], frame.bytes[7]]);
    frames.iter().filter(|frame| frame.kind == Kind::Message).map(number).collect()
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut splitter = Splitter::default();
    splitter.push(bytes);
    std::iter::from_fn(|| splitter.take().unwrap()).collect()
}

#[test]
fn packets_are_told_apart_by_what_may_be_done_with_them() {
    let kinds = |first: u8| frames(&[first, 0])[0].kind;
    assert_eq!(kinds(0x3b), Kind::Message);
    for (first, kind) in [(0x10, Kind::Fence), (0x40, Kind::Free), (0x82, Kind::Fence), (0xc0, Kind::Free)] {
        assert_eq!(kinds(first), kind, "{first:#x}");
    }
    for fence in [0x20, 0x90, 0xa2, 0xb0, 0xe0, 0xf0] {
        assert_eq!(kinds(fence), Kind::Fence, "{fence:#x}");
    }
}

#[test]
fn what_is_no_mqtt_is_refused() {
    let refusal = |bytes: &[u8]| {
        let mut splitter = Splitter::default();
        splitter.push(bytes);
        splitter.take()
    };
    assert_eq!(refusal(&[0x00, 0]), Err(NotMqtt::Type));
    assert_eq!(refusal(&[0x30, 0x80, 0x80, 0x80, 0x80, 1]), Err(NotMqtt::Length));
    assert_eq!(refusal(&[0x30, 0xff, 0xff, 0x7f]), Err(NotMqtt::TooLarge(2_097_151 + 4)));
    assert_eq!(refusal(&[0x30, 0x80]), Ok(None), "the length has not come whole");
}

proptest! {
    #[test]
    fn however_the_bytes_come_the_packets_are_the_same(cuts in prop::collection::vec(1_usize..7, 0..60), sizes in prop::collection::vec(0_usize..400, 0..12)) {
        let mut stream = Vec::new();
        for size in &sizes {
            stream.push(0x30);
            let mut length = *size;
            while length > 127 {
                stream.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
                length >>= 7;
            }
            stream.push(u8::try_from(length).unwrap());
            stream.extend(std::iter::repeat_n(0x5a, *size));
        }
        let whole = frames(&stream);
        prop_assert_eq!(whole.len(), sizes.len());
        let (mut splitter, mut rest, mut pieces) = (Splitter::default(), &stream[..], Vec::new());
        let mut cuts = cuts.into_iter();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
            rest = later;
            splitter.push(now);
            while let Some(frame) = splitter.take().unwrap() {
                pieces.push(frame);
            }
        }
        prop_assert_eq!(pieces, whole);
        prop_assert!(splitter.rest().is_empty());
    }

    #[test]
    fn a_shuffle_loses_nothing_and_a_seed_repeats_itself(seed: u64, count in 0_u16..60, percent in 0_u8..=100, window in 0_usize..9) {
        let play = || {
            let mut shuffle = Shuffle::new(Random::seeded(seed));
            let mut left = Vec::new();
            for number in 0..count {
                left.extend(shuffle.push(frames(&message(number))[0].clone(), percent, window));
            }
            left.extend(shuffle.flush());
            (numbers(&left), shuffle.take_counts())
        };
        let (left, (duplicated, reordered)) = play();
        prop_assert_eq!(play(), (left.clone(), (duplicated, reordered)));
        prop_assert_eq!(left.len() as u64, u64::from(count) + duplicated);
        for number in 0..count {
            prop_assert!(left.contains(&number));
        }
        if window < 2 {
            prop_assert!(left.is_sorted(), "without a window the order stays");
            prop_assert_eq!(reordered, 0);
        }
        prop_assert_eq!(reordered == 0, left.is_sorted());
    }
}

#[test]
fn a_fence_waits_for_what_came_before_and_an_acknowledgement_for_nobody() {
    let mut shuffle = Shuffle::new(Random::seeded(1));
    let mut push = |bytes: &[u8]| shuffle.push(frames(bytes)[0].clone(), 0, 8);
    assert!(push(&message(1)).is_empty() && push(&message(2)).is_empty());
    assert_eq!(push(&[0x40, 0]).len(), 1);
    let left = push(&[0xe0, 0]);
    assert_eq!(left.len(), 3);
    assert_eq!(left[2].kind, Kind::Fence);
}

/// A server that sends back what it hears, and a proxy before it.
async fn before_an_echo(set: impl FnOnce(&mut Setup)) -> (Chaos, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut setup = Setup::to(listener.local_addr().unwrap().to_string());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    set(&mut setup);
    let chaos = Chaos::start(setup).await.unwrap();
    let client = TcpStream::connect(chaos.address()).await.unwrap();
    (chaos, client)
}

#[tokio::test]
async fn bytes_pass_unchanged_and_ends_are_passed_on() {
    let (_chaos, mut client) = before_an_echo(|_| {}).await;
    let sent: Vec<u8> = (0..200_000_u32).map(|place| place.to_le_bytes()[0]).collect();
    let (mut from, mut to) = client.split();
    let (mut got, sending) = (Vec::new(), async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let (read, ()) = tokio::join!(from.read_to_end(&mut got), sending);
    read.unwrap();
    assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
}

#[tokio::test]
async fn a_reset_comes_at_its_byte_and_is_a_reset() {
    let at = Some((Direction::Down, 5));
    let (chaos, mut client) = before_an_echo(|setup| setup.faults.reset_at = at).await;
    client.write_all(b"0123456789").await.unwrap();
    let mut got = Vec::new();
    let mut byte = [0];
    let end = loop {
        match client.read(&mut byte).await {
            Ok(0) => panic!("an end instead of a reset"),
            Ok(_) => got.push(byte[0]),
            Err(error) => break error,
        }
    };
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    // The reset may overtake bytes that were not read yet.
    assert!(b"01234".starts_with(&got), "{got:?}");
    assert_eq!(chaos.counts().resets(), 1);
}

#[tokio::test]
async fn a_stall_is_silent_and_what_waited_comes_when_it_ends() {
    let (chaos, mut client) = before_an_echo(|setup| setup.faults.stall_down = true).await;
    client.write_all(b"hello").await.unwrap();
    let mut got = [0; 5];
    let silent = tokio::time::timeout(Duration::from_millis(200), client.read_exact(&mut got)).await;
    assert!(silent.is_err(), "{silent:?}");
    chaos.set(Faults::default());
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"hello");
    chaos.cut();
    assert_eq!(client.read(&mut got).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_trickle_and_a_delay_take_their_time() {
    let slow = |setup: &mut Setup| {
        setup.faults =
            Faults { bytes_per_second: NonZeroU32::new(100), delay: Duration::from_millis(50), ..Faults::default() };
    };
    let (_chaos, mut client) = before_an_echo(slow).await;
    let began = std::time::Instant::now();
    client.write_all(&[1; 20]).await.unwrap();
    client.read_exact(&mut [0; 20]).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
}

#[tokio::test]
async fn messages_on_a_plain_listener_come_twice_and_out_of_order() {
    let bad = |setup: &mut Setup| {
        (setup.mqtt, setup.seed) = (true, 3);
        setup.faults = Faults { duplicate_percent: 30, reorder: 6, ..Faults::default() };
    };
    let (chaos, mut client) = before_an_echo(bad).await;
    let (mut from, mut to) = client.split();
    for number in 0..100 {
        to.write_all(&message(number)).await.unwrap();
    }
    to.shutdown().await.unwrap();
    let mut got = Vec::new();
    from.read_to_end(&mut got).await.unwrap();
    let mut got = numbers(&frames(&got));
    assert!(!got.is_sorted() && got.len() > 100, "{got:?}");
    assert_eq!(got.len() as u64, 100 + chaos.counts().duplicated());
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (0..100).collect::<Vec<_>>());
}
