//! Setting up and removing the authenticator app and the recovery codes. Each change is told to the user by mail and
//! written into the history of every organisation that they are in.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use gatelodge_proto::{UserId, identity::EmailAddress};
use serde_json::{Value, json};

use super::{
    app::AppSecret,
    ceremony, jobs,
    model::{FactorRefusal, Factors},
    proven::Proven,
    recovery::RecoveryCode,
    store,
};
use crate::{
    accounts::{model::Member, portal_session, store as people, tokens::Secret},
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

const APP: &str = "second_factor_app";

/// What a user has set up.
pub async fn factors(kits: &Kits, user: UserId) -> Result<Factors, DbError> {
    store::factors(&mut kits.db.read().await?, user).await
}

/// An app that is being set up: its secret is shown once and holds when a code of it came back.
#[derive(Debug)]
pub struct AppUnderWay {
    /// The ceremony.
    pub ceremony: Secret,
    /// The secret.
    pub secret: AppSecret,
}

impl AppUnderWay {
    /// For the square code.
    pub fn uri(&self, kits: &Kits, account: &EmailAddress) -> String {
        self.secret.uri(&kits.config.mail.vendor_name, account.as_str())
    }
}

/// Makes a secret for an app; it waits sealed until a code shows that the app has it.
pub async fn begin_app(kits: &Kits, by: &Proven) -> Result<AppUnderWay, DbError> {
    let (user, secret) = (by.member().user_id, AppSecret::make(&kits.random));
    let sealed = kits.pki.seal().seal(&kits.random, user.uuid(), secret.bytes()).map_err(DbError::corrupt)?;
    let mut tx = kits.db.write().await?;
    let memory = BASE64.encode(sealed);
    let ceremony = ceremony::begin(&mut tx, kits.now(), &kits.random, APP, Some(user), &memory).await?;
    tx.commit().await?;
    Ok(AppUnderWay { ceremony, secret })
}

/// The secret of an app that is being set up, to be shown once more beside a code that did not fit.
pub async fn app_under_way(kits: &Kits, by: &Proven, ceremony: Secret) -> Result<Option<AppUnderWay>, DbError> {
    let mut tx = kits.db.read().await?;
    let found = ceremony::look::<String>(&mut tx, kits.now(), APP, &ceremony).await?;
    let user = by.member().user_id;
    let Some((_, memory)) = found.filter(|(owner, _)| *owner == Some(user)) else { return Ok(None) };
    let secret = opened(kits, user, &BASE64.decode(memory).map_err(DbError::corrupt)?)?;
    Ok(Some(AppUnderWay { ceremony, secret }))
}

/// A code of the new app came back: it is the user's from now on. Gives recovery codes when there were none.
pub async fn add_app(
    kits: &Kits,
    by: &Proven,
    under_way: &AppUnderWay,
    code: &str,
) -> Result<Result<Vec<RecoveryCode>, FactorRefusal>, DbError> {
    let (member, now) = (by.member(), kits.now());
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let Some(step) = under_way.secret.step_of(&code, now) else { return Ok(Err(FactorRefusal::WrongCode)) };
    let mut tx = kits.db.write().await?;
    people::lock_user(&mut tx, member.user_id).await?;
    let found = ceremony::end::<String>(&mut tx, now, APP, &under_way.ceremony).await?;
    let Some((Some(owner), memory)) = found else { return Ok(Err(FactorRefusal::Stale)) };
    if owner != member.user_id {
        return Ok(Err(FactorRefusal::Stale));
    }
    let sealed = BASE64.decode(memory).map_err(DbError::corrupt)?;
    let codes = added(&mut tx, kits, by, json!({ "factor": "app" })).await?;
    store::set_app(&mut tx, now, member.user_id, &sealed, step).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(codes))
}

/// Removes the app.
pub async fn remove_app(kits: &Kits, by: &Proven) -> Result<Result<(), FactorRefusal>, DbError> {
    let member = by.member();
    let mut tx = kits.db.write_on_reserve().await?;
    people::lock_user(&mut tx, member.user_id).await?;
    if !store::remove_app(&mut tx, member.user_id).await? {
        return Ok(Err(FactorRefusal::Unknown));
    }
    removed(&mut tx, kits, member, actor(member), json!({ "factor": "app" })).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(()))
}

