//! Taking a recording from its device: in pieces, from where the last one ended, until it is whole. The receipt follows
//! the commit, and the device keeps everything until then.

use std::io;

use gatelodge_proto::{
    FlowId,
    recording::{Received, Whole},
};
use serde_json::json;

use super::{
    folder::{Folder, Looked},
    store::{self, Taken},
};
use crate::{
    audit::{self, Actor, Entry},
    db::DbError,
    kits::Kits,
    sessions::{
        model::{Credential, Recorded},
        service as sessions,
    },
};

/// Recordings of one session at most.
const OF_A_SESSION: i64 = 100;

/// Why a recording is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// No session's, or another's: both look the same.
    #[error("there is no session whose recording this could be")]
    Unknown,
    /// More than the vendor's setting.
    #[error("a recording has {0} MiB at most here (recordings.max_mib)")]
    TooLong(u32),
    /// One session has no more terminals.
    #[error("this session has {OF_A_SESSION} recordings already")]
    TooMany,
    /// Something else.
    #[error("these bytes are no recording of that session's terminal")]
    NoRecording,
    /// The disk.
    #[error("the recording cannot be written: {0}")]
    Disk(#[from] io::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A device that brings a recording, once its credential was found good.
#[derive(Debug)]
pub struct Bringing {
    kits: Kits,
    of: Recorded,
    recording: FlowId,
    /// Whether it is here already; nothing where no byte of it ever came.
    taken: Option<bool>,
}

impl Bringing {
    /// Whose recording it is.
    pub async fn by(kits: &Kits, credential: &Credential, recording: FlowId) -> Result<Self, NotTaken> {
        let mut tx = kits.db.read().await?;
        let of = sessions::recorded(&mut tx, credential).await?.ok_or(NotTaken::Unknown)?;
        let standing = store::standing(&mut tx, recording).await?;
        if standing.is_some_and(|standing| standing.of != of) {
            return Err(NotTaken::Unknown);
        }
        Ok(Self { kits: kits.clone(), of, recording, taken: standing.map(|standing| standing.taken) })
    }

    /// How much of it is here.
    pub async fn standing(&self) -> Result<Received, NotTaken> {
        let recording = self.recording;
        let bytes = self.on_disk(move |folder| folder.length(recording)).await?;
        Ok(Received { bytes, taken: self.taken == Some(true) })
    }

    /// Bytes that follow the first `at`.
    pub async fn bytes(&self, at: u64, bytes: bytes::Bytes) -> Result<Received, NotTaken> {
        let (kits, recording) = (&self.kits, self.recording);
        let most = kits.config.recordings.max_mib;
        if at.saturating_add(bytes.len() as u64) > u64::from(most) << 20 {
            return Err(NotTaken::TooLong(most));
        }
        if self.taken.is_none() {
            let mut tx = kits.db.write().await?;
            if store::of_session(&mut tx, self.of.session).await? >= OF_A_SESSION {
                return Err(NotTaken::TooMany);
            }
            store::begin(&mut tx, kits.now(), recording, &self.of).await?;
            tx.commit().await?;
        }
        let bytes = self.on_disk(move |folder| folder.append(recording, at, &bytes)).await?;
        Ok(Received { bytes, taken: self.taken == Some(true) })
    }

    /// That was all: looked through, kept, and then written down.
    pub async fn whole(&self, whole: &Whole) -> Result<Received, NotTaken> {
        let (kits, recording) = (&self.kits, self.recording);
        match self.taken {
            Some(true) => return self.standing().await,
            Some(false) => {}
            None => return Err(NotTaken::NoRecording),
        }
        let Looked { head, ended, sha256, bytes } = self.on_disk(move |folder| folder.look(recording)).await?;
        if bytes != whole.bytes || sha256 != whole.sha256 {
            // It was spoilt on its way; the device has it still.
            self.on_disk(move |folder| folder.delete(recording)).await?;
            return Ok(Received { bytes: 0, taken: false });
        }
        if !head.is_some_and(|head| head.session == self.of.session && head.recording == recording) {
            self.on_disk(move |folder| folder.delete(recording)).await?;
            return Err(NotTaken::NoRecording);
        }
        self.on_disk(move |folder| folder.keep(recording)).await?;
        let mut tx = kits.db.write().await?;
        if store::take(&mut tx, kits.now(), recording, &Taken { bytes, sha256, cut_short: !ended }).await? {
            let entry = Entry {
                actor: Actor::Device { id: self.of.device, name: "gatelodge-agent".into() },
                what: "recording_taken",
                device: Some(self.of.device),
                session: Some(self.of.session),
                details: json!({ "recording": recording, "bytes": bytes, "cut_short": !ended }),
                readers: vec![self.of.customer, self.of.installer],
            };
            audit::write(&mut tx, kits.now(), &kits.random, entry).await?;
        }
        tx.commit().await?;
        Ok(Received { bytes, taken: true })
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, NotTaken> {
        let folder = Folder::of(&self.kits.config.data_dir);
        Ok(tokio::task::spawn_blocking(move || work(folder)).await.map_err(io::Error::other)??)
    }
}
