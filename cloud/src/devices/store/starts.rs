//! Starts of devices as they connect: one that comes back after a later one is another machine with the same key.

use std::time::Duration;

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

/// What came of noting a start that is not the one before.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(in crate::devices) struct Started {
    device_id: Uuid,
    /// How often earlier starts have come back, each soon after the one before.
    pub(in crate::devices) returns: i32,
    doubled_at: Option<Ts>,
}

impl Started {
    pub(in crate::devices) const fn device(self) -> DeviceId {
        DeviceId::from_uuid(self.device_id)
    }

    /// Whether it is known already that there are two machines.
    pub(in crate::devices) const fn is_known(self) -> bool {
        self.doubled_at.is_some()
    }
}

/// These devices have connected, each once and under this start; gives those whose start is another than before. Returns
/// further apart than this are counted anew.
pub(in crate::devices) async fn started(
    tx: &mut Tx,
    now: Timestamp,
    arrivals: &[(DeviceId, Uuid)],
    apart: Duration,
) -> Result<Vec<Started>, DbError> {
    let mut changed = Vec::new();
    for list in rows::lists(arrivals) {
        let (starts, next) = rows::placeholders(tx, list.len(), &[Column::Uuid, Column::Uuid]);
        let (at, oldest) = (next, next + 1);
        let text = format!(
            "WITH arrival (id, boot_id) AS (VALUES {starts})
             INSERT INTO device_start (device_id, boot_id, returns) SELECT DISTINCT id, boot_id, 0 FROM arrival WHERE true
             ON CONFLICT (device_id) DO UPDATE
             SET boot_id = excluded.boot_id, earlier_boot_id = device_start.boot_id,
                 returns = CASE
                     WHEN device_start.earlier_boot_id IS NULL OR device_start.earlier_boot_id <> excluded.boot_id
                         THEN device_start.returns
                     WHEN device_start.returned_at > ${oldest} THEN device_start.returns + 1
                     ELSE 1 END,
                 returned_at = CASE WHEN device_start.earlier_boot_id = excluded.boot_id THEN ${at}
                     ELSE device_start.returned_at END
             WHERE device_start.boot_id <> excluded.boot_id
             RETURNING device_id, returns, doubled_at"
        );
        changed.extend(run!(tx, c => {
            let mut insert = sqlx::query_as::<_, Started>(AssertSqlSafe(text.clone()));
            for (device, boot_id) in &list {
                insert = insert.bind(device.uuid()).bind(*boot_id);
            }
            insert.bind(Ts::from(now)).bind(Ts::from(now - apart)).fetch_all(c)
        })?);
    }
    Ok(changed)
}

/// There are two machines, since now.
pub(in crate::devices) async fn doubled(tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE device_start SET doubled_at = $2 WHERE device_id = $1")
        .bind(device.uuid())
        .bind(Ts::from(now))
        .execute(c))?;
    Ok(())
}

/// Whether there are two machines.
pub(in crate::devices) async fn is_doubled(tx: &mut Tx, device: DeviceId) -> Result<bool, DbError> {
    let found = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM device_start WHERE device_id = $1 AND doubled_at IS NOT NULL",
    )
    .bind(device.uuid())
    .fetch_one(c))?;
    Ok(found > 0)
}

/// Forgets the starts of a device: whoever holds its key from now on begins anew.
pub(in crate::devices) async fn forget(tx: &mut Tx, device: DeviceId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM device_start WHERE device_id = $1").bind(device.uuid()).execute(c))?;
    Ok(())
}

/// Forgets that there were two where none came back since `before`.
pub(in crate::devices) async fn settle(tx: &mut Tx, before: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE device_start SET doubled_at = NULL, returns = 0 WHERE doubled_at IS NOT NULL AND returned_at < $1",
    )
    .bind(Ts::from(before))
    .execute(c))?;
    Ok(())
}

/// Who registered a device, and how its mails name it: the user, the name, the installer.
pub(in crate::devices) async fn registrant(
    tx: &mut Tx,
    device: DeviceId,
) -> Result<Option<(Uuid, String, String)>, DbError> {
    run!(tx, c => sqlx::query_as::<_, (Uuid, String, String)>(
        "SELECT r.registered_by, r.web_address, o.name FROM registration r
         JOIN organisation o ON o.id = r.installer_id
         WHERE r.device_id = $1 AND r.state IN ('open', 'active')",
    )
    .bind(device.uuid())
    .fetch_optional(c))
}
