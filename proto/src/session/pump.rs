//! Joins a TCP connection and a stream: bytes both ways, half-closes, resets.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncWriteExt as _, Interest},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{Stream, inner_frame::ResetCode};

/// Most bytes that are written to the TCP connection at once.
const GATHER: usize = 64 * 1024;
/// Fewer bytes than this are copied.
const SMALL: usize = 8 * 1024;

/// What a flow has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowTotals {
    /// Bytes from the TCP connection into the stream.
    pub sent: u64,
    /// Bytes from the stream that are in the TCP connection.
    pub received: u64,
}

enum Broken {
    Tcp,
    Stream,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Tcp
    }
}

impl From<ResetCode> for Broken {
    fn from(_: ResetCode) -> Self {
        Self::Stream
    }
}

/// Carries bytes until both directions have ended or one side breaks, and passes the break on to the other.
pub async fn pump(tcp: TcpStream, stream: Stream) -> FlowTotals {
    let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
    let _ = tcp.set_nodelay(true);
    let (reader, mut writer) = tcp.into_split();
    let outcome = {
        let both = async { tokio::try_join!(out(&reader, &stream, &sent), back(&mut writer, &stream, &received)) };
        tokio::select! {
            outcome = both => outcome.map(|_| ()),
            _ = stream.broken() => Err(Broken::Stream),
        }
    };
    match outcome {
        Ok(()) => {}
        Err(Broken::Tcp) => stream.reset(ResetCode::Broken),
        Err(Broken::Stream) => {
            stream.reset(ResetCode::Cancelled);
            // The program at the other end of this connection sees a reset too, not a clean end.
            if let Ok(tcp) = reader.reunite(writer) {
                let _ = tcp.set_zero_linger();
            }
        }
    }
    FlowTotals { sent: sent.into_inner(), received: received.into_inner() }
}

async fn out(tcp: &OwnedReadHalf, stream: &Stream, sent: &AtomicU64) -> Result<(), Broken> {
    let mut buffer = BytesMut::new();
    loop {
        let room = stream.room().await?;
        // No buffer is held while there is nothing to read: an idle flow costs no 64 KiB.
        tcp.ready(Interest::READABLE).await?;
        buffer.reserve(room);
        let read = {
            let mut within = bytes::BufMut::limit(&mut buffer, room);
            tcp.try_read_buf(&mut within)
        };
        match read {
            Ok(0) => {
                stream.finish().await?;
                return Ok(());
            }
            Ok(bytes) => {
                // A few bytes that wait for the carrier must not hold the whole buffer.
                let read = if bytes < SMALL { Bytes::copy_from_slice(&buffer) } else { buffer.split().freeze() };
                buffer.clear();
                stream.send(read).await?;
                sent.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => buffer = BytesMut::new(),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn back(tcp: &mut OwnedWriteHalf, stream: &Stream, received: &AtomicU64) -> Result<(), Broken> {
    loop {
        let mut gathered = stream.gather(GATHER).await?;
        if gathered.is_empty() {
            tcp.shutdown().await?;
            return Ok(());
        }
        let bytes = gathered.remaining();
        tcp.write_all_buf(&mut gathered).await?;
        received.fetch_add(bytes as u64, Ordering::Relaxed);
        stream.consumed(bytes).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use tokio::{net::TcpListener, sync::mpsc};

    use super::*;
    use crate::session::{
        line::Tempo,
        pipe::Pipe,
        stream::{Asked, Asks},
    };

    #[tokio::test]
    async fn a_few_bytes_that_wait_for_the_carrier_hold_no_whole_buffer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (mut client, server) = (client.unwrap(), server.unwrap().0);
        let ((interactive, mut asked), (bulk, _bulk)) = (mpsc::channel(1), mpsc::channel(1));
        let asks = Asks { interactive, bulk, tempo: Arc::new(Tempo::default()) };
        let (resets, _resets) = mpsc::unbounded_channel();
        let pipe = Arc::new(Pipe::with_credit(1 << 20));
        let stream = Stream::new(1, pipe, asks, resets, Instant::now());
        let pumping = tokio::spawn(pump(server, stream));
        for length in [5, 1000, SMALL - 1] {
            client.write_all(&vec![7; length]).await.unwrap();
            let (mut arrived, mut held) = (0, 0);
            while arrived < length {
                let Some(Asked::Send(_, bytes, _)) = asked.recv().await else { panic!("no bytes") };
                arrived += bytes.len();
                held += bytes.try_into_mut().expect("nobody else has them").capacity();
            }
            assert!(held < 2 * length + 64, "{held} bytes are held for {length}");
        }
        pumping.abort();
    }
}
