//! One stream as its owner sees it: bytes in, bytes out, half-close, reset. Dropping it early cancels it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

pub use super::pipe::Arrival;
use super::{
    inner_frame::{Class, EVEN_PAYLOAD, ResetCode, StreamId},
    line::Tempo,
    meter::Meter,
    pieces::Gathered,
    pipe::Pipe,
};

/// Most bytes that a stream sends at once,
const LONGEST: usize = 4 * EVEN_PAYLOAD;
/// and what it may send at once on the slowest way.
const SHORTEST: usize = 3 * 1024;

/// What a stream asks of the driver.
pub(super) enum Asked {
    /// Bytes for as many frames as they need.
    Send(StreamId, Bytes, Class),
    /// Everything before it was taken.
    Taken(oneshot::Sender<()>),
    Finish(StreamId),
    Consumed(StreamId, usize),
}

/// A stream to break off, and why.
pub(super) type Reset = (StreamId, ResetCode);

/// A stream that is not over.
pub struct Stream {
    id: StreamId,
    pipe: Arc<Pipe>,
    asks: Asks,
    pace: Mutex<Pace>,
    /// At most one message a stream.
    resets: mpsc::UnboundedSender<Reset>,
    ended_in: AtomicBool,
    ended_out: AtomicBool,
}

/// The ways to the driver. Bounded: a stream waits here when the carrier is full, and bulk waits for everybody else.
#[derive(Clone)]
pub(super) struct Asks {
    pub(super) interactive: mpsc::Sender<Asked>,
    pub(super) bulk: mpsc::Sender<Asked>,
    pub(super) tempo: Arc<Tempo>,
}

impl Asks {
    async fn send(&self, class: Class, asked: Asked) -> Result<(), ResetCode> {
        let way = match class {
            Class::Interactive => &self.interactive,
            Class::Bulk => &self.bulk,
        };
        way.send(asked).await.map_err(|_| ResetCode::Ending)
    }
}

/// How fast a stream sends, and which way its last bytes took.
struct Pace {
    meter: Meter,
    class: Class,
}

impl Stream {
    pub(super) const fn new(
        id: StreamId,
        pipe: Arc<Pipe>,
        asks: Asks,
        resets: mpsc::UnboundedSender<Reset>,
        now: Instant,
    ) -> Self {
        let pace = Mutex::new(Pace { meter: Meter::new(now), class: Class::Interactive });
        Self { id, pipe, asks, pace, resets, ended_in: AtomicBool::new(false), ended_out: AtomicBool::new(false) }
    }

    /// What arrives next.
    pub async fn next(&self) -> Result<Arrival, ResetCode> {
        let arrival = self.pipe.next().await?;
        if arrival == Arrival::End {
            self.ended_in.store(true, Ordering::Relaxed);
        }
        Ok(arrival)
    }

    /// Everything that has arrived, up to about `enough` bytes; none when the peer sends no more. Bytes count as in
    /// [`next`](Self::next).
    pub async fn gather(&self, enough: usize) -> Result<Gathered, ResetCode> {
        let gathered = self.pipe.gather(enough).await?;
        if gathered.is_empty() {
            self.ended_in.store(true, Ordering::Relaxed);
        }
        Ok(gathered)
    }

    /// Bytes from [`next`](Self::next) are in the real socket: the peer may send as many again.
    pub async fn consumed(&self, bytes: usize) -> Result<(), ResetCode> {
        self.asks.send(Class::Interactive, Asked::Consumed(self.id, bytes)).await
    }

    /// Waits until bytes may be sent; gives how many [`send`](Self::send) takes at once: fewer on a slow way, where what
    /// is sent keeps others waiting.
    pub async fn room(&self) -> Result<usize, ResetCode> {
        let stride = self.asks.tempo.stride().clamp(SHORTEST, LONGEST);
        self.pipe.room().await.map(|credit| credit.min(stride))
    }

    /// Sends bytes, at most as many as [`room`](Self::room) gave.
    pub async fn send(&self, bytes: Bytes) -> Result<(), ResetCode> {
        if bytes.len() > LONGEST || !self.pipe.take(bytes.len()) {
            return Err(self.pipe.reset_code().unwrap_or(ResetCode::Cancelled));
        }
        let class = self.way(bytes.len()).await?;
        self.asks.send(class, Asked::Send(self.id, bytes, class)).await
    }

    /// Sends no more.
    pub async fn finish(&self) -> Result<(), ResetCode> {
        let class = self.pace().class;
        self.asks.send(class, Asked::Finish(self.id)).await?;
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

    /// The way of so many more bytes. What went the slow way is waited for before anything goes the fast one.
    async fn way(&self, bytes: usize) -> Result<Class, ResetCode> {
        let (before, class) = {
            let mut pace = self.pace();
            let class = pace.meter.count(bytes, self.asks.tempo.bulk(), Instant::now());
            (std::mem::replace(&mut pace.class, class), class)
        };
        if (before, class) == (Class::Bulk, Class::Interactive) {
            let (taken, all) = oneshot::channel();
            self.asks.send(Class::Bulk, Asked::Taken(taken)).await?;
            all.await.map_err(|_| ResetCode::Ending)?;
        }
        Ok(class)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
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
