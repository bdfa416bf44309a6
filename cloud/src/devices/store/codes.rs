//! On-site codes: what devices show, by its hash.

use gatelodge_proto::{DeviceId, EnrolmentId, Timestamp};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
};

/// A code that some screen shows.
#[derive(Debug, Clone)]
pub(in crate::devices) struct Code {
    pub(in crate::devices) id: Uuid,
    pub(in crate::devices) enrolment: Option<EnrolmentId>,
    pub(in crate::devices) hash: Vec<u8>,
    pub(in crate::devices) expires_at: Timestamp,
    pub(in crate::devices) ended: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    enrolment_id: Option<Uuid>,
    hash: Vec<u8>,
    expires_at: Ts,
    ended_at: Option<Ts>,
}

impl From<Row> for Code {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            enrolment: row.enrolment_id.map(EnrolmentId::from_uuid),
            hash: row.hash,
            expires_at: row.expires_at.into(),
            ended: row.ended_at.is_some(),
        }
    }
}

pub(in crate::devices) async fn insert(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    code: &Code,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO on_site_code (id, device_id, enrolment_id, hash, shown_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(code.id)
    .bind(device.uuid())
    .bind(code.enrolment.map(EnrolmentId::uuid))
    .bind(code.hash.clone())
    .bind(Ts::from(now))
    .bind(Ts::from(code.expires_at))
    .execute(c))?;
    Ok(())
}

/// The codes a device showed lately, live or not, the newest first.
pub(in crate::devices) async fn of_device(tx: &mut Tx, device: DeviceId) -> Result<Vec<Code>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, enrolment_id, hash, expires_at, ended_at FROM on_site_code
         WHERE device_id = $1 ORDER BY shown_at DESC, id DESC LIMIT 50",
    )
    .bind(device.uuid())
    .fetch_all(c))?;
    Ok(rows.into_iter().map(Code::from).collect())
}

/// Ends the live codes of a device that one screen showed: of a waiting key, or of the enrolled device itself.
pub(in crate::devices) async fn end_of_screen(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    enrolment: Option<EnrolmentId>,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE on_site_code SET ended_at = $2
         WHERE device_id = $1 AND ended_at IS NULL AND (enrolment_id = $3 OR (enrolment_id IS NULL AND $4))",
    )
    .bind(device.uuid())
    .bind(Ts::from(now))
    .bind(enrolment.map_or(Uuid::nil(), EnrolmentId::uuid))
    .bind(enrolment.is_none())
    .execute(c))?;
    Ok(())
}

/// Ends every live code of a device.
pub(in crate::devices) async fn end_all(tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE on_site_code SET ended_at = $2 WHERE device_id = $1 AND ended_at IS NULL")
        .bind(device.uuid())
        .bind(Ts::from(now))
        .execute(c))?;
    Ok(())
}

const TRIES: &str = "on_site_code";

/// Counts a wrong try; gives how many there were since the tries were last forgotten.
pub(in crate::devices) async fn count_try(tx: &mut Tx, device: DeviceId) -> Result<u32, DbError> {
    let tries = run!(tx, c => sqlx::query_scalar::<_, i32>(
        "INSERT INTO attempt (scope, subject, window_start, count) VALUES ($1, $2, 0, 1)
         ON CONFLICT (scope, subject, window_start) DO UPDATE SET count = attempt.count + 1 RETURNING count",
    )
    .bind(TRIES)
    .bind(device.to_string())
    .fetch_one(c))?;
    u32::try_from(tries).map_err(DbError::corrupt)
}

pub(in crate::devices) async fn forget_tries(tx: &mut Tx, device: DeviceId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM attempt WHERE scope = $1 AND subject = $2")
        .bind(TRIES)
        .bind(device.to_string())
        .execute(c))?;
    Ok(())
}
