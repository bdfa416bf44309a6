//! Two ends and what lies between them, against a plain pipe: what comes out is a prefix of what went in, whatever is
//! lost, late or doubled on the way, and all of it once a carrier stays.

use std::collections::VecDeque;

use bytes::{BufMut as _, BytesMut};
use proptest::{collection::vec, prelude::*};

use super::{
    super::incoming::{ACK_APART, ACK_WITHIN},
    *,
};
use crate::session::VERSION;

const LIMIT: usize = 3000;

/// What lies on the way to one end.
#[derive(Debug, Clone)]
enum Item {
    Up(u64),
    Frame(Bytes),
}

#[derive(Debug)]
struct End {
    machine: Machine,
    /// On the way to this end.
    inbox: VecDeque<Item>,
    written: Vec<u8>,
    read: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Act {
    Write(usize, usize),
    Send(usize),
    Deliver(usize),
    Double(usize),
    Read(usize, usize),
    Pass(u64),
    /// The carriers of these ends break; so much of what was on the way still arrives, the survivor hears of it or not.
    Lose([bool; 2], usize, bool),
    /// Both have a carrier again; of what the survivor sent into the old pairing so much comes late.
    Meet([bool; 2], usize),
}

fn act() -> impl Strategy<Value = Act> {
    let end = 0usize..2;
    prop_oneof![
        4 => (end.clone(), 1usize..1500).prop_map(|(end, length)| Act::Write(end, length)),
        6 => end.clone().prop_map(Act::Send),
        6 => end.clone().prop_map(Act::Deliver),
        1 => end.clone().prop_map(Act::Double),
        3 => (end, 1usize..2000).prop_map(|(end, length)| Act::Read(end, length)),
        2 => (1u64..80).prop_map(Act::Pass),
        1 => (any::<[bool; 2]>(), any::<usize>(), any::<bool>()).prop_map(|(who, cut, told)| Act::Lose(who, cut, told)),
        2 => (any::<[bool; 2]>(), any::<usize>()).prop_map(|(who, late)| Act::Meet(who, late)),
    ]
}

struct Pair {
    ends: [End; 2],
    now: Instant,
    epoch: u64,
    /// Which carriers are gone.
    gone: [bool; 2],
}

impl Pair {
    fn new() -> Self {
        let end = || End { machine: Machine::new(LIMIT), inbox: VecDeque::new(), written: vec![], read: vec![] };
        Self { ends: [end(), end()], now: Instant::now(), epoch: 0, gone: [true; 2] }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Write(end, length) => {
                let end = &mut self.ends[*end];
                let pattern = (0..=250_u8).cycle().skip(end.written.len() % 251);
                let offered: Vec<u8> = pattern.take(*length).collect();
                let (left, right) = offered.split_at(length / 3);
                let taken = end.machine.write(&[left, right]);
                end.written.extend_from_slice(&offered[..taken]);
            }
            Act::Send(from) => {
                if let Some(frame) = self.ends[*from].machine.poll_transmit(self.now)
                    && !self.gone[*from]
                {
                    self.ends[1 - from].inbox.push_back(Item::Frame(frame));
                }
            }
            Act::Deliver(to) => {
                let end = &mut self.ends[*to];
                match end.inbox.pop_front() {
                    Some(Item::Up(epoch)) => end.machine.paired(VERSION, epoch).unwrap(),
                    Some(Item::Frame(frame)) => {
                        let frame = RelayFrame::decode(frame).unwrap().unwrap();
                        end.machine.handle(frame, self.now).unwrap();
                    }
                    None => {}
                }
            }
            Act::Double(to) => {
                let inbox = &mut self.ends[*to].inbox;
                if let Some(front @ Item::Frame(_)) = inbox.front().cloned() {
                    inbox.push_front(front);
                }
            }
            Act::Read(end, length) => {
                let end = &mut self.ends[*end];
                let mut into = BytesMut::new().limit(*length);
                end.machine.read(&mut into);
                end.read.extend_from_slice(&into.into_inner());
            }
            Act::Pass(millis) => self.now += Duration::from_millis(*millis),
            Act::Lose(who, cut, told) => {
                for (end, lost) in who.iter().enumerate().filter(|(_, lost)| **lost) {
                    self.gone[end] = *lost;
                    self.ends[end].machine.parted();
                    // What it was being sent is gone; of what it sent a part still arrives.
                    self.ends[end].inbox.clear();
                    let peer = &mut self.ends[1 - end];
                    let keep = cut % (peer.inbox.len() + 1);
                    peer.inbox.truncate(keep);
                    if *told {
                        peer.machine.parted();
                    }
                }
            }
            Act::Meet(anew, late) => {
                self.epoch += 1;
                for end in 0..2 {
                    let is_new = self.gone[end] || anew[end];
                    let inbox = &mut self.ends[end].inbox;
                    if is_new {
                        // Late frames of the other end's old pairing come after the new one is told.
                        let stays = late % (inbox.len() + 1);
                        let stale: Vec<_> =
                            inbox.drain(..).filter(|item| matches!(item, Item::Frame(_))).skip(stays).collect();
                        inbox.push_back(Item::Up(self.epoch));
                        inbox.extend(stale);
                    } else if anew[1 - end] || self.gone[1 - end] {
                        inbox.push_back(Item::Up(self.epoch));
                    }
                }
                self.gone = [false; 2];
            }
        }
        for (end, peer) in [(0, 1), (1, 0)] {
            let (read, written) = (&self.ends[end].read, &self.ends[peer].written);
            assert!(written.starts_with(read), "end {end} read what was not written, {act:?}");
            assert!(self.ends[end].machine.kept() <= LIMIT);
        }
    }

