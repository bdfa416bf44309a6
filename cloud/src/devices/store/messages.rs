//! Which messages were taken in, and those nobody could use.

use gatelodge_proto::{DeviceId, Random, Timestamp, payload::Position};

use crate::{
    change,
    db::{DbError, Ts, Tx, count},
};

/// Notes a message as taken in; `false` when it was before.
pub(in crate::devices) async fn first_time(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    position: Position,
    kind: &'static str,
) -> Result<bool, DbError> {
    let inserted = change!(tx, c => sqlx::query(
        "INSERT INTO device_message (device_id, boot_id, seq, kind, received_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(device.uuid())
    .bind(position.boot_id)
    .bind(count(position.seq))
    .bind(kind)
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(inserted == 1)
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
