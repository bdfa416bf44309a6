//! One terminal's recording on disk, encrypted from its first byte. Whoever shows or runs anything asks here first: what
//! cannot be recorded does not happen. Sends nothing anywhere.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gatelodge_proto::{
    FlowId, SessionId, Timestamp,
    recording::PublicKey,
    session::inner_frame::{Size, TerminalType},
};
use rustix::fs::{FlockOperation, flock};
use tokio::time::Instant;

use super::{
    asciicast::{Kind, Text, event, header},
    seal::{NoSeal, Sealer},
};
use crate::{
    recordings::{ENDED, Note, RUNNING, used},
    state::replace_file,
};

/// Nothing more is recorded, and so the terminal ends.
#[derive(Debug, thiserror::Error)]
pub(in crate::session) enum Unrecorded {
    /// The folder or the disk.
    #[error("this device cannot write the recording of the terminal ({0}); free some space in its state folder")]
    Disk(#[from] io::Error),
    /// One recording has a bound.
    #[error("the recording of this terminal has reached its largest size (terminal.max_recording); open another one")]
    Long,
    /// All of them have one.
    #[error(
        "recordings that wait for the cloud fill their room on this device (terminal.max_waiting); they go when it \
         reaches its cloud"
    )]
    Waiting,
    /// The keys.
    #[error(transparent)]
    Seal(#[from] NoSeal),
}

/// How large recordings may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Room {
    /// One, in bytes.
    pub recording: u64,
    /// All that wait for the cloud, in bytes.
    pub waiting: u64,
}

/// What a recording is about.
pub(super) struct About<'a> {
    pub(super) session: SessionId,
    pub(super) recording: FlowId,
    pub(super) recipients: &'a [PublicKey],
    pub(super) began: Timestamp,
    pub(super) size: Size,
    pub(super) term: &'a TerminalType,
    /// What the cloud takes it for.
    pub(super) credential: String,
}

/// A recording that goes on.
pub(super) struct Recorder {
    file: File,
    /// Written since the disk was last told to keep it.
    dirty: bool,
    /// The disk could not keep what it was given.
    lost: Arc<AtomicBool>,
    folder: PathBuf,
    name: String,
    sealer: Option<Sealer>,
    began: Instant,
    written: u64,
    most: u64,
    output: Text,
    input: Text,
    /// Whether what is typed is recorded, too.
    typed: bool,
}

impl Recorder {
    /// Writes the beginning, so that the first byte has a place.
    pub(super) fn begin(folder: &Path, room: Room, typed: bool, about: &About<'_>) -> Result<Self, Unrecorded> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let left = room.waiting.saturating_sub(used(folder)?);
        let name = about.recording.to_string();
        let (head, sealer) = Sealer::new(about.session, about.recording, about.recipients)?;
        let note = Note { session: about.session, credential: about.credential.clone() };
        replace_file(folder, &Note::name(&name), &gatelodge_proto::payload::encode(&note))?;
        let path = folder.join(format!("{name}.{RUNNING}"));
        let file = File::options().create_new(true).write(true).mode(0o600).open(path)?;
        // Held while the recording goes on: a file that nobody holds was left by a crash.
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from)?;
        let mut recorder = Self {
            file,
            dirty: false,
            lost: Arc::default(),
            folder: folder.to_owned(),
            name,
            sealer: Some(sealer),
            began: Instant::now(),
            written: 0,
            most: room.recording.min(left),
            output: Text::default(),
            input: Text::default(),
            typed,
        };
        if left == 0 {
            recorder.discard();
            return Err(Unrecorded::Waiting);
        }
        let first = recorder.put(&head.encode()).and_then(|()| {
            recorder.write(&header(about.size, about.began, about.term.as_str()))?;
            recorder.file.sync_all()?;
            Ok(File::open(folder)?.sync_all()?)
        });
        first.inspect_err(|_| recorder.discard())?;
        recorder.dirty = false;
        Ok(recorder)
    }

    /// What the program wrote; nobody sees it before.
    pub(super) fn output(&mut self, bytes: &[u8]) -> Result<(), Unrecorded> {
        let text = self.output.take(bytes);
        self.event(Kind::Output, &text)
    }

    /// What was typed, where that is recorded; the program does not get it before.
    pub(super) fn input(&mut self, bytes: &[u8]) -> Result<(), Unrecorded> {
        if !self.typed {
            return self.kept();
        }
        let text = self.input.take(bytes);
        self.event(Kind::Input, &text)
    }

    /// The window has another size.
    pub(super) fn resize(&mut self, size: Size) -> Result<(), Unrecorded> {
        self.event(Kind::Resize, &format!("{}x{}", size.columns, size.rows))
    }

    /// How it ended.
    pub(super) fn ended(&mut self, how: &str) -> Result<(), Unrecorded> {
        self.event(Kind::Marker, how)
    }

    fn event(&mut self, kind: Kind, text: &str) -> Result<(), Unrecorded> {
        if text.is_empty() { self.kept() } else { self.write(&event(self.began.elapsed(), kind, text)) }
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Unrecorded> {
        self.kept()?;
        // The last chunk always has its place.
        if self.written + (Sealer::sealed(line.len()) + Sealer::sealed(1)) as u64 > self.most {
            return Err(Unrecorded::Long);
        }
        let sealed = self.sealer.as_mut().ok_or(NoSeal)?.seal(line)?;
        self.put(&sealed)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Unrecorded> {
        // Nothing may follow half a chunk: what there is ends before it, as after a crash.
        self.file.write_all(bytes).inspect_err(|_| self.lost.store(true, Ordering::Relaxed))?;
        self.written += bytes.len() as u64;
        self.dirty = true;
        Ok(())
    }

    fn kept(&self) -> Result<(), Unrecorded> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk lost what was written").into());
        }
        Ok(())
    }

    /// Has the disk keep what was written, beside everything else that goes on. For once a second.
    pub(super) fn keep(&mut self) -> Result<(), Unrecorded> {
        self.kept()?;
        if std::mem::take(&mut self.dirty) {
            let (file, lost) = (self.file.try_clone()?, self.lost.clone());
            tokio::task::spawn_blocking(move || {
                if let Err(error) = file.sync_data() {
                    tracing::error!(%error, "the disk does not keep a recording");
                    lost.store(true, Ordering::Relaxed);
                }
            });
        }
        Ok(())
    }

    /// Ends it; from now on it may go to the cloud.
    pub(super) fn finish(mut self) -> Result<(), Unrecorded> {
        let last = self.sealer.take().ok_or(NoSeal)?.finish()?;
        // Where there is no place for it, what there is goes as it would after a crash.
        let written = self.put(&last).and_then(|()| Ok(self.file.sync_all()?));
        let from = self.folder.join(format!("{}.{RUNNING}", self.name));
        if written.is_ok() {
            std::fs::rename(from, self.folder.join(format!("{}.{ENDED}", self.name)))?;
            File::open(&self.folder)?.sync_all()?;
        }
        written
    }

    /// Nothing came to be that would have been recorded.
    fn discard(&self) {
        for name in [format!("{}.{RUNNING}", self.name), Note::name(&self.name)] {
            let _ = std::fs::remove_file(self.folder.join(name));
        }
    }
}
