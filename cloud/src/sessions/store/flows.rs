//! Targets that were opened in a session, one row each.

use gatelodge_proto::{FlowId, SessionId, Timestamp};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx, count},
    run,
    sessions::model::{Flow, Traffic},
};

/// Remembers an opened or refused target; a message that comes twice changes nothing. `true` when it was new.
pub(in crate::sessions) async fn open_flow(
    tx: &mut Tx,
    session: SessionId,
    flow: FlowId,
    target: &str,
    outcome: &str,
    at: Timestamp,
    open: bool,
) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "INSERT INTO session_flow (id, session_id, target, outcome, opened_at, closed_at, bytes_up, bytes_down) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0) ON CONFLICT DO NOTHING",
    )
    .bind(flow.uuid())
    .bind(session.uuid())
    .bind(target)
    .bind(outcome)
    .bind(Ts::from(at))
    .bind((!open).then_some(Ts::from(at)))
    .execute(c))?;
    Ok(changed == 1)
}

/// Remembers the end of a target; gives what it was when it was open until now.
pub(in crate::sessions) async fn close_flow(
    tx: &mut Tx,
    session: SessionId,
    flow: FlowId,
    at: Timestamp,
    traffic: Traffic,
) -> Result<Option<String>, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, String>(
        "UPDATE session_flow SET closed_at = $3, bytes_up = $4, bytes_down = $5 \
         WHERE id = $1 AND session_id = $2 AND closed_at IS NULL RETURNING target",
    )
    .bind(flow.uuid())
    .bind(session.uuid())
    .bind(Ts::from(at))
    .bind(count(traffic.up))
    .bind(count(traffic.down))
    .fetch_optional(c))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    target: String,
    outcome: String,
    opened_at: Ts,
    closed_at: Option<Ts>,
    bytes_up: i64,
    bytes_down: i64,
}

/// The targets of a session, the newest first, 200 at most.
pub(in crate::sessions) async fn flows(tx: &mut Tx, session: SessionId) -> Result<Vec<Flow>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, target, outcome, opened_at, closed_at, bytes_up, bytes_down FROM session_flow \
         WHERE session_id = $1 ORDER BY opened_at DESC, id DESC LIMIT 200",
    )
    .bind(session.uuid())
    .fetch_all(c))?;
    Ok(rows
        .into_iter()
        .map(|row| Flow {
            id: FlowId::from_uuid(row.id),
            target: row.target,
            outcome: row.outcome,
            opened_at: row.opened_at.into(),
            closed_at: row.closed_at.map(Timestamp::from),
            bytes_up: u64::try_from(row.bytes_up).unwrap_or(0),
            bytes_down: u64::try_from(row.bytes_down).unwrap_or(0),
        })
        .collect())
}
