//! Rows of sessions that are written down together: neighbours of one session become one message. Pure; the order within
//! a session stays, and nothing is left out.

use gatelodge_proto::{
    SessionId,
    payload::{FlowRow, Happening},
};

/// Rows in one message at most.
const ROWS: usize = 128;
/// Bytes of names in one message at most; with everything else a message stays far below what one may have.
const NAMES: usize = 16 * 1024;

/// What happened, in as few messages as it takes.
pub(super) fn gather(happened: impl IntoIterator<Item = Happening>) -> Vec<Happening> {
    let (mut gathered, mut open) = (Vec::new(), None::<Batch>);
    for what in happened {
        let (session, row) = match FlowRow::of(what) {
            Ok(row) => row,
            Err(other) => {
                gathered.extend(open.take().map(Batch::told));
                gathered.push(other);
                continue;
            }
        };
        let fits = open.as_ref().is_some_and(|batch| batch.session == session && batch.has_room(&row));
        if !fits {
            gathered.extend(open.take().map(Batch::told));
        }
        open.get_or_insert_with(|| Batch { session, rows: Vec::new(), names: 0 }).add(row);
    }
    gathered.extend(open.map(Batch::told));
    gathered
}

struct Batch {
    session: SessionId,
    rows: Vec<FlowRow>,
    names: usize,
}

impl Batch {
    fn has_room(&self, row: &FlowRow) -> bool {
        self.rows.len() < ROWS && self.names + name(row) <= NAMES
    }

    fn add(&mut self, row: FlowRow) {
        self.names += name(&row);
        self.rows.push(row);
    }

    fn told(mut self) -> Happening {
        match self.rows.pop() {
            // A cloud that knows no rows together understands a single one.
            Some(only) if self.rows.is_empty() => only.alone(self.session),
            last => {
                self.rows.extend(last);
                Happening::Flows { session: self.session, rows: self.rows }
            }
        }
    }
}

fn name(row: &FlowRow) -> usize {
    match row {
        FlowRow::Opened { target, .. } => target.len(),
        FlowRow::Closed { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        FlowId, Random, Timestamp,
        payload::{self, EndReason, FlowOutcome},
    };
    use proptest::prelude::*;

    use super::*;

    fn session(seed: u64) -> SessionId {
        SessionId::make(Timestamp::from_seconds(1), &Random::seeded(seed))
    }

    /// What the draw `(session, kind, length of the name)` stands for, told apart by its place.
    fn happening((of, kind, length): (u64, u8, usize), place: usize) -> Happening {
        let session = session(of);
        let flow = FlowId::make(Timestamp::from_seconds(1), &Random::seeded(place as u64));
        match kind {
            0..=4 => {
                let outcome = FlowOutcome::Opened;
                Happening::FlowOpened { session, flow, target: "\u{1}".repeat(length), outcome }
            }
            5..=8 => Happening::FlowClosed { session, flow, bytes_up: 1, bytes_down: 2, duration_ms: place as u64 },
            _ => Happening::SessionEnded { session, reason: EndReason::Device, bytes_up: place as u64, bytes_down: 0 },
        }
    }

    fn apart(gathered: Vec<Happening>) -> Vec<Happening> {
        let each = |what| match what {
            Happening::Flows { session, rows } => {
                assert!((2..=ROWS).contains(&rows.len()), "{} rows", rows.len());
                rows.into_iter().map(|row| row.alone(session)).collect()
            }
            other => vec![other],
        };
        gathered.into_iter().flat_map(each).collect()
    }

    proptest! {
        #[test]
        fn what_is_gathered_is_everything_in_its_order(
            draws in proptest::collection::vec((0u64..3, 0u8..10, 0usize..600), 0..400),
        ) {
            let happened: Vec<_> = draws.into_iter().enumerate().map(|(place, draw)| happening(draw, place)).collect();
            let gathered = gather(happened.clone());
            for what in &gathered {
                // Even where JSON spells each character by six.
                prop_assert!(payload::encode(what).len() + 1024 < 2 * payload::MAX_BYTES);
            }
            prop_assert_eq!(apart(gathered), happened);
        }
    }

    #[test]
    fn rows_of_one_session_share_a_message() {
        let rows: Vec<_> = (0..300).map(|place| happening((1, 5, 0), place)).collect();
        assert_eq!(gather(rows).len(), 3);
        let other = [happening((1, 5, 0), 0), happening((2, 5, 0), 1), happening((1, 5, 0), 2)];
        assert_eq!(gather(other.clone()), other, "one of each session in turn");
    }
}
