//! A file to the device, which says how much of it is there already.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use bytes::BytesMut;
use gatelodge_proto::session::{
    FrameError,
    files::{DevicePath, FileAct, FileDigest, FileFrame, PIECE},
};
use sha2::{Digest as _, Sha256};

use super::{NoFile, Watch, Wire, blocking, here, say};
use crate::forward::Flows;

/// Puts a file of this computer to `to`. Gives its length.
pub async fn give(flows: &Flows, from: &Path, to: DevicePath, watch: &dyn Watch) -> Result<u64, NoFile> {
    let path = from.to_owned();
    let (mut file, size, digest) = blocking(move || {
        let file = File::open(&path).map_err(here(&path))?;
        if !file.metadata().map_err(here(&path))?.is_file() {
            return Err(here(&path)(std::io::Error::other("it is no file")));
        }
        announced(file).map_err(here(&path))
    })
    .await?;
    let mut wire = Wire::open(flows, Some(to), FileAct::Put { size, digest }).await?;
    let mut at = match wire.hear().await? {
        FileFrame::Ready { have } if have <= size => have,
        FileFrame::Refused(why) => return Err(NoFile::Refused(why)),
        _ => return Err(FrameError::Field("answer to a file").into()),
    };
    watch.begins(size, at);
    file.seek(SeekFrom::Start(at)).map_err(here(from))?;
    while at < size {
        let most = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        let path = from.to_owned();
        let (back, bytes) = blocking(move || {
            let mut bytes = BytesMut::zeroed(most);
            match file.read_exact(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(NoFile::Changed { path }),
                other => other.map_err(here(&path)).map(|()| (file, bytes.freeze())),
            }
        })
        .await?;
        file = back;
        at += u64::try_from(bytes.len()).unwrap_or(0);
        let (stream, frame) = (wire.stream.clone(), FileFrame::Data(bytes));
        // A device that cannot go on says why while it is sent to.
        tokio::select! {
            biased;
            said = wire.hear() => return Err(refused(said?)),
            sent = say(&stream, &frame) => sent?,
        }
        watch.at(at);
    }
    say(&wire.stream, &FileFrame::Done(Some(digest))).await?;
    wire.stream.finish().await?;
    match wire.hear().await? {
        FileFrame::Kept => Ok(size),
        other => Err(refused(other)),
    }
}

fn refused(said: FileFrame) -> NoFile {
    match said {
        FileFrame::Refused(why) => NoFile::Refused(why),
        _ => FrameError::Field("answer to a file").into(),
    }
}

fn announced(mut file: File) -> std::io::Result<(File, u64, FileDigest)> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((file, size, FileDigest(hash.finalize().into())));
        }
        hash.update(&buffer[..read]);
        size += u64::try_from(read).unwrap_or(0);
    }
}
