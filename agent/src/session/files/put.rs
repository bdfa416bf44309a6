//! A file that is taken: into a part beside its place, which bears its digest, so that a transfer that was cut goes on
//! with the same file alone; into its place when the digest fits and all is on disk.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use gatelodge_proto::session::files::{FileDigest, FileFrame};
use rustix::fs::Mode;
use sha2::{Digest as _, Sha256};

use super::{NoFile, Wire, beneath::Below, blocking};

const BEGINS: &str = ".gatelodge-";
const ENDS: &str = ".part";
/// A part that nobody went on with for so long goes when the next file comes.
const LEFT_BEHIND: Duration = Duration::from_secs(7 * 86_400);
/// What a new file may be used for.
const READ_BY_ALL: Mode = Mode::from_raw_mode(0o644);

/// A file on its way to its place.
pub(super) struct Taking {
    below: Below,
    name: String,
    part: String,
    file: File,
    have: u64,
    size: u64,
    digest: FileDigest,
    mode: Mode,
}

impl Taking {
    pub(super) fn begin(below: Below, name: String, size: u64, digest: FileDigest) -> Result<Self, NoFile> {
        let mode = below.place(&name)?.unwrap_or(READ_BY_ALL);
        forget_old(&below)?;
        let part = format!("{BEGINS}{:.32}{ENDS}", digest.to_string());
        let file = below.append(&part)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| NoFile::Io(std::io::Error::other("another transfer of the same file is under way")))?;
        let mut have = file.metadata()?.len();
        if have > size {
            file.set_len(0)?;
            have = 0;
        }
        Ok(Self { below, name, part, file, have, size, digest, mode })
    }

    pub(super) async fn run(self, wire: &mut Wire<'_>) -> Result<(), NoFile> {
        let Self { below, name, part, mut file, have, size, digest, mode } = self;
        wire.say(&FileFrame::Ready { have }).await?;
        let mut at = have;
        loop {
            match wire.hear().await? {
                Some(FileFrame::Data(bytes)) => {
                    at += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    if at > size {
                        below.remove(&part);
                        return Err(NoFile::TooMany);
                    }
                    file = match blocking(move || write(file, &bytes)).await {
                        Err(NoFile::Full) => {
                            below.remove(&part);
                            return Err(NoFile::Full);
                        }
                        other => other?,
                    };
                }
                Some(FileFrame::Done(_)) if at == size => break,
                Some(_) => return Err(NoFile::Spoken),
                // The part stays: whoever comes again goes on from there.
                None => return Err(NoFile::Broken),
            }
        }
        blocking(move || {
            if whole(&mut file)? != digest {
                below.remove(&part);
                return Err(NoFile::Digest);
            }
            rustix::fs::fchmod(&file, mode).map_err(std::io::Error::from)?;
            file.sync_all()?;
            // It may have become a folder or a link meanwhile.
            below.place(&name)?;
            Ok(below.rename(&part, &name)?)
        })
        .await?;
        wire.say(&FileFrame::Kept).await
    }
}

fn write(mut file: File, bytes: &Bytes) -> Result<File, NoFile> {
    file.write_all(bytes)?;
    Ok(file)
}

fn whole(file: &mut File) -> Result<FileDigest, NoFile> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(FileDigest(hash.finalize().into())),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the age of a file is by the clock that dated it")]
fn forget_old(below: &Below) -> Result<(), NoFile> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    for (name, stat) in below.entries()? {
        let age = now.as_secs().saturating_sub(u64::try_from(stat.st_mtime).unwrap_or(0));
        if name.starts_with(BEGINS) && name.ends_with(ENDS) && age > LEFT_BEHIND.as_secs() {
            below.remove(&name);
        }
    }
    Ok(())
}
