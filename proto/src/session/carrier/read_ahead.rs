//! Reads from the kernel as much as there is, for a TLS that asks for 4 KiB at a time: a call into the kernel costs
//! more than to copy what it gives. Idle connections hold no buffer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Bytes read at a time.
const AHEAD: usize = 64 * 1024;

/// A connection that is read ahead, and written as it is.
#[derive(Debug)]
pub struct ReadAhead<T> {
    io: T,
    ahead: BytesMut,
}

impl<T> ReadAhead<T> {
    /// Around a connection of which nothing has been read.
    pub fn new(io: T) -> Self {
        Self { io, ahead: BytesMut::new() }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ReadAhead<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { io, ahead } = self.get_mut();
        if ahead.is_empty() {
            if into.remaining() >= AHEAD {
                return Pin::new(io).poll_read(cx, into);
            }
            ahead.reserve(AHEAD);
            let read = poll_read_buf(Pin::new(io), cx, ahead);
            if read.is_pending() {
                *ahead = BytesMut::new();
            }
            ready!(read)?;
        }
        let taken = ahead.len().min(into.remaining());
        into.put_slice(&ahead[..taken]);
        ahead.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ReadAhead<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Counts how often it is asked for bytes that it has.
    struct Counted<T>(T, AtomicUsize);

    impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let read = Pin::new(&mut self.0).poll_read(cx, into);
            self.1.fetch_add(usize::from(read.is_ready()), Ordering::Relaxed);
            read
        }
    }

    #[tokio::test]
    async fn small_reads_are_served_from_large_ones_and_nothing_is_kept_after() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let sent: Vec<u8> = (0..=250_u8).cycle().take(300_000).collect();
        far.write_all(&sent).await.unwrap();
        drop(far);
        let mut ahead = ReadAhead::new(Counted(near, AtomicUsize::new(0)));
        let mut got = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let read = ahead.read(&mut piece).await.unwrap();
            if read == 0 {
                break;
            }
            got.extend_from_slice(&piece[..read]);
        }
        assert_eq!(got, sent);
        let asked = ahead.io.1.into_inner();
        assert!(asked <= 6, "{asked} reads");
    }

    #[tokio::test]
    async fn a_quiet_connection_holds_no_buffer() {
        let (mut far, near) = tokio::io::duplex(1024);
        let mut ahead = ReadAhead::new(near);
        far.write_all(b"word").await.unwrap();
        let mut word = [0; 4];
        ahead.read_exact(&mut word).await.unwrap();
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(1), ahead.read_u8()).await;
        assert!(nothing.is_err() && &word == b"word");
        assert_eq!(ahead.ahead.capacity(), 0);
    }
}
