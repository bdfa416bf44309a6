//! One stream as its owner sees it: bytes in, bytes out, half-close, reset. Dropping it early cancels it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::sync::mpsc;

pub use super::pipe::Arrival;
use super::{
    inner_frame::{MAX_PAYLOAD, ResetCode, StreamId},
    pipe::Pipe,
};

/// What a stream asks of the driver.
pub(super) enum Asked {
    Send(StreamId, Bytes),
    Finish(StreamId),
    Consumed(StreamId, usize),
}

/// A stream to break off, and why.
pub(super) type Reset = (StreamId, ResetCode);

/// A stream that is not over.
pub struct Stream {
    id: StreamId,
    pipe: Arc<Pipe>,
    /// Bounded: a stream waits here when the carrier is full.
    asks: mpsc::Sender<Asked>,
    /// At most one message a stream.
    resets: mpsc::UnboundedSender<Reset>,
    ended_in: AtomicBool,
    ended_out: AtomicBool,
}

impl Stream {
    pub(super) const fn new(
        id: StreamId,
        pipe: Arc<Pipe>,
        asks: mpsc::Sender<Asked>,
        resets: mpsc::UnboundedSender<Reset>,
    ) -> Self {
        Self { id, pipe, asks, resets, ended_in: AtomicBool::new(false), ended_out: AtomicBool::new(false) }
    }

    /// What arrives next.
    pub async fn next(&self) -> Result<Arrival, ResetCode> {
        let arrival = self.pipe.next().await?;
        if arrival == Arrival::End {
            self.ended_in.store(true, Ordering::Relaxed);
        }
        Ok(arrival)
    }

    /// Bytes from [`next`](Self::next) are in the real socket: the peer may send as many again.
    pub async fn consumed(&self, bytes: usize) -> Result<(), ResetCode> {
        self.ask(Asked::Consumed(self.id, bytes)).await
    }

    /// Waits until bytes may be sent; gives how many [`send`](Self::send) takes at once.
    pub async fn room(&self) -> Result<usize, ResetCode> {
        self.pipe.room().await.map(|credit| credit.min(MAX_PAYLOAD))
    }

    /// Sends bytes, at most as many as [`room`](Self::room) gave.
    pub async fn send(&self, bytes: Bytes) -> Result<(), ResetCode> {
        if bytes.len() > MAX_PAYLOAD || !self.pipe.take(bytes.len()) {
            return Err(self.pipe.reset_code().unwrap_or(ResetCode::Cancelled));
        }
        self.ask(Asked::Send(self.id, bytes)).await
    }

    /// Sends no more.
    pub async fn finish(&self) -> Result<(), ResetCode> {
        self.ask(Asked::Finish(self.id)).await?;
        self.ended_out.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Breaks the stream off in both directions.
    pub fn reset(&self, code: ResetCode) {
        self.pipe.reset(code);
        self.ended_in.store(true, Ordering::Relaxed);
        self.ended_out.store(true, Ordering::Relaxed);
        let _ = self.resets.send((self.id, code));
    }

    /// Waits until the peer or the session breaks the stream off.
    pub async fn broken(&self) -> ResetCode {
        self.pipe.broken().await
    }

    async fn ask(&self, asked: Asked) -> Result<(), ResetCode> {
        self.asks.send(asked).await.map_err(|_| ResetCode::Ending)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let over = self.ended_in.load(Ordering::Relaxed) && self.ended_out.load(Ordering::Relaxed);
        if !over {
            let _ = self.resets.send((self.id, ResetCode::Cancelled));
        }
    }
}
