//! A line over an in-memory pair of message channels; the test plays the relay.

mod leave;
mod scene;

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::scene::{
    AGAIN, Joined, Memory, Sockets, UP, data, hear, joined, memory, passes, say, welcome, while_driving,
};
use super::*;
use crate::session::relay_frame::RelayError;

#[tokio::test]
async fn bytes_go_out_in_numbered_frames_within_the_limit() {
    let Joined { mut line, mut relay, .. } = joined().await;
    let bytes = vec![7; 100_000];
    let heard = async {
        let mut expected = 0;
        while expected < 100_000 {
            let frame = hear(&mut relay).await;
            assert!(frame.encode().len() <= crate::session::relay_frame::MAX_BYTES);
            let RelayFrame::Data { seq, payload } = frame else { panic!("{frame:?}") };
            assert_eq!(seq, expected);
            expected += payload.len() as u64;
            say(&mut relay, RelayFrame::Ack { next: expected }).await;
        }
    };
    let (written, ()) = tokio::join!(line.write_all(&bytes), heard);
    written.unwrap();
}

#[tokio::test]
async fn bytes_that_arrive_are_acknowledged_and_pings_answered_between() {
    let Joined { mut line, mut relay, .. } = joined().await;
    let payload = Bytes::from(vec![1; 40_000]);
    say(&mut relay, RelayFrame::Data { seq: 0, payload: payload.clone() }).await;
    say(&mut relay, RelayFrame::Data { seq: 40_000, payload }).await;
    say(&mut relay, RelayFrame::Ping { stamp: 8 }).await;
    let mut bytes = vec![0; 80_000];
    line.read_exact(&mut bytes).await.unwrap();
    assert_eq!(hear(&mut relay).await, RelayFrame::Pong { stamp: 8 });
    assert_eq!(while_driving(&mut line, hear(&mut relay)).await, RelayFrame::Ack { next: 80_000 });
}

#[tokio::test]
async fn a_gap_and_a_false_acknowledgement_end_the_line_and_a_repeat_is_skipped() {
    for (wrong, violation) in [(data(4, b"abc"), Violation::Gap), (RelayFrame::Ack { next: 1 }, Violation::NeverSent)] {
        let Joined { mut line, mut relay, .. } = joined().await;
        let view = line.view();
        for frame in [data(0, b"abc"), data(0, b"abc"), wrong] {
            say(&mut relay, frame).await;
        }
        let mut bytes = [0; 6];
        line.read_exact(&mut bytes).await.unwrap_err();
        assert_eq!((&bytes, view.end()), (b"abc\0\0\0", Some(CarrierEnd::Violated(violation))));
    }
}

#[tokio::test]
async fn the_relays_last_word_is_kept() {
    for (frame, end) in [
        (RelayFrame::Revoke { reason: EndReason::Customer }, CarrierEnd::Revoked(EndReason::Customer)),
        (RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 0 }, CarrierEnd::PeerDown(PeerLoss::Lost)),
        (RelayFrame::PeerDown { loss: PeerLoss::Left, retry_ms: 0 }, CarrierEnd::PeerDown(PeerLoss::Left)),
        (RelayFrame::Error { code: RelayError::Full, retry_ms: 0 }, CarrierEnd::Refused(RelayError::Full)),
    ] {
        let Joined { mut line, mut relay, .. } = joined().await;
        let view = line.view();
        say(&mut relay, data(0, b"!")).await;
        say(&mut relay, frame).await;
        assert_eq!(line.read_u8().await.unwrap(), b'!', "what came before it is read before it");
        line.read_u8().await.unwrap_err();
        assert_eq!(view.end(), Some(end));
    }
}

