//! Somebody shows once more who they are, by a code, a passkey or, where there is no second factor, the password.

use gatelodge_proto::UserId;
use serde_json::json;
use webauthn_rs::prelude::PasskeyAuthentication;

use super::{
    ceremony,
    model::{FactorRefusal, Proof},
    recovery::RecoveryCode,
    relying_party::{Begun, RelyingParty},
    service::{note, opened},
    store,
};
use crate::{
    accounts::{
        By, SignedIn, failure::Failure, model::PortalSessionId, password, portal_session, store as people, throttle,
        tokens::Secret,
    },
    audit::Actor,
    db::{DbError, Tx},
    kits::Kits,
};

const CONFIRM: &str = "passkey_confirm";

/// Takes a code of the app or a recovery code, whichever was typed. A try counts before the code is looked at.
pub(in crate::accounts) async fn verify_code(
    tx: &mut Tx,
    kits: &Kits,
    user: UserId,
    typed: &str,
) -> Result<Result<Proof, FactorRefusal>, DbError> {
    let now = kits.now();
    people::lock_user(tx, user).await?;
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    if let Ok(code) = typed.parse::<RecoveryCode>() {
        if !store::use_recovery_code(tx, now, user, &code).await? {
            return Ok(Err(FactorRefusal::WrongCode));
        }
        let name = people::user(tx, user).await?.map(|user| user.name).unwrap_or_default();
        let left = store::factors(tx, user).await?.recovery_codes;
        let details = json!({ "left": left });
        note(tx, kits, user, Actor::User { id: user, name }, "recovery_code_used", details).await?;
        return Ok(Ok(Proof::RecoveryCode));
    }
    let Some(sealed) = store::sealed_app(tx, user).await? else { return Ok(Err(FactorRefusal::WrongCode)) };
    let step = opened(kits, user, &sealed)?.step_of(&typed, now);
    match step {
        Some(step) if store::use_step(tx, now, user, step).await? => Ok(Ok(Proof::App)),
        Some(_) | None => Ok(Err(FactorRefusal::WrongCode)),
    }
}

/// Counts a try; refuses it while a pause runs. Only somebody who has the password gets this far, so that the pause is
/// the user's, wherever the tries come from.
pub(in crate::accounts) async fn count_try(kits: &Kits, user: UserId) -> Result<Result<(), FactorRefusal>, DbError> {
    let mut tx = kits.db.write_on_reserve().await?;
    let allowed = throttle::try_sign_in(&mut tx, kits.now(), &subject(user)).await?;
    tx.commit().await?;
    Ok(allowed.map_err(FactorRefusal::from))
}

/// Forgets the tries: one was right.
pub(in crate::accounts) async fn forgive(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    throttle::forgive(tx, &subject(user)).await
}

fn subject(user: UserId) -> String {
    format!("second factor {user}")
}

