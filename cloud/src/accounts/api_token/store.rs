//! The `api_token` table.

use gatelodge_proto::{OrganisationId, Timestamp, UserId};
use uuid::Uuid;

use crate::{
    accounts::{
        model::{ApiTokenId, Member},
        store::{MemberRow, member_select},
    },
    change,
    db::{DbError, Ts, Tx},
    run,
};

pub(super) struct New<'a> {
    pub(super) id: ApiTokenId,
    pub(super) hash: Vec<u8>,
    pub(super) member: &'a Member,
    pub(super) label: &'a str,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) confirmed_at: Option<Timestamp>,
}

pub(super) async fn insert(tx: &mut Tx, new: New<'_>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO api_token (id, hash, user_id, organisation_id, label, created_at, expires_at, confirmed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.id.0)
    .bind(new.hash.clone())
    .bind(new.member.user_id.uuid())
    .bind(new.member.organisation_id.uuid())
    .bind(new.label)
    .bind(Ts::from(new.created_at))
    .bind(Ts::from(new.expires_at))
    .bind(new.confirmed_at.map(Ts::from))
    .execute(c))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    member: MemberRow,
    token_id: Uuid,
    label: String,
    created_at: Ts,
    expires_at: Ts,
    used_at: Option<Ts>,
    confirmed_at: Option<Ts>,
}

/// A live token with its member.
pub(super) struct Found {
    pub(super) member: Member,
    pub(super) id: ApiTokenId,
    pub(super) label: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) used_at: Option<Timestamp>,
    pub(super) confirmed_at: Option<Timestamp>,
}

impl TryFrom<Row> for Found {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        Ok(Self {
            member: row.member.try_into()?,
            id: ApiTokenId(row.token_id),
            label: row.label,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
            used_at: row.used_at.map(Timestamp::from),
            confirmed_at: row.confirmed_at.map(Timestamp::from),
        })
    }
}

macro_rules! token_select {
    ($condition:literal) => {
        member_select!(
            ", t.id AS token_id, t.label, t.created_at, t.expires_at, t.used_at, t.confirmed_at",
            "api_token t JOIN user_account u ON u.id = t.user_id \
             JOIN membership m ON m.user_id = t.user_id AND m.organisation_id = t.organisation_id \
             JOIN organisation o ON o.id = t.organisation_id",
            $condition
        )
    };
}

pub(super) async fn live_by_hash(tx: &mut Tx, now: Timestamp, hash: Vec<u8>) -> Result<Option<Found>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(
        token_select!("t.hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2"),
    )
    .bind(hash)
    .bind(Ts::from(now))
    .fetch_optional(c))?
    .map(Found::try_from)
    .transpose()
}

pub(super) async fn live_of_user(tx: &mut Tx, now: Timestamp, user: UserId) -> Result<Vec<Found>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(
        token_select!("t.user_id = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 ORDER BY t.created_at DESC"),
    )
    .bind(user.uuid())
    .bind(Ts::from(now))
    .fetch_all(c))?
    .into_iter()
    .map(Found::try_from)
    .collect()
}

pub(super) async fn touch(tx: &mut Tx, id: ApiTokenId, now: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE api_token SET used_at = $1 WHERE id = $2")
        .bind(Ts::from(now))
        .bind(id.0)
        .execute(c))?;
    Ok(())
}

/// Revokes one token of this user; gives its label and for which organisation it spoke.
pub(super) async fn revoke(
    tx: &mut Tx,
    now: Timestamp,
    user: UserId,
    id: ApiTokenId,
) -> Result<Option<(String, OrganisationId)>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (String, Uuid)>(
        "UPDATE api_token SET revoked_at = $1 WHERE id = $2 AND user_id = $3 AND revoked_at IS NULL \
         RETURNING label, organisation_id",
    )
    .bind(Ts::from(now))
    .bind(id.0)
    .bind(user.uuid())
    .fetch_optional(c))?;
    Ok(row.map(|(label, organisation)| (label, OrganisationId::from_uuid(organisation))))
}

/// Revokes every token of this user.
pub(in crate::accounts) async fn revoke_all(tx: &mut Tx, now: Timestamp, user: UserId) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query("UPDATE api_token SET revoked_at = $1 WHERE user_id = $2 AND revoked_at IS NULL")
        .bind(Ts::from(now))
        .bind(user.uuid())
        .execute(c))
}