    /// A last carrier that stays.
    fn settle(&mut self) {
        self.act(&Act::Lose([true; 2], 0, true));
        self.act(&Act::Meet([true; 2], 0));
        for _ in 0..4000 {
            for end in 0..2 {
                self.act(&Act::Send(end));
                self.act(&Act::Deliver(end));
                self.act(&Act::Read(end, 4000));
            }
            self.act(&Act::Pass(10));
        }
    }
}

proptest! {
    #[test]
    fn what_comes_out_is_what_went_in_whatever_is_lost_late_or_doubled(acts in vec(act(), 0..300)) {
        let mut pair = Pair::new();
        pair.act(&Act::Meet([true; 2], 0));
        for act in &acts {
            pair.act(act);
        }
        pair.settle();
        for (end, peer) in [(0, 1), (1, 0)] {
            prop_assert_eq!(&pair.ends[end].read, &pair.ends[peer].written);
            prop_assert_eq!(pair.ends[end].machine.kept(), 0, "everything is acknowledged in the end");
        }
    }
}

fn met() -> [Machine; 2] {
    let mut ends = [Machine::new(1 << 20), Machine::new(1 << 20)];
    for end in &mut ends {
        end.paired(VERSION, 7).unwrap();
    }
    ends
}

fn pump(ends: &mut [Machine; 2], now: Instant) {
    for _ in 0..10 {
        for from in 0..2 {
            while let Some(frame) = ends[from].poll_transmit(now) {
                ends[1 - from].handle(RelayFrame::decode(frame).unwrap().unwrap(), now).unwrap();
            }
        }
    }
}

fn data(seq: u64, bytes: &'static [u8]) -> RelayFrame {
    RelayFrame::Data { seq, payload: Bytes::from_static(bytes) }
}

#[test]
fn the_first_bytes_wait_for_nobodys_word() {
    let now = Instant::now();
    let [mut near, _] = met();
    assert_eq!(near.write(&[b"hello".as_slice()]), 5);
    let first = RelayFrame::decode(near.poll_transmit(now).unwrap()).unwrap();
    assert_eq!(first, Some(RelayFrame::Sync { epoch: 7, next: 0 }));
    assert_eq!(RelayFrame::decode(near.poll_transmit(now).unwrap()).unwrap(), Some(data(0, b"hello")));
    near.handle(RelayFrame::Sync { epoch: 7, next: 0 }, now).unwrap();
    assert_eq!(near.poll_transmit(now), None, "nothing is sent twice");
}

