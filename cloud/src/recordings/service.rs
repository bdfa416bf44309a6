//! What people read of recordings: members of the installer and of the customer they are for, and nobody else.

use std::io;

use gatelodge_proto::{FlowId, SessionId};
use serde_json::json;

use super::{folder::Folder, model::Recording, store};
use crate::{
    accounts::model::Member,
    audit::{self, Actor, Entry},
    db::DbError,
    kits::Kits,
    sessions::service as sessions,
};

/// A page of the member's recordings, the newest first; of one session where one is named.
pub async fn list(
    kits: &Kits,
    member: &Member,
    session: Option<SessionId>,
    before: Option<FlowId>,
    limit: i64,
) -> Result<Vec<Recording>, DbError> {
    let mut tx = kits.db.read().await?;
    match session {
        Some(session) => store::in_session(&mut tx, member.organisation_id, session).await,
        None => store::list(&mut tx, member.organisation_id, before, limit).await,
    }
}

/// One recording; `None` when there is none or it is somebody else's.
pub async fn one(kits: &Kits, member: &Member, id: FlowId) -> Result<Option<Recording>, DbError> {
    let mut tx = kits.db.read().await?;
    store::one(&mut tx, member.organisation_id, id).await
}

/// Why the bytes of a recording are not given.
#[derive(Debug, thiserror::Error)]
pub enum NotGiven {
    /// There is none, or it is somebody else's.
    #[error("there is no such recording among yours")]
    Unknown,
    /// Its file.
    #[error("the recording's file cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The encrypted bytes, after it is written down who looks.
pub async fn open(kits: &Kits, member: &Member, id: FlowId) -> Result<std::fs::File, NotGiven> {
    let recording = one(kits, member, id).await?.ok_or(NotGiven::Unknown)?;
    let session = sessions::one(kits, member, recording.session).await?.ok_or(NotGiven::Unknown)?;
    let file = Folder::of(&kits.config.data_dir).open(id)?;
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: "recording_opened",
        device: Some(session.view.device),
        session: Some(recording.session),
        details: json!({ "recording": id, "organisation": member.organisation_name }),
        readers: vec![session.customer, session.installer],
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok(file)
}
