//! The tokio loop of one session: one task owns the TLS stream and the mux; everybody else talks to it by channels.
//!
//! Memory is bounded by the windows of the streams, one chunk a stream in waiting, and [`QUEUE`] bytes of output.

mod channel;
mod io_step;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{mpsc, oneshot},
    time::Instant,
};

pub use self::channel::{Channel, Unaccepted};
use self::io_step::{Step, io_step};
use super::{
    Ending, Role, Stream,
    carrier::CarrierEnd,
    inner_frame::{InnerFrame, Open, OpenError, ResetCode, StreamId},
    mux::{Event, Impossible, Mux, Settings},
    pipe::Pipe,
    stream::{Asked, Reset},
};
use crate::payload::EndReason;

/// Output that may wait for the carrier before streams have to wait.
const QUEUE: usize = 64 * 1024;

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
    given_up: oneshot::Receiver<Infallible>,
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

enum Order {
    Open(Open, oneshot::Sender<Result<Stream, OpenFailure>>),
    Accept(StreamId, Duration, String, oneshot::Sender<Option<Stream>>),
    Refuse(StreamId, OpenError),
    Tell(InnerFrame),
    End(Ending),
}

/// Tells a running session what to do. Clones speak to the same session.
#[derive(Clone)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    counters: Arc<Counters>,
}

impl Handle {
    /// Opens a stream to a target.
    pub async fn open(&self, open: Open) -> Result<Stream, OpenFailure> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Open(open, reply)).await.map_err(|_| OpenFailure::Over)?;
        answer.await.unwrap_or(Err(OpenFailure::Over))
    }

    /// The target of an [`Incoming`] is connected. `None` when the peer no longer wants it.
    pub async fn accept(&self, stream: StreamId, connect: Duration, local: String) -> Option<Stream> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Accept(stream, connect, local, reply)).await.ok()?;
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

/// A session's loop; [`run`](Self::run) it on the task that shall own it.
pub struct Driver<T> {
    channel: Channel<T>,
    role: Role,
    mux: Mux,
    out: BytesMut,
    carrier_end: Arc<OnceLock<CarrierEnd>>,
    pipes: HashMap<StreamId, Arc<Pipe>>,
    opening: HashMap<StreamId, oneshot::Sender<Result<Stream, OpenFailure>>>,
    /// What the peer wants and nobody has answered; each says by its end that it is not wanted any more.
    wanted: HashMap<StreamId, oneshot::Sender<Infallible>>,
    orders: mpsc::Receiver<Order>,
    asks: (mpsc::Sender<Asked>, mpsc::Receiver<Asked>),
    resets: (mpsc::UnboundedSender<Reset>, mpsc::UnboundedReceiver<Reset>),
    incoming: mpsc::UnboundedSender<Incoming>,
    notices: mpsc::UnboundedSender<Notice>,
    counters: Arc<Counters>,
}

/// What comes out of a session besides its end.
pub struct Outlets {
    /// Targets the peer wants; at most as many as streams are allowed.
    pub incoming: mpsc::UnboundedReceiver<Incoming>,
    /// What the peer says about the session.
    pub notices: mpsc::UnboundedReceiver<Notice>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// A session over `channel`, whose grant is accepted. `carrier_end` is where the carrier keeps the relay's last word.
    pub fn new(
        channel: Channel<T>,
        role: Role,
        settings: Settings,
        carrier_end: Arc<OnceLock<CarrierEnd>>,
    ) -> (Self, Handle, Outlets) {
        let (orders, orders_in) = mpsc::channel(16);
        let (incoming, incoming_out) = mpsc::unbounded_channel();
        let (notices, notices_out) = mpsc::unbounded_channel();
        let counters = Arc::new(Counters::default());
        let driver = Self {
            channel,
            role,
            mux: Mux::new(role, settings, Instant::now().into_std()),
            out: BytesMut::with_capacity(QUEUE),
            carrier_end,
            pipes: HashMap::new(),
            opening: HashMap::new(),
            wanted: HashMap::new(),
            orders: orders_in,
            asks: mpsc::channel(8),
            resets: mpsc::unbounded_channel(),
            incoming,
            notices,
            counters: counters.clone(),
        };
        let outlets = Outlets { incoming: incoming_out, notices: notices_out };
        (driver, Handle { orders, counters }, outlets)
    }

