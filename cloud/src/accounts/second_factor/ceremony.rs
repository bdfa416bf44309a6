//! What a ceremony in a browser has to remember between its two steps: kept here under a secret that only that browser
//! gets, for a few minutes, ended once. Any node can end what another began.

use std::time::Duration;

use gatelodge_proto::{Random, Timestamp, UserId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    accounts::tokens::Secret,
    change,
    db::{DbError, Ts, Tx},
    run,
};

/// How long a person has.
pub const LIFE: Duration = Duration::from_secs(10 * 60);

/// Begins one for `purpose`, a word of the feature that asks; gives the secret to hand to the browser.
pub async fn begin(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    purpose: &'static str,
    user: Option<UserId>,
    memory: &impl Serialize,
) -> Result<Secret, DbError> {
    change!(tx, c => sqlx::query("DELETE FROM ceremony WHERE expires_at <= $1").bind(Ts::from(now)).execute(c))?;
    let secret = Secret::make(random);
    let memory = serde_json::to_value(memory).map_err(DbError::corrupt)?;
    change!(tx, c => sqlx::query(
        "INSERT INTO ceremony (hash, purpose, user_id, memory, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(secret.hash())
    .bind(purpose)
    .bind(user.map(UserId::uuid))
    .bind(Json(&memory))
    .bind(Ts::from(now + LIFE))
    .execute(c))?;
    Ok(secret)
}

/// Whose it is and what it remembers, without ending it; `None` when it is over, unknown, or for another purpose.
pub async fn look<M: DeserializeOwned>(
    tx: &mut Tx,
    now: Timestamp,
    purpose: &'static str,
    secret: &Secret,
) -> Result<Option<(Option<UserId>, M)>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Option<Uuid>, Json<Value>)>(
        "SELECT user_id, memory FROM ceremony WHERE hash = $1 AND purpose = $2 AND expires_at > $3",
    )
    .bind(secret.hash())
    .bind(purpose)
    .bind(Ts::from(now))
    .fetch_optional(c))?;
    remembered(row)
}

/// The same, and ends it: of any number of callers at once one gets it. Belongs in the transaction of its effect.
pub async fn end<M: DeserializeOwned>(
    tx: &mut Tx,
    now: Timestamp,
    purpose: &'static str,
    secret: &Secret,
) -> Result<Option<(Option<UserId>, M)>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Option<Uuid>, Json<Value>)>(
        "DELETE FROM ceremony WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING user_id, memory",
    )
    .bind(secret.hash())
    .bind(purpose)
    .bind(Ts::from(now))
    .fetch_optional(c))?;
    remembered(row)
}

fn remembered<M: DeserializeOwned>(
    row: Option<(Option<Uuid>, Json<Value>)>,
) -> Result<Option<(Option<UserId>, M)>, DbError> {
    row.map(|(user, Json(memory))| {
        Ok((user.map(UserId::from_uuid), serde_json::from_value(memory).map_err(DbError::corrupt)?))
    })
    .transpose()
}

/// Ends whatever is under way for a user: their password was replaced.
pub(in crate::accounts) async fn end_all(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM ceremony WHERE user_id = $1").bind(user.uuid()).execute(c))?;
    Ok(())
}