/// Begins to show one of the user's passkeys.
pub(in crate::accounts) async fn assertion_of(
    kits: &Kits,
    purpose: &'static str,
    user: UserId,
) -> Result<Result<Begun, FactorRefusal>, DbError> {
    let mut tx = kits.db.write().await?;
    let passkeys: Vec<_> = store::passkeys(&mut tx, user).await?.into_iter().map(|kept| kept.credential).collect();
    if passkeys.is_empty() {
        return Ok(Err(FactorRefusal::Unknown));
    }
    let made = RelyingParty::of(&kits.config).and_then(|party| party.assertion(&passkeys));
    let (options, memory) = match made {
        Ok(made) => made,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let ceremony = ceremony::begin(&mut tx, kits.now(), &kits.random, purpose, Some(user), &memory).await?;
    tx.commit().await?;
    Ok(Ok(Begun::new(&ceremony, options)))
}

/// Whether the browser has shown one of the user's passkeys.
pub(in crate::accounts) async fn verify_assertion(
    tx: &mut Tx,
    kits: &Kits,
    purpose: &'static str,
    user: UserId,
    ceremony: &Secret,
    credential: &str,
) -> Result<Result<Proof, FactorRefusal>, DbError> {
    let now = kits.now();
    people::lock_user(tx, user).await?;
    let memory = match ceremony::end::<PasskeyAuthentication>(tx, now, purpose, ceremony).await? {
        Some((Some(owner), memory)) if owner == user => memory,
        _ => return Ok(Err(FactorRefusal::Stale)),
    };
    let shown = RelyingParty::of(&kits.config).and_then(|party| party.asserted(credential, &memory));
    let shown = match shown {
        Ok(shown) => shown,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Removed while it was shown, it proves nothing.
    let Some(mut kept) = store::passkey(tx, user, shown.cred_id().as_slice()).await? else {
        return Ok(Err(FactorRefusal::Unknown));
    };
    kept.credential.update_credential(&shown);
    store::use_passkey(tx, now, &kept).await?;
    Ok(Ok(Proof::Passkey))
}

fn browser(by: &SignedIn) -> Result<PortalSessionId, FactorRefusal> {
    match by.by() {
        By::Browser { id, .. } => Ok(*id),
        By::Program(_) => Err(FactorRefusal::Unknown),
    }
}

/// Begins to confirm this browser by a passkey.
pub async fn begin_assertion(kits: &Kits, by: &SignedIn) -> Result<Result<Begun, FactorRefusal>, DbError> {
    assertion_of(kits, CONFIRM, by.member().user_id).await
}

/// Confirms this browser by a passkey.
pub async fn by_passkey(
    kits: &Kits,
    by: &SignedIn,
    ceremony: &Secret,
    credential: &str,
) -> Result<Result<(), FactorRefusal>, DbError> {
    let (user, browser) = match browser(by) {
        Ok(browser) => (by.member().user_id, browser),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut tx = kits.db.write().await?;
    if let Err(refusal) = verify_assertion(&mut tx, kits, CONFIRM, user, ceremony, credential).await? {
        return Ok(Err(refusal));
    }
    portal_session::confirm(&mut tx, kits.now(), browser, true).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Confirms this browser by a code.
pub async fn by_code(kits: &Kits, by: &SignedIn, typed: &str) -> Result<Result<(), FactorRefusal>, DbError> {
    let (user, browser) = match browser(by) {
        Ok(browser) => (by.member().user_id, browser),
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = count_try(kits, user).await? {
        return Ok(Err(refusal));
    }
    let mut tx = kits.db.write().await?;
    if let Err(refusal) = verify_code(&mut tx, kits, user, typed).await? {
        return Ok(Err(refusal));
    }
    forgive(&mut tx, user).await?;
    portal_session::confirm(&mut tx, kits.now(), browser, true).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Somebody without a second factor shows by their password that it is still them; that confirms nothing beyond.
pub async fn by_password(kits: &Kits, by: &SignedIn, typed: &str) -> Result<Result<(), FactorRefusal>, Failure> {
    let (member, browser) = match browser(by) {
        Ok(browser) => (by.member(), browser),
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = count_try(kits, member.user_id).await? {
        return Ok(Err(refusal));
    }
    let mut tx = kits.db.read().await?;
    let known = people::user_by_email(&mut tx, &member.email).await?.and_then(|(_, hash)| hash);
    drop(tx);
    if !password::is_right(typed, known.as_deref()).await? {
        return Ok(Err(FactorRefusal::WrongCode));
    }
    let mut tx = kits.db.write().await?;
    people::lock_user(&mut tx, member.user_id).await?;
    if store::any(&mut tx, member.user_id).await? {
        return Ok(Err(FactorRefusal::Stale));
    }
    forgive(&mut tx, member.user_id).await?;
    portal_session::confirm(&mut tx, kits.now(), browser, false).await?;
    tx.commit().await?;
    Ok(Ok(()))
}
