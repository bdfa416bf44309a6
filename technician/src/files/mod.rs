//! Files between this computer and the folders of a device: listed, fetched, given. A transfer that was cut goes on where
//! it was, and a file is in its place whole or not at all. Which folders there are is the device's word.

mod fetch;
mod give;

use std::{io, path::PathBuf, sync::Arc};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::session::{
    Arrival, FrameError, Stream,
    driver::OpenFailure,
    files::{DevicePath, FileAct, FileEntry, FileFrame},
    inner_frame::{Class, Open, ResetCode, Target},
};

pub use self::{fetch::fetch, give::give};
use crate::forward::Flows;

/// Nothing came of a transfer.
#[derive(Debug, thiserror::Error)]
pub enum NoFile {
    /// The device says why, in a sentence.
    #[error("the device refuses: {0}")]
    Refused(String),
    /// The device says so by a code, or the session is over.
    #[error(transparent)]
    Open(#[from] OpenFailure),
    /// A file here.
    #[error("{path} cannot be used: {source}", path = path.display())]
    Here {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The device sent other bytes than it announced.
    #[error("what arrived is not what the device has; nothing was kept")]
    Digest,
    /// The file here became another while it was sent.
    #[error("{path} changed while it was read", path = path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// The device speaks another language.
    #[error("the device does not speak as agreed: {0}")]
    Spoken(#[from] FrameError),
    /// The session is over, or the stream.
    #[error("the transfer was cut off")]
    Cut,
}

impl From<ResetCode> for NoFile {
    fn from(_: ResetCode) -> Self {
        Self::Cut
    }
}

fn here(path: &std::path::Path) -> impl FnOnce(io::Error) -> NoFile {
    move |source| NoFile::Here { path: path.to_owned(), source }
}

/// What somebody who watches a transfer is told, in bytes of the file.
pub trait Watch: Send {
    /// The length of the whole, and where it begins.
    fn begins(&self, size: u64, at: u64);
    /// How far it is.
    fn at(&self, at: u64);
}

/// What is in a folder of the device; without a path, which folders there are.
pub async fn list(flows: &Flows, path: Option<DevicePath>) -> Result<Vec<FileEntry>, NoFile> {
    let mut wire = Wire::open(flows, path, FileAct::List).await?;
    let mut entries = Vec::new();
    loop {
        match wire.hear().await? {
            FileFrame::Entries(some) => entries.extend(some),
            FileFrame::Done(_) => return Ok(entries),
            FileFrame::Meta { .. } | FileFrame::Ready { .. } | FileFrame::Data(_) | FileFrame::Kept => {
                return Err(FrameError::Field("answer to a listing").into());
            }
            FileFrame::Refused(why) => return Err(NoFile::Refused(why)),
        }
    }
}

/// The stream in frames.
struct Wire {
    stream: Arc<Stream>,
    heard: BytesMut,
}

impl Wire {
    async fn open(flows: &Flows, path: Option<DevicePath>, act: FileAct) -> Result<Self, NoFile> {
        let target = Target::File { path, act };
        let open = Open { flow: flows.id(), target, class: Class::Interactive, credit: 0 };
        let stream = flows.handle.open(open).await?;
        match act {
            FileAct::List | FileAct::Get { .. } => stream.finish().await?,
            FileAct::Put { .. } => {}
        }
        Ok(Self { stream: stream.into(), heard: BytesMut::new() })
    }

    async fn hear(&mut self) -> Result<FileFrame, NoFile> {
        loop {
            if let Some(frame) = FileFrame::take(&mut self.heard)? {
                return Ok(frame);
            }
            let Arrival::Data(bytes) = self.stream.next().await? else { return Err(NoFile::Cut) };
            self.heard.extend_from_slice(&bytes);
            self.stream.consumed(bytes.len()).await?;
        }
    }
}

async fn say(stream: &Stream, frame: &FileFrame) -> Result<(), NoFile> {
    let mut bytes: Bytes = frame.encode();
    while !bytes.is_empty() {
        let room = stream.room().await?;
        stream.send(bytes.split_to(room.min(bytes.len()))).await?;
    }
    Ok(())
}

/// The work of a disk, off the thread that carries the session.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, NoFile> + Send + 'static) -> Result<T, NoFile> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(NoFile::Cut))
}
