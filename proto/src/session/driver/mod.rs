//! The tokio loop of one session: one task owns the TLS stream and the mux; everybody else talks to it by channels.
//!
//! Memory is bounded by the windows of the streams, one chunk of 64 KiB a stream in waiting, and a
//! few such chunks beyond [`QUEUE`] bytes of output.

mod attached;
mod channel;
mod handle;
mod io_step;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::{
    attached::Attached,
    handle::{Accepting, Opening, Order},
    io_step::{Step, io_step},
};
pub use self::{
    channel::{Channel, Unaccepted},
    handle::{Counters, Handle, Incoming, Notice, OpenFailure},
};
use super::{
    Datagrams, Ending, Role, Stream,
    datagrams::Mail,
    inner_frame::{EVEN_PAYLOAD, InnerFrame, OpenError, ResetCode, StreamId},
    line::{LineState, LineView},
    mux::{Event, Impossible, Mux, Settings},
    pipe::Pipe,
    stream::{Asked, Asks, Reset},
};
use crate::payload::EndReason;

/// Output that may wait for the carrier before streams have to wait.
const QUEUE: usize = 64 * 1024;
/// Datagrams of one flow that go before another flow has its turn.
const AT_ONCE: usize = 8;
/// An end whose line has just come back is not silent yet.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// A session's loop; [`run`](Self::run) it on the task that shall own it.
pub struct Driver<T> {
    channel: Channel<T>,
    role: Role,
    mux: Mux,
    out: BytesMut,
    line: LineView,
    attached: HashMap<StreamId, Attached>,
    opening: HashMap<StreamId, Opening>,
    /// What the peer wants and nobody has answered; each says by its end that it is not wanted any more.
    wanted: HashMap<StreamId, oneshot::Sender<Infallible>>,
    orders: mpsc::Receiver<Order>,
    asks: Asks,
    asked: mpsc::Receiver<Asked>,
    asked_of_bulk: mpsc::Receiver<Asked>,
    /// Flows whose datagrams wait.
    ready: (mpsc::UnboundedSender<StreamId>, mpsc::UnboundedReceiver<StreamId>),
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
    /// A session over `channel`, whose grant is accepted, and which runs on `line`.
    pub fn new(channel: Channel<T>, role: Role, settings: Settings, line: LineView) -> (Self, Handle, Outlets) {
        let (orders, orders_in) = mpsc::channel(16);
        let (incoming, incoming_out) = mpsc::unbounded_channel();
        let (notices, notices_out) = mpsc::unbounded_channel();
        let (interactive, asked) = mpsc::channel(16);
        let (bulk, asked_of_bulk) = mpsc::channel(4);
        let (counters, tempo) = (Arc::new(Counters::default()), line.tempo().clone());
        let driver = Self {
            channel,
            role,
            mux: Mux::new(role, settings, Instant::now().into_std()),
            out: BytesMut::new(),
            line,
            attached: HashMap::new(),
            opening: HashMap::new(),
            wanted: HashMap::new(),
            orders: orders_in,
            asks: Asks { interactive, bulk, tempo },
            asked,
            asked_of_bulk,
            ready: mpsc::unbounded_channel(),
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
        for attached in self.attached.values() {
            attached.reset(ResetCode::Ending);
        }
        (ending, self.channel)
    }

    async fn until_end(&mut self) -> Ending {
        let mut timer = std::pin::pin!(tokio::time::sleep_until(self.mux.poll_timeout().into()));
        let (mut batch, mut bulk) = (Vec::with_capacity(8), Vec::with_capacity(2));
        loop {
            if let Some(ending) = self.dispatch() {
                return ending;
            }
            let stride = self.line.tempo().stride();
            self.mux.poll_transmit(&mut self.out, stride);
            let timeout = self.mux.poll_timeout().into();
            if timer.deadline() != timeout {
                timer.as_mut().reset(timeout);
            }
            let held = self.mux.queued() + self.out.len();
            let (room, urgent) = (held < QUEUE, held < 2 * QUEUE);
            let wants_input = self.mux.wants_input();
            // In this order, so that nobody overtakes who went the fast way before: what is left to the last turn gets it
            // all the same, because each queue above is short and its senders run between two turns.
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => if let Some(ending) = self.obey(order) {
                    self.farewell(ending.reason).await;
                    return ending;
                },
                Some((stream, code)) = self.resets.1.recv() => {
                    self.post(stream, usize::MAX);
                    self.mux.reset(stream, code);
                    self.forget(stream);
                },
                () = timer.as_mut() => self.mux.handle_timeout(Instant::now().into_std()),
                _ = self.asked.recv_many(&mut batch, 8), if urgent => for asked in batch.drain(..) {
                    self.ask(asked);
                },
                _ = self.asked_of_bulk.recv_many(&mut bulk, 2), if room => {
                    // What went the fast way before may have come after the look above, when senders run beside this.
                    while let Ok(asked) = self.asked.try_recv() {
                        self.ask(asked);
                    }
                    for asked in bulk.drain(..) {
                        self.ask(asked);
                    }
                },
                Some(stream) = self.ready.1.recv(), if room => if self.post(stream, AT_ONCE) {
                    let _ = self.ready.0.send(stream);
                },
                step = io_step(&mut self.channel, &mut self.out, wants_input) => match step {
                    Ok(Step::Progress) => if let Some(ending) = self.take_input() { return ending },
                    Ok(Step::Closed) => return self.broken("the other end closed the session without a word"),
                    Err(error) => return self.broken(&error.to_string()),
                },
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
                Event::Opened { stream, credit, .. } => match self.opening.remove(&stream) {
                    Some(Opening::Bytes(reply)) => drop(reply.send(Ok(self.attach(stream, credit)))),
                    Some(Opening::Datagrams(reply)) => drop(reply.send(Ok(self.attach_datagrams(stream)))),
                    None => self.mux.reset(stream, ResetCode::Cancelled),
                },
                Event::OpenFailed { stream, code } => {
                    if let Some(opening) = self.opening.remove(&stream) {
                        opening.fail(code.into());
                    }
                }
                Event::Data { stream, payload } => {
                    self.counters.received.fetch_add(payload.len() as u64, Ordering::Relaxed);
                    if let Some(attached) = self.attached.get(&stream) {
                        attached.bytes(payload);
                    }
                }
                Event::Datagram { stream, payload } => {
                    self.counters.received.fetch_add(payload.len() as u64, Ordering::Relaxed);
                    if let Some(attached) = self.attached.get(&stream) {
                        attached.datagram(payload);
                    }
                }
                Event::Credit { stream, bytes } => {
                    if let Some(attached) = self.attached.get(&stream) {
                        attached.give(bytes);
                    }
                }
                Event::Finished { stream } => {
                    if self.attached.get(&stream).is_some_and(Attached::finish) {
                        self.mux.finish(stream);
                    }
                    self.forget_if_over(stream);
                }
                Event::Reset { stream, code } => {
                    self.wanted.remove(&stream);
                    if let Some(opening) = self.opening.remove(&stream) {
                        opening.fail(OpenFailure::Target(OpenError::Unreachable));
                    }
                    if let Some(attached) = self.attached.get(&stream) {
                        attached.reset(code);
                    }
                    self.forget(stream);
                }
                Event::Revoked { reason, .. } => return Some(Ending::plain(reason)),
                Event::ExpiryWarn { seconds } => drop(self.notices.send(Notice::ExpiryWarn(seconds))),
                Event::Silent if self.has_had_time_to_answer() => {
                    return Some(Ending::because(EndReason::RelayLost, &"the other end fell silent"));
                }
                // More time comes by the cloud's order, and both ends count for themselves.
                Event::Extend(_) | Event::Stats(_) | Event::Silent => {}
            }
        }
        if let Some(round_trip) = self.mux.round_trip() {
            let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
            self.counters.round_trip_us.store(micros, Ordering::Relaxed);
        }
        self.counters.streams.store(self.attached.len() as u64, Ordering::Relaxed);
        None
    }

