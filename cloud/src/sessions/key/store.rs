//! The table `device_key`.

use gatelodge_proto::{
    DeviceId, OrganisationId, Timestamp, UserId,
    consent::{PinId, PinnedKey, SignedRule},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::model::{Held, Offered, Pinned, Ruled};
use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
    sessions::machine::Hold,
};

#[derive(sqlx::FromRow)]
struct Row {
    offered: Option<Json<PinnedKey>>,
    offered_by: Option<Uuid>,
    offered_at: Option<Ts>,
    pin: Option<String>,
    pinned: Option<Json<PinnedKey>>,
    pinned_at: Option<Ts>,
    rule: Option<Json<SignedRule>>,
}

impl TryFrom<Row> for Held {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        let offered = match (row.offered, row.offered_by, row.offered_at) {
            (Some(Json(key)), Some(by), Some(at)) => Some(Offered { key, by: UserId::from_uuid(by), at: at.into() }),
            _ => None,
        };
        let pinned = match (row.pin, row.pinned, row.pinned_at) {
            (Some(pin), Some(Json(key)), Some(since)) => {
                Some(Pinned { pin: pin.parse().map_err(DbError::corrupt)?, key, since: since.into() })
            }
            _ => None,
        };
        let rule = match row.rule {
            Some(Json(signed)) => Some(Ruled { said: signed.read().map_err(DbError::corrupt)?, signed }),
            None => None,
        };
        Ok(Self { offered, pinned, rule })
    }
}

/// How it stands with the key of a device.
pub(in crate::sessions) async fn held(tx: &mut Tx, device: DeviceId) -> Result<Held, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT offered, offered_by, offered_at, pin, pinned, pinned_at, rule FROM device_key WHERE device_id = $1",
    )
    .bind(device.uuid())
    .fetch_optional(c))?
    .map_or_else(|| Ok(Held::default()), Held::try_from)
}

/// Whose device it is, and what it is called.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) customer: OrganisationId,
    pub(super) web_address: String,
    pub(super) installer: String,
}

/// The same for mails; `None` while it has no customer.
pub(super) async fn named(tx: &mut Tx, device: DeviceId) -> Result<Option<Named>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Uuid, String, String)>(
        "SELECT r.customer_id, r.web_address, i.name FROM registration r JOIN organisation i ON i.id = r.installer_id \
         WHERE r.device_id = $1 AND r.state = 'active'",
    )
    .bind(device.uuid())
    .fetch_optional(c))?;
    Ok(row.map(|(customer, web_address, installer)| Named {
        customer: OrganisationId::from_uuid(customer),
        web_address,
        installer,
    }))
}

/// The key that a device holds its sessions against.
pub(in crate::sessions) async fn pinned(tx: &mut Tx, device: DeviceId) -> Result<Option<Pinned>, DbError> {
    Ok(held(tx, device).await?.pinned)
}

/// Whose word a device takes.
pub(in crate::sessions) async fn hold(tx: &mut Tx, device: DeviceId) -> Result<Hold, DbError> {
    Ok(if pinned(tx, device).await?.is_some() { Hold::Key } else { Hold::Cloud })
}

/// A key is shown on the device, in the place of another that was; `false` when one is pinned there.
pub(super) async fn offered(
    tx: &mut Tx,
    device: DeviceId,
    key: &PinnedKey,
    by: UserId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "INSERT INTO device_key (device_id, offered, offered_by, offered_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (device_id) DO UPDATE SET offered = excluded.offered, offered_by = excluded.offered_by, \
         offered_at = excluded.offered_at WHERE device_key.pin IS NULL",
    )
    .bind(device.uuid())
    .bind(Json(key))
    .bind(by.uuid())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(changed == 1)
}

/// The device has told that it holds its sessions against this key.
pub(in crate::sessions) async fn was_pinned(
    tx: &mut Tx,
    device: DeviceId,
    pin: PinId,
    key: &PinnedKey,
    now: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO device_key (device_id, pin, pinned, pinned_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (device_id) DO UPDATE SET pin = excluded.pin, pinned = excluded.pinned, \
         pinned_at = excluded.pinned_at, rule = NULL, offered = NULL, offered_by = NULL, offered_at = NULL",
    )
    .bind(device.uuid())
    .bind(pin.to_string())
    .bind(Json(key))
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// The key has signed this rule; `false` when another pinning holds by now.
pub(super) async fn ruled(tx: &mut Tx, device: DeviceId, pin: PinId, rule: &SignedRule) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query("UPDATE device_key SET rule = $3 WHERE device_id = $1 AND pin = $2")
        .bind(device.uuid())
        .bind(pin.to_string())
        .bind(Json(rule))
        .execute(c))?;
    Ok(changed == 1)
}

/// Somebody at the device did not want this key.
pub(in crate::sessions) async fn declined(tx: &mut Tx, device: DeviceId, key: &PinnedKey) -> Result<(), DbError> {
    if held(tx, device).await?.offered.is_some_and(|offered| offered.key == *key) {
        change!(tx, c => sqlx::query(
            "UPDATE device_key SET offered = NULL, offered_by = NULL, offered_at = NULL WHERE device_id = $1",
        )
        .bind(device.uuid())
        .execute(c))?;
    }
    Ok(())
}

/// The device has told that it forgot the key of this pinning; `false` for one that was not known, or is another's.
pub(in crate::sessions) async fn forgotten(tx: &mut Tx, device: DeviceId, pin: PinId) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query("DELETE FROM device_key WHERE device_id = $1 AND pin = $2")
        .bind(device.uuid())
        .bind(pin.to_string())
        .execute(c))?;
    Ok(changed == 1)
}
