//! The `recording_key` table.

use gatelodge_proto::{OrganisationId, Timestamp, recording::PublicKey};

use super::model::WrappedKey;
use crate::{
    accounts::model::Member,
    change,
    db::{DbError, Ts, Tx},
    run,
};

/// Ends the time of the key that holds; whether there was one.
pub(super) async fn replace(tx: &mut Tx, now: Timestamp, organisation: OrganisationId) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "UPDATE recording_key SET replaced_at = $1 WHERE organisation_id = $2 AND replaced_at IS NULL",
    )
    .bind(Ts::from(now))
    .bind(organisation.uuid())
    .execute(c))?;
    Ok(changed > 0)
}

/// Whether the key is new.
pub(super) async fn insert(tx: &mut Tx, now: Timestamp, by: &Member, key: &WrappedKey) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "INSERT INTO recording_key (id, organisation_id, public_key, salt, rounds, nonce, wrapped, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(key.public_key.id().0.to_vec())
    .bind(by.organisation_id.uuid())
    .bind(key.public_key.to_string())
    .bind(key.salt.as_str())
    .bind(i32::try_from(key.rounds).unwrap_or(i32::MAX))
    .bind(key.nonce.as_str())
    .bind(key.wrapped.as_str())
    .bind(Ts::from(now))
    .bind(by.user_id.uuid())
    .execute(c))?;
    Ok(changed > 0)
}

pub(super) async fn current(tx: &mut Tx, organisation: OrganisationId) -> Result<Option<PublicKey>, DbError> {
    let found = run!(tx, c => sqlx::query_scalar::<_, String>(
        "SELECT public_key FROM recording_key WHERE organisation_id = $1 AND replaced_at IS NULL",
    )
    .bind(organisation.uuid())
    .fetch_optional(c))?;
    found.map(|text| text.parse().map_err(DbError::corrupt)).transpose()
}

#[derive(sqlx::FromRow)]
struct Row {
    public_key: String,
    salt: String,
    rounds: i32,
    nonce: String,
    wrapped: String,
}

pub(super) async fn all(tx: &mut Tx, organisation: OrganisationId) -> Result<Vec<WrappedKey>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT public_key, salt, rounds, nonce, wrapped FROM recording_key WHERE organisation_id = $1 \
         ORDER BY created_at DESC",
    )
    .bind(organisation.uuid())
    .fetch_all(c))?;
    let key = |row: Row| {
        Ok(WrappedKey {
            public_key: row.public_key.parse().map_err(DbError::corrupt)?,
            salt: row.salt,
            rounds: u32::try_from(row.rounds).map_err(DbError::corrupt)?,
            nonce: row.nonce,
            wrapped: row.wrapped,
        })
    };
    rows.into_iter().map(key).collect()
}
