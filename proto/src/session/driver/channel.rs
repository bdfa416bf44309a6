//! The TLS stream with what was read beyond the last frame, and the first words on it: GRANT, then ACCEPT or DENY.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::super::inner_frame::{Accept, Denial, InnerFrame, Warrant};

/// Longest wait for the other end's first word.
const FIRST_WORD: Duration = Duration::from_secs(15);

/// An encrypted byte stream between the two ends.
pub struct Channel<T> {
    pub(super) io: T,
    pub(super) buffer: BytesMut,
}

/// The device did not accept.
#[derive(Debug, thiserror::Error)]
pub enum Unaccepted {
    /// It said no.
    #[error("{sentence}")]
    Denied {
        /// For programs.
        code: Denial,
        /// For people.
        sentence: String,
    },
    /// The connection broke, or something else than an answer came.
    #[error("the device did not answer the grant")]
    Broken(#[source] io::Error),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Channel<T> {
    /// Over a TLS stream.
    pub fn new(io: T) -> Self {
        Self { io, buffer: BytesMut::new() }
    }

    /// What lies below.
    pub const fn io_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// The technician's first word: shows the grant and waits for the device's answer.
    pub async fn present(&mut self, warrant: Warrant) -> Result<Accept, Unaccepted> {
        self.say(&InnerFrame::Grant(warrant)).await.map_err(Unaccepted::Broken)?;
        match self.hear().await.map_err(Unaccepted::Broken)? {
            InnerFrame::Accept(accept) => Ok(accept),
            InnerFrame::Deny { code, sentence } => Err(Unaccepted::Denied { code, sentence }),
            other => Err(Unaccepted::Broken(out_of_place(&other))),
        }
    }

    /// The device's first word to hear: the grant that the technician shows.
    pub async fn warrant(&mut self) -> io::Result<Warrant> {
        match self.hear().await? {
            InnerFrame::Grant(warrant) => Ok(warrant),
            other => Err(out_of_place(&other)),
        }
    }

    /// Sends one frame at once.
    pub async fn say(&mut self, frame: &InnerFrame) -> io::Result<()> {
        self.io.write_all(&frame.encode()).await?;
        self.io.flush().await
    }

    async fn hear(&mut self) -> io::Result<InnerFrame> {
        let frame = async {
            loop {
                if let Some(frame) = InnerFrame::take(&mut self.buffer).map_err(io::Error::other)? {
                    return Ok(frame);
                }
                if self.io.read_buf(&mut self.buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        };
        tokio::time::timeout(FIRST_WORD, frame).await?
    }
}

fn out_of_place(frame: &InnerFrame) -> io::Error {
    tracing::debug!(?frame, "unexpected first frame");
    io::Error::new(io::ErrorKind::InvalidData, "the other end began with the wrong frame")
}
