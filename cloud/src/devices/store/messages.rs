//! Which messages were taken in, and those nobody could use.

use std::collections::HashSet;

use gatelodge_proto::{DeviceId, Random, Timestamp};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    change,
    db::{
        DbError, Ts, Tx, count,
        rows::{self, Column},
    },
    run,
};

/// One message of one device.
pub(in crate::devices) type Place = (DeviceId, Uuid, u64);

/// Notes messages as taken in; gives those that were not before.
pub(in crate::devices) async fn first_time(
    tx: &mut Tx,
    now: Timestamp,
    places: &[(Place, &'static str)],
) -> Result<HashSet<Place>, DbError> {
    const ROW: [Column; 4] = [Column::Uuid, Column::Uuid, Column::Integer, Column::Text];
    let mut first = HashSet::with_capacity(places.len());
    for list in rows::lists(places) {
        let (values, received_at) = rows::placeholders(tx, list.len(), &ROW);
        let text = format!(
            "WITH place (device_id, boot_id, seq, kind) AS (VALUES {values})
             INSERT INTO device_message (device_id, boot_id, seq, kind, received_at)
             SELECT device_id, boot_id, seq, kind, ${received_at} FROM place WHERE true
             ON CONFLICT DO NOTHING RETURNING device_id, boot_id, seq"
        );
        let inserted = run!(tx, c => {
            let mut insert = sqlx::query_as::<_, (Uuid, Uuid, i64)>(AssertSqlSafe(text));
            for ((device, boot_id, seq), kind) in list {
                insert = insert.bind(device.uuid()).bind(boot_id).bind(count(seq)).bind(kind);
            }
            insert.bind(Ts::from(now)).fetch_all(c)
        })?;
        for (device, boot_id, seq) in inserted {
            first.insert((DeviceId::from_uuid(device), boot_id, u64::try_from(seq).map_err(DbError::corrupt)?));
        }
    }
    Ok(first)
}

/// Forgets which messages were taken in before `taken`, and those nobody could use before `parked`.
pub(in crate::devices) async fn forget(tx: &mut Tx, taken: Timestamp, parked: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM device_message WHERE received_at < $1").bind(Ts::from(taken)).execute(c))?;
    change!(tx, c => sqlx::query("DELETE FROM parked_message WHERE received_at < $1").bind(Ts::from(parked)).execute(c))?;
    Ok(())
}

/// Keeps a message that cannot be used, for a person to look at.
pub(in crate::devices) async fn park(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    (topic, payload): (&str, &[u8]),
    reason: &str,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO parked_message (id, topic, payload, reason, received_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(gatelodge_proto::CommandId::make(now, random).uuid())
    // PostgreSQL keeps no NUL in text.
    .bind(topic.replace('\0', "?"))
    .bind(payload.to_vec())
    .bind(reason.replace('\0', "?"))
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}
