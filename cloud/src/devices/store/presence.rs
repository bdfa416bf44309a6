//! Presence: a lease that is renewed while a device is connected and lapses by itself.

use gatelodge_proto::{DeviceId, Timestamp};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    change,
    db::{
        DbError, Ts, Tx,
        rows::{self, Column},
    },
    run,
};

/// These devices are there, each under this start.
pub(in crate::devices) async fn came(
    tx: &mut Tx,
    now: Timestamp,
    lease_until: Timestamp,
    arrivals: &[(DeviceId, Uuid)],
) -> Result<(), DbError> {
    for list in rows::lists(arrivals) {
        let (starts, next) = rows::placeholders(tx, list.len(), &[Column::Uuid, Column::Uuid]);
        let (since, online, until) = (next, next + 1, next + 2);
        let text = format!(
            "WITH arrival (id, boot_id) AS (VALUES {starts})
             UPDATE device SET presence_since = CASE WHEN online THEN presence_since ELSE ${since} END,
                 online = ${online}, presence_boot_id = arrival.boot_id, lease_until = ${until}
             FROM arrival WHERE device.id = arrival.id"
        );
        change!(tx, c => {
            let mut update = sqlx::query(AssertSqlSafe(text));
            for (device, boot_id) in list {
                update = update.bind(device.uuid()).bind(boot_id);
            }
            update.bind(Ts::from(now)).bind(true).bind(Ts::from(lease_until)).execute(c)
        })?;
    }
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

/// The devices whose lease ends before `enough`, held until the transaction ends, in the order of ids: groups of
/// messages hold theirs in the same order, so that none waits for the other.
pub(in crate::devices) async fn due(tx: &mut Tx, enough: Timestamp) -> Result<Vec<DeviceId>, DbError> {
    const DUE: &str = "SELECT id FROM device WHERE online AND lease_until < $1 ORDER BY id";
    const HELD: &str = "SELECT id FROM device WHERE online AND lease_until < $1 ORDER BY id FOR NO KEY UPDATE";
    let due = if tx.is_postgres() { HELD } else { DUE };
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(due)
    .bind(Ts::from(enough))
    .fetch_all(c))?;
    Ok(rows.into_iter().map(DeviceId::from_uuid).collect())
}

/// They are still connected.
pub(in crate::devices) async fn extend(tx: &mut Tx, devices: &[DeviceId], until: Timestamp) -> Result<(), DbError> {
    for list in rows::lists(devices) {
        let (ids, next) = rows::placeholders(tx, list.len(), &[Column::Uuid]);
        let text = format!("UPDATE device SET lease_until = ${next} WHERE online AND id IN (VALUES {ids})");
        change!(tx, c => {
            let mut update = sqlx::query(AssertSqlSafe(text));
            for device in list {
                update = update.bind(device.uuid());
            }
            update.bind(Ts::from(until)).execute(c)
        })?;
    }
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
    enough: Timestamp,
    reported_after: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE device SET lease_until = $1 WHERE online AND lease_until < $2 AND reported_at > $3",
    )
    .bind(Ts::from(until))
    .bind(Ts::from(enough))
    .bind(Ts::from(reported_after))
    .execute(c))?;
    Ok(())
}
