//! One step of reading and writing on a stream that one task owns whole: no lock, no split.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::Channel;

/// Read at most about this much in one step.
const READ: usize = 32 * 1024;

pub(super) enum Step {
    /// Bytes were written or read.
    Progress,
    /// The other end closed.
    Closed,
}

/// Writes from `out` and reads into the channel's buffer, whichever is possible. Cancelling loses nothing.
pub(super) async fn io_step<T>(channel: &mut Channel<T>, out: &mut BytesMut, wants_input: bool) -> io::Result<Step>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        // What TLS still holds goes before it takes more: what lies there cannot be overtaken.
        // Flushing is free when there is nothing to flush, and needs no memory of whether there is.
        let mut written = false;
        if let Poll::Ready(flushed) = Pin::new(&mut channel.io).poll_flush(cx) {
            flushed?;
            written = poll_write(channel, out, cx)?;
            if written && let Poll::Ready(flushed) = Pin::new(&mut channel.io).poll_flush(cx) {
                flushed?;
            }
        }
        if wants_input {
            channel.buffer.reserve(READ);
            if let Poll::Ready(read) = poll_read_buf(Pin::new(&mut channel.io), cx, &mut channel.buffer) {
                return Poll::Ready(read.map(|bytes| if bytes == 0 { Step::Closed } else { Step::Progress }));
            }
        }
        if written { Poll::Ready(Ok(Step::Progress)) } else { Poll::Pending }
    })
    .await
}

fn poll_write<T>(channel: &mut Channel<T>, out: &mut BytesMut, cx: &mut Context<'_>) -> io::Result<bool>
where
    T: AsyncWrite + Unpin,
{
    let mut written = false;
    while !out.is_empty() {
        let Poll::Ready(bytes) = Pin::new(&mut channel.io).poll_write(cx, out) else { break };
        let bytes = bytes?;
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        out.advance(bytes);
        written = true;
    }
    Ok(written)
}
