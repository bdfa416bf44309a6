//! Relay frames on a connection that was upgraded to [`PROTOCOL`] (RFC 9110 section 7.8): `u32 length`, then the frame;
//! a length of 0 closes. It carries what a web socket carries without masking and copying every byte, and is used where
//! everybody between lets it through.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use crate::session::relay_frame::MAX_BYTES;

/// What the HTTP field `Upgrade` says.
pub const PROTOCOL: &str = "gatelodge-relay";

/// Bytes before a frame.
const LENGTH: usize = 4;
/// Frames are gathered for one write up to about this many bytes.
const GATHERED: usize = 32 * 1024;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A frame.
    Frame(Bytes),
    /// The other side closed in order; nothing follows.
    Closed,
}

/// Frames on an upgraded connection.
#[derive(Debug)]
pub struct Raw<T> {
    io: T,
    /// The length, then the frame.
    reading: BytesMut,
    /// How long the frame is whose bytes are being read.
    frame: Option<usize>,
    /// Lengths and frames that wait to be written.
    writing: VecDeque<Bytes>,
    waiting: usize,
    closing: bool,
}

impl<T> Raw<T> {
    /// On a connection from its first byte after the upgrade.
    pub fn new(io: T) -> Self {
        let (reading, writing) = (BytesMut::new(), VecDeque::new());
        Self { io, reading, frame: None, writing, waiting: 0, closing: false }
    }

    fn put(&mut self, bytes: Bytes) {
        self.waiting += bytes.len();
        self.writing.push_back(bytes);
    }
}

impl<T: AsyncRead + Unpin> Stream for Raw<T> {
    type Item = io::Result<Piece>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let this = &mut *self;
            let wanted = this.frame.unwrap_or(LENGTH);
            if this.reading.len() < wanted {
                // No buffer is held for a frame that has not begun.
                if this.reading.is_empty() && this.frame.is_some() {
                    this.reading.reserve(wanted);
                }
                let left = wanted - this.reading.len();
                let mut within = (&mut this.reading).limit(left);
                match ready!(poll_read_buf(Pin::new(&mut this.io), cx, &mut within)) {
                    Ok(0) if this.reading.is_empty() && this.frame.is_none() => return Poll::Ready(None),
                    Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                    Ok(_) => continue,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            if this.frame.take().is_some() {
                return Poll::Ready(Some(Ok(Piece::Frame(std::mem::take(&mut this.reading).freeze()))));
            }
            match this.reading.get_u32() as usize {
                0 => return Poll::Ready(Some(Ok(Piece::Closed))),
                length if length > MAX_BYTES => {
                    return Poll::Ready(Some(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("a relay frame of {length} bytes"),
                    ))));
                }
                length => this.frame = Some(length),
            }
            this.reading = BytesMut::new();
        }
    }
}

impl<T: AsyncWrite + Unpin> Raw<T> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting > 0 {
            let mut slices = [io::IoSlice::new(&[]); 16];
            let filled = slices.iter_mut().zip(&self.writing).map(|(slice, bytes)| *slice = io::IoSlice::new(bytes));
            let filled = filled.count();
            let mut written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..filled]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting -= written;
            while let Some(front) = self.writing.front_mut().filter(|_| written > 0) {
                if front.len() > written {
                    front.advance(written);
                    break;
                }
                written -= front.len();
                self.writing.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Sink<Bytes> for Raw<T> {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting >= GATHERED { self.poll_drain(cx) } else { Poll::Ready(Ok(())) }
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Bytes) -> io::Result<()> {
        // Nobody sends an empty frame, which would mean the end.
        let length = u32::try_from(frame.len()).ok().filter(|length| *length > 0).ok_or(io::ErrorKind::InvalidInput)?;
        self.put(Bytes::copy_from_slice(&length.to_be_bytes()));
        self.put(frame);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.closing, true) {
            self.put(Bytes::from_static(&[0; LENGTH]));
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use proptest::{collection::vec, prelude::*};
    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// Both ends of a connection that takes only so many bytes at a time.
    fn pair(narrow: usize) -> (Raw<DuplexStream>, Raw<DuplexStream>) {
        let (near, far) = duplex(narrow);
        (Raw::new(near), Raw::new(far))
    }

    proptest! {
        #[test]
        fn frames_arrive_whole_and_in_order_however_narrow_the_way(
            lengths in vec(prop_oneof![1usize..40, 1usize..MAX_BYTES, Just(MAX_BYTES)], 0..12),
            narrow in prop_oneof![1usize..8, 1000usize..100_000],
            at_once in any::<bool>(),
        ) {
            let frames: Vec<Bytes> =
                lengths.iter().zip(0..).map(|(length, mark)| vec![mark; *length].into()).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let arrived: Vec<Piece> = runtime.block_on(async {
                let (mut near, far) = pair(narrow);
                let send = async {
                    for frame in frames.clone() {
                        if at_once { near.send(frame).await.unwrap() } else { near.feed(frame).await.unwrap() }
                    }
                    near.close().await.unwrap();
                };
                tokio::join!(send, far.map(Result::unwrap).collect()).1
            });
            let expected: Vec<Piece> = frames.into_iter().map(Piece::Frame).chain([Piece::Closed]).collect();
            prop_assert_eq!(arrived, expected);
        }
    }

    #[tokio::test]
    async fn a_frame_that_is_cut_or_too_long_is_an_error_and_a_lost_connection_is_no_end() {
        let told = |bytes: &'static [u8]| async move {
            let (mut near, far) = duplex(1000);
            near.write_all(bytes).await.unwrap();
            drop(near);
            Raw::new(far).next().await
        };
        assert!(told(b"").await.is_none(), "nobody said goodbye");
        for cut in [&[0][..], &[0, 0, 0, 3], &[0, 0, 0, 3, 1, 2]] {
            assert_eq!(told(cut).await.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        assert_eq!(told(&[0, 1, 0, 1]).await.unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(told(&[0, 0, 0, 0, 9]).await.unwrap().unwrap(), Piece::Closed);
    }

    #[tokio::test]
    async fn an_empty_frame_is_not_sent() {
        let (mut near, _far) = pair(1000);
        assert_eq!(near.send(Bytes::new()).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
