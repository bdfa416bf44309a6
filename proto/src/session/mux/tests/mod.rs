//! The mux against a plain model: what comes out is what went in, in order, never beyond a window.

mod references;
mod windows;

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::{super::inner_frame::Class, super::inner_frame::Target, *};
use crate::{FlowId, Random, Timestamp};

const SMALL: Settings =
    Settings { window: 1000, widest: 3000, growth: 2500, max_streams: 4, opens_per_second: 1000, ..Settings::DEVICE };

fn want() -> Open {
    Open {
        flow: FlowId::make(Timestamp::from_seconds(1), &Random::seeded(1)),
        target: Target::Service("panel-web".parse().unwrap()),
        class: Class::Interactive,
        credit: 0,
    }
}

struct Pair {
    now: Instant,
    ends: [Mux; 2],
    wires: [BytesMut; 2],
}

impl Pair {
    fn new(settings: Settings) -> Self {
        let now = Instant::now();
        let ends = [Role::Technician, Role::Device].map(|role| Mux::new(role, settings, now));
        Self { now, ends, wires: [BytesMut::new(), BytesMut::new()] }
    }

    /// Lets one end write, and the other read up to `frames` of what is on the wire.
    fn carry(&mut self, from: usize, frames: usize) -> Result<(), Violation> {
        // Little at a time, so that frames wait in their lanes.
        let enough = if frames == usize::MAX { usize::MAX } else { self.wires[from].len() + 500 };
        self.ends[from].poll_transmit(&mut self.wires[from], enough);
        for _ in 0..frames {
            let Some(frame) = InnerFrame::take(&mut self.wires[from]).unwrap() else { break };
            self.ends[1 - from].handle(frame, self.now)?;
        }
        Ok(())
    }

    fn settle(&mut self) {
        for _ in 0..4 {
            self.carry(0, usize::MAX).unwrap();
            self.carry(1, usize::MAX).unwrap();
        }
    }

    fn events(&mut self, end: usize) -> Vec<Event> {
        std::iter::from_fn(|| self.ends[end].poll_event()).collect()
    }

    fn open(&mut self) -> StreamId {
        let stream = self.ends[0].open(want()).unwrap();
        self.settle();
        assert!(matches!(self.events(1)[..], [Event::Opening { .. }]));
        self.ends[1].accept(stream, Duration::from_micros(5), "local".into()).unwrap();
        self.settle();
        assert!(matches!(self.events(0)[..], [Event::Opened { connect_us: 5, .. }]));
        stream
    }
}

#[derive(Debug, Clone)]
enum Step {
    Open,
    Send(usize, usize, usize),
    Finish(usize, usize),
    Reset(usize, usize),
    Consume(usize, usize, usize),
    Carry(usize, usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Open),
        8 => (0..2usize, 0..6usize, 1..700usize).prop_map(|(end, pick, bytes)| Step::Send(end, pick, bytes)),
        1 => (0..2usize, 0..6usize).prop_map(|(end, pick)| Step::Finish(end, pick)),
        1 => (0..2usize, 0..6usize).prop_map(|(end, pick)| Step::Reset(end, pick)),
        6 => (0..2usize, 0..6usize, 1..900usize).prop_map(|(end, pick, bytes)| Step::Consume(end, pick, bytes)),
        8 => (0..2usize, 0..4usize).prop_map(|(end, frames)| Step::Carry(end, frames)),
    ]
}

/// What one direction of one stream has seen.
#[derive(Default)]
struct Direction {
    sent: Vec<u8>,
    received: Vec<u8>,
    consumed: usize,
    finished_sending: bool,
    finished_receiving: bool,
}

#[derive(Default)]
struct Model {
    /// By stream and by the sending end.
    directions: BTreeMap<(StreamId, usize), Direction>,
    reset: Vec<StreamId>,
}

impl Model {
    fn streams(&self) -> Vec<StreamId> {
        let mut streams: Vec<_> = self.directions.keys().map(|(stream, _)| *stream).collect();
        streams.dedup();
        streams
    }

    /// Bytes that this end has received and not consumed.
    fn held(&self, end: usize) -> usize {
        let towards = self.directions.iter().filter(|((_, from), _)| *from != end);
        towards.map(|(_, direction)| direction.received.len() - direction.consumed).sum()
    }

