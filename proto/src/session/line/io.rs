//! A line as what TLS expects below it. Flushing promises no more than that the bytes are kept until they have arrived.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{Line, Way};
use crate::session::carrier::Messages;

fn over() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the session is over")
}

impl<S: Messages + 'static> AsyncRead for Line<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.machine.waiting() == 0 {
            self.drive(cx);
        }
        // What arrived before the end is read before it.
        if self.machine.waiting() > 0 {
            self.machine.read(into);
            Poll::Ready(Ok(()))
        } else if self.is_over() {
            Poll::Ready(Err(over()))
        } else {
            Poll::Pending
        }
    }
}

impl<S: Messages + 'static> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let mut written = self.machine.write(slices);
        if written == 0 {
            self.drive(cx);
            written = self.machine.write(slices);
        }
        if self.is_over() {
            return Poll::Ready(Err(over()));
        }
        if written == 0 {
            return Poll::Pending;
        }
        let now = Instant::now();
        if let Way::Joined(leg) = &mut self.way {
            leg.used(now);
        }
        if let Err(error) = self.send(cx, now) {
            tracing::debug!(%error, "a carrier is lost");
            self.lost(now);
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.drive(cx);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The carrier closes in `leave`, after the reason is said.
        self.poll_flush(cx)
    }
}
