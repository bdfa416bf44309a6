//! What the driver and the owner of one stream share: bytes that arrived, credit to send, how it ended.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::inner_frame::ResetCode;

/// Pieces smaller than this are copied together: a piece keeps the whole buffer it was read into, which its sender may
/// have filled with frames that mean nothing.
const SMALL: usize = 8 * 1024;

#[derive(Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
    readable: Notify,
    writable: Notify,
    broken: Notify,
}

#[derive(Default)]
struct State {
    whole: VecDeque<Bytes>,
    /// Small pieces that follow `whole`.
    tail: BytesMut,
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
        let mut state = self.state();
        if bytes.len() < SMALL {
            state.tail.extend_from_slice(&bytes);
        } else {
            let tail = state.tail.split();
            if !tail.is_empty() {
                state.whole.push_back(tail.freeze());
            }
            state.whole.push_back(bytes);
        }
        drop(state);
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
        state.whole.clear();
        state.tail.clear();
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
                if let Some(bytes) = state.whole.pop_front() {
                    return Ok(Arrival::Data(bytes));
                }
                if !state.tail.is_empty() {
                    return Ok(Arrival::Data(state.tail.split().freeze()));
                }
                if state.finished {
                    return Ok(Arrival::End);
                }
            }
            notified.await;
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Memory that tells when it is gone.
    struct Read(Vec<u8>, #[expect(dead_code, reason = "counts those who keep the memory")] Arc<()>);

    impl AsRef<[u8]> for Read {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn a_padded_frame_does_not_keep_the_buffer_it_was_read_into() {
        let (pipe, keeps) = (Pipe::default(), Arc::new(()));
        let mut arrived = 0;
        for length in [1, 100, 2048, 4096, SMALL - 1] {
            let buffer = Bytes::from_owner(Read(vec![7; 32 * 1024], keeps.clone()));
            pipe.arrived(buffer.slice(8..8 + length));
            arrived += length;
        }
        assert_eq!(Arc::strong_count(&keeps), 1, "what was read is gone while its bytes wait");
        let state = pipe.state();
        assert_eq!(state.tail.len() + state.whole.iter().map(Bytes::len).sum::<usize>(), arrived);
    }
}