    fn drain(&mut self, pair: &mut Pair, end: usize) {
        for event in pair.events(end) {
            match event {
                Event::Opening { stream, .. } => {
                    pair.ends[end].accept(stream, Duration::ZERO, String::new()).unwrap();
                    self.directions.insert((stream, 0), Direction::default());
                    self.directions.insert((stream, 1), Direction::default());
                }
                Event::Data { stream, payload } => {
                    let direction = self.directions.get_mut(&(stream, 1 - end)).unwrap();
                    direction.received.extend_from_slice(&payload);
                    assert!(direction.received.len() - direction.consumed <= 3000, "beyond the window");
                    assert!(self.held(end) <= self.streams().len() * 1000 + 2500, "beyond what all may hold");
                }
                Event::Finished { stream } => {
                    self.directions.get_mut(&(stream, 1 - end)).unwrap().finished_receiving = true;
                }
                Event::Reset { stream, .. } => self.reset.push(stream),
                Event::Opened { .. } | Event::OpenFailed { .. } | Event::Credit { .. } => {}
                Event::Datagram { .. }
                | Event::Revoked { .. }
                | Event::ExpiryWarn { .. }
                | Event::Extend(_)
                | Event::Stats(_)
                | Event::Silent => panic!("{event:?}"),
            }
        }
    }

    fn consume(&mut self, pair: &mut Pair, end: usize, stream: StreamId, most: usize) {
        let direction = self.directions.get_mut(&(stream, 1 - end)).unwrap();
        let bytes = most.min(direction.received.len() - direction.consumed);
        direction.consumed += bytes;
        pair.ends[end].consumed(stream, bytes, pair.now);
    }
}

proptest! {
    #[test]
    fn whatever_the_interleaving_bytes_arrive_in_order_within_the_window(steps in vec(any_step(), 1..200)) {
        let (mut pair, mut model, mut next_byte) = (Pair::new(SMALL), Model::default(), 0u8);
        for step in steps {
            let streams = model.streams();
            let at = |pick: usize| (!streams.is_empty()).then(|| streams[pick % streams.len()]);
            match step {
                Step::Open => { let _ = pair.ends[0].open(want()); }
                Step::Send(end, pick, bytes) => {
                    if let Some(stream) = at(pick) {
                        let bytes = bytes.min(pair.ends[end].sendable(stream) as usize);
                        let payload: Vec<u8> = (0..bytes).map(|_| { next_byte = next_byte.wrapping_add(1); next_byte }).collect();
                        let class = if bytes.is_multiple_of(2) { Class::Bulk } else { Class::Interactive };
                        if pair.ends[end].send(stream, payload.clone().into(), class).is_ok() {
                            model.directions.get_mut(&(stream, end)).unwrap().sent.extend(payload);
                        }
                    }
                }
                Step::Finish(end, pick) => {
                    if let Some(stream) = at(pick) {
                        pair.ends[end].finish(stream);
                        model.directions.get_mut(&(stream, end)).unwrap().finished_sending = true;
                    }
                }
                Step::Reset(end, pick) => {
                    if let Some(stream) = at(pick) {
                        pair.ends[end].reset(stream, ResetCode::Broken);
                        model.reset.push(stream);
                    }
                }
                Step::Consume(end, pick, bytes) => {
                    if let Some(stream) = at(pick) { model.consume(&mut pair, end, stream, bytes); }
                }
                Step::Carry(from, frames) => pair.carry(from, frames).unwrap(),
            }
            model.drain(&mut pair, 0);
            model.drain(&mut pair, 1);
        }
        // Let everything arrive, then end every stream.
        for stream in model.streams() {
            for end in 0..2 {
                pair.ends[end].finish(stream);
                model.directions.get_mut(&(stream, end)).unwrap().finished_sending = true;
            }
        }
        for _ in 0..4 {
            pair.settle();
            for end in 0..2 {
                model.drain(&mut pair, end);
                for stream in model.streams() {
                    model.consume(&mut pair, end, stream, usize::MAX);
                    pair.ends[end].finish(stream);
                }
            }
        }
        for ((stream, end), direction) in &model.directions {
            prop_assert!(direction.sent.starts_with(&direction.received), "stream {stream} from {end}");
            if !model.reset.contains(stream) {
                prop_assert_eq!(&direction.sent, &direction.received);
                prop_assert!(direction.finished_receiving);
            }
        }
        prop_assert_eq!(pair.ends[0].open_streams(), 0, "every stream ends");
        prop_assert_eq!(pair.ends[1].open_streams(), 0, "every stream ends");
    }

    #[test]
    fn no_order_of_frames_panics(bytes in vec((0u8..20, 0u32..8, vec(any::<u8>(), 0..60)), 0..60)) {
        let mut pair = Pair::new(SMALL);
        pair.open();
        let mut wire = BytesMut::new();
        for (kind, stream, body) in bytes {
            wire.extend_from_slice(&[kind, 0, 0, u8::try_from(body.len()).unwrap()]);
            wire.extend_from_slice(&stream.to_be_bytes());
            wire.extend_from_slice(&body);
        }
        while let Ok(Some(frame)) = InnerFrame::take(&mut wire) {
            for end in &mut pair.ends {
                let _ = end.handle(frame.clone(), pair.now);
            }
        }
        pair.events(0);
    }
}

