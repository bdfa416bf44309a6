//! What others see of a line while TLS owns it.

use std::{
    num::NonZeroU64,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{sync::watch, time::Instant};

use super::Tempo;
use crate::session::carrier::CarrierEnd;

/// Whether bytes reach the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// They do.
    Up {
        /// Since when.
        since: Instant,
    },
    /// The way to it is lost, here or there, and is being sought.
    Away {
        /// Since when.
        since: Instant,
    },
}

/// Where a line stands and how it ended. Clones see the same line.
#[derive(Debug, Clone)]
pub struct LineView {
    end: Arc<OnceLock<CarrierEnd>>,
    state: watch::Receiver<LineState>,
    tempo: Arc<Tempo>,
    rate: Arc<AtomicU64>,
}

impl LineView {
    pub(super) const fn new(
        end: Arc<OnceLock<CarrierEnd>>,
        state: watch::Receiver<LineState>,
        tempo: Arc<Tempo>,
        rate: Arc<AtomicU64>,
    ) -> Self {
        Self { end, state, tempo, rate }
    }

    /// Of a stream that is no line: it is always up and never says how it ended.
    pub fn of_a_stream() -> Self {
        let state = watch::Sender::new(LineState::Up { since: Instant::now() }).subscribe();
        Self::new(Arc::default(), state, Arc::default(), Arc::default())
    }

    /// Of a stream that ended like this.
    #[cfg(test)]
    pub(in crate::session) fn of_an_end(end: CarrierEnd) -> Self {
        let view = Self::of_a_stream();
        let _ = view.end.set(end);
        view
    }

    /// How it ended, as far as the relay or the line itself said so.
    pub fn end(&self) -> Option<CarrierEnd> {
        self.end.get().copied()
    }

    /// The bytes a second to which the relay holds the session now; `None` while it does not.
    pub fn rate(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.rate.load(Ordering::Relaxed))
    }

    /// Where it stands.
    pub fn state(&self) -> LineState {
        *self.state.borrow()
    }

    /// How fast it is.
    pub(in crate::session) const fn tempo(&self) -> &Arc<Tempo> {
        &self.tempo
    }

    /// Waits until it stands elsewhere; `None` when the line is gone.
    pub async fn changed(&mut self) -> Option<LineState> {
        self.state.changed().await.ok()?;
        Some(*self.state.borrow_and_update())
    }
}
