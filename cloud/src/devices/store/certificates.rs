//! The allow-list.

use gatelodge_proto::{CertificateSerial, DeviceId, Timestamp, payload::Life};
use uuid::Uuid;

use crate::{
    ask, change,
    db::{Db, DbError, Ts, Tx, count},
    devices::model::{Certificate, CertificateState},
    pki::Issued,
    run,
};

#[derive(sqlx::FromRow)]
struct Row {
    serial: String,
    device_id: Uuid,
    epoch: i64,
    key_thumbprint: String,
    chain: String,
    state: String,
    not_after: Ts,
    issued_at: Ts,
}

impl TryFrom<Row> for Certificate {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        Ok(Self {
            serial: row.serial.parse().map_err(DbError::corrupt)?,
            device: DeviceId::from_uuid(row.device_id),
            epoch: u64::try_from(row.epoch).map_err(DbError::corrupt)?,
            key_thumbprint: row.key_thumbprint,
            chain: row.chain,
            state: CertificateState::from_word(&row.state)
                .ok_or_else(|| DbError::Corrupt(format!("`{}` is no state of a certificate", row.state)))?,
            not_after: row.not_after.into(),
            issued_at: row.issued_at.into(),
        })
    }
}

pub(in crate::devices) async fn insert(
    tx: &mut Tx,
    now: Timestamp,
    (device, epoch): (DeviceId, u64),
    key_thumbprint: &str,
    issued: &Issued,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO certificate (serial, device_id, epoch, key_thumbprint, chain, state, not_before, not_after, issued_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(issued.serial.as_str())
    .bind(device.uuid())
    .bind(count(epoch))
    .bind(key_thumbprint)
    .bind(&issued.chain)
    .bind(CertificateState::Current.word())
    .bind(Ts::from(issued.not_before))
    .bind(Ts::from(issued.not_after))
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// Every certificate of a key, the newest first.
pub(in crate::devices) async fn by_key(tx: &mut Tx, key_thumbprint: &str) -> Result<Vec<Certificate>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT serial, device_id, epoch, key_thumbprint, chain, state, not_after, issued_at
         FROM certificate WHERE key_thumbprint = $1 ORDER BY issued_at DESC, not_after DESC LIMIT 10",
    )
    .bind(key_thumbprint)
    .fetch_all(c))?;
    rows.into_iter().map(Certificate::try_from).collect()
}

/// The certificates with which a device may connect, the newest first.
pub(in crate::devices) async fn current(tx: &mut Tx, device: DeviceId) -> Result<Vec<Certificate>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT serial, device_id, epoch, key_thumbprint, chain, state, not_after, issued_at
         FROM certificate WHERE device_id = $1 AND state = $2 ORDER BY issued_at DESC, not_after DESC",
    )
    .bind(device.uuid())
    .bind(CertificateState::Current.word())
    .fetch_all(c))?;
    rows.into_iter().map(Certificate::try_from).collect()
}

/// A certificate that lets its device in.
#[derive(Debug)]
pub(in crate::devices) struct Admission {
    pub(in crate::devices) issued_at: Timestamp,
    /// Older ones still let the device in, too.
    pub(in crate::devices) is_renewal: bool,
}

/// Whether a certificate lets a device in now, by one look at one moment of the database.
pub(in crate::devices) async fn admission(
    db: &Db,
    now: Timestamp,
    device: DeviceId,
    serial: &CertificateSerial,
) -> Result<Option<Admission>, DbError> {
    let row = ask!(db, c => sqlx::query_as::<_, (Ts, bool)>(
        "SELECT c.issued_at, EXISTS (
             SELECT 1 FROM certificate older
             WHERE older.device_id = c.device_id AND older.state = $3 AND older.issued_at < c.issued_at)
         FROM certificate c JOIN device d ON d.id = c.device_id
         WHERE c.serial = $1 AND c.device_id = $2 AND c.state = $3 AND c.epoch = d.epoch AND c.not_after > $4
             AND d.life <> $5",
    )
    .bind(serial.as_str())
    .bind(device.uuid())
    .bind(CertificateState::Current.word())
    .bind(Ts::from(now))
    .bind(Life::Retired.word())
    .fetch_optional(c))?;
    Ok(row.map(|(issued_at, is_renewal)| Admission { issued_at: issued_at.into(), is_renewal }))
}

/// Ends the certificates of a device that were issued before the one it has just connected with.
pub(in crate::devices) async fn supersede(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    (by, issued_at): (&CertificateSerial, Timestamp),
) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE certificate SET state = $3, ended_at = $4
         WHERE device_id = $1 AND serial <> $2 AND state = $5 AND issued_at < $6",
    )
    .bind(device.uuid())
    .bind(by.as_str())
    .bind(CertificateState::Superseded.word())
    .bind(Ts::from(now))
    .bind(CertificateState::Current.word())
    .bind(Ts::from(issued_at))
    .execute(c))
}

/// Takes every certificate of a device back.
pub(in crate::devices) async fn revoke(tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE certificate SET state = $2, ended_at = $3 WHERE device_id = $1 AND state <> $2",
    )
    .bind(device.uuid())
    .bind(CertificateState::Revoked.word())
    .bind(Ts::from(now))
    .execute(c))
}

/// The certificates that let nobody in although they have not run out, and since when: what a revocation list names.
pub(in crate::devices) async fn ended(
    tx: &mut Tx,
    now: Timestamp,
) -> Result<Vec<(CertificateSerial, Timestamp)>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, (String, Ts)>(
        "SELECT serial, COALESCE(ended_at, issued_at) FROM certificate
         WHERE state <> $1 AND not_after > $2 ORDER BY serial",
    )
    .bind(CertificateState::Current.word())
    .bind(Ts::from(now))
    .fetch_all(c))?;
    rows.into_iter().map(|(serial, since)| Ok((serial.parse().map_err(DbError::corrupt)?, since.into()))).collect()
}

/// Devices that lost a certificate by revocation since `since`.
pub(in crate::devices) async fn revoked_since(tx: &mut Tx, since: Timestamp) -> Result<Vec<DeviceId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT DISTINCT device_id FROM certificate WHERE state = $1 AND ended_at >= $2",
    )
    .bind(CertificateState::Revoked.word())
    .bind(Ts::from(since))
    .fetch_all(c))?;
    Ok(rows.into_iter().map(DeviceId::from_uuid).collect())
}
