//! Files between a technician and the folders that the device's own settings name: listed, sent, taken. Nothing outside
//! them is touched, and no link is followed. A file that is taken is in its place whole and on disk, or not at all.

mod beneath;
mod put;
mod send;

use std::{io, path::PathBuf};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    Timestamp,
    payload::{FlowOutcome, ServiceName},
    session::{
        Arrival, FlowTotals, Stream,
        files::{DevicePath, ENTRIES, EntryKind, FileAct, FileEntry, FileFrame},
        inner_frame::ResetCode,
    },
};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};

use self::beneath::{Below, NoPlace};

/// Most entries of one folder that are told.
const MOST_ENTRIES: usize = 10_000;

/// A folder that the device's own settings open for files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnFolder {
    /// The name people use.
    pub name: ServiceName,
    /// Where it is.
    pub path: PathBuf,
    /// Whether files may be put there, too.
    #[serde(default)]
    pub write: bool,
}

/// Why nothing comes of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFile {
    #[error("this device has no folder `{0}` for files; it has {1}")]
    NoFolder(ServiceName, String),
    #[error("the device's own settings let nobody put files into `{0}`")]
    ReadOnly(ServiceName),
    #[error("name a file, not the folder alone")]
    NoName,
    #[error(transparent)]
    Place(#[from] NoPlace),
    #[error("the file changed while it was read; try again")]
    Changed,
    #[error("what arrived is not the file that was announced; nothing was kept, try again")]
    Digest,
    #[error("more bytes came than were announced; nothing was kept")]
    TooMany,
    #[error("the device's disk is full; nothing was kept")]
    Full,
    #[error("reading or writing failed on the device: {0}")]
    Io(io::Error),
    #[error("the other side does not speak as agreed")]
    Spoken,
    #[error("the transfer was broken off")]
    Broken,
}

impl From<io::Error> for NoFile {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

impl From<ResetCode> for NoFile {
    fn from(_: ResetCode) -> Self {
        Self::Broken
    }
}

impl NoFile {
    pub(super) const fn outcome(&self) -> FlowOutcome {
        match self {
            Self::NoFolder(..) | Self::ReadOnly(_) => FlowOutcome::NotAllowed,
            _ => FlowOutcome::Refused,
        }
    }
}

/// What a technician asks for, found; nothing is read or written yet.
pub(super) struct Found(Job);

enum Job {
    Folders(Vec<FileEntry>),
    Folder(Below),
    Send(send::Sending),
    Take(put::Taking),
}

/// As both audit lists show it.
pub(super) fn spelled(path: Option<&DevicePath>, act: FileAct) -> String {
    let path = path.map_or_else(|| "folders".to_owned(), ToString::to_string);
    match act {
        FileAct::List => format!("list {path}"),
        FileAct::Get { .. } => format!("read {path}"),
        FileAct::Put { .. } => format!("write {path}"),
    }
}

/// Finds the place, off the threads that carry bytes.
pub(super) async fn find(folders: Vec<OwnFolder>, path: Option<DevicePath>, act: FileAct) -> Result<Found, NoFile> {
    blocking(move || find_now(&folders, path.as_ref(), act)).await.map(Found)
}

fn find_now(folders: &[OwnFolder], path: Option<&DevicePath>, act: FileAct) -> Result<Job, NoFile> {
    let Some(path) = path else {
        return if act == FileAct::List { Ok(Job::Folders(named(folders))) } else { Err(NoFile::NoName) };
    };
    let folder = folders.iter().find(|folder| folder.name == *path.folder()).ok_or_else(|| {
        let known: Vec<_> = folders.iter().map(|folder| folder.name.as_str()).collect();
        NoFile::NoFolder(path.folder().clone(), known.join(", "))
    })?;
    let root = Below::root(&folder.path)?;
    if act == FileAct::List {
        return Ok(Job::Folder(root.down(path.below())?));
    }
    let (name, way) = path.below().split_last().ok_or(NoFile::NoName)?;
    match act {
        FileAct::Get { from, modified } => {
            Ok(Job::Send(send::Sending::of(root.down(way)?.read(name)?, from, modified)?))
        }
        FileAct::Put { .. } if !folder.write => Err(NoFile::ReadOnly(folder.name.clone())),
        FileAct::Put { size, digest } => {
            Ok(Job::Take(put::Taking::begin(root.down(way)?, name.clone(), size, digest)?))
        }
        FileAct::List => Err(NoFile::NoName),
    }
}

fn named(folders: &[OwnFolder]) -> Vec<FileEntry> {
    let one = |folder: &OwnFolder| FileEntry {
        name: folder.name.to_string(),
        kind: if folder.write { EntryKind::Open } else { EntryKind::Folder },
        size: 0,
        modified: Timestamp::from_micros(0),
    };
    folders.iter().map(one).collect()
}

impl Found {
    /// Does it, to the end; what cannot be done is told on the stream.
    pub(super) async fn run(self, stream: &Stream) -> FlowTotals {
        let mut wire = Wire { stream, heard: BytesMut::new(), totals: FlowTotals::default() };
        let done = match self.0 {
            Job::Folders(entries) => list(&mut wire, entries).await,
            Job::Folder(below) => match blocking(move || entries(&below)).await {
                Ok(entries) => list(&mut wire, entries).await,
                Err(error) => Err(error),
            },
            Job::Send(sending) => sending.run(&mut wire).await,
            Job::Take(taking) => taking.run(&mut wire).await,
        };
        if let Err(error) = done {
            wire.refuse(&error).await;
        }
        wire.end().await;
        wire.totals
    }
}

/// Says why not, on a stream that was accepted.
pub(super) async fn refuse(stream: &Stream, error: &NoFile) {
    let mut wire = Wire { stream, heard: BytesMut::new(), totals: FlowTotals::default() };
    wire.refuse(error).await;
    wire.end().await;
}

fn entries(below: &Below) -> Result<Vec<FileEntry>, NoFile> {
    let mut found = below.entries()?;
    found.truncate(MOST_ENTRIES);
    let entry = |(name, stat): (String, rustix::fs::Stat)| {
        let kind = match beneath::kind(&stat) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            _ => EntryKind::Other,
        };
        let size = if kind == EntryKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
        FileEntry { name, kind, size, modified: send::modified(&stat) }
    };
    Ok(found.into_iter().map(entry).collect())
}

