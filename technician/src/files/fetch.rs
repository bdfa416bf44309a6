//! A file from the device: into a part beside its place, whose name says of which state of the file it is, so that a
//! transfer that was cut goes on with that one alone.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use gatelodge_proto::{
    Timestamp,
    session::{
        FrameError,
        files::{DevicePath, FileAct, FileDigest, FileFrame},
    },
};
use sha2::{Digest as _, Sha256};

use super::{NoFile, Watch, Wire, blocking, here};
use crate::forward::Flows;

const ENDS: &str = ".gatelodge-part";

/// Brings a file of the device to `to`. Gives its length.
pub async fn fetch(flows: &Flows, from: DevicePath, to: &Path, watch: &dyn Watch) -> Result<u64, NoFile> {
    let left = Part::left_behind(to);
    let (have, known) = left.as_ref().map_or((0, None), |(part, have)| (*have, Some(part.modified)));
    let mut wire = Wire::open(flows, Some(from), FileAct::Get { from: have, modified: known }).await?;
    let (size, modified, begins) = match wire.hear().await? {
        FileFrame::Meta { size, modified, from } if from == 0 || (from == have && known == Some(modified)) => {
            (size, modified, from)
        }
        FileFrame::Refused(why) => return Err(NoFile::Refused(why)),
        _ => return Err(FrameError::Field("answer to a fetch").into()),
    };
    watch.begins(size, begins);
    let part = Part::of(to, modified);
    if let Some((old, _)) = left.filter(|(old, _)| old.path != part.path) {
        let _ = std::fs::remove_file(&old.path);
    }
    let path = part.path.clone();
    let (mut file, mut hash) = blocking(move || begin(&path, begins).map_err(here(&path))).await?;
    let mut at = begins;
    let announced = loop {
        match wire.hear().await? {
            FileFrame::Data(bytes) => {
                at += u64::try_from(bytes.len()).unwrap_or(0);
                let path = part.path.clone();
                (file, hash) = blocking(move || {
                    file.write_all(&bytes).map_err(here(&path))?;
                    hash.update(&bytes);
                    Ok((file, hash))
                })
                .await?;
                watch.at(at);
            }
            FileFrame::Done(Some(digest)) => break digest,
            FileFrame::Refused(why) => return Err(NoFile::Refused(why)),
            _ => return Err(FrameError::Field("piece of a file").into()),
        }
    };
    if at != size || FileDigest(hash.finalize().into()) != announced {
        let _ = std::fs::remove_file(&part.path);
        return Err(NoFile::Digest);
    }
    let to = to.to_owned();
    blocking(move || keep(&file, &part, &to).map_err(here(&to))).await?;
    Ok(size)
}

/// A file on its way here.
struct Part {
    path: PathBuf,
    modified: Timestamp,
}

impl Part {
    fn of(to: &Path, modified: Timestamp) -> Self {
        let name = format!("{}{}{ENDS}", begins(to), modified.micros());
        Self { path: to.with_file_name(name), modified }
    }

    /// What a transfer to there has left, and how long it is.
    fn left_behind(to: &Path) -> Option<(Self, u64)> {
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let begins = begins(to);
        std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name();
            let micros = name.to_str()?.strip_prefix(&begins)?.strip_suffix(ENDS)?.parse().ok()?;
            let have = entry.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
            Some((Self { path: entry.path(), modified: Timestamp::from_micros(micros) }, have))
        })
    }
}

fn begins(to: &Path) -> String {
    format!(".{}.", to.file_name().unwrap_or_default().to_string_lossy())
}

/// The part, at its end, with the digest of what is there.
fn begin(path: &Path, have: u64) -> io::Result<(File, Sha256)> {
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    file.set_len(have)?;
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((file, hash)),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn keep(file: &File, part: &Part, to: &Path) -> io::Result<()> {
    let micros = u64::try_from(part.modified.micros()).unwrap_or(0);
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))?;
    file.sync_all()?;
    std::fs::rename(&part.path, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cut_transfer_has_left_is_found_by_its_place_and_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("panel.log");
        assert!(Part::left_behind(&to).is_none());
        let modified = Timestamp::from_seconds(1_800_000_000);
        let part = Part::of(&to, modified);
        std::fs::write(&part.path, "zone 4").unwrap();
        std::fs::write(folder.path().join(".panel.log.old.gatelodge-part"), "no time").unwrap();
        std::fs::write(folder.path().join(".nas.log.7.gatelodge-part"), "another file").unwrap();
        let (found, have) = Part::left_behind(&to).unwrap();
        assert_eq!((found.path, found.modified, have), (part.path.clone(), modified, 6));
        let (file, hash) = begin(&part.path, 4).unwrap();
        assert_eq!(hash.finalize(), Sha256::digest(b"zone"));
        assert_eq!(file.metadata().unwrap().len(), 4, "what the device does not go on from is cut off");
    }
}
