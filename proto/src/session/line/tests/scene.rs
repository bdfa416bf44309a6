//! An end, its network, and the relay's side of its connections, in memory.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::{
    io::AsyncReadExt as _,
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::PollSemaphore;

use super::super::*;
use crate::session::relay_frame::Welcome;

/// A web socket made of two channels.
pub(super) struct Memory {
    pub(super) sink: Option<mpsc::UnboundedSender<Bytes>>,
    pub(super) stream: mpsc::UnboundedReceiver<Bytes>,
    /// Frames that may leave yet; the way out is full when there are none.
    pub(super) room: Arc<Semaphore>,
    pub(super) asking: PollSemaphore,
}

impl Stream for Memory {
    type Item = io::Result<Bytes>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_recv(cx).map(|message| message.map(Ok))
    }
}

impl Sink<Bytes> for Memory {
    type Error = io::Error;
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.asking.poll_acquire(cx).map(|permit| permit.map(|_| ()).ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
    fn start_send(self: Pin<&mut Self>, message: Bytes) -> io::Result<()> {
        let sink = self.sink.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        if let Ok(permit) = self.room.try_acquire() {
            permit.forget();
        }
        sink.send(message).map_err(io::Error::other)
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink = None;
        Poll::Ready(Ok(()))
    }
}

pub(super) fn memory() -> (Memory, Memory) {
    let ((a, from_a), (b, from_b)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let end = |sink, stream| {
        let room = Arc::new(Semaphore::new(100_000));
        Memory { sink: Some(sink), stream, asking: PollSemaphore::new(room.clone()), room }
    };
    (end(a, from_b), end(b, from_a))
}

pub(super) async fn say(relay: &mut Memory, frame: RelayFrame) {
    relay.send(frame.encode()).await.unwrap();
}

/// The next frame but PINGs of the end.
pub(super) async fn hear(relay: &mut Memory) -> RelayFrame {
    loop {
        match RelayFrame::decode(relay.next().await.unwrap().unwrap()).unwrap().unwrap() {
            RelayFrame::Ping { .. } => {}
            frame => return frame,
        }
    }
}

pub(super) fn welcome() -> RelayFrame {
    RelayFrame::Welcome(Welcome { slot: 1, max_frame: 65536, buffer: 262_144, wait_s: 60, alternates: vec![] })
}

pub(super) const UP: RelayFrame = RelayFrame::PeerUp { version: VERSION, epoch: 1 };
pub(super) const AGAIN: RelayFrame = RelayFrame::PeerUp { version: VERSION, epoch: 2 };

/// Connections for the attempts to join again; those for which there is none fail.
#[derive(Clone, Default)]
pub(super) struct Sockets(pub(super) Arc<Mutex<VecDeque<Memory>>>, pub(super) Arc<Network>);

/// The network of an end, which the test changes.
#[derive(Default)]
pub(super) struct Network {
    pub(super) sight: Mutex<Option<Sight>>,
    /// Nobody answers there.
    pub(super) silent: AtomicBool,
    /// Whether the relay took the ends in, connection by connection.
    pub(super) answered: Mutex<Vec<bool>>,
}

impl Redial<Memory> for Sockets {
    fn dial(&mut self) -> BoxFuture<'static, Result<Memory, DialError>> {
        if self.1.silent.load(Ordering::Relaxed) {
            return std::future::pending().boxed();
        }
        let next = self.0.lock().unwrap().pop_front();
        async move { next.ok_or_else(|| DialError::Late("relay".into())) }.boxed()
    }

    fn sight(&self) -> Option<Sight> {
        *self.1.sight.lock().unwrap()
    }

    fn answered(&mut self, well: bool) {
        self.1.answered.lock().unwrap().push(well);
    }
}

impl Sockets {
    pub(super) fn joining(&self, role: Role) -> Joining<Memory> {
        let redial = Box::new(self.clone());
        Joining { role, ticket: "ticket".into(), keeps: 1 << 20, redial, random: Random::seeded(1) }
    }

    /// From now on connections would begin at this address; the one that is there keeps its own.
    pub(super) fn are_at(&self, source: &str) {
        *self.1.sight.lock().unwrap() =
            Some(Sight { source: source.parse().ok(), to: "192.0.2.1:443".parse().unwrap(), stands: true });
    }

    /// Another connection; the relay's end of it, already welcoming.
    pub(super) async fn add(&self) -> Memory {
        let (end, mut relay) = memory();
        say(&mut relay, welcome()).await;
        self.0.lock().unwrap().push_back(end);
        relay
    }
}

pub(super) struct Joined {
    pub(super) line: Line<Memory>,
    pub(super) relay: Memory,
    pub(super) sockets: Sockets,
    pub(super) pledge: [u8; 32],
    /// What leaves by the first carrier.
    pub(super) room: Arc<Semaphore>,
}

pub(super) async fn joined() -> Joined {
    let (sockets, (end, mut relay)) = (Sockets::default(), memory());
    sockets.are_at("10.0.0.2");
    let room = end.room.clone();
    say(&mut relay, welcome()).await;
    say(&mut relay, RelayFrame::Ping { stamp: 5 }).await;
    say(&mut relay, UP).await;
    let line = Line::join(end, sockets.joining(Role::Device)).await.unwrap();
    let RelayFrame::Hello(hello) = hear(&mut relay).await else { panic!("no hello") };
    assert_eq!((hello.ticket.as_str(), hello.resume), ("ticket", None));
    for expected in [RelayFrame::Pong { stamp: 5 }, RelayFrame::Sync { epoch: 1, next: 0 }] {
        assert_eq!(hear(&mut relay).await, expected);
    }
    say(&mut relay, RelayFrame::Sync { epoch: 1, next: 0 }).await;
    Joined { line, relay, sockets, pledge: hello.pledge.unwrap(), room }
}

pub(super) fn data(seq: u64, bytes: &'static [u8]) -> RelayFrame {
    RelayFrame::Data { seq, payload: Bytes::from_static(bytes) }
}

/// Polls the line while something else happens; nothing is there to be read.
pub(super) async fn while_driving<T>(line: &mut Line<Memory>, other: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        done = other => done,
        read = line.read_u8() => panic!("{read:?}"),
    }
}

/// Lets time pass in which nothing arrives.
pub(super) async fn passes(line: &mut Line<Memory>, milliseconds: u64) {
    let nothing = timeout(Duration::from_millis(milliseconds), line.read_u8()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
