//! Setting and reading an organisation's recording key.

use gatelodge_proto::{OrganisationId, recording::PublicKey};
use serde_json::json;

use super::{
    model::{InvalidWrappedKey, WrappedKey},
    store,
};
use crate::{
    accounts::{model::Member, rights::OrganisationAdministrator},
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

/// Why a key was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SetRefusal {
    /// Not as a browser makes it.
    #[error(transparent)]
    Key(#[from] InvalidWrappedKey),
    /// It is here already.
    #[error("this recording key is in use already; make another")]
    Known,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// From now on recordings are for this key; the ones before it stay with theirs, and with the passphrase of that time.
pub async fn set(kits: &Kits, by: &OrganisationAdministrator, key: WrappedKey) -> Result<(), SetRefusal> {
    let (member, now, key) = (by.member(), kits.now(), key.checked()?);
    let mut tx = kits.db.write().await?;
    let replaced = store::replace(&mut tx, now, member.organisation_id).await?;
    if !store::insert(&mut tx, now, member, &key).await? {
        return Err(SetRefusal::Known);
    }
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: if replaced { "recording_key_replaced" } else { "recording_key_set" },
        device: None,
        session: None,
        details: json!({ "key": key.public_key.id().to_string() }),
        readers: vec![member.organisation_id],
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    Ok(tx.commit().await?)
}

/// To whom recordings for this organisation are encrypted now.
pub async fn current(tx: &mut Tx, organisation: OrganisationId) -> Result<Option<PublicKey>, DbError> {
    store::current(tx, organisation).await
}

/// Every key of the member's own organisation, the newest first.
pub async fn of_organisation(kits: &Kits, member: &Member) -> Result<Vec<WrappedKey>, DbError> {
    let mut tx = kits.db.read().await?;
    store::all(&mut tx, member.organisation_id).await
}
