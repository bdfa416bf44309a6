//! A file that is sent: from where the other side is, and at the end the digest of the whole of it.

use std::{fs::File, io::Read as _};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    Timestamp,
    session::files::{FileDigest, FileFrame, PIECE},
};
use rustix::fs::Stat;
use sha2::{Digest as _, Sha256};

use super::{NoFile, Wire, blocking};

/// Read at once; several frames.
const GULP: usize = 8 * PIECE;

/// A file, and where to begin.
pub(super) struct Sending {
    file: File,
    size: u64,
    modified: Timestamp,
    from: u64,
}

impl Sending {
    /// From the beginning where the file is another than the one that is known there.
    pub(super) fn of(file: File, from: u64, known: Option<Timestamp>) -> Result<Self, NoFile> {
        let stat = rustix::fs::fstat(&file).map_err(std::io::Error::from)?;
        let (size, modified) = (u64::try_from(stat.st_size).unwrap_or(0), modified(&stat));
        let same = known == Some(modified) && from <= size;
        Ok(Self { file, size, modified, from: if same { from } else { 0 } })
    }

    pub(super) async fn run(self, wire: &mut Wire<'_>) -> Result<(), NoFile> {
        let Self { mut file, size, modified, from } = self;
        wire.say(&FileFrame::Meta { size, modified, from }).await?;
        let mut hash = Sha256::new();
        let mut at = 0;
        while at < size {
            let most = usize::try_from(size - at).unwrap_or(GULP).min(GULP);
            let (back, hashed, bytes) = blocking(move || {
                let mut bytes = BytesMut::zeroed(most);
                file.read_exact(&mut bytes).map_err(|error| match error.kind() {
                    std::io::ErrorKind::UnexpectedEof => NoFile::Changed,
                    _ => error.into(),
                })?;
                hash.update(&bytes);
                Ok((file, hash, bytes.freeze()))
            })
            .await?;
            (file, hash) = (back, hashed);
            let end = at + u64::try_from(bytes.len()).unwrap_or(0);
            // What the other side has already counts for the digest alone.
            let known = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
            send(wire, bytes.slice(known..)).await?;
            at = end;
        }
        let stat = rustix::fs::fstat(&file).map_err(std::io::Error::from)?;
        if self::modified(&stat) != modified || u64::try_from(stat.st_size).ok() != Some(size) {
            return Err(NoFile::Changed);
        }
        wire.say(&FileFrame::Done(Some(FileDigest(hash.finalize().into())))).await
    }
}

async fn send(wire: &mut Wire<'_>, mut bytes: Bytes) -> Result<(), NoFile> {
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        wire.say(&FileFrame::Data(piece)).await?;
    }
    Ok(())
}

/// When it was changed, in whole microseconds.
pub(super) fn modified(stat: &Stat) -> Timestamp {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    Timestamp::from_micros(stat.st_mtime.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
}
