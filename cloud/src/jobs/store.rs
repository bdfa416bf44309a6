//! The `job` table.

use gatelodge_proto::Timestamp;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::Job;
use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    payload: Json<Value>,
    attempts: i32,
    created_at: Ts,
}

pub(super) async fn insert(
    tx: &mut Tx,
    id: Uuid,
    kind: &str,
    payload: &Value,
    now: Timestamp,
    run_at: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO job (id, kind, payload, state, run_at, attempts, created_at) VALUES ($1, $2, $3, 'ready', $4, 0, $5)",
    )
    .bind(id)
    .bind(kind)
    .bind(Json(payload))
    .bind(Ts::from(run_at))
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// Takes up to `limit` jobs of these kinds that are due, and those whose worker has not come back, for this worker until `locked_until`.
pub(super) async fn claim(
    tx: &mut Tx,
    kinds: &[&str],
    now: Timestamp,
    locked_until: Timestamp,
    limit: i64,
) -> Result<Vec<Job>, DbError> {
    const ON_POSTGRES: &str = "UPDATE job SET state = 'running', locked_until = $1, attempts = attempts + 1
         WHERE id IN (SELECT id FROM job WHERE kind IN (SELECT jsonb_array_elements_text($4))
                      AND ((state = 'ready' AND run_at <= $2) OR (state = 'running' AND locked_until < $2))
                      ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING id, kind, payload, attempts, created_at";
    const ON_SQLITE: &str = "UPDATE job SET state = 'running', locked_until = $1, attempts = attempts + 1
         WHERE id IN (SELECT id FROM job WHERE kind IN (SELECT value FROM json_each($4))
                      AND ((state = 'ready' AND run_at <= $2) OR (state = 'running' AND locked_until < $2))
                      ORDER BY run_at LIMIT $3)
         RETURNING id, kind, payload, attempts, created_at";
    let sql = if tx.is_postgres() { ON_POSTGRES } else { ON_SQLITE };
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(sql)
        .bind(Ts::from(locked_until))
        .bind(Ts::from(now))
        .bind(limit)
        .bind(Json(kinds))
        .fetch_all(c))?;
    Ok(rows
        .into_iter()
        .map(|row| Job {
            id: row.id,
            kind: row.kind,
            payload: row.payload.0,
            attempt: row.attempts,
            created_at: row.created_at.into(),
        })
        .collect())
}

pub(super) async fn done(tx: &mut Tx, id: Uuid) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM job WHERE id = $1").bind(id).execute(c))?;
    Ok(())
}

pub(super) async fn retry(tx: &mut Tx, id: Uuid, run_at: Timestamp, error: &str) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE job SET state = 'ready', locked_until = NULL, run_at = $2, last_error = $3 WHERE id = $1",
    )
    .bind(id)
    .bind(Ts::from(run_at))
    .bind(error)
    .execute(c))?;
    Ok(())
}

/// Sets a job aside for a person to look at.
pub(super) async fn set_aside(tx: &mut Tx, id: Uuid, error: &str) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE job SET state = 'dead', locked_until = NULL, last_error = $2 WHERE id = $1")
        .bind(id)
        .bind(error)
        .execute(c))?;
    Ok(())
}
