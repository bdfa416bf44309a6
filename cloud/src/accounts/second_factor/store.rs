//! The tables `authenticator_app`, `recovery_code` and `passkey`.

use gatelodge_proto::{Timestamp, UserId};
use sqlx::types::Json;
use uuid::Uuid;
use webauthn_rs::prelude::Passkey;

use super::{
    model::{Factors, PasskeyFacts, PasskeyId},
    recovery::RecoveryCode,
};
use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
};

pub(super) async fn factors(tx: &mut Tx, user: UserId) -> Result<Factors, DbError> {
    let app = run!(tx, c => sqlx::query_as::<_, (Ts, Option<Ts>)>(
        "SELECT created_at, used_at FROM authenticator_app WHERE user_id = $1",
    )
    .bind(user.uuid())
    .fetch_optional(c))?;
    let passkeys = run!(tx, c => sqlx::query_as::<_, (Uuid, String, Ts, Option<Ts>)>(
        "SELECT id, name, created_at, used_at FROM passkey WHERE user_id = $1 ORDER BY created_at, id",
    )
    .bind(user.uuid())
    .fetch_all(c))?;
    let left = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM recovery_code WHERE user_id = $1 AND used_at IS NULL",
    )
    .bind(user.uuid())
    .fetch_one(c))?;
    Ok(Factors {
        app: app.map(|(made, used)| (made.into(), used.map(Timestamp::from))),
        passkeys: passkeys
            .into_iter()
            .map(|(id, name, made, used)| PasskeyFacts {
                id: PasskeyId(id),
                name,
                created_at: made.into(),
                used_at: used.map(Timestamp::from),
            })
            .collect(),
        recovery_codes: u32::try_from(left).unwrap_or(u32::MAX),
    })
}

/// Whether the user has any factor beside the password.
pub(in crate::accounts) async fn any(tx: &mut Tx, user: UserId) -> Result<bool, DbError> {
    let count = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT (SELECT COUNT(*) FROM authenticator_app WHERE user_id = $1) \
         + (SELECT COUNT(*) FROM passkey WHERE user_id = $1)",
    )
    .bind(user.uuid())
    .fetch_one(c))?;
    Ok(count > 0)
}

/// Keeps an app's secret in place of an earlier one; codes up to `step` are used.
pub(super) async fn set_app(
    tx: &mut Tx,
    now: Timestamp,
    user: UserId,
    sealed: &[u8],
    step: i64,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO authenticator_app (user_id, sealed, last_step, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id) DO UPDATE SET sealed = $2, last_step = $3, created_at = $4, used_at = NULL",
    )
    .bind(user.uuid())
    .bind(sealed)
    .bind(step)
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

pub(super) async fn sealed_app(tx: &mut Tx, user: UserId) -> Result<Option<Vec<u8>>, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, Vec<u8>>("SELECT sealed FROM authenticator_app WHERE user_id = $1")
        .bind(user.uuid())
        .fetch_optional(c))
}

/// Uses the code of a step up; whether it was newer than every one used before.
pub(super) async fn use_step(tx: &mut Tx, now: Timestamp, user: UserId, step: i64) -> Result<bool, DbError> {
    let used = change!(tx, c => sqlx::query(
        "UPDATE authenticator_app SET last_step = $1, used_at = $2 WHERE user_id = $3 AND last_step < $1",
    )
    .bind(step)
    .bind(Ts::from(now))
    .bind(user.uuid())
    .execute(c))?;
    Ok(used == 1)
}

pub(super) async fn remove_app(tx: &mut Tx, user: UserId) -> Result<bool, DbError> {
    let gone = change!(tx, c => sqlx::query("DELETE FROM authenticator_app WHERE user_id = $1")
        .bind(user.uuid())
        .execute(c))?;
    Ok(gone == 1)
}

/// Keeps these recovery codes, and no earlier one.
pub(super) async fn set_recovery_codes(
    tx: &mut Tx,
    now: Timestamp,
    user: UserId,
    codes: &[RecoveryCode],
) -> Result<(), DbError> {
    remove_recovery_codes(tx, user).await?;
    for code in codes {
        change!(tx, c => sqlx::query("INSERT INTO recovery_code (hash, user_id, created_at) VALUES ($1, $2, $3)")
            .bind(code.hash())
            .bind(user.uuid())
            .bind(Ts::from(now))
            .execute(c))?;
    }
    Ok(())
}

pub(super) async fn remove_recovery_codes(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM recovery_code WHERE user_id = $1").bind(user.uuid()).execute(c))?;
    Ok(())
}