#[test]
fn a_sender_stops_at_the_window_and_goes_on_when_bytes_are_consumed() {
    let mut pair = Pair::new(SMALL);
    let stream = pair.open();
    pair.ends[0].send(stream, vec![1; 1000].into(), Class::Interactive).unwrap();
    assert_eq!(pair.ends[0].send(stream, vec![1; 1].into(), Class::Interactive), Err(Impossible::Full));
    pair.settle();
    assert_eq!(pair.ends[0].sendable(stream), 0, "arrival alone gives no credit");
    pair.ends[1].consumed(stream, 499, pair.now);
    pair.settle();
    assert_eq!(pair.ends[0].sendable(stream), 0, "less than half a window is not worth a frame");
    pair.ends[1].consumed(stream, 1, pair.now);
    pair.settle();
    assert_eq!(pair.ends[0].sendable(stream), 500);
    assert_eq!(pair.events(0), [Event::Credit { stream, bytes: 500 }]);
}

#[test]
fn more_than_the_window_is_a_violation() {
    let mut pair = Pair::new(SMALL);
    let stream = pair.open();
    let data = |bytes: usize| InnerFrame::Data { stream, payload: vec![0; bytes].into() };
    pair.ends[1].handle(data(1000), pair.now).unwrap();
    assert_eq!(pair.ends[1].handle(data(1), pair.now), Err(Violation::Window));
}

#[test]
fn one_direction_ends_and_the_other_goes_on() {
    let mut pair = Pair::new(SMALL);
    let stream = pair.open();
    pair.ends[0].finish(stream);
    pair.settle();
    assert_eq!(pair.events(1), [Event::Finished { stream }]);
    assert_eq!(pair.ends[0].send(stream, Bytes::from_static(b"x"), Class::Interactive), Err(Impossible::Over));
    pair.ends[1].send(stream, Bytes::from_static(b"answer"), Class::Interactive).unwrap();
    pair.ends[1].finish(stream);
    pair.settle();
    assert_eq!(
        pair.events(0),
        [Event::Data { stream, payload: Bytes::from_static(b"answer") }, Event::Finished { stream }]
    );
    assert_eq!((pair.ends[0].open_streams(), pair.ends[1].open_streams()), (0, 0));
}

#[test]
fn datagrams_go_whatever_the_credit_and_until_either_end_has_finished() {
    let mut pair = Pair::new(SMALL);
    let stream = pair.open();
    let datagram = |byte: u8, length| Bytes::from(vec![byte; length]);
    for byte in 0..5 {
        pair.ends[1].send_datagram(stream, datagram(byte, 900)).unwrap();
    }
    pair.ends[1].send_datagram(stream, Bytes::new()).unwrap();
    assert_eq!(pair.ends[1].send_datagram(stream, datagram(0, MAX_PAYLOAD + 1)), Err(Impossible::Full));
    assert_eq!(pair.ends[1].queued(), 5 * 900 + 256, "an empty one weighs something too");
    pair.settle();
    let arrived: Vec<_> = (0..5).map(|byte| Event::Datagram { stream, payload: datagram(byte, 900) }).collect();
    let events = pair.events(0);
    assert_eq!(
        (&events[..5], &events[5..]),
        (arrived.as_slice(), [Event::Datagram { stream, payload: Bytes::new() }].as_slice())
    );
    assert_eq!(pair.ends[0].sendable(stream), 1000, "the credit of bytes is untouched");
    assert_eq!(pair.ends[1].queued(), 0);

    pair.ends[1].finish(stream);
    assert_eq!(pair.ends[1].send_datagram(stream, datagram(0, 1)), Err(Impossible::Over));
    pair.settle();
    assert_eq!(pair.events(0), [Event::Finished { stream }]);
    pair.ends[0].handle(InnerFrame::Dgram { stream, payload: datagram(0, 1) }, pair.now).unwrap();
    assert_eq!(pair.events(0), [], "one that comes after FIN is void");
    let never = InnerFrame::Dgram { stream: 99, payload: Bytes::new() };
    assert_eq!(pair.ends[0].handle(never, pair.now), Err(Violation::OutOfPlace));
}

