//! How often the agent has started, so that the cloud can order messages whenever they arrive.

use gatelodge_proto::{Random, payload::Position};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Counter {
    boot: u64,
}

impl Counter {
    pub(super) fn next(&self, random: &Random) -> (Self, Boot) {
        let number = self.boot + 1;
        let id = uuid::Builder::from_random_bytes(random.bytes()).into_uuid();
        (Self { boot: number }, Boot { number, id, seq: 0 })
    }
}

/// One start of the agent; gives out places in its history.
#[derive(Debug)]
pub struct Boot {
    number: u64,
    id: Uuid,
    seq: u64,
}

impl Boot {
    /// Random per start.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The place of the next message.
    pub const fn next_position(&mut self) -> Position {
        self.seq += 1;
        Position { boot: self.number, boot_id: self.id, seq: self.seq }
    }
}
