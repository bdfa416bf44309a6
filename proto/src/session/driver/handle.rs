//! What others hold of a running session: its counters, the targets its peer wants, and the way to tell it what to do.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::super::{
    Datagrams, Ending, Stream,
    inner_frame::{InnerFrame, Open, OpenError, StreamId},
};

/// What a session has carried so far; read by whoever shows or limits it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Bytes of streams, sent.
    pub sent: AtomicU64,
    /// Bytes of streams, received.
    pub received: AtomicU64,
    /// Streams open now.
    pub streams: AtomicU64,
    /// Last measured round trip in microseconds; 0 before the first.
    pub round_trip_us: AtomicU64,
}

/// The peer wants a target.
#[derive(Debug)]
pub struct Incoming {
    /// The stream it would be.
    pub stream: StreamId,
    /// What it wants.
    pub open: Open,
    pub(super) given_up: oneshot::Receiver<Infallible>,
}

impl Incoming {
    /// Waits until nobody wants the target any more: the peer took its word back, or the session is over. Means nothing
    /// once the stream is accepted or refused.
    pub async fn given_up(&mut self) {
        let _ = (&mut self.given_up).await;
    }
}

/// Something the peer said about the session as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It ends in so many seconds.
    ExpiryWarn(u32),
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenFailure {
    /// The device says so.
    #[error(transparent)]
    Target(#[from] OpenError),
    /// The session is over.
    #[error("the session is over")]
    Over,
}

/// Who waits for a stream of ours, and of which kind.
pub(super) enum Opening {
    Bytes(oneshot::Sender<Result<Stream, OpenFailure>>),
    Datagrams(oneshot::Sender<Result<Datagrams, OpenFailure>>),
}

impl Opening {
    pub(super) fn fail(self, failure: OpenFailure) {
        match self {
            Self::Bytes(reply) => drop(reply.send(Err(failure))),
            Self::Datagrams(reply) => drop(reply.send(Err(failure))),
        }
    }
}

/// Who waits for a stream of the peer's, and of which kind.
pub(super) enum Accepting {
    Bytes(oneshot::Sender<Option<Stream>>),
    Datagrams(oneshot::Sender<Option<Datagrams>>),
}

pub(super) enum Order {
    Open(Open, Opening),
    Accept(StreamId, Duration, String, Accepting),
    Refuse(StreamId, OpenError),
    Tell(InnerFrame),
    End(Ending),
}

/// Tells a running session what to do. Clones speak to the same session.
#[derive(Clone)]
pub struct Handle {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) counters: Arc<Counters>,
}

impl Handle {
    /// Opens a stream to a target.
    pub async fn open(&self, open: Open) -> Result<Stream, OpenFailure> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Open(open, Opening::Bytes(reply))).await.map_err(|_| OpenFailure::Over)?;
        answer.await.unwrap_or(Err(OpenFailure::Over))
    }

    /// Opens a flow of datagrams to a target that is spoken to in datagrams. A device of version 1 carries none.
    pub async fn open_datagrams(&self, open: Open) -> Result<Datagrams, OpenFailure> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Open(open, Opening::Datagrams(reply))).await.map_err(|_| OpenFailure::Over)?;
        answer.await.unwrap_or(Err(OpenFailure::Over))
    }

    /// The target of an [`Incoming`] is connected. `None` when the peer no longer wants it.
    pub async fn accept(&self, stream: StreamId, connect: Duration, local: String) -> Option<Stream> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Accept(stream, connect, local, Accepting::Bytes(reply))).await.ok()?;
        answer.await.ok().flatten()
    }

    /// The same for a target that is spoken to in datagrams.
    pub async fn accept_datagrams(&self, stream: StreamId, connect: Duration, local: String) -> Option<Datagrams> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Accept(stream, connect, local, Accepting::Datagrams(reply))).await.ok()?;
        answer.await.ok().flatten()
    }

    /// The target of an [`Incoming`] cannot be had.
    pub async fn refuse(&self, stream: StreamId, code: OpenError) {
        let _ = self.orders.send(Order::Refuse(stream, code)).await;
    }

    /// Sends a frame about the session as a whole.
    pub async fn tell(&self, frame: InnerFrame) {
        let _ = self.orders.send(Order::Tell(frame)).await;
    }

    /// Ends the session; the peer is told the reason.
    pub async fn end(&self, ending: Ending) {
        let _ = self.orders.send(Order::End(ending)).await;
    }

    /// What the session has carried.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}
