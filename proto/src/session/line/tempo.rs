//! How fast a line is, for those who decide what waits above it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::Machine;
use crate::session::{inner_frame::MAX_BYTES, meter::BULK};

/// Whoever sends more within the meter's period than the way carries in this part of it, keeps others waiting.
const SHARE: Duration = Duration::from_millis(25);
/// Nobody is called bulk for less.
const PAGE: usize = 8 * 1024;

/// A line's own, and those above it look.
#[derive(Debug)]
pub struct Tempo {
    stride: AtomicUsize,
    bulk: AtomicUsize,
}

impl Default for Tempo {
    fn default() -> Self {
        Self { stride: AtomicUsize::new(4 * MAX_BYTES), bulk: AtomicUsize::new(BULK) }
    }
}

impl Tempo {
    /// Bytes that are worth handing to the line at once.
    pub fn stride(&self) -> usize {
        self.stride.load(Ordering::Relaxed)
    }

    /// Bytes within a tenth of a second that make a stream bulk.
    pub fn bulk(&self) -> usize {
        self.bulk.load(Ordering::Relaxed)
    }

    pub(super) fn follow(&self, machine: &Machine) {
        self.stride.store(machine.stride(), Ordering::Relaxed);
        self.bulk.store(machine.carries(SHARE).clamp(PAGE, BULK), Ordering::Relaxed);
    }
}
