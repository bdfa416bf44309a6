//! The `device_sign_in` table.

use std::time::Duration;

use gatelodge_proto::{OrganisationId, Timestamp, UserId};
use uuid::Uuid;

use super::{machine::State, user_code::UserCode};
use crate::{
    accounts::model::{Member, Network},
    change,
    db::{DbError, Ts, Tx, word},
    run,
};

/// Rows are kept this long past their end, so that a late poll hears "expired".
const KEPT: Duration = Duration::from_secs(86_400);

pub(super) async fn insert(
    tx: &mut Tx,
    now: Timestamp,
    hash: Vec<u8>,
    code: &UserCode,
    network: &Network,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM device_sign_in WHERE expires_at < $1")
        .bind(Ts::from(now - KEPT))
        .execute(c))?;
    change!(tx, c => sqlx::query(
        "INSERT INTO device_sign_in (device_code_hash, user_code, state, network, created_at, expires_at) \
         VALUES ($1, $2, 'waiting', $3, $4, $5)",
    )
    .bind(hash)
    .bind(code.as_str())
    .bind(network.as_str())
    .bind(Ts::from(now))
    .bind(Ts::from(expires_at))
    .execute(c))?;
    Ok(())
}

/// A request nobody has decided on.
#[derive(sqlx::FromRow)]
pub(super) struct Open {
    pub(super) network: String,
    pub(super) created_at: Ts,
    pub(super) expires_at: Ts,
}

pub(super) async fn open(tx: &mut Tx, now: Timestamp, code: &UserCode) -> Result<Option<Open>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Open>(
        "SELECT network, created_at, expires_at FROM device_sign_in \
         WHERE user_code = $1 AND state = 'waiting' AND expires_at > $2",
    )
    .bind(code.as_str())
    .bind(Ts::from(now))
    .fetch_optional(c))
}

/// Writes a decision on a request that is still open; how many that were.
pub(super) async fn decide(
    tx: &mut Tx,
    now: Timestamp,
    code: &UserCode,
    state: State,
    by: &Member,
    confirmed_at: Option<Timestamp>,
) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE device_sign_in SET state = $1, user_id = $2, organisation_id = $3, confirmed_at = $6 \
         WHERE user_code = $4 AND state = 'waiting' AND expires_at > $5",
    )
    .bind(state.word())
    .bind(by.user_id.uuid())
    .bind(by.organisation_id.uuid())
    .bind(code.as_str())
    .bind(Ts::from(now))
    .bind(confirmed_at.map(Ts::from))
    .execute(c))
}

#[derive(sqlx::FromRow)]
struct PollRow {
    state: String,
    user_id: Option<Uuid>,
    expires_at: Ts,
    polled_at: Option<Ts>,
}

/// What a poll needs to know.
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) decided_by: Option<UserId>,
    pub(super) expires_at: Timestamp,
    pub(super) polled_at: Option<Timestamp>,
}

pub(super) async fn standing(tx: &mut Tx, hash: Vec<u8>) -> Result<Option<Standing>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, PollRow>(
        "SELECT state, user_id, expires_at, polled_at FROM device_sign_in WHERE device_code_hash = $1",
    )
    .bind(hash)
    .fetch_optional(c))?;
    row.map(|row| {
        let state = word(&row.state, State::from_word, "state of a sign-in")?;
        Ok(Standing {
            state,
            decided_by: row.user_id.map(UserId::from_uuid),
            expires_at: row.expires_at.into(),
            polled_at: row.polled_at.map(Timestamp::from),
        })
    })
    .transpose()
}

pub(super) async fn note_poll(tx: &mut Tx, now: Timestamp, hash: Vec<u8>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE device_sign_in SET polled_at = $1 WHERE device_code_hash = $2")
        .bind(Ts::from(now))
        .bind(hash)
        .execute(c))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ApproverRow {
    user_id: Option<Uuid>,
    organisation_id: Option<Uuid>,
    network: String,
    confirmed_at: Option<Ts>,
}

/// Who said yes, and from where it was asked.
pub(super) struct Approval {
    pub(super) user: UserId,
    pub(super) organisation: OrganisationId,
    pub(super) network: String,
    pub(super) confirmed_at: Option<Timestamp>,
}

/// Takes the approval; of any number of polls at once one gets it.
pub(super) async fn take(tx: &mut Tx, now: Timestamp, hash: Vec<u8>) -> Result<Option<Approval>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, ApproverRow>(
        "UPDATE device_sign_in SET state = 'used' \
         WHERE device_code_hash = $1 AND state = 'approved' AND expires_at > $2 \
         RETURNING user_id, organisation_id, network, confirmed_at",
    )
    .bind(hash)
    .bind(Ts::from(now))
    .fetch_optional(c))?;
    Ok(row.and_then(|row| {
        Some(Approval {
            user: UserId::from_uuid(row.user_id?),
            organisation: OrganisationId::from_uuid(row.organisation_id?),
            network: row.network,
            confirmed_at: row.confirmed_at.map(Timestamp::from),
        })
    }))
}

/// Takes back what the user has approved and no poll has fetched.
pub(super) async fn refuse_all(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE device_sign_in SET state = 'refused' WHERE user_id = $1 AND state = 'approved'")
        .bind(user.uuid())
        .execute(c))?;
    Ok(())
}
