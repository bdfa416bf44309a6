//! What taking a group of messages in asks of the devices that sent them.

use std::collections::BTreeMap;

use gatelodge_proto::{CertificateSerial, DeviceId, Timestamp, payload::Life};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    change,
    db::{
        DbError, Ts, Tx,
        rows::{self, Column},
        word,
    },
    devices::model::{CertificateState, Names},
    run,
};

/// One device that sent something.
#[derive(Debug)]
pub(in crate::devices) struct Row {
    pub(in crate::devices) names: Names,
    pub(in crate::devices) life: Life,
    /// Of its present ownership, none taken back.
    pub(in crate::devices) certificates: Vec<Standing>,
}

/// A certificate that was not taken back.
#[derive(Debug)]
pub(in crate::devices) struct Standing {
    pub(in crate::devices) serial: CertificateSerial,
    pub(in crate::devices) state: CertificateState,
    pub(in crate::devices) not_after: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Joined {
    id: Uuid,
    id_code: String,
    mac: String,
    device_serial: String,
    life: String,
    serial: Option<String>,
    state: Option<String>,
    not_after: Option<Ts>,
}

/// Those of these devices that there are, their rows held until the transaction ends: what they say is taken in, or
/// their right to speak ends, but never both at once. They are held in the order of ids, so that two groups never wait
/// for each other.
pub(in crate::devices) async fn hold(tx: &mut Tx, devices: &[DeviceId]) -> Result<BTreeMap<DeviceId, Row>, DbError> {
    lock(tx, devices).await?;
    let mut speakers = BTreeMap::new();
    for list in rows::lists(devices) {
        let (ids, next) = rows::placeholders(tx, list.len(), &[Column::Uuid]);
        let text = format!(
            "SELECT d.id, d.id_code, d.mac, d.serial AS device_serial, d.life, c.serial, c.state, c.not_after
             FROM device d LEFT JOIN certificate c ON c.device_id = d.id AND c.epoch = d.epoch AND c.state <> ${next}
             WHERE d.id IN (VALUES {ids})"
        );
        let found = run!(tx, c => {
            let mut select = sqlx::query_as::<_, Joined>(AssertSqlSafe(text));
            for device in list {
                select = select.bind(device.uuid());
            }
            select.bind(CertificateState::Revoked.word()).fetch_all(c)
        })?;
        for joined in found {
            let (device, names, life) = device(&joined)?;
            let row = speakers.entry(device).or_insert_with(|| Row { names, life, certificates: Vec::new() });
            row.certificates.extend(standing(&joined)?);
        }
    }
    Ok(speakers)
}

/// Holds rows, in the order of ids, where they are locked one by one.
pub(in crate::devices) async fn lock(tx: &mut Tx, devices: &[DeviceId]) -> Result<(), DbError> {
    if !tx.is_postgres() {
        return Ok(());
    }
    for list in rows::lists(devices) {
        let (ids, _) = rows::placeholders(tx, list.len(), &[Column::Uuid]);
        let text = format!("SELECT 1 FROM device WHERE id IN (VALUES {ids}) ORDER BY id FOR NO KEY UPDATE");
        change!(tx, c => {
            let mut select = sqlx::query(AssertSqlSafe(text));
            for device in list {
                select = select.bind(device.uuid());
            }
            select.execute(c)
        })?;
    }
    Ok(())
}

fn device(joined: &Joined) -> Result<(DeviceId, Names, Life), DbError> {
    let names = Names {
        id_code: joined.id_code.parse().map_err(DbError::corrupt)?,
        mac: joined.mac.parse().map_err(DbError::corrupt)?,
        serial: joined.device_serial.parse().map_err(DbError::corrupt)?,
    };
    Ok((DeviceId::from_uuid(joined.id), names, word(&joined.life, Life::from_word, "life")?))
}

fn standing(joined: &Joined) -> Result<Option<Standing>, DbError> {
    let (Some(serial), Some(state), Some(not_after)) = (&joined.serial, &joined.state, joined.not_after) else {
        return Ok(None);
    };
    Ok(Some(Standing {
        serial: serial.parse().map_err(DbError::corrupt)?,
        state: word(state, CertificateState::from_word, "state of a certificate")?,
        not_after: not_after.into(),
    }))
}
