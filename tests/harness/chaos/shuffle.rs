//! Which messages come twice and which late, by a seed. Holds messages back, never loses one, and knows no time: its
//! driver says when it has been quiet.

use std::collections::VecDeque;

use gatelodge_proto::Random;

use super::{Frame, Kind};

/// The messages of one direction of one connection.
#[derive(Debug)]
pub struct Shuffle {
    random: Random,
    held: VecDeque<(u64, Frame)>,
    arrived: u64,
    /// The youngest that has left.
    newest: u64,
    duplicated: u64,
    reordered: u64,
}

impl Shuffle {
    /// With nothing held.
    pub fn new(random: Random) -> Self {
        Self { random, held: VecDeque::new(), arrived: 0, newest: 0, duplicated: 0, reordered: 0 }
    }

    /// Takes a frame and gives what leaves now.
    pub fn push(&mut self, frame: Frame, duplicate_percent: u8, window: usize) -> Vec<Frame> {
        match frame.kind {
            Kind::Free => vec![frame],
            Kind::Fence => {
                let mut leaving = self.flush();
                leaving.push(frame);
                leaving
            }
            Kind::Message => {
                self.arrived += 1;
                let twice = self.random.below(100) < u64::from(duplicate_percent);
                self.duplicated += u64::from(twice);
                for _ in 0..=u8::from(twice) {
                    self.held.push_back((self.arrived, frame.clone()));
                }
                let mut leaving = Vec::new();
                while self.held.len() >= window.max(1) {
                    leaving.extend(self.draw());
                }
                leaving
            }
        }
    }

    /// Everything held, in a drawn order.
    pub fn flush(&mut self) -> Vec<Frame> {
        let mut leaving = Vec::with_capacity(self.held.len());
        while let Some(frame) = self.draw() {
            leaving.push(frame);
        }
        leaving
    }

    /// Whether anything is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Messages that came twice and messages that left late, since the last call.
    pub fn take_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.duplicated), std::mem::take(&mut self.reordered))
    }

    fn draw(&mut self) -> Option<Frame> {
        let place = usize::try_from(self.random.below(self.held.len() as u64)).ok()?;
        let (number, frame) = self.held.remove(place)?;
        self.reordered += u64::from(number < self.newest);
        self.newest = self.newest.max(number);
        Some(frame)
    }
}
