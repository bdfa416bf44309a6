//! The table `emergency_stop`.

use gatelodge_proto::{DeviceId, OrganisationId, Timestamp, UserId};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
    sessions::emergency::{InForce, Scope, StopId},
};

const fn columns(scope: Scope) -> (Option<Uuid>, Option<Uuid>) {
    match scope {
        Scope::Everybody => (None, None),
        Scope::Installer(id) => (Some(id.uuid()), None),
        Scope::Device(id) => (None, Some(id.uuid())),
    }
}

pub(in crate::sessions) async fn insert(
    tx: &mut Tx,
    now: Timestamp,
    id: StopId,
    scope: Scope,
    reason: &str,
    by: UserId,
) -> Result<(), DbError> {
    let (installer, device) = columns(scope);
    change!(tx, c => sqlx::query(
        "INSERT INTO emergency_stop (id, installer_id, device_id, reason, stopped_by, stopped_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.0)
    .bind(installer)
    .bind(device)
    .bind(reason)
    .bind(by.uuid())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// Lifts a stop in force; gives whose it was.
pub(in crate::sessions) async fn lift(
    tx: &mut Tx,
    now: Timestamp,
    id: StopId,
    by: UserId,
) -> Result<Option<Scope>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Option<Uuid>, Option<Uuid>)>(
        "UPDATE emergency_stop SET lifted_at = $1, lifted_by = $2 WHERE id = $3 AND lifted_at IS NULL \
         RETURNING installer_id, device_id",
    )
    .bind(Ts::from(now))
    .bind(by.uuid())
    .bind(id.0)
    .fetch_optional(c))?;
    Ok(row.map(|row| match row {
        (Some(installer), _) => Scope::Installer(OrganisationId::from_uuid(installer)),
        (None, Some(device)) => Scope::Device(DeviceId::from_uuid(device)),
        (None, None) => Scope::Everybody,
    }))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    installer: Option<String>,
    device: Option<String>,
    reason: String,
    stopped_by: String,
    stopped_at: Ts,
}

pub(in crate::sessions) async fn in_force(tx: &mut Tx) -> Result<Vec<InForce>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT e.id, o.name AS installer, d.id_code AS device, e.reason, u.name AS stopped_by, e.stopped_at \
         FROM emergency_stop e JOIN user_account u ON u.id = e.stopped_by \
         LEFT JOIN organisation o ON o.id = e.installer_id LEFT JOIN device d ON d.id = e.device_id \
         WHERE e.lifted_at IS NULL ORDER BY e.stopped_at DESC, e.id",
    )
    .fetch_all(c))?;
    let stop = |row: Row| InForce {
        id: StopId(row.id),
        installer: row.installer,
        device: row.device,
        reason: row.reason,
        by: row.stopped_by,
        since: row.stopped_at.into(),
    };
    Ok(rows.into_iter().map(stop).collect())
}

pub(in crate::sessions) async fn reason(
    tx: &mut Tx,
    installer: OrganisationId,
    device: DeviceId,
) -> Result<Option<String>, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, String>(
        "SELECT reason FROM emergency_stop WHERE lifted_at IS NULL AND (installer_id IS NULL OR installer_id = $1) \
         AND (device_id IS NULL OR device_id = $2) ORDER BY stopped_at LIMIT 1",
    )
    .bind(installer.uuid())
    .bind(device.uuid())
    .fetch_optional(c))
}

/// The organisations that a stop concerns: those with a session live in it, and the installer and the customer that it
/// names.
pub(in crate::sessions) async fn concerned(tx: &mut Tx, scope: Scope) -> Result<Vec<OrganisationId>, DbError> {
    let (installer, device) = columns(scope);
    let rows = run!(tx, c => sqlx::query_as::<_, (Uuid, Uuid)>(
        "SELECT DISTINCT s.installer_id, s.customer_id FROM remote_session s WHERE s.state IN ('waiting', 'open') \
         AND ($1 OR s.installer_id = $2) AND ($3 OR s.device_id = $4)",
    )
    .bind(installer.is_none())
    .bind(installer.unwrap_or(Uuid::nil()))
    .bind(device.is_none())
    .bind(device.unwrap_or(Uuid::nil()))
    .fetch_all(c))?;
    let owners = run!(tx, c => sqlx::query_as::<_, (Uuid, Option<Uuid>)>(
        "SELECT installer_id, customer_id FROM registration WHERE device_id = $1 AND state IN ('open', 'active')",
    )
    .bind(device.unwrap_or(Uuid::nil()))
    .fetch_all(c))?;
    let mut all: Vec<Uuid> = rows.into_iter().flat_map(|(installer, customer)| [installer, customer]).collect();
    all.extend(owners.into_iter().flat_map(|(installer, customer)| [Some(installer), customer]).flatten());
    all.extend(installer);
    all.sort();
    all.dedup();
    Ok(all.into_iter().map(OrganisationId::from_uuid).collect())
}
