//! The `portal_session` table.

use gatelodge_proto::{OrganisationId, Timestamp, UserId};
use uuid::Uuid;

use crate::{
    accounts::{
        model::{Member, Network, PortalSessionId},
        store::{MemberRow, member_select},
    },
    change,
    db::{DbError, Ts, Tx},
    run,
};

pub(super) struct New<'a> {
    pub(super) hash: Vec<u8>,
    pub(super) id: PortalSessionId,
    pub(super) user: UserId,
    pub(super) organisation: OrganisationId,
    pub(super) created_at: Timestamp,
    pub(super) seen_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) user_agent: &'a str,
    pub(super) network: &'a Network,
    pub(super) proved_at: Timestamp,
    pub(super) confirmed_at: Option<Timestamp>,
}

pub(super) async fn insert(tx: &mut Tx, new: New<'_>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO portal_session \
         (hash, id, user_id, organisation_id, created_at, seen_at, expires_at, user_agent, network, proved_at, \
          confirmed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(new.hash.clone())
    .bind(new.id.0)
    .bind(new.user.uuid())
    .bind(new.organisation.uuid())
    .bind(Ts::from(new.created_at))
    .bind(Ts::from(new.seen_at))
    .bind(Ts::from(new.expires_at))
    .bind(new.user_agent)
    .bind(new.network.as_str())
    .bind(Ts::from(new.proved_at))
    .bind(new.confirmed_at.map(Ts::from))
    .execute(c))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    #[sqlx(flatten)]
    member: MemberRow,
    session_id: Uuid,
    created_at: Ts,
    seen_at: Ts,
    expires_at: Ts,
    user_agent: String,
    network: String,
    proved_at: Ts,
    confirmed_at: Option<Ts>,
}

/// A row with its member.
pub(super) struct Found {
    pub(super) member: Member,
    pub(super) id: PortalSessionId,
    pub(super) created_at: Timestamp,
    pub(super) seen_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) user_agent: String,
    pub(super) network: String,
    pub(super) proved_at: Timestamp,
    pub(super) confirmed_at: Option<Timestamp>,
}

impl TryFrom<Row> for Found {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        Ok(Self {
            member: row.member.try_into()?,
            id: PortalSessionId(row.session_id),
            created_at: row.created_at.into(),
            seen_at: row.seen_at.into(),
            expires_at: row.expires_at.into(),
            user_agent: row.user_agent,
            network: row.network,
            proved_at: row.proved_at.into(),
            confirmed_at: row.confirmed_at.map(Timestamp::from),
        })
    }
}

macro_rules! session_select {
    ($condition:literal) => {
        member_select!(
            ", s.id AS session_id, s.created_at, s.seen_at, s.expires_at, s.user_agent, s.network, s.proved_at, \
             s.confirmed_at",
            "portal_session s JOIN user_account u ON u.id = s.user_id \
             JOIN membership m ON m.user_id = s.user_id AND m.organisation_id = s.organisation_id \
             JOIN organisation o ON o.id = s.organisation_id",
            $condition
        )
    };
}

pub(super) async fn by_hash(tx: &mut Tx, hash: Vec<u8>) -> Result<Option<Found>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(session_select!("s.hash = $1")).bind(hash).fetch_optional(c))?
        .map(Found::try_from)
        .transpose()
}

pub(super) async fn of_user(tx: &mut Tx, user: UserId) -> Result<Vec<Found>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(session_select!("s.user_id = $1 ORDER BY s.seen_at DESC"))
        .bind(user.uuid())
        .fetch_all(c))?
    .into_iter()
    .map(Found::try_from)
    .collect()
}

pub(super) async fn touch(tx: &mut Tx, id: PortalSessionId, now: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE portal_session SET seen_at = $1 WHERE id = $2 AND seen_at < $1")
        .bind(Ts::from(now))
        .bind(id.0)
        .execute(c))?;
    Ok(())
}

/// Notes that the person at this browser has shown who they are, by a second factor or without.
pub(super) async fn confirm(tx: &mut Tx, id: PortalSessionId, now: Timestamp, second: bool) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE portal_session SET proved_at = $1, confirmed_at = CASE WHEN $2 THEN $1 ELSE confirmed_at END WHERE id = $3",
    )
    .bind(Ts::from(now))
    .bind(second)
    .bind(id.0)
    .execute(c))?;
    Ok(())
}

/// Ends one session of this user; how many that were.
pub(super) async fn end(tx: &mut Tx, user: UserId, id: PortalSessionId) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query("DELETE FROM portal_session WHERE id = $1 AND user_id = $2")
        .bind(id.0)
        .bind(user.uuid())
        .execute(c))
}

/// Ends every session of this user except `kept`.
pub(super) async fn end_others(tx: &mut Tx, user: UserId, kept: PortalSessionId) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query("DELETE FROM portal_session WHERE user_id = $1 AND id <> $2")
        .bind(user.uuid())
        .bind(kept.0)
        .execute(c))
}

/// Ends every session of this user.
pub(in crate::accounts) async fn end_all(tx: &mut Tx, user: UserId) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query("DELETE FROM portal_session WHERE user_id = $1").bind(user.uuid()).execute(c))
}

/// Forgets what has lapsed, so that the table does not grow.
pub(super) async fn forget_lapsed(tx: &mut Tx, now: Timestamp) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query("DELETE FROM portal_session WHERE expires_at <= $1").bind(Ts::from(now)).execute(c))
}