    fn obey(&mut self, order: Order) -> Option<Ending> {
        match order {
            Order::Open(open, opening) => match self.mux.open(open) {
                Ok(stream) => drop(self.opening.insert(stream, opening)),
                Err(Impossible::Limit | Impossible::Full | Impossible::Over) => opening.fail(OpenError::Limit.into()),
            },
            Order::Accept(stream, connect, local, accepting) => {
                self.wanted.remove(&stream);
                let accepted = self.mux.accept(stream, connect, local).ok();
                match accepting {
                    Accepting::Bytes(reply) => {
                        drop(reply.send(accepted.map(|credit| self.attach(stream, credit))));
                    }
                    Accepting::Datagrams(reply) => {
                        drop(reply.send(accepted.map(|_| self.attach_datagrams(stream))));
                    }
                }
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
            Asked::Send(stream, mut bytes, class) => {
                while !bytes.is_empty() {
                    let payload = bytes.split_to(bytes.len().min(EVEN_PAYLOAD));
                    let length = payload.len() as u64;
                    // A stream that was reset meanwhile takes nothing more, and its owner learns it from its pipe.
                    if self.mux.send(stream, payload, class).is_err() {
                        break;
                    }
                    self.counters.sent.fetch_add(length, Ordering::Relaxed);
                }
            }
            Asked::Taken(taken) => drop(taken.send(())),
            Asked::Finish(stream) => {
                self.mux.finish(stream);
                self.forget_if_over(stream);
            }
            Asked::Consumed(stream, bytes) => self.mux.consumed(stream, bytes, Instant::now().into_std()),
        }
    }

    fn attach(&mut self, stream: StreamId, credit: u32) -> Stream {
        let pipe = Arc::new(Pipe::with_credit(credit));
        self.attached.insert(stream, Attached::Bytes(pipe.clone()));
        Stream::new(stream, pipe, self.asks.clone(), self.resets.0.clone(), Instant::now().into_std())
    }

    fn attach_datagrams(&mut self, stream: StreamId) -> Datagrams {
        let mail = Arc::new(Mail::default());
        self.attached.insert(stream, Attached::Datagrams(mail.clone()));
        Datagrams::new(stream, mail, self.ready.0.clone(), self.resets.0.clone())
    }

    /// Sends the oldest datagrams of a flow; gives whether there may be more.
    fn post(&mut self, stream: StreamId, most: usize) -> bool {
        let Some(Attached::Datagrams(mail)) = self.attached.get(&stream) else { return false };
        for _ in 0..most {
            let Some(datagram) = mail.outgoing() else { return false };
            let length = datagram.len() as u64;
            if self.mux.send_datagram(stream, datagram).is_ok() {
                self.counters.sent.fetch_add(length, Ordering::Relaxed);
            }
        }
        true
    }

    fn forget(&mut self, stream: StreamId) {
        self.attached.remove(&stream);
    }

    fn forget_if_over(&mut self, stream: StreamId) {
        if !self.mux.knows(stream) {
            self.forget(stream);
        }
    }

    /// Whether the line stands long enough that silence is the other end's and not that of a lost connection.
    fn has_had_time_to_answer(&self) -> bool {
        match self.line.state() {
            LineState::Up { since } => since.elapsed() >= ANSWERS_WITHIN,
            LineState::Away { .. } => false,
        }
    }

    /// The relay's last word explains a broken channel better than the channel does.
    fn broken(&self, detail: &str) -> Ending {
        match self.line.end() {
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
