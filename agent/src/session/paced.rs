//! The device's own limit on one session: a stream of bytes that is read and written no faster than a rate. It delays
//! and never drops; who sends from the other side is held up by what nobody reads.

use std::{
    io,
    num::NonZeroU64,
    pin::Pin,
    task::{Context, Poll, ready},
};

use gatelodge_proto::session::Bucket;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Most bytes that are paid for at once, so that a slow rate does not come in lumps.
const PIECE: usize = 16 * 1024;

/// A stream at a rate, each way for itself.
pub(super) struct Paced<T> {
    io: T,
    read: Option<Gate>,
    written: Option<Gate>,
}

/// One direction.
struct Gate {
    bucket: Bucket,
    opens: Pin<Box<Sleep>>,
}

impl Gate {
    fn new(bytes_per_s: NonZeroU64) -> Self {
        let now = Instant::now();
        Self { bucket: Bucket::new(bytes_per_s, now.into_std()), opens: Box::pin(sleep_until(now)) }
    }

    /// Ready once everything before is paid.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.opens.is_elapsed() { Poll::Ready(()) } else { self.opens.as_mut().poll(cx) }
    }

    fn pay(&mut self, bytes: usize) {
        let now = Instant::now();
        let wait = self.bucket.take(bytes, now.into_std());
        if !wait.is_zero() {
            self.opens.as_mut().reset(now + wait);
        }
    }
}

impl<T> Paced<T> {
    /// No faster than that; without a rate the stream itself.
    pub(super) fn new(io: T, bytes_per_s: Option<NonZeroU64>) -> Self {
        Self { io, read: bytes_per_s.map(Gate::new), written: bytes_per_s.map(Gate::new) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(gate) = &mut this.read else { return Pin::new(&mut this.io).poll_read(cx, buffer) };
        ready!(gate.poll_open(cx));
        let room = buffer.remaining().min(PIECE);
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut piece))?;
        let read = piece.filled().len();
        buffer.advance(read);
        gate.pay(read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(gate) = &mut this.written else { return Pin::new(&mut this.io).poll_write(cx, bytes) };
        ready!(gate.poll_open(cx));
        let written = ready!(Pin::new(&mut this.io).poll_write(cx, &bytes[..bytes.len().min(PIECE)]))?;
        gate.pay(written);
        Poll::Ready(Ok(written))
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
    use std::time::Duration;

    use gatelodge_proto::Random;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const MIB: usize = 1 << 20;

    fn noise() -> Vec<u8> {
        let random = Random::seeded(7);
        std::iter::repeat_with(|| random.bytes::<32>()).flatten().take(4 * MIB).collect()
    }

    /// By a clock that only these waits move: 4 MiB at 1 MiB/s, each way.
    #[tokio::test(start_paused = true)]
    async fn every_byte_comes_and_none_too_early() {
        let rate = NonZeroU64::new(MIB as u64);
        for paced_writes in [true, false] {
            let (near, far) = duplex(64 * 1024);
            let (mut near, mut far) =
                (Paced::new(near, rate.filter(|_| paced_writes)), Paced::new(far, rate.filter(|_| !paced_writes)));
            let (sent, begun) = (noise(), Instant::now());
            let expected = sent.clone();
            let write = async move {
                near.write_all(&sent).await.unwrap();
                near.shutdown().await.unwrap();
            };
            let mut received = Vec::new();
            let ((), read) = tokio::join!(write, far.read_to_end(&mut received));
            assert_eq!(read.unwrap(), 4 * MIB);
            assert!(received == expected, "other bytes came");
            // The last piece goes before it is paid, and a burst is free.
            let took = begun.elapsed();
            let (least, most) = (Duration::from_millis(3_850), Duration::from_millis(4_050));
            assert!((least..=most).contains(&took), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let (near, mut far) = duplex(MIB);
        let (mut near, begun) = (Paced::new(near, None), Instant::now());
        near.write_all(&vec![1; MIB]).await.unwrap();
        far.read_exact(&mut vec![0; MIB]).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
