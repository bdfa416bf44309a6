//! When a waiting message is offered again. Pure; the receipt is what ends it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use gatelodge_proto::{Random, payload::Correlation};

/// Messages offered and not yet receipted at a time; the registrar's pace becomes the device's.
const WINDOW: usize = 16;
/// A registrar answers within milliseconds; this long without a receipt means that the message was lost.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);

/// What was offered on this connection.
#[derive(Debug, Default)]
pub(super) struct Offering {
    offered: HashMap<Correlation, Offered>,
}

#[derive(Debug)]
struct Offered {
    again_at: Instant,
    patience: Duration,
}

impl Offering {
    /// A new connection: everything is offered from the start.
    pub(super) fn begin(&mut self) {
        self.offered.clear();
    }

    /// The messages of `waiting`, oldest first, that are to be offered now.
    pub(super) fn due(
        &mut self,
        waiting: impl Iterator<Item = Correlation>,
        now: Instant,
        random: &Random,
    ) -> Vec<Correlation> {
        let window: Vec<Correlation> = waiting.take(WINDOW).collect();
        self.offered.retain(|correlation, _| window.contains(correlation));
        let mut due = Vec::new();
        for correlation in window {
            let offered = self.offered.entry(correlation).or_insert(Offered { again_at: now, patience: PATIENCE });
            if offered.again_at <= now {
                // Up to a tenth more, so that a fleet does not offer in step.
                let tenth = u64::try_from(offered.patience.as_millis() / 10).unwrap_or(0);
                offered.again_at = now + offered.patience + Duration::from_millis(random.below(tenth));
                offered.patience = (offered.patience * 2).min(LONGEST);
                due.push(correlation);
            }
        }
        due
    }

    /// When the next message is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.offered.values().map(|offered| offered.again_at).min()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn numbers(range: std::ops::RangeInclusive<u64>) -> Vec<Correlation> {
        range.map(|seq| Correlation { boot_id: Uuid::from_u128(1), seq }).collect()
    }

    #[test]
    fn at_most_a_window_is_out_and_receipts_move_it_on() {
        let (mut offering, random, now) = (Offering::default(), Random::seeded(1), Instant::now());
        assert_eq!(offering.due(numbers(1..=40).into_iter(), now, &random), numbers(1..=16));
        assert_eq!(offering.due(numbers(1..=40).into_iter(), now, &random), []);
        assert_eq!(offering.due(numbers(3..=40).into_iter(), now, &random), numbers(17..=18));
    }

    #[test]
    fn without_a_receipt_it_offers_again_less_and_less_often() {
        let (mut offering, random, mut now) = (Offering::default(), Random::seeded(1), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(offering.due(numbers(1..=1).into_iter(), now, &random), numbers(1..=1));
            let next = offering.next_at().unwrap();
            waits.push((next - now).as_secs());
            now = next;
        }
        assert!(waits[0] == 5 && waits[1] >= 10 && waits[7] >= 300 && waits[7] <= 330, "{waits:?}");
    }

    #[test]
    fn a_new_connection_starts_over() {
        let (mut offering, random, now) = (Offering::default(), Random::seeded(1), Instant::now());
        offering.due(numbers(1..=2).into_iter(), now, &random);
        offering.begin();
        assert_eq!(offering.due(numbers(1..=2).into_iter(), now, &random), numbers(1..=2));
    }
}
