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