    /// Runs until the session ends, and gives the channel back for the farewell.
    pub async fn run(mut self) -> (Ending, Channel<T>) {
        let ending = self.until_end().await;
        for pipe in self.pipes.values() {
            pipe.reset(ResetCode::Ending);
        }
        (ending, self.channel)
    }

    async fn until_end(&mut self) -> Ending {
        let mut timer = std::pin::pin!(tokio::time::sleep_until(self.mux.poll_timeout().into()));
        let mut batch = Vec::with_capacity(8);
        loop {
            if let Some(ending) = self.dispatch() {
                return ending;
            }
            self.mux.poll_transmit(&mut self.out, QUEUE);
            let timeout = self.mux.poll_timeout().into();
            if timer.deadline() != timeout {
                timer.as_mut().reset(timeout);
            }
            let room = self.mux.queued() + self.out.len() < QUEUE;
            let wants_input = self.mux.wants_input();
            tokio::select! {
                step = io_step(&mut self.channel, &mut self.out, wants_input) => match step {
                    Ok(Step::Progress) => if let Some(ending) = self.take_input() { return ending },
                    Ok(Step::Closed) => return self.broken("the other end closed the session without a word"),
                    Err(error) => return self.broken(&error.to_string()),
                },
                Some(order) = self.orders.recv() => if let Some(ending) = self.obey(order) {
                    self.farewell(ending.reason).await;
                    return ending;
                },
                _ = self.asks.1.recv_many(&mut batch, 8), if room => for asked in batch.drain(..) {
                    self.ask(asked);
                },
                Some((stream, code)) = self.resets.1.recv() => {
                    self.mux.reset(stream, code);
                    self.forget(stream);
                },
                () = timer.as_mut() => self.mux.handle_timeout(Instant::now().into_std()),
            }
        }
    }