async fn list(wire: &mut Wire<'_>, entries: Vec<FileEntry>) -> Result<(), NoFile> {
    for some in entries.chunks(ENTRIES) {
        wire.say(&FileFrame::Entries(some.to_vec())).await?;
    }
    wire.say(&FileFrame::Done(None)).await
}

/// The stream in frames.
struct Wire<'a> {
    stream: &'a Stream,
    heard: BytesMut,
    totals: FlowTotals,
}

impl Wire<'_> {
    async fn say(&mut self, frame: &FileFrame) -> Result<(), NoFile> {
        let mut bytes: Bytes = frame.encode();
        while !bytes.is_empty() {
            let room = self.stream.room().await?;
            let piece = bytes.split_to(room.min(bytes.len()));
            self.totals.sent += u64::try_from(piece.len()).unwrap_or(0);
            self.stream.send(piece).await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, error: &NoFile) {
        tracing::info!(%error, "a file is refused");
        let _ = self.say(&FileFrame::Refused(error.to_string())).await;
    }

    /// Says no more and waits until the other side does: a stream that is dropped sooner takes back what was said.
    async fn end(&mut self) {
        if self.stream.finish().await.is_ok() {
            while let Ok(Arrival::Data(bytes)) = self.stream.next().await {
                let _ = self.stream.consumed(bytes.len()).await;
            }
        }
    }

    /// The next frame; `None` when the other side says no more.
    async fn hear(&mut self) -> Result<Option<FileFrame>, NoFile> {
        loop {
            if let Some(frame) = FileFrame::take(&mut self.heard).map_err(|_| NoFile::Spoken)? {
                return Ok(Some(frame));
            }
            match self.stream.next().await? {
                Arrival::Data(bytes) => {
                    self.heard.extend_from_slice(&bytes);
                    self.totals.received += u64::try_from(bytes.len()).unwrap_or(0);
                    self.stream.consumed(bytes.len()).await?;
                }
                Arrival::End => return Ok(None),
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, NoFile> + Send + 'static) -> Result<T, NoFile> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(NoFile::Broken))
}
