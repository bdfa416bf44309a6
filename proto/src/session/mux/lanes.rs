//! What waits for the carrier, and who goes first: what the session itself has to say, then streams whose owners wait
//! for each answer, then bulk, for which a quarter is kept.

use std::collections::VecDeque;

use super::{
    super::inner_frame::{Class, HEADER, InnerFrame},
    weight::weight,
};

/// Interactive bytes that go before one byte of bulk.
const SHARE: usize = 3;

/// Where a frame waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Frames about streams and the session; none of them carries a stream's bytes.
    Control,
    Stream(Class),
}

#[derive(Default)]
pub(super) struct Lanes {
    control: VecDeque<InnerFrame>,
    interactive: VecDeque<InnerFrame>,
    bulk: VecDeque<InnerFrame>,
    /// What waits in all of them.
    weight: usize,
    /// Interactive bytes that have gone since bulk had its share.
    gone_before: usize,
}

impl Lanes {
    pub(super) fn push(&mut self, lane: Lane, frame: InnerFrame) {
        self.weight += weight(&frame);
        match lane {
            Lane::Control => self.control.push_back(frame),
            Lane::Stream(Class::Interactive) => self.interactive.push_back(frame),
            Lane::Stream(Class::Bulk) => self.bulk.push_back(frame),
        }
    }

    pub(super) fn pop(&mut self) -> Option<InnerFrame> {
        let frame = self.control.pop_front().or_else(|| self.pop_of_streams())?;
        self.weight -= weight(&frame);
        Some(frame)
    }

    fn pop_of_streams(&mut self) -> Option<InnerFrame> {
        let cost = |frame: &InnerFrame| HEADER + weight(frame);
        let due = self.bulk.front().is_some_and(|bulk| self.gone_before >= SHARE * cost(bulk));
        if due || self.interactive.is_empty() {
            let bulk = self.bulk.pop_front()?;
            self.gone_before = self.gone_before.saturating_sub(SHARE * cost(&bulk));
            return Some(bulk);
        }
        let interactive = self.interactive.pop_front()?;
        // Nothing is owed to bulk that does not wait.
        self.gone_before = if self.bulk.is_empty() { 0 } else { self.gone_before + cost(&interactive) };
        Some(interactive)
    }

    /// The newest frame of the session itself.
    pub(super) fn last_control(&mut self) -> Option<&mut InnerFrame> {
        self.control.back_mut()
    }

    /// What waits.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// Frames of the session itself that wait.
    pub(super) fn control(&self) -> usize {
        self.control.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn data(stream: u32, bytes: usize) -> InnerFrame {
        InnerFrame::Data { stream, payload: vec![0; bytes].into() }
    }

    proptest! {
        #[test]
        fn bulk_gets_its_quarter_and_no_more_while_others_wait(sizes in vec((1usize..9000, 1usize..9000), 60..200)) {
            let mut lanes = Lanes::default();
            for (interactive, bulk) in &sizes {
                lanes.push(Lane::Stream(Class::Interactive), data(1, *interactive));
                lanes.push(Lane::Stream(Class::Bulk), data(2, *bulk));
            }
            let (mut gone, mut both) = ([0usize; 2], true);
            while both {
                let Some(InnerFrame::Data { stream, payload }) = lanes.pop() else { break };
                gone[stream as usize - 1] += HEADER + payload.len();
                both = !lanes.interactive.is_empty() && !lanes.bulk.is_empty();
                prop_assert!(3 * gone[1] <= gone[0], "bulk waits for its turn");
                prop_assert!(gone[0] < 3 * gone[1] + 4 * 9008, "and gets it");
            }
        }
    }

    #[test]
    fn the_session_speaks_first_and_each_lane_keeps_its_order() {
        let mut lanes = Lanes::default();
        lanes.push(Lane::Stream(Class::Bulk), data(2, 5));
        lanes.push(Lane::Stream(Class::Interactive), data(1, 1));
        lanes.push(Lane::Stream(Class::Interactive), data(1, 2));
        lanes.push(Lane::Control, InnerFrame::Ping { stamp: 1 });
        assert_eq!((lanes.weight(), lanes.control()), (8, 1));
        let order = [InnerFrame::Ping { stamp: 1 }, data(1, 1), data(1, 2), data(2, 5)];
        assert_eq!(std::iter::from_fn(|| lanes.pop()).collect::<Vec<_>>(), order);
        assert_eq!(lanes.weight(), 0);
    }
}