    fn take_input(&mut self) -> Option<Ending> {
        let now = Instant::now().into_std();
        loop {
            match InnerFrame::take(&mut self.channel.buffer) {
                Ok(Some(frame)) => {
                    if let Err(violation) = self.mux.handle(frame, now) {
                        return Some(Ending::because(EndReason::Refused, &violation));
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some(Ending::because(EndReason::Refused, &error)),
            }
        }
    }

    /// Hands the mux's events to whom they concern.
    fn dispatch(&mut self) -> Option<Ending> {
        while let Some(event) = self.mux.poll_event() {
            match event {
                Event::Opening { stream, open } => {
                    let (wanted, given_up) = oneshot::channel();
                    if self.incoming.send(Incoming { stream, open, given_up }).is_ok() {
                        self.wanted.insert(stream, wanted);
                    } else {
                        self.mux.refuse(stream, OpenError::NotAllowed);
                    }
                }
                Event::Opened { stream, credit, .. } => {
                    let made = self.attach(stream, credit);
                    match self.opening.remove(&stream) {
                        Some(reply) => drop(reply.send(Ok(made))),
                        None => drop(made),
                    }
                }
                Event::OpenFailed { stream, code } => {
                    if let Some(reply) = self.opening.remove(&stream) {
                        let _ = reply.send(Err(code.into()));
                    }
                }
                Event::Data { stream, payload } => {
                    self.counters.received.fetch_add(payload.len() as u64, Ordering::Relaxed);
                    if let Some(pipe) = self.pipes.get(&stream) {
                        pipe.arrived(payload);
                    }
                }
                Event::Credit { stream, bytes } => {
                    if let Some(pipe) = self.pipes.get(&stream) {
                        pipe.give(bytes);
                    }
                }
                Event::Finished { stream } => {
                    if let Some(pipe) = self.pipes.get(&stream) {
                        pipe.finish();
                    }
                    self.forget_if_over(stream);
                }
                Event::Reset { stream, code } => {
                    self.wanted.remove(&stream);
                    if let Some(reply) = self.opening.remove(&stream) {
                        let _ = reply.send(Err(OpenFailure::Target(OpenError::Unreachable)));
                    }
                    if let Some(pipe) = self.pipes.get(&stream) {
                        pipe.reset(code);
                    }
                    self.forget(stream);
                }
                Event::Revoked { reason, .. } => return Some(Ending::plain(reason)),
                Event::ExpiryWarn { seconds } => drop(self.notices.send(Notice::ExpiryWarn(seconds))),
                // No extension is offered yet, and both ends count for themselves.
                Event::Extend(_) | Event::Stats(_) => {}
                Event::Silent => return Some(Ending::because(EndReason::RelayLost, &"the other end fell silent")),
            }
        }
        if let Some(round_trip) = self.mux.round_trip() {
            let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
            self.counters.round_trip_us.store(micros, Ordering::Relaxed);
        }
        self.counters.streams.store(self.pipes.len() as u64, Ordering::Relaxed);
        None
    }

    fn obey(&mut self, order: Order) -> Option<Ending> {
        match order {
            Order::Open(open, reply) => match self.mux.open(open) {
                Ok(stream) => drop(self.opening.insert(stream, reply)),
                Err(Impossible::Limit | Impossible::Full | Impossible::Over) => {
                    let _ = reply.send(Err(OpenError::Limit.into()));
                }
            },
            Order::Accept(stream, connect, local, reply) => {
                self.wanted.remove(&stream);
                let made = self.mux.accept(stream, connect, local).ok().map(|credit| self.attach(stream, credit));
                let _ = reply.send(made);
            }
            Order::Refuse(stream, code) => {
                self.wanted.remove(&stream);
                self.mux.refuse(stream, code);
            }
            Order::Tell(frame) => self.mux.tell(frame),
            Order::End(ending) => return Some(ending),
        }
        None
    }

    fn ask(&mut self, asked: Asked) {
        match asked {
            Asked::Send(stream, bytes) => {
                let length = bytes.len() as u64;
                // A stream that was reset meanwhile takes nothing more, and its owner learns it from its pipe.
                if self.mux.send(stream, bytes).is_ok() {
                    self.counters.sent.fetch_add(length, Ordering::Relaxed);
                }
            }
            Asked::Finish(stream) => {
                self.mux.finish(stream);
                self.forget_if_over(stream);
            }
            Asked::Consumed(stream, bytes) => self.mux.consumed(stream, bytes),
        }
    }

    fn attach(&mut self, stream: StreamId, credit: u32) -> Stream {
        let pipe = Arc::new(Pipe::with_credit(credit));
        self.pipes.insert(stream, pipe.clone());
        Stream::new(stream, pipe, self.asks.0.clone(), self.resets.0.clone())
    }

    fn forget(&mut self, stream: StreamId) {
        self.pipes.remove(&stream);
    }

    fn forget_if_over(&mut self, stream: StreamId) {
        if !self.mux.knows(stream) {
            self.forget(stream);
        }
    }

    /// The relay's last word explains a broken channel better than the channel does.
    fn broken(&self, detail: &str) -> Ending {
        match self.carrier_end.get() {
            Some(end) => end.ending(self.role),
            None => Ending::because(EndReason::RelayLost, &detail),
        }
    }

    /// Says REVOKED and closes TLS; a peer that does not read is not waited for.
    async fn farewell(&mut self, reason: EndReason) {
        self.mux.tell(InnerFrame::Revoked { by: self.role, reason });
        self.mux.poll_transmit(&mut self.out, usize::MAX);
        let words = async {
            self.channel.io.write_all(&self.out).await?;
            self.channel.io.flush().await?;
            self.channel.io.shutdown().await
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), words).await;
    }
}

#[cfg(test)]
mod tests;