#[test]
fn streams_beyond_the_limit_are_refused_and_not_counted() {
    let mut pair = Pair::new(SMALL);
    for _ in 0..4 {
        pair.open();
    }
    assert_eq!(pair.ends[0].open(want()), Err(Impossible::Limit));
    let open = InnerFrame::Open { stream: 9, open: want() };
    pair.ends[1].handle(open, pair.now).unwrap();
    assert_eq!(pair.events(1), []);
    let mut out = BytesMut::new();
    pair.ends[1].poll_transmit(&mut out, usize::MAX);
    assert_eq!(InnerFrame::take(&mut out).unwrap(), Some(InnerFrame::OpenErr { stream: 9, code: OpenError::Limit }));
    assert_eq!(pair.ends[1].open_streams(), 4);
}

#[test]
fn opens_are_limited_by_the_second() {
    let now = Instant::now();
    let settings = Settings { opens_per_second: 3, max_streams: 100, ..SMALL };
    let mut device = Mux::new(Role::Device, settings, now);
    let mut open = |stream, at| {
        device.handle(InnerFrame::Open { stream, open: want() }, at).unwrap();
        device.poll_event().is_some()
    };
    assert_eq!([1, 3, 5, 7].map(|stream| open(stream, now)), [true, true, true, false]);
    assert!(open(9, now + Duration::from_secs(1)));
}

#[test]
fn stream_numbers_go_up_and_have_the_openers_parity() {
    let mut pair = Pair::new(SMALL);
    let stream = pair.open();
    for wrong in [0, 2, stream] {
        let frame = InnerFrame::Open { stream: wrong, open: want() };
        assert_eq!(pair.ends[1].handle(frame, pair.now), Err(Violation::StreamId), "{wrong}");
    }
    let never = InnerFrame::Fin { stream: 99 };
    assert_eq!(pair.ends[1].handle(never, pair.now), Err(Violation::OutOfPlace));
}

#[test]
fn late_frames_of_a_reset_stream_are_void() {
    let mut pair = Pair::new(SMALL);
    let stream = pair.open();
    pair.ends[1].send(stream, Bytes::from_static(b"late"), Class::Interactive).unwrap();
    pair.ends[0].reset(stream, ResetCode::Cancelled);
    pair.settle();
    assert_eq!(pair.events(0), []);
    assert_eq!(pair.events(1), [Event::Reset { stream, code: ResetCode::Cancelled }]);
}

#[test]
fn impossible_credit_is_a_violation() {
    let mut pair = Pair::new(SMALL);
    let stream = pair.open();
    for bytes in [MAX_WINDOW, u32::MAX] {
        let credit = InnerFrame::Credit { stream, bytes };
        assert_eq!(pair.ends[0].handle(credit, pair.now), Err(Violation::Credit));
    }
}

#[test]
fn unanswered_pings_are_silence_and_an_answer_is_a_round_trip() {
    let mut pair = Pair::new(SMALL);
    let begun = pair.now;
    pair.ends[0].handle_timeout(begun);
    pair.ends[0].poll_transmit(&mut pair.wires[0], usize::MAX);
    pair.now = begun + Duration::from_millis(7);
    pair.settle();
    assert_eq!(pair.ends[0].round_trip(), Some(Duration::from_millis(7)));

    let mut silent = Vec::new();
    for _ in 0..=pace::MISSED {
        let at = pair.ends[0].poll_timeout();
        pair.ends[0].handle_timeout(at);
        silent.push(pair.events(0).contains(&Event::Silent));
    }
    assert_eq!(silent, [false, false, false, false, false, false, true]);
}

#[test]
fn a_flood_of_pings_is_answered_once() {
    let mut pair = Pair::new(SMALL);
    for stamp in 0..10_000 {
        pair.ends[1].handle(InnerFrame::Ping { stamp }, pair.now).unwrap();
    }
    assert!(pair.ends[1].wants_input());
    let mut out = BytesMut::new();
    pair.ends[1].poll_transmit(&mut out, usize::MAX);
    assert_eq!(InnerFrame::take(&mut out).unwrap(), Some(InnerFrame::Pong { stamp: 9_999 }));
    assert!(out.is_empty());
}
