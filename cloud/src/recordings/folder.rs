//! Where the bytes of recordings are: a folder of the data folder, a file each. The one place that opens them; they are
//! never served as anything but bytes.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use gatelodge_proto::{
    FlowId,
    recording::{Head, Scan},
};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

const FOLDER: &str = "recordings";
/// What follows the name of one that has not come whole,
const COMING: &str = "part";
/// and of one that has.
const WHOLE: &str = "rec";

/// Recordings on disk.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

/// A file that has come, looked through.
#[derive(Debug)]
pub(super) struct Looked {
    /// Its head, when it is a recording.
    pub(super) head: Option<Head>,
    /// Whether its last chunk is there.
    pub(super) ended: bool,
    /// Lower-case hex.
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl Folder {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FOLDER))
    }

    fn path(&self, recording: FlowId, kind: &str) -> PathBuf {
        self.0.join(format!("{recording}.{kind}"))
    }

    /// How many bytes of it are here.
    pub(super) fn length(&self, recording: FlowId) -> io::Result<u64> {
        for kind in [WHOLE, COMING] {
            match std::fs::metadata(self.path(recording, kind)) {
                Ok(about) => return Ok(about.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }

    /// Appends bytes that follow the first `at`; gives how many are here then. Bytes for another place change nothing.
    pub(super) fn append(&self, recording: FlowId, at: u64, bytes: &[u8]) -> io::Result<u64> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        if self.path(recording, WHOLE).exists() {
            return self.length(recording);
        }
        let mut file = File::options().create(true).append(true).mode(0o600).open(self.path(recording, COMING))?;
        // Two requests at once would mix their bytes.
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let length = file.metadata()?.len();
        if length != at {
            return Ok(length);
        }
        if let Err(error) = file.write_all(bytes) {
            // Half of a piece is never counted.
            file.set_len(length)?;
            return Err(error);
        }
        Ok(length + bytes.len() as u64)
    }

    /// Reads through all that is here.
    pub(super) fn look(&self, recording: FlowId) -> io::Result<Looked> {
        let (mut scan, mut hash, mut sound) = (Scan::default(), Sha256::new(), true);
        let (mut file, mut buffer, mut bytes) = (self.open(recording)?, vec![0; 64 * 1024], 0);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            hash.update(&buffer[..read]);
            sound &= scan.feed(&buffer[..read]).is_ok();
        }
        let head = scan.head().cloned().filter(|_| sound && scan.whole() == bytes);
        Ok(Looked { head, ended: scan.ended(), sha256: crate::sessions::model::hex(&hash.finalize()), bytes })
    }

    /// Keeps it for good.
    pub(super) fn keep(&self, recording: FlowId) -> io::Result<()> {
        let coming = self.path(recording, COMING);
        match File::open(&coming) {
            Ok(file) => file.sync_all()?,
            // Kept before, by a try whose row was not written.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        std::fs::rename(coming, self.path(recording, WHOLE))?;
        File::open(&self.0)?.sync_all()
    }

    /// All bytes of one.
    pub(super) fn open(&self, recording: FlowId) -> io::Result<File> {
        let mut file = match File::open(self.path(recording, WHOLE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(self.path(recording, COMING))?,
            opened => opened?,
        };
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Deletes it, whatever there is of it.
    pub(super) fn delete(&self, recording: FlowId) -> io::Result<()> {
        for kind in [COMING, WHOLE] {
            match std::fs::remove_file(self.path(recording, kind)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                deleted => deleted?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{Random, Timestamp};

    use super::*;

    #[test]
    fn bytes_come_in_their_order_and_are_whole_or_not_there() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::of(data.path());
        let recording = FlowId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(4));
        assert_eq!(folder.length(recording).unwrap(), 0);
        assert_eq!(folder.append(recording, 0, b"gl-rec").unwrap(), 6);
        assert_eq!(folder.append(recording, 0, b"again!").unwrap(), 6, "what came twice is there once");
        assert_eq!(folder.append(recording, 9, b"later").unwrap(), 6, "nothing is left out");
        assert_eq!(folder.append(recording, 6, b"\0\x01").unwrap(), 8);
        assert!(folder.look(recording).unwrap().head.is_none(), "half a head is no recording");
        folder.keep(recording).unwrap();
        folder.keep(recording).unwrap();
        assert_eq!(folder.append(recording, 8, b"more").unwrap(), 8, "what is kept does not change");
        assert_eq!(std::fs::read_dir(data.path().join(FOLDER)).unwrap().count(), 1);
        folder.delete(recording).unwrap();
        assert_eq!(folder.length(recording).unwrap(), 0);
    }
}