/// Ten new recovery codes; those before are void.
pub async fn make_recovery_codes(
    kits: &Kits,
    by: &Proven,
) -> Result<Result<Vec<RecoveryCode>, FactorRefusal>, DbError> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    people::lock_user(&mut tx, member.user_id).await?;
    if !store::any(&mut tx, member.user_id).await? {
        return Ok(Err(FactorRefusal::Unknown));
    }
    let codes = RecoveryCode::make_all(&kits.random);
    store::set_recovery_codes(&mut tx, kits.now(), member.user_id, &codes).await?;
    note(&mut tx, kits, member.user_id, actor(member), "recovery_codes_made", json!({})).await?;
    jobs::enqueue(&mut tx, kits, member.user_id, jobs::What::RecoveryCodes).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(codes))
}

/// Takes every factor of a user away, at the operator's word: whoever has lost app, passkeys and recovery codes signs in
/// with the password alone and sets up new ones. Whether there was such a user.
pub async fn remove_all(kits: &Kits, email: &EmailAddress) -> Result<bool, DbError> {
    let mut tx = kits.db.write().await?;
    let Some((user, _)) = people::user_by_email(&mut tx, email).await? else { return Ok(false) };
    people::lock_user(&mut tx, user.id).await?;
    store::remove_app(&mut tx, user.id).await?;
    store::remove_passkeys(&mut tx, user.id).await?;
    store::remove_recovery_codes(&mut tx, user.id).await?;
    store::forget_confirmed(&mut tx, user.id).await?;
    let by = Actor::Operator("operator".into());
    note(&mut tx, kits, user.id, by, "second_factor_removed", json!({ "factor": "all" })).await?;
    jobs::enqueue(&mut tx, kits, user.id, jobs::What::Removed).await?;
    tx.commit().await?;
    Ok(true)
}

pub(super) fn opened(kits: &Kits, user: UserId, sealed: &[u8]) -> Result<AppSecret, DbError> {
    kits.pki.seal().open(user.uuid(), sealed).map(AppSecret::from_bytes).map_err(DbError::corrupt)
}

pub(super) fn actor(member: &Member) -> Actor {
    Actor::User { id: member.user_id, name: member.name.clone() }
}

/// What goes with every new factor: this browser has just shown it, recovery codes where there are none, the history and
/// the mail.
pub(super) async fn added(tx: &mut Tx, kits: &Kits, by: &Proven, details: Value) -> Result<Vec<RecoveryCode>, DbError> {
    let (member, now) = (by.member(), kits.now());
    let mut codes = Vec::new();
    if store::factors(tx, member.user_id).await?.recovery_codes == 0 {
        codes = RecoveryCode::make_all(&kits.random);
        store::set_recovery_codes(tx, now, member.user_id, &codes).await?;
    }
    portal_session::confirm(tx, now, by.browser(), true).await?;
    note(tx, kits, member.user_id, actor(member), "second_factor_added", details).await?;
    jobs::enqueue(tx, kits, member.user_id, jobs::What::Added).await?;
    Ok(codes)
}

/// What goes with every factor that goes; with the last one go the recovery codes and every confirmation.
pub(super) async fn removed(
    tx: &mut Tx,
    kits: &Kits,
    member: &Member,
    by: Actor,
    details: Value,
) -> Result<(), DbError> {
    if !store::any(tx, member.user_id).await? {
        store::remove_recovery_codes(tx, member.user_id).await?;
        store::forget_confirmed(tx, member.user_id).await?;
    }
    note(tx, kits, member.user_id, by, "second_factor_removed", details).await?;
    jobs::enqueue(tx, kits, member.user_id, jobs::What::Removed).await
}

pub(super) async fn note(
    tx: &mut Tx,
    kits: &Kits,
    user: UserId,
    actor: Actor,
    what: &'static str,
    details: Value,
) -> Result<(), DbError> {
    let readers = people::memberships(tx, user).await?.into_iter().map(|member| member.organisation_id).collect();
    let entry = Entry { actor, what, device: None, session: None, details, readers };
    audit::write(tx, kits.now(), &kits.random, entry).await
}