/// A whole frame of a stream's bytes arrives at this end.
fn arrives(end: &mut Machine, bytes: usize, now: Instant) {
    let frame = RelayFrame::Data { seq: end.expected(), payload: vec![1; bytes].into() };
    end.handle(frame, now).unwrap();
}

#[test]
fn an_acknowledgement_comes_after_256_kib_or_a_pause_or_10_ms() {
    let now = Instant::now();
    let [_, mut end] = met();
    let acknowledges = |end: &mut Machine, now| {
        let frame = end.poll_transmit(now).map(|frame| RelayFrame::decode(frame).unwrap().unwrap());
        assert!(frame.is_none() || frame == Some(RelayFrame::Ack { next: end.expected() }), "{frame:?}");
        frame.is_some()
    };
    assert!(end.poll_transmit(now).is_some(), "SYNC");
    end.handle(RelayFrame::Sync { epoch: 7, next: 0 }, now).unwrap();
    arrives(&mut end, 1, now);
    end.paused(now);
    assert!(!acknowledges(&mut end, now), "a byte is not worth a frame of its own at once");
    assert_eq!(end.poll_timeout(), Some(now + ACK_WITHIN));
    let later = now + ACK_WITHIN;
    assert!(acknowledges(&mut end, later) && end.poll_timeout().is_none());
    for _ in 0..3 {
        arrives(&mut end, 64_000, later);
        assert!(!acknowledges(&mut end, later), "more may come");
    }
    arrives(&mut end, 64 * 1024, later);
    arrives(&mut end, 64 * 1024, later);
    assert!(acknowledges(&mut end, later));
    arrives(&mut end, 9000, later);
    end.paused(later);
    assert!(!acknowledges(&mut end, later), "not so soon after the last");
    assert_eq!(end.poll_timeout(), Some(later + ACK_APART));
    assert!(acknowledges(&mut end, later + ACK_APART));
    let quiet = later + Duration::from_secs(1);
    arrives(&mut end, 9000, quiet);
    end.paused(quiet);
    assert!(acknowledges(&mut end, quiet), "a pause is answered at once");
}

#[test]
fn whoever_breaks_the_rules_is_told_which() {
    let now = Instant::now();
    let violation = |frame: RelayFrame| {
        let mut ends = met();
        pump(&mut ends, now);
        for _ in 0..2 {
            ends[0].write(&[b"abc".as_slice()]);
            pump(&mut ends, now);
            pump(&mut ends, now + ACK_WITHIN);
        }
        // A new pairing, in which the other end says where it stands.
        ends[0].paired(VERSION, 8).unwrap();
        if !matches!(frame, RelayFrame::Sync { .. }) {
            ends[0].handle(RelayFrame::Sync { epoch: 8, next: 6 }, now).unwrap();
        }
        ends[0].handle(frame, now)
    };
    assert_eq!(violation(data(0, b"first")), Ok(()));
    assert_eq!(violation(data(1, b"far")), Err(Violation::Gap));
    assert_eq!(violation(RelayFrame::Ack { next: 7 }), Err(Violation::NeverSent));
    assert_eq!(violation(RelayFrame::Ack { next: 3 }), Ok(()), "late, and harmless");
    assert_eq!(violation(RelayFrame::Sync { epoch: 8, next: 7 }), Err(Violation::NeverSent));
    assert_eq!(violation(RelayFrame::Sync { epoch: 8, next: 0 }), Err(Violation::NotKept));
    assert_eq!(violation(RelayFrame::Sync { epoch: 7, next: 0 }), Ok(()), "of an earlier pairing");
}

#[test]
fn an_end_of_version_1_is_met_once_and_without_a_word() {
    let now = Instant::now();
    let mut end = Machine::new(1000);
    end.paired(1, 0).unwrap();
    end.write(&[b"old".as_slice()]);
    assert_eq!(RelayFrame::decode(end.poll_transmit(now).unwrap()).unwrap(), Some(data(0, b"old")));
    end.handle(data(0, b"friend"), now).unwrap();
    let mut read = BytesMut::new();
    assert_eq!((end.read(&mut read), read.as_ref()), (6, b"friend".as_slice()));
    assert_eq!(end.paired(1, 0), Err(Violation::CannotResume));
}
