//! Brings recordings to the cloud, one after the other, from where the cloud says it is.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use gatelodge_proto::{
    Random,
    link::{Backoff, Pace},
    recording::{MAX_PIECE, NEVER, Received, Whole},
};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{FOLDER, Waiting, waiting};
use crate::cloud::{About, Asked, CloudClient, CloudError};

/// How often it is looked whether something waits.
const LOOK: Duration = Duration::from_secs(2);

/// One recording has not gone, and what that means for it.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("it cannot be read: {0}")]
    Disk(#[from] io::Error),
    #[error("the cloud has more of it than there is")]
    Other,
}

/// As long as the agent runs.
pub(crate) async fn send(cloud: CloudClient, state: PathBuf, pace: Pace, random: Random) {
    let folder = state.join(FOLDER);
    let mut backoff = Backoff::new(pace);
    loop {
        let wait = match round(&cloud, &folder).await {
            Ok(()) => {
                backoff = Backoff::new(pace);
                LOOK
            }
            Err(error) => {
                tracing::warn!(%error, "a recording waits for the cloud");
                let wish = if let NotSent::Cloud(refused) = &error { refused.retry_after() } else { None };
                backoff.failed(Instant::now().into_std(), wish, &random).max(LOOK)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn round(cloud: &CloudClient, folder: &std::path::Path) -> Result<(), NotSent> {
    for waiting in waiting(folder)? {
        match bring(cloud, &waiting).await {
            Ok(()) => waiting.forget()?,
            Err(NotSent::Cloud(CloudError::Refused { code, reason, .. })) if code == NEVER => {
                tracing::error!(recording = %waiting.recording, reason, "the cloud will never take a recording");
                waiting.forget()?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Until the cloud has it all and says so.
async fn bring(cloud: &CloudClient, waiting: &Waiting) -> Result<(), NotSent> {
    let ask = |what| {
        let credential = waiting.note.credential.as_str();
        cloud.recording(Asked { recording: waiting.recording, credential, what })
    };
    let mut file = File::open(waiting.file())?;
    let length = file.metadata()?.len();
    let mut there: Received = ask(About::Standing).await?;
    while !there.taken && there.bytes < length {
        file.seek(SeekFrom::Start(there.bytes))?;
        let mut piece = Vec::with_capacity(MAX_PIECE);
        (&mut file).take(MAX_PIECE as u64).read_to_end(&mut piece)?;
        let at = there.bytes;
        there = ask(About::Bytes { at, bytes: Bytes::from(piece) }).await?;
    }
    if !there.taken {
        if there.bytes > length {
            return Err(NotSent::Other);
        }
        let whole = Whole { bytes: length, sha256: sum(&mut file)? };
        there = ask(About::Whole(&whole)).await?;
    }
    tracing::info!(recording = %waiting.recording, bytes = there.bytes, "the cloud has a recording");
    if there.taken { Ok(()) } else { Err(NotSent::Other) }
}

fn sum(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(crate::hex::lower(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}
