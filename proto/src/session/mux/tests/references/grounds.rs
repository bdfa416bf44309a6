//! Our streams, yamux's and plain pipes, as one kind of thing.

use std::{
    cell::RefCell,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split,
    },
    sync::{Mutex, mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};
use yamux::{Config, Connection, Mode};

use super::{
    super::{SMALL, want},
    End, Ground, Next,
};
use crate::session::{
    Role, Stream,
    driver::{Channel, Driver, Handle, Outlets},
    inner_frame::ResetCode,
    line::LineView,
    mux::Settings,
    stream::Arrival,
};

/// Small windows, so that programs go far beyond them.
const SETTINGS: Settings = Settings { window: 20_000, widest: 60_000, growth: 80_000, max_streams: 16, ..SMALL };

/// Two drivers over a pipe in memory.
pub(super) struct Ours {
    ends: [(Handle, Outlets); 2],
}

pub(super) struct OurEnd {
    stream: Stream,
    /// Arrived and not yet read.
    rest: RefCell<Bytes>,
}

impl Ground for Ours {
    type End = OurEnd;

    fn lay(pipe: usize, tasks: &mut JoinSet<()>) -> Self {
        let (near, far) = duplex(pipe);
        let ends = [(near, Role::Technician), (far, Role::Device)].map(|(io, role)| {
            let (driver, handle, outlets) = Driver::new(Channel::new(io), role, SETTINGS, LineView::of_a_stream());
            tasks.spawn(async move { drop(driver.run().await) });
            (handle, outlets)
        });
        Self { ends }
    }

    async fn open(&mut self, opener: usize) -> [OurEnd; 2] {
        let [first, second] = &mut self.ends;
        let (opening, accepting) = if opener == 0 { (first, second) } else { (second, first) };
        let accept = async {
            let wanted = accepting.1.incoming.recv().await.unwrap();
            accepting.0.accept(wanted.stream, Duration::ZERO, String::new()).await.unwrap()
        };
        let (opened, accepted) = tokio::join!(opening.0.open(want()), accept);
        let ends = [opened.unwrap(), accepted].map(|stream| OurEnd { stream, rest: RefCell::default() });
        sorted(ends, opener)
    }
}

impl End for OurEnd {
    async fn write(&self, mut bytes: Bytes) -> bool {
        while !bytes.is_empty() {
            let Ok(room) = self.stream.room().await else { return false };
            if self.stream.send(bytes.split_to(room.min(bytes.len()))).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn finish(&self) {
        self.stream.finish().await.unwrap();
    }

    async fn read(&self, most: usize) -> Next {
        let mut rest = self.rest.take();
        if rest.is_empty() {
            match self.stream.next().await {
                Ok(Arrival::Data(bytes)) => rest = bytes,
                Ok(Arrival::End) | Err(_) => return Next::End,
            }
        }
        let read = rest.split_to(most.min(rest.len()));
        self.rest.replace(rest);
        // A stream that is broken off takes nothing back.
        let _ = self.stream.consumed(read.len()).await;
        Next::Bytes(read)
    }

    fn reset(&self) {
        self.stream.reset(ResetCode::Broken);
    }
}

/// Two connections of yamux over a pipe in memory.
pub(super) struct Yamux {
    ends: [(mpsc::UnboundedSender<oneshot::Sender<yamux::Stream>>, mpsc::UnboundedReceiver<yamux::Stream>); 2],
}

/// Goes on with a connection: opens what is asked for, and passes on what the other end opens.
fn go_on(
    connection: &mut Connection<Compat<DuplexStream>>,
    asked: &mut mpsc::UnboundedReceiver<oneshot::Sender<yamux::Stream>>,
    asking: &mut Option<oneshot::Sender<yamux::Stream>>,
    opened: &mpsc::UnboundedSender<yamux::Stream>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        if asking.is_none()
            && let Poll::Ready(next) = asked.poll_recv(cx)
        {
            *asking = next;
        }
        if asking.is_some()
            && let Poll::Ready(stream) = connection.poll_new_outbound(cx)
            && let Some(asking) = asking.take()
        {
            let _ = asking.send(stream.unwrap());
            continue;
        }
        match connection.poll_next_inbound(cx) {
            Poll::Ready(Some(Ok(stream))) => drop(opened.send(stream)),
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
            Poll::Pending => return Poll::Pending,
        }
    }
}

impl Ground for Yamux {
    type End = Split<Compat<yamux::Stream>>;

    fn lay(pipe: usize, tasks: &mut JoinSet<()>) -> Self {
        let (near, far) = duplex(pipe);
        let ends = [(near, Mode::Client), (far, Mode::Server)].map(|(io, mode)| {
            let mut connection = Connection::new(io.compat(), Config::default(), mode);
            let ((ask, mut asked), (opened, incoming)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
            let mut asking = None;
            tasks.spawn(std::future::poll_fn(move |cx| go_on(&mut connection, &mut asked, &mut asking, &opened, cx)));
            (ask, incoming)
        });
        Self { ends }
    }

    async fn open(&mut self, opener: usize) -> [Self::End; 2] {
        let (reply, opened) = oneshot::channel();
        self.ends[opener].0.send(reply).unwrap();
        // The other end hears of a stream by its first byte.
        let mut opened = opened.await.unwrap().compat();
        opened.write_all(b"!").await.unwrap();
        opened.flush().await.unwrap();
        let mut accepted = self.ends[1 - opener].1.recv().await.unwrap().compat();
        assert_eq!(accepted.read_u8().await.unwrap(), b'!');
        sorted([opened, accepted].map(Split::new), opener)
    }
}

/// A pipe for each stream.
pub(super) struct Pipes(usize);

impl Ground for Pipes {
    type End = Split<DuplexStream>;

    fn lay(pipe: usize, _: &mut JoinSet<()>) -> Self {
        Self(pipe)
    }

    async fn open(&mut self, opener: usize) -> [Self::End; 2] {
        let (near, far) = duplex(self.0);
        sorted([near, far].map(Split::new), opener)
    }
}

/// A stream of bytes both ways.
pub(super) struct Split<T> {
    reader: Mutex<Option<ReadHalf<T>>>,
    writer: Mutex<Option<WriteHalf<T>>>,
}

impl<T: AsyncRead + AsyncWrite> Split<T> {
    fn new(io: T) -> Self {
        let (reader, writer) = split(io);
        Self { reader: Mutex::new(Some(reader)), writer: Mutex::new(Some(writer)) }
    }
}

impl<T: AsyncRead + AsyncWrite> End for Split<T> {
    async fn write(&self, bytes: Bytes) -> bool {
        let mut writer = self.writer.lock().await;
        let writer = writer.as_mut().unwrap();
        writer.write_all(&bytes).await.is_ok() && writer.flush().await.is_ok()
    }

    async fn finish(&self) {
        self.writer.lock().await.as_mut().unwrap().shutdown().await.unwrap();
    }

    async fn read(&self, most: usize) -> Next {
        let mut bytes = BytesMut::with_capacity(most).limit(most);
        let read = self.reader.lock().await.as_mut().unwrap().read_buf(&mut bytes).await;
        if read.unwrap_or(0) == 0 { Next::End } else { Next::Bytes(bytes.into_inner().freeze()) }
    }

    fn reset(&self) {
        // Dropped unfinished.
        self.reader.try_lock().unwrap().take();
        self.writer.try_lock().unwrap().take();
    }
}

/// In the order of the sides.
fn sorted<T>([opened, accepted]: [T; 2], opener: usize) -> [T; 2] {
    if opener == 0 { [opened, accepted] } else { [accepted, opened] }
}