/// Uses a recovery code up; of any number of callers at once one is told that it was there.
pub(super) async fn use_recovery_code(
    tx: &mut Tx,
    now: Timestamp,
    user: UserId,
    code: &RecoveryCode,
) -> Result<bool, DbError> {
    let used = change!(tx, c => sqlx::query(
        "UPDATE recovery_code SET used_at = $1 WHERE hash = $2 AND user_id = $3 AND used_at IS NULL",
    )
    .bind(Ts::from(now))
    .bind(code.hash())
    .bind(user.uuid())
    .execute(c))?;
    Ok(used == 1)
}

/// A passkey with what its library keeps.
pub(super) struct Kept {
    pub(super) id: PasskeyId,
    pub(super) credential: Passkey,
}

fn kept((id, Json(credential)): (Uuid, Json<serde_json::Value>)) -> Result<Kept, DbError> {
    Ok(Kept { id: PasskeyId(id), credential: serde_json::from_value(credential).map_err(DbError::corrupt)? })
}

pub(super) async fn passkeys(tx: &mut Tx, user: UserId) -> Result<Vec<Kept>, DbError> {
    run!(tx, c => sqlx::query_as::<_, (Uuid, Json<serde_json::Value>)>(
        "SELECT id, credential FROM passkey WHERE user_id = $1 ORDER BY created_at, id",
    )
    .bind(user.uuid())
    .fetch_all(c))?
    .into_iter()
    .map(kept)
    .collect()
}

/// The passkey with this credential id, when it is this user's.
pub(super) async fn passkey(tx: &mut Tx, user: UserId, credential: &[u8]) -> Result<Option<Kept>, DbError> {
    run!(tx, c => sqlx::query_as::<_, (Uuid, Json<serde_json::Value>)>(
        "SELECT id, credential FROM passkey WHERE user_id = $1 AND credential_id = $2",
    )
    .bind(user.uuid())
    .bind(credential)
    .fetch_optional(c))?
    .map(kept)
    .transpose()
}

pub(super) async fn insert_passkey(
    tx: &mut Tx,
    now: Timestamp,
    id: PasskeyId,
    user: UserId,
    name: &str,
    credential: &Passkey,
) -> Result<(), DbError> {
    let value = serde_json::to_value(credential).map_err(DbError::corrupt)?;
    change!(tx, c => sqlx::query(
        "INSERT INTO passkey (id, user_id, credential_id, name, credential, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.0)
    .bind(user.uuid())
    .bind(credential.cred_id().as_slice())
    .bind(name)
    .bind(Json(&value))
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// Notes that a passkey was used, with its new counter.
pub(super) async fn use_passkey(tx: &mut Tx, now: Timestamp, kept: &Kept) -> Result<bool, DbError> {
    let value = serde_json::to_value(&kept.credential).map_err(DbError::corrupt)?;
    let used = change!(tx, c => sqlx::query("UPDATE passkey SET credential = $1, used_at = $2 WHERE id = $3")
        .bind(Json(&value))
        .bind(Ts::from(now))
        .bind(kept.id.0)
        .execute(c))?;
    Ok(used == 1)
}

pub(super) async fn rename_passkey(tx: &mut Tx, user: UserId, id: PasskeyId, name: &str) -> Result<bool, DbError> {
    let renamed = change!(tx, c => sqlx::query("UPDATE passkey SET name = $1 WHERE id = $2 AND user_id = $3")
        .bind(name)
        .bind(id.0)
        .bind(user.uuid())
        .execute(c))?;
    Ok(renamed == 1)
}

/// Removes a passkey of this user; gives its name.
pub(super) async fn remove_passkey(tx: &mut Tx, user: UserId, id: PasskeyId) -> Result<Option<String>, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, String>("DELETE FROM passkey WHERE id = $1 AND user_id = $2 RETURNING name")
        .bind(id.0)
        .bind(user.uuid())
        .fetch_optional(c))
}

pub(super) async fn remove_passkeys(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM passkey WHERE user_id = $1").bind(user.uuid()).execute(c))?;
    Ok(())
}

/// No browser and no program of this user counts as confirmed any more: the last factor is gone.
pub(super) async fn forget_confirmed(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE portal_session SET confirmed_at = NULL WHERE user_id = $1")
        .bind(user.uuid())
        .execute(c))?;
    change!(tx, c => sqlx::query("UPDATE api_token SET confirmed_at = NULL WHERE user_id = $1")
        .bind(user.uuid())
        .execute(c))?;
    change!(tx, c => sqlx::query("UPDATE device_sign_in SET confirmed_at = NULL WHERE user_id = $1")
        .bind(user.uuid())
        .execute(c))?;
    Ok(())
}
