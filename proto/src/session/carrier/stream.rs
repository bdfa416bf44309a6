//! The byte stream of a joined carrier: sequence numbers out and in, acknowledgements, PONGs in between.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Carrier, CarrierEnd, Messages};
use crate::session::relay_frame::{DATA_HEADER, MAX_DATA, RelayFrame, put_data_header};

/// An acknowledgement is due after this many bytes.
const ACK_EVERY: u64 = 64 * 1024;

#[derive(Default)]
pub(super) struct Inbound {
    /// Offset of the next byte that is expected.
    next: u64,
    /// What was last acknowledged.
    acknowledged: u64,
    current: Bytes,
    /// Stamp of the newest PING without its PONG.
    ping: Option<u64>,
}

#[derive(Default)]
pub(super) struct Outbound {
    /// Offset of the next byte to send.
    next: u64,
    /// What the other end has.
    acknowledged: u64,
    unflushed: bool,
}

impl<S: Messages> Carrier<S> {
    fn take(&mut self, frame: RelayFrame) -> io::Result<()> {
        match frame {
            RelayFrame::Data { seq, payload } => {
                if seq != self.inbound.next {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "session bytes arrived out of order"));
                }
                self.inbound.next += payload.len() as u64;
                self.inbound.current = payload;
            }
            RelayFrame::Ack { next } => {
                if next > self.outbound.next || next < self.outbound.acknowledged {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "bytes were acknowledged that were not sent",
                    ));
                }
                self.outbound.acknowledged = next;
            }
            RelayFrame::Ping { stamp } => self.inbound.ping = Some(stamp),
            RelayFrame::Revoke { reason } => return Err(self.over(CarrierEnd::Revoked(reason))),
            RelayFrame::PeerDown { loss, .. } => return Err(self.over(CarrierEnd::PeerDown(loss))),
            RelayFrame::Error { code, .. } => return Err(self.over(CarrierEnd::Refused(code))),
            RelayFrame::Hello(_)
            | RelayFrame::Welcome(_)
            | RelayFrame::PeerUp { .. }
            | RelayFrame::GoAway { .. }
            | RelayFrame::Rate { .. }
            | RelayFrame::Pong { .. } => {}
        }
        Ok(())
    }

    fn over(&self, end: CarrierEnd) -> io::Error {
        let _ = self.end.set(end);
        io::Error::new(io::ErrorKind::ConnectionAborted, "the session is over")
    }

    /// Sends a due ACK or PONG when the socket has room; never holds up data for them.
    fn poll_duties(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let due = self.inbound.next - self.inbound.acknowledged >= ACK_EVERY;
            if !due && self.inbound.ping.is_none() {
                break;
            }
            let Poll::Ready(ready) = self.socket.poll_ready_unpin(cx) else { return Ok(()) };
            ready?;
            let frame = if let Some(stamp) = self.inbound.ping.take() {
                RelayFrame::Pong { stamp }
            } else {
                self.inbound.acknowledged = self.inbound.next;
                RelayFrame::Ack { next: self.inbound.next }
            };
            self.socket.start_send_unpin(frame.encode())?;
            self.outbound.unflushed = true;
        }
        if self.outbound.unflushed
            && let Poll::Ready(flushed) = self.socket.poll_flush_unpin(cx)
        {
            flushed?;
            self.outbound.unflushed = false;
        }
        Ok(())
    }
}

impl<S: Messages> AsyncRead for Carrier<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.inbound.current.is_empty() {
                let taken = self.inbound.current.len().min(into.remaining());
                into.put_slice(&self.inbound.current[..taken]);
                self.inbound.current.advance(taken);
                return Poll::Ready(Ok(()));
            }
            self.poll_duties(cx)?;
            let Some(message) = ready!(self.socket.poll_next_unpin(cx)) else { return Poll::Ready(Ok(())) };
            if let Some(frame) = RelayFrame::decode(message?).map_err(io::Error::other)? {
                self.take(frame)?;
            }
        }
    }
}

impl<S: Messages> AsyncWrite for Carrier<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.socket.poll_ready_unpin(cx))?;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let length = offered.min(MAX_DATA);
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        let mut frame = BytesMut::with_capacity(DATA_HEADER + length);
        put_data_header(&mut frame, self.outbound.next);
        for slice in slices {
            let room = DATA_HEADER + length - frame.len();
            frame.put_slice(&slice[..slice.len().min(room)]);
        }
        self.socket.start_send_unpin(frame.freeze())?;
        self.outbound.next += length as u64;
        self.outbound.unflushed = true;
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.socket.poll_flush_unpin(cx))?;
        self.outbound.unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The web socket closes in `leave`, after the reason is said.
        self.poll_flush(cx)
    }
}
