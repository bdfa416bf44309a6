//! Presence: a lease that is renewed while a device is connected and lapses by itself.

use gatelodge_proto::{DeviceId, Timestamp};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
};

/// The device is there, under this start.
pub(in crate::devices) async fn came(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    boot_id: Uuid,
    lease_until: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE device SET presence_since = CASE WHEN online THEN presence_since ELSE $2 END, online = $3,
             presence_boot_id = $4, lease_until = $5
         WHERE id = $1",
    )
    .bind(device.uuid())
    .bind(Ts::from(now))
    .bind(true)
    .bind(boot_id)
    .bind(Ts::from(lease_until))
    .execute(c))?;
    Ok(())
}

/// The device is gone, if it is this start that is meant: an old last will never overrules a newer start.
pub(in crate::devices) async fn went(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    boot_id: Uuid,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE device SET online = $3, presence_since = $2, lease_until = NULL
         WHERE id = $1 AND online AND presence_boot_id = $4",
    )
    .bind(device.uuid())
    .bind(Ts::from(now))
    .bind(false)
    .bind(boot_id)
    .execute(c))?;
    Ok(())
}

/// Its connection is gone: unless it comes back, the lease ends then.
pub(in crate::devices) async fn shorten(tx: &mut Tx, device: DeviceId, until: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE device SET lease_until = $2 WHERE id = $1 AND online AND lease_until > $2")
        .bind(device.uuid())
        .bind(Ts::from(until))
        .execute(c))?;
    Ok(())
}

/// It is still connected. A lease that lasts beyond `enough` is left alone, to spare the disk.
pub(in crate::devices) async fn extend(
    tx: &mut Tx,
    device: DeviceId,
    until: Timestamp,
    enough: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE device SET lease_until = $2 WHERE id = $1 AND online AND lease_until < $3")
        .bind(device.uuid())
        .bind(Ts::from(until))
        .bind(Ts::from(enough))
        .execute(c))?;
    Ok(())
}

/// It is gone, whichever start it was: its right to be there has ended.
pub(in crate::devices) async fn end(tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE device SET online = $3, presence_since = $2, lease_until = NULL WHERE id = $1 AND online",
    )
    .bind(device.uuid())
    .bind(Ts::from(now))
    .bind(false)
    .execute(c))?;
    Ok(())
}

/// Ends the leases that have lapsed; gives the devices.
pub(in crate::devices) async fn end_lapsed(tx: &mut Tx, now: Timestamp) -> Result<Vec<DeviceId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "UPDATE device SET online = $2, presence_since = lease_until, lease_until = NULL
         WHERE online AND lease_until < $1 RETURNING id",
    )
    .bind(Ts::from(now))
    .bind(false)
    .fetch_all(c))?;
    Ok(rows.into_iter().map(DeviceId::from_uuid).collect())
}

/// Devices behind somebody else's broker that are said to be there and have reported lately stay so.
pub(in crate::devices) async fn extend_reported(
    tx: &mut Tx,
    until: Timestamp,
    reported_after: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE device SET lease_until = $1 WHERE online AND reported_at > $2")
        .bind(Ts::from(until))
        .bind(Ts::from(reported_after))
        .execute(c))?;
    Ok(())
}
