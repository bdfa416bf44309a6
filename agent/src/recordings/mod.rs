//! Recordings that wait for the cloud: a folder of files that are encrypted already, each with a note beside it. Brings
//! them there, and keeps each until the cloud has said that it has it. Reads none of them.

mod send;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use gatelodge_proto::{FlowId, SessionId, recording::Scan};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

pub(crate) use send::send;

/// Where they wait, in the state folder.
pub(crate) const FOLDER: &str = "recordings";
/// What follows the name of one that goes on,
pub(crate) const RUNNING: &str = "part";
/// and of one that has ended.
pub(crate) const ENDED: &str = "rec";
const NOTE: &str = "json";

/// What stands beside a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Of which session.
    pub(crate) session: SessionId,
    /// For what the cloud takes it.
    pub(crate) credential: String,
}

impl Note {
    /// The name of the file.
    pub(crate) fn name(recording: &str) -> String {
        format!("{recording}.{NOTE}")
    }
}

/// How many bytes all of them have.
pub(crate) fn used(folder: &Path) -> io::Result<u64> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata().map_or(0, |about| about.len()))).sum()
}

/// One that has ended.
#[derive(Debug)]
struct Waiting {
    recording: FlowId,
    note: Note,
    folder: PathBuf,
}

impl Waiting {
    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.{ENDED}", self.recording))
    }

    /// It is at the cloud, or nowhere ever.
    fn forget(&self) -> io::Result<()> {
        std::fs::remove_file(self.file())?;
        std::fs::remove_file(self.folder.join(Note::name(&self.recording.to_string())))?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Those that have ended, oldest first; one that a crash has ended is made whole first.
fn waiting(folder: &Path) -> io::Result<Vec<Waiting>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let (Some(name), Some(kind)) = (path.file_stem().and_then(|name| name.to_str()), path.extension()) else {
            continue;
        };
        let Ok(recording) = name.parse::<FlowId>() else { continue };
        let ended = kind == ENDED || (kind == RUNNING && recovered(&path)?);
        if !ended {
            continue;
        }
        let note = std::fs::read(folder.join(Note::name(name)));
        let Some(note) = note.ok().and_then(|note| serde_json::from_slice(&note).ok()) else {
            tracing::error!(%recording, "a recording has lost its note, and the cloud would not take it");
            std::fs::remove_file(path.with_extension(ENDED))?;
            continue;
        };
        found.push(Waiting { recording, note, folder: folder.to_owned() });
    }
    found.sort_by_key(|waiting| waiting.recording);
    Ok(found)
}

/// Ends a recording that nobody writes any more, after its last whole chunk; whether there is something of it.
fn recovered(path: &Path) -> io::Result<bool> {
    let file = File::options().read(true).write(true).open(path)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        // It goes on.
        return Ok(false);
    }
    let (mut scan, mut buffer) = (Scan::default(), vec![0; 64 * 1024]);
    loop {
        let read = (&file).read(&mut buffer)?;
        if read == 0 || scan.feed(&buffer[..read]).is_err() {
            break;
        }
    }
    if scan.head().is_none() {
        std::fs::remove_file(path)?;
        let _ = std::fs::remove_file(path.with_extension(NOTE));
        return Ok(false);
    }
    tracing::warn!(recording = %path.display(), bytes = scan.whole(), "a recording was cut short");
    file.set_len(scan.whole())?;
    file.sync_all()?;
    std::fs::rename(path, path.with_extension(ENDED))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        Random, Timestamp,
        recording::{Head, KeyId, PUBLIC_KEY, Recipient, TAG, WRAPPED_KEY, chunk_head},
    };

    use super::*;

    struct Scene {
        folder: tempfile::TempDir,
        recording: FlowId,
        bytes: Vec<u8>,
    }

    fn scene() -> Scene {
        let (now, random) = (Timestamp::from_seconds(1_800_000_000), Random::seeded(4));
        let (session, recording) = (SessionId::make(now, &random), FlowId::make(now, &random));
        let recipient = Recipient { key: KeyId([1; 16]), ephemeral: [4; PUBLIC_KEY], wrapped: [2; WRAPPED_KEY] };
        let mut bytes = Head { session, recording, recipients: vec![recipient] }.encode();
        bytes.extend(chunk_head(TAG + 3, false));
        bytes.extend([9; TAG + 3]);
        let folder = tempfile::tempdir().unwrap();
        let note = Note { session, credential: "secret".into() };
        let name = folder.path().join(Note::name(&recording.to_string()));
        std::fs::write(name, serde_json::to_vec(&note).unwrap()).unwrap();
        Scene { folder, recording, bytes }
    }

    impl Scene {
        fn write(&self, kind: &str, bytes: &[u8]) -> PathBuf {
            let path = self.folder.path().join(format!("{}.{kind}", self.recording));
            std::fs::write(&path, bytes).unwrap();
            path
        }

        fn waiting(&self) -> Vec<FlowId> {
            waiting(self.folder.path()).unwrap().iter().map(|waiting| waiting.recording).collect()
        }
    }

    #[test]
    fn what_a_crash_left_ends_after_its_last_whole_chunk() {
        let scene = scene();
        let path = scene.write(RUNNING, &[&scene.bytes[..], &chunk_head(TAG + 100, false), &[1; 50]].concat());
        assert_eq!(scene.waiting(), [scene.recording]);
        assert_eq!(std::fs::read(path.with_extension(ENDED)).unwrap(), scene.bytes);
        assert!(!path.exists());
        assert_eq!(scene.waiting(), [scene.recording], "found again by the next agent");
    }

    #[test]
    fn one_that_goes_on_is_left_alone() {
        let scene = scene();
        let path = scene.write(RUNNING, &scene.bytes);
        let held = File::open(&path).unwrap();
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(scene.waiting(), []);
        drop(held);
        assert_eq!(scene.waiting(), [scene.recording]);
    }

    #[test]
    fn a_beginning_without_a_head_and_a_recording_without_a_note_are_nothing() {
        let scene = scene();
        let path = scene.write(RUNNING, &scene.bytes[..40]);
        assert_eq!(scene.waiting(), []);
        assert!(!path.exists() && used(scene.folder.path()).unwrap() == 0);
        let path = scene.write(ENDED, &scene.bytes);
        assert_eq!(scene.waiting(), []);
        assert!(!path.exists());
    }
}