#[tokio::test(start_paused = true)]
async fn leaving_where_the_way_out_is_full_waits_for_room_and_not_for_ever() {
    for room_comes in [true, false] {
        let Joined { mut line, mut relay, room, .. } = joined().await;
        room.forget_permits(usize::MAX);
        line.write_all(b"last").await.unwrap();
        let begun = Instant::now();
        let opens = async {
            if room_comes {
                let heard = timeout(Duration::from_secs(1), hear(&mut relay)).await;
                assert!(heard.is_err(), "{heard:?} left by a full way");
                room.add_permits(100);
            }
        };
        tokio::join!(line.leave(EndReason::Device), opens);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        drop(line);
        if room_comes {
            assert_eq!(hear(&mut relay).await, data(0, b"last"));
            assert_eq!(hear(&mut relay).await, RelayFrame::Revoke { reason: EndReason::Device });
        }
        assert!(relay.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_says_nothing_to_hello_is_asked_again_with_the_same_ticket() {
    let (sockets, (end, mut silent)) = (Sockets::default(), memory());
    let mut relay = sockets.add().await;
    say(&mut relay, UP).await;
    let line = Line::join(end, sockets.joining(Role::Technician)).await.unwrap();
    let hellos = [hear(&mut silent).await, hear(&mut relay).await];
    assert!(matches!(&hellos[0], RelayFrame::Hello(hello) if hello.ticket == "ticket"), "{hellos:?}");
    assert_eq!(hellos[0], hellos[1]);
    assert_eq!(*sockets.1.answered.lock().unwrap(), [false, true]);
    drop(line);
}

#[tokio::test(start_paused = true)]
async fn who_dials_is_told_which_connections_were_of_use() {
    let Joined { mut line, relay, sockets, .. } = joined().await;
    let (stalled, silent) = memory();
    sockets.0.lock().unwrap().push_back(stalled);
    let mut next = sockets.add().await;
    drop(relay);
    assert!(matches!(while_driving(&mut line, hear(&mut next)).await, RelayFrame::Hello(_)));
    say(&mut next, AGAIN).await;
    assert_eq!(while_driving(&mut line, hear(&mut next)).await, RelayFrame::Sync { epoch: 2, next: 0 });
    assert_eq!(*sockets.1.answered.lock().unwrap(), [true, false, true]);
    drop(silent);
}

#[tokio::test]
async fn who_may_not_join_is_told_why() {
    let ended = RelayFrame::Revoke { reason: EndReason::NeverJoined };
    for (answers, expected) in [
        (vec![RelayFrame::Error { code: RelayError::Ticket, retry_ms: 0 }], EndReason::Refused),
        (vec![welcome(), ended], EndReason::NeverJoined),
        (vec![welcome(), UP, RelayFrame::Revoke { reason: EndReason::Customer }], EndReason::Customer),
    ] {
        let (end, mut relay) = memory();
        for answer in answers {
            say(&mut relay, answer).await;
        }
        let refused = Line::join(end, Sockets::default().joining(Role::Technician)).await.err().unwrap();
        assert_eq!(refused.ending().reason, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_carrier_is_replaced_and_bytes_go_on_where_the_other_end_stands() {
    let Joined { mut line, mut relay, sockets, pledge, .. } = joined().await;
    let view = line.view();
    say(&mut relay, data(0, b"from there")).await;
    let mut read = [0; 10];
    line.read_exact(&mut read).await.unwrap();
    for word in [b"one ", b"two "] {
        line.write_all(word).await.unwrap();
    }
    let mut next = sockets.add().await;
    drop(relay);
    let hello = while_driving(&mut line, hear(&mut next)).await;
    let RelayFrame::Hello(hello) = hello else { panic!("{hello:?}") };
    assert_eq!((hello.resume, hello.pledge), (Some(10), None));
    let secret: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&hello.ticket[at..at + 2], 16).unwrap()).collect();
    assert_eq!(Sha256::digest(secret).as_slice(), pledge, "the secret it pledged");
    assert!(matches!(view.state(), LineState::Away { .. }));

    line.write_all(b"three").await.unwrap();
    for frame in [AGAIN, data(3, b"late and from before"), RelayFrame::Sync { epoch: 2, next: 4 }] {
        say(&mut next, frame).await;
    }
    let after = async {
        assert_eq!(hear(&mut next).await, RelayFrame::Sync { epoch: 2, next: 10 });
        assert_eq!(hear(&mut next).await, data(4, b"two "));
        assert_eq!(hear(&mut next).await, data(8, b"three"));
    };
    while_driving(&mut line, after).await;
    assert!(matches!(view.state(), LineState::Up { .. }));
}

#[tokio::test(start_paused = true)]
async fn after_90_seconds_without_a_carrier_the_line_ends() {
    let Joined { mut line, relay, .. } = joined().await;
    let view = line.view();
    let begun = Instant::now();
    drop(relay);
    line.read_u8().await.unwrap_err();
    assert_eq!((begun.elapsed().as_secs(), view.end()), (90, Some(CarrierEnd::GivenUp)));
    assert_eq!(view.end().unwrap().ending(Role::Device).reason, EndReason::RelayLost);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_does_not_answer_is_left_for_another_connection() {
    let Joined { mut line, relay, sockets, .. } = joined().await;
    let begun = Instant::now();
    let mut next = sockets.add().await;
    assert!(matches!(while_driving(&mut line, hear(&mut next)).await, RelayFrame::Hello(_)));
    assert!((10..=40).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    drop(relay);
}

#[tokio::test(start_paused = true)]
async fn another_network_is_gone_by_long_before_a_ping_is_missed() {
    let Joined { mut line, mut relay, sockets, .. } = joined().await;
    let begun = Instant::now();
    let mut next = sockets.add().await;
    sockets.are_at("10.9.0.2");
    let hello = while_driving(&mut line, hear(&mut next)).await;
    assert!(matches!(hello, RelayFrame::Hello(Hello { resume: Some(0), .. })), "{hello:?}");
    assert_eq!(begun.elapsed().as_secs(), 2);
    assert!(relay.next().await.is_none(), "the carrier of the network before is closed, and no PING was said on it");
    let mut unused = sockets.add().await;
    let answers = async {
        while next.next().await.is_some() {
            say(&mut next, RelayFrame::Pong { stamp: 1 }).await;
        }
    };
    tokio::select! {
        () = passes(&mut line, 60_000) => {}
        hello = hear(&mut unused) => panic!("{hello:?}"),
        () = answers => panic!("it was left too"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_seeks_the_relay_goes_by_another_network_at_once() {
    for silent in [false, true] {
        let Joined { mut line, relay, sockets, .. } = joined().await;
        sockets.1.silent.store(silent, Ordering::Relaxed);
        drop(relay);
        passes(&mut line, 30_500).await;
        let mut next = sockets.add().await;
        sockets.1.silent.store(false, Ordering::Relaxed);
        sockets.are_at("10.9.0.2");
        let begun = Instant::now();
        assert!(matches!(while_driving(&mut line, hear(&mut next)).await, RelayFrame::Hello(_)));
        assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}, silent: {silent}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_of_version_1_is_not_left_for_another_network() {
    let (sockets, (end, mut relay)) = (Sockets::default(), memory());
    sockets.are_at("10.0.0.2");
    for frame in [welcome(), RelayFrame::PeerUp { version: 1, epoch: 1 }] {
        say(&mut relay, frame).await;
    }
    let mut line = Line::join(end, sockets.joining(Role::Device)).await.unwrap();
    sockets.are_at("10.9.0.2");
    passes(&mut line, 10_000).await;
    assert_eq!(line.view().end(), None);
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_peer_is_away_keeps_its_own_connection() {
    let Joined { mut line, mut relay, sockets, .. } = joined().await;
    let view = line.view();
    line.write_all(b"kept").await.unwrap();
    assert_eq!(hear(&mut relay).await, data(0, b"kept"));
    say(&mut relay, RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 90_000 }).await;
    say(&mut relay, RelayFrame::Ping { stamp: 1 }).await;
    assert_eq!(while_driving(&mut line, hear(&mut relay)).await, RelayFrame::Pong { stamp: 1 });
    assert!(matches!(view.state(), LineState::Away { .. }));
    say(&mut relay, AGAIN).await;
    say(&mut relay, RelayFrame::Sync { epoch: 2, next: 0 }).await;
    let after = async {
        assert_eq!(hear(&mut relay).await, RelayFrame::Sync { epoch: 2, next: 0 });
        assert_eq!(hear(&mut relay).await, data(0, b"kept"));
    };
    while_driving(&mut line, after).await;
    assert!(sockets.0.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_may_not_join_again_ends_at_once_and_a_full_relay_is_tried_again() {
    let again = |relay: Memory, mut line: Line<Memory>| async move {
        let (view, begun) = (line.view(), Instant::now());
        drop(relay);
        line.read_u8().await.unwrap_err();
        (view.end().unwrap(), begun.elapsed().as_secs())
    };
    let over = RelayFrame::Revoke { reason: EndReason::Expired };
    let unknown = RelayFrame::Error { code: RelayError::Ticket, retry_ms: 0 };
    for (answer, end) in
        [(over, CarrierEnd::Revoked(EndReason::Expired)), (unknown, CarrierEnd::Refused(RelayError::Ticket))]
    {
        let Joined { line, relay, sockets, .. } = joined().await;
        let (socket, mut next) = memory();
        say(&mut next, answer).await;
        sockets.0.lock().unwrap().push_back(socket);
        assert_eq!(again(relay, line).await, (end, 0));
    }
    let Joined { line, relay, sockets, .. } = joined().await;
    let (socket, mut full) = memory();
    say(&mut full, RelayFrame::Error { code: RelayError::Full, retry_ms: 3000 }).await;
    sockets.0.lock().unwrap().push_back(socket);
    assert_eq!(again(relay, line).await, (CarrierEnd::GivenUp, 90));
}

#[tokio::test]
async fn whoever_writes_more_than_is_kept_waits_for_the_other_end() {
    let Joined { mut line, mut relay, .. } = joined().await;
    let whole = vec![3; 3 << 20];
    let (mut taken, mut arrived) = (0, 0_u64);
    while taken < whole.len() {
        tokio::select! {
            biased;
            written = line.write(&whole[taken..]) => taken += written.unwrap(),
            frame = hear(&mut relay) => {
                let RelayFrame::Data { seq, payload } = frame else { panic!("{frame:?}") };
                assert_eq!(seq, arrived);
                arrived += payload.len() as u64;
                assert!(line.machine.kept() <= 1 << 20);
                say(&mut relay, RelayFrame::Ack { next: arrived }).await;
            }
        }
    }
    assert!(arrived >= 2 << 20);
}
