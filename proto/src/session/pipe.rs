//! What the driver and the owner of one stream share: bytes that arrived, credit to send, how it ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use tokio::sync::Notify;

use super::{
    inner_frame::ResetCode,
    pieces::{Gathered, Pieces},
};

#[derive(Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
    readable: Notify,
    writable: Notify,
    broken: Notify,
}

#[derive(Default)]
struct State {
    arrived: Pieces,
    finished: bool,
    reset: Option<ResetCode>,
    credit: usize,
}

/// What arrived next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// Bytes; give them back with [`super::Stream::consumed`] once they are in the real socket.
    Data(Bytes),
    /// The peer sends no more.
    End,
}

impl Pipe {
    pub(super) fn with_credit(credit: u32) -> Self {
        let pipe = Self::default();
        pipe.give(credit);
        pipe
    }

    pub(super) fn arrived(&self, bytes: Bytes) {
        self.state().arrived.push(bytes);
        self.readable.notify_one();
    }

    pub(super) fn finish(&self) {
        self.state().finished = true;
        self.readable.notify_one();
    }

    pub(super) fn give(&self, credit: u32) {
        self.state().credit += credit as usize;
        self.writable.notify_one();
    }

    pub(super) fn reset(&self, code: ResetCode) {
        let mut state = self.state();
        state.reset.get_or_insert(code);
        state.arrived.clear();
        drop(state);
        self.readable.notify_one();
        self.writable.notify_one();
        self.broken.notify_one();
    }

    pub(super) fn reset_code(&self) -> Option<ResetCode> {
        self.state().reset
    }

    pub(super) async fn next(&self) -> Result<Arrival, ResetCode> {
        loop {
            let notified = self.readable.notified();
            {
                let mut state = self.state();
                if let Some(code) = state.reset {
                    return Err(code);
                }
                if let Some(bytes) = state.arrived.pop() {
                    return Ok(Arrival::Data(bytes));
                }
                if state.finished {
                    return Ok(Arrival::End);
                }
            }
            notified.await;
        }
    }

    /// Waits for bytes, and takes all there are up to about `enough`; nothing when there will be no more.
    pub(super) async fn gather(&self, enough: usize) -> Result<Gathered, ResetCode> {
        let mut gathered = Gathered::default();
        match self.next().await? {
            Arrival::Data(bytes) => gathered.push(bytes),
            Arrival::End => return Ok(gathered),
        }
        let mut state = self.state();
        while gathered.remaining() < enough
            && let Some(bytes) = state.arrived.pop()
        {
            gathered.push(bytes);
        }
        Ok(gathered)
    }

    /// Waits for credit; gives how much there is.
    pub(super) async fn room(&self) -> Result<usize, ResetCode> {
        loop {
            let notified = self.writable.notified();
            {
                let state = self.state();
                if let Some(code) = state.reset {
                    return Err(code);
                }
                if state.credit > 0 {
                    return Ok(state.credit);
                }
            }
            notified.await;
        }
    }

    /// Takes credit that [`room`](Self::room) gave; false when there is less.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let mut state = self.state();
        match state.credit.checked_sub(bytes) {
            Some(left) => {
                state.credit = left;
                true
            }
            None => false,
        }
    }

    /// Waits until the stream is reset.
    pub(super) async fn broken(&self) -> ResetCode {
        loop {
            let notified = self.broken.notified();
            if let Some(code) = self.reset_code() {
                return code;
            }
            notified.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
