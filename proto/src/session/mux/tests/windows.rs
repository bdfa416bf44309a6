//! How far windows grow.

use super::*;

/// Sends and consumes half of the window after each pause; gives the most that could be sent at once.
fn widest_window(pair: &mut Pair, stream: StreamId, pause: Duration) -> u32 {
    let mut widest = 0;
    for _ in 0..40 {
        let window = pair.ends[0].sendable(stream);
        for _ in 0..2 {
            pair.ends[0].send(stream, vec![1; window as usize / 2].into(), Class::Interactive).unwrap();
            pair.settle();
            pair.now += pause;
            pair.ends[1].consumed(stream, window as usize / 2, pair.now);
            pair.settle();
            widest = widest.max(pair.ends[0].sendable(stream));
        }
    }
    widest
}

#[test]
fn a_window_grows_while_it_is_too_small_for_the_way_and_to_its_bound() {
    let way = Duration::from_millis(40);
    for (pause, expected) in [(way, 3000), (3 * way, 1000)] {
        let mut pair = Pair::new(SMALL);
        let stream = pair.open();
        pair.ends[1].handle_timeout(pair.now);
        pair.ends[1].poll_transmit(&mut pair.wires[1], usize::MAX);
        pair.now += way;
        pair.settle();
        assert_eq!(pair.ends[1].round_trip(), Some(way));
        assert_eq!(widest_window(&mut pair, stream, pause), expected, "half a window each {pause:?}");
    }
}

#[test]
fn streams_share_what_windows_may_grow_by() {
    let mut pair = Pair::new(SMALL);
    let (one, other) = (pair.open(), pair.open());
    assert_eq!(widest_window(&mut pair, one, Duration::ZERO), 3000);
    assert_eq!(widest_window(&mut pair, other, Duration::ZERO), 1500, "2000 of 2500 are taken");
    pair.ends[0].reset(one, ResetCode::Cancelled);
    pair.settle();
    assert_eq!(widest_window(&mut pair, other, Duration::ZERO), 3000, "what a stream had is free after it");
}

#[test]
fn all_the_streams_of_a_device_that_nobody_reads_hold_less_than_a_mebibyte() {
    let mut pair = Pair::new(Settings { opens_per_second: 100, ..Settings::DEVICE });
    let streams: Vec<StreamId> = (0..Settings::DEVICE.max_streams).map(|_| pair.open()).collect();
    let held: u32 = streams.iter().map(|stream| pair.ends[0].sendable(*stream)).sum();
    assert!(held < 1 << 20, "{held} bytes");
    let (first, last) = (pair.ends[0].sendable(streams[0]), pair.ends[0].sendable(streams[63]));
    assert_eq!((first, last), (64 * 1024, 8 * 1024));
    pair.ends[0].reset(streams[0], ResetCode::Cancelled);
    pair.settle();
    pair.events(1);
    let next = pair.open();
    assert_eq!(pair.ends[0].sendable(next), 64 * 1024, "there is room for a whole one again");
    for _ in 0..50 {
        pair.ends[0].send(streams[63], vec![1; 4096].into(), Class::Interactive).unwrap();
        pair.settle();
        pair.ends[1].consumed(streams[63], 4096, pair.now);
        pair.settle();
    }
    let grown = pair.ends[0].sendable(streams[63]);
    assert!(grown > 64 * 1024, "one that is read grows: {grown}");
}
