//! What the cloud asks of devices, kept until its result is there.

use gatelodge_proto::{CommandId, DeviceId, Timestamp, payload::Command};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use crate::{
    change,
    db::{
        DbError, Ts, Tx, count,
        rows::{self, Column},
    },
    run,
};

/// Waits for its result.
const WAITING: &str = "waiting";

pub(in crate::devices) async fn insert(tx: &mut Tx, device: DeviceId, command: &Command) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO command (id, device_id, epoch, command, state, issued_at, deadline)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(command.id.uuid())
    .bind(device.uuid())
    .bind(count(command.epoch))
    .bind(Json(command))
    .bind(WAITING)
    .bind(Ts::from(command.issued_at))
    .bind(Ts::from(command.deadline))
    .execute(c))?;
    Ok(())
}

/// The commands of a device that still want a result, the oldest first.
pub(in crate::devices) async fn waiting(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
) -> Result<Vec<Command>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Json<Command>>(
        "SELECT command FROM command WHERE device_id = $1 AND state = $2 AND deadline > $3 ORDER BY id LIMIT 100",
    )
    .bind(device.uuid())
    .bind(WAITING)
    .bind(Ts::from(now))
    .fetch_all(c))?;
    Ok(rows.into_iter().map(|Json(command)| command).collect())
}

/// The commands of these devices that still want a result, the oldest first.
pub(in crate::devices) async fn waiting_for(
    tx: &mut Tx,
    now: Timestamp,
    devices: &[DeviceId],
) -> Result<Vec<(DeviceId, Command)>, DbError> {
    let mut waiting = Vec::new();
    for list in rows::lists(devices) {
        let (ids, next) = rows::placeholders(tx, list.len(), &[Column::Uuid]);
        let (state, after) = (next, next + 1);
        let text = format!(
            "SELECT device_id, command FROM command
             WHERE state = ${state} AND deadline > ${after} AND device_id IN (VALUES {ids}) ORDER BY id LIMIT 10000"
        );
        let found = run!(tx, c => {
            let mut select = sqlx::query_as::<_, (Uuid, Json<Command>)>(AssertSqlSafe(text));
            for device in list {
                select = select.bind(device.uuid());
            }
            select.bind(WAITING).bind(Ts::from(now)).fetch_all(c)
        })?;
        waiting.extend(found.into_iter().map(|(device, Json(command))| (DeviceId::from_uuid(device), command)));
    }
    Ok(waiting)
}

/// Notes that a command was handed to the endpoint.
pub(in crate::devices) async fn sent(tx: &mut Tx, now: Timestamp, id: CommandId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE command SET sent_at = $2 WHERE id = $1")
        .bind(id.uuid())
        .bind(Ts::from(now))
        .execute(c))?;
    Ok(())
}

/// Ends a command of this device with its result; gives it if it was still waited for.
pub(in crate::devices) async fn end(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    id: CommandId,
    state: &'static str,
    outcome: Option<&str>,
) -> Result<Option<Command>, DbError> {
    let ended = run!(tx, c => sqlx::query_scalar::<_, Json<Command>>(
        "UPDATE command SET state = $3, outcome = $4, ended_at = $5 \
         WHERE id = $1 AND device_id = $2 AND state = $6 RETURNING command",
    )
    .bind(id.uuid())
    .bind(device.uuid())
    .bind(state)
    .bind(outcome.map(str::to_owned))
    .bind(Ts::from(now))
    .bind(WAITING)
    .fetch_optional(c))?;
    Ok(ended.map(|Json(command)| command))
}

/// Voids what a device of an earlier ownership was asked.
pub(in crate::devices) async fn void(tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE command SET state = 'void', ended_at = $2 WHERE device_id = $1 AND state = $3",
    )
    .bind(device.uuid())
    .bind(Ts::from(now))
    .bind(WAITING)
    .execute(c))?;
    Ok(())
}

/// Voids a waiting command: a newer one says all it said.
pub(in crate::devices) async fn replace(tx: &mut Tx, now: Timestamp, id: CommandId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE command SET state = 'replaced', ended_at = $2 WHERE id = $1 AND state = $3")
        .bind(id.uuid())
        .bind(Ts::from(now))
        .bind(WAITING)
        .execute(c))?;
    Ok(())
}

/// Ends every command whose deadline has passed.
pub(in crate::devices) async fn end_late(tx: &mut Tx, now: Timestamp) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE command SET state = 'late', ended_at = $1 WHERE state = $2 AND deadline <= $1",
    )
    .bind(Ts::from(now))
    .bind(WAITING)
    .execute(c))
}

/// What this device was asked in this epoch, the newest first, answered or not.
pub(in crate::devices) async fn all_of_epoch(
    tx: &mut Tx,
    device: DeviceId,
    epoch: u64,
) -> Result<Vec<Command>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Json<Command>>(
        "SELECT command FROM command WHERE device_id = $1 AND epoch = $2 ORDER BY id DESC LIMIT 200",
    )
    .bind(device.uuid())
    .bind(count(epoch))
    .fetch_all(c))?;
    Ok(rows.into_iter().map(|Json(command)| command).collect())
}
