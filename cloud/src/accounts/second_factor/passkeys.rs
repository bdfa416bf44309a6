//! Passkeys: added, named, removed, and signed in with.

use gatelodge_proto::{CommandId, UserId};
use serde_json::json;
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyRegistration};

use super::{
    ceremony,
    model::{FactorRefusal, PasskeyId},
    proven::Proven,
    recovery::RecoveryCode,
    relying_party::{Begun, RelyingParty},
    service::{actor, added, removed},
    store,
};
use crate::{
    accounts::{store as people, tokens::Secret},
    db::{DbError, Tx},
    kits::Kits,
};

const ADD: &str = "passkey_add";
const SIGN_IN: &str = "passkey_sign_in";
/// Passkeys of one user at most.
const MOST: usize = 20;

/// Begins to add a passkey.
pub async fn begin(kits: &Kits, by: &Proven) -> Result<Result<Begun, FactorRefusal>, DbError> {
    let (member, party) = (by.member(), RelyingParty::of(&kits.config));
    let mut tx = kits.db.write().await?;
    let known = store::passkeys(&mut tx, member.user_id).await?;
    if known.len() >= MOST {
        return Ok(Err(FactorRefusal::TooMany(u32::try_from(MOST).unwrap_or(u32::MAX))));
    }
    let known = known.iter().map(|kept| kept.credential.cred_id().clone()).collect();
    let made =
        party.and_then(|party| party.creation(member.user_id.uuid(), member.email.as_str(), &member.name, known));
    let (options, memory) = match made {
        Ok(made) => made,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let ceremony = ceremony::begin(&mut tx, kits.now(), &kits.random, ADD, Some(member.user_id), &memory).await?;
    tx.commit().await?;
    Ok(Ok(Begun::new(&ceremony, options)))
}

/// Adds the passkey that the browser made. Gives recovery codes when there were none.
pub async fn add(
    kits: &Kits,
    by: &Proven,
    ceremony: &Secret,
    credential: &str,
    name: &str,
) -> Result<Result<Vec<RecoveryCode>, FactorRefusal>, DbError> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    people::lock_user(&mut tx, member.user_id).await?;
    let memory = match ceremony::end::<PasskeyRegistration>(&mut tx, now, ADD, ceremony).await? {
        Some((Some(user), memory)) if user == member.user_id => memory,
        _ => return Ok(Err(FactorRefusal::Stale)),
    };
    let made = RelyingParty::of(&kits.config).and_then(|party| party.created(credential, &memory));
    let passkey = match made {
        Ok(passkey) => passkey,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let id = PasskeyId(CommandId::make(now, &kits.random).uuid());
    match store::insert_passkey(&mut tx, now, id, member.user_id, name, &passkey).await {
        Err(error) if error.is_taken("credential_id") => return Ok(Err(FactorRefusal::Known)),
        outcome => outcome?,
    }
    let codes = added(&mut tx, kits, by, json!({ "factor": "passkey", "name": name })).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(codes))
}

/// Gives a passkey another name.
pub async fn rename(kits: &Kits, by: &Proven, id: PasskeyId, name: &str) -> Result<Result<(), FactorRefusal>, DbError> {
    let mut tx = kits.db.write().await?;
    if !store::rename_passkey(&mut tx, by.member().user_id, id, name).await? {
        return Ok(Err(FactorRefusal::Unknown));
    }
    tx.commit().await?;
    Ok(Ok(()))
}

/// Removes a passkey.
pub async fn remove(kits: &Kits, by: &Proven, id: PasskeyId) -> Result<Result<(), FactorRefusal>, DbError> {
    let member = by.member();
    let mut tx = kits.db.write_on_reserve().await?;
    people::lock_user(&mut tx, member.user_id).await?;
    let Some(name) = store::remove_passkey(&mut tx, member.user_id, id).await? else {
        return Ok(Err(FactorRefusal::Unknown));
    };
    removed(&mut tx, kits, member, actor(member), json!({ "factor": "passkey", "name": name })).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(()))
}

/// Begins a sign-in by a passkey, of somebody who has not said yet who they are.
pub(in crate::accounts) async fn begin_sign_in(kits: &Kits) -> Result<Result<Begun, FactorRefusal>, DbError> {
    let made = RelyingParty::of(&kits.config).and_then(|party| party.discovery());
    let (options, memory) = match made {
        Ok(made) => made,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut tx = kits.db.write().await?;
    let ceremony = ceremony::begin(&mut tx, kits.now(), &kits.random, SIGN_IN, None, &memory).await?;
    tx.commit().await?;
    Ok(Ok(Begun::new(&ceremony, options)))
}

/// Whose passkey the browser has shown; whether they may sign in is for the caller.
pub(in crate::accounts) async fn finish_sign_in(
    tx: &mut Tx,
    kits: &Kits,
    ceremony: &Secret,
    credential: &str,
) -> Result<Result<UserId, FactorRefusal>, DbError> {
    let now = kits.now();
    let ended = ceremony::end::<DiscoverableAuthentication>(tx, now, SIGN_IN, ceremony).await?;
    let Some((_, memory)) = ended else { return Ok(Err(FactorRefusal::Stale)) };
    let named = RelyingParty::of(&kits.config).and_then(|party| Ok((party.named(credential)?, party)));
    let ((handle, id, credential), party) = match named {
        Ok(named) => named,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let user = UserId::from_uuid(handle);
    people::lock_user(tx, user).await?;
    let Some(mut kept) = store::passkey(tx, user, &id).await? else { return Ok(Err(FactorRefusal::Passkey)) };
    match party.discovered(&credential, memory, &kept.credential) {
        Ok(shown) => {
            kept.credential.update_credential(&shown);
            store::use_passkey(tx, now, &kept).await?;
            Ok(Ok(user))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}
