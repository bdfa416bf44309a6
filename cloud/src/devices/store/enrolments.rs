//! Keys that ask for a certificate, and the nonces that factory secrets answer.

use gatelodge_proto::{DeviceId, EnrolmentId, Timestamp};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx},
    devices::model::{Enrolment, EnrolmentState, ProofKind},
    run,
};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    key_thumbprint: String,
    csr: String,
    device_id: Option<Uuid>,
    id_code: Option<String>,
    mac: String,
    serial: String,
    model: String,
    agent_version: String,
    proof: String,
    state: String,
    reason: Option<String>,
    network: String,
    created_at: Ts,
    seen_at: Ts,
}

impl TryFrom<Row> for Enrolment {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        let word = |what: &str, text: &str| DbError::Corrupt(format!("`{text}` is no {what}"));
        Ok(Self {
            id: EnrolmentId::from_uuid(row.id),
            key_thumbprint: row.key_thumbprint,
            csr: row.csr,
            device: row.device_id.map(DeviceId::from_uuid),
            id_code: row.id_code.map(|code| code.parse()).transpose().map_err(DbError::corrupt)?,
            mac: row.mac.parse().map_err(DbError::corrupt)?,
            serial: row.serial.parse().map_err(DbError::corrupt)?,
            model: row.model,
            agent_version: row.agent_version,
            proof: ProofKind::from_word(&row.proof).ok_or_else(|| word("kind of proof", &row.proof))?,
            state: EnrolmentState::from_word(&row.state).ok_or_else(|| word("state of an enrolment", &row.state))?,
            reason: row.reason,
            network: row.network,
            created_at: row.created_at.into(),
            seen_at: row.seen_at.into(),
        })
    }
}

/// Writes an enrolment, or brings the one of its key up to date; what was decided about a key stays.
pub(in crate::devices) async fn put(tx: &mut Tx, enrolment: &Enrolment) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO enrolment (id, key_thumbprint, csr, device_id, id_code, mac, serial, model, agent_version, proof,
             state, reason, network, created_at, seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (key_thumbprint) DO UPDATE
         SET csr = excluded.csr, device_id = excluded.device_id, id_code = excluded.id_code, mac = excluded.mac,
             serial = excluded.serial, model = excluded.model, agent_version = excluded.agent_version,
             proof = excluded.proof, state = excluded.state, reason = excluded.reason, network = excluded.network,
             seen_at = excluded.seen_at
         WHERE enrolment.state IN ('waiting', 'quarantined', 'conflict')",
    )
    .bind(enrolment.id.uuid())
    .bind(&enrolment.key_thumbprint)
    .bind(&enrolment.csr)
    .bind(enrolment.device.map(DeviceId::uuid))
    .bind(enrolment.id_code.map(|code| code.compact()))
    .bind(enrolment.mac.to_string())
    .bind(enrolment.serial.as_str())
    .bind(&enrolment.model)
    .bind(&enrolment.agent_version)
    .bind(enrolment.proof.word())
    .bind(enrolment.state.word())
    .bind(enrolment.reason.clone())
    .bind(&enrolment.network)
    .bind(Ts::from(enrolment.created_at))
    .bind(Ts::from(enrolment.seen_at))
    .execute(c))?;
    Ok(())
}

pub(in crate::devices) async fn by_key(tx: &mut Tx, key_thumbprint: &str) -> Result<Option<Enrolment>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, key_thumbprint, csr, device_id, id_code, mac, serial, model, agent_version, proof, state, reason,
                network, created_at, seen_at FROM enrolment WHERE key_thumbprint = $1",
    )
    .bind(key_thumbprint)
    .fetch_optional(c))?;
    row.map(Enrolment::try_from).transpose()
}

pub(in crate::devices) async fn by_id(tx: &mut Tx, id: EnrolmentId) -> Result<Option<Enrolment>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, key_thumbprint, csr, device_id, id_code, mac, serial, model, agent_version, proof, state, reason,
                network, created_at, seen_at FROM enrolment WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(c))?;
    row.map(Enrolment::try_from).transpose()
}

/// What the vendor has to look at, the last seen first.
pub(in crate::devices) async fn to_look_at(tx: &mut Tx, limit: i64) -> Result<Vec<Enrolment>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, key_thumbprint, csr, device_id, id_code, mac, serial, model, agent_version, proof, state, reason,
                network, created_at, seen_at FROM enrolment
         WHERE state IN ($1, $2) OR (state = $3 AND reason = $4)
         ORDER BY CASE WHEN state = $1 THEN 1 ELSE 0 END, seen_at DESC LIMIT $5",
    )
    .bind(EnrolmentState::Quarantined.word())
    .bind(EnrolmentState::Conflict.word())
    .bind(EnrolmentState::Waiting.word())
    .bind(Enrolment::SEVERAL_KEYS)
    .bind(limit)
    .fetch_all(c))?;
    rows.into_iter().map(Enrolment::try_from).collect()
}

pub(in crate::devices) async fn set_state(
    tx: &mut Tx,
    id: EnrolmentId,
    state: EnrolmentState,
    reason: Option<&str>,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE enrolment SET state = $2, reason = $3 WHERE id = $1")
        .bind(id.uuid())
        .bind(state.word())
        .bind(reason.map(str::to_owned))
        .execute(c))?;
    Ok(())
}

/// Ends every enrolment of a device but one.
pub(in crate::devices) async fn end_others(
    tx: &mut Tx,
    device: DeviceId,
    but: Option<EnrolmentId>,
    reason: &str,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE enrolment SET state = $3, reason = $4 WHERE device_id = $1 AND id <> $2 AND state <> $3",
    )
    .bind(device.uuid())
    .bind(but.map_or(Uuid::nil(), EnrolmentId::uuid))
    .bind(EnrolmentState::Ended.word())
    .bind(reason)
    .execute(c))?;
    Ok(())
}

/// The keys that wait in the name of a device, the one that has not asked for longest first.
pub(in crate::devices) async fn waiting(tx: &mut Tx, device: DeviceId) -> Result<Vec<EnrolmentId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT id FROM enrolment WHERE device_id = $1 AND state IN ($2, $3) ORDER BY seen_at, id",
    )
    .bind(device.uuid())
    .bind(EnrolmentState::Waiting.word())
    .bind(EnrolmentState::Conflict.word())
    .fetch_all(c))?;
    Ok(rows.into_iter().map(EnrolmentId::from_uuid).collect())
}

/// Those that wait for an installer and have not asked since `since`.
pub(in crate::devices) async fn waiting_unseen(
    tx: &mut Tx,
    device: DeviceId,
    since: Timestamp,
) -> Result<Vec<EnrolmentId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT id FROM enrolment WHERE device_id = $1 AND state = $2 AND seen_at < $3",
    )
    .bind(device.uuid())
    .bind(EnrolmentState::Waiting.word())
    .bind(Ts::from(since))
    .fetch_all(c))?;
    Ok(rows.into_iter().map(EnrolmentId::from_uuid).collect())
}

/// How many keys but one wait for an installer and have asked since `since`.
pub(in crate::devices) async fn rivals(
    tx: &mut Tx,
    device: DeviceId,
    but: EnrolmentId,
    since: Timestamp,
) -> Result<i64, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM enrolment WHERE device_id = $1 AND id <> $2 AND state = $3 AND seen_at >= $4",
    )
    .bind(device.uuid())
    .bind(but.uuid())
    .bind(EnrolmentState::Waiting.word())
    .bind(Ts::from(since))
    .fetch_one(c))
}

/// Keys about which nobody has decided and that have not asked since `before`, held until the transaction ends; those
/// that somebody decides about just now are left out.
pub(in crate::devices) async fn undecided_unseen(
    tx: &mut Tx,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<EnrolmentId>, DbError> {
    const UNDECIDED: &str = "SELECT id FROM enrolment WHERE state IN ($1, $2, $3) AND seen_at < $4 LIMIT $5";
    const HELD: &str =
        "SELECT id FROM enrolment WHERE state IN ($1, $2, $3) AND seen_at < $4 LIMIT $5 FOR UPDATE SKIP LOCKED";
    let undecided = if tx.is_postgres() { HELD } else { UNDECIDED };
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        undecided,
    )
    .bind(EnrolmentState::Waiting.word())
    .bind(EnrolmentState::Quarantined.word())
    .bind(EnrolmentState::Conflict.word())
    .bind(Ts::from(before))
    .bind(limit)
    .fetch_all(c))?;
    Ok(rows.into_iter().map(EnrolmentId::from_uuid).collect())
}

/// Forgets keys that were never let in, with the codes they showed.
pub(in crate::devices) async fn forget(tx: &mut Tx, ids: &[EnrolmentId]) -> Result<(), DbError> {
    for id in ids {
        change!(tx, c => sqlx::query("DELETE FROM on_site_code WHERE enrolment_id = $1").bind(id.uuid()).execute(c))?;
        change!(tx, c => sqlx::query("DELETE FROM enrolment WHERE id = $1").bind(id.uuid()).execute(c))?;
    }
    Ok(())
}

pub(in crate::devices) async fn insert_nonce(tx: &mut Tx, hash: &[u8], expires: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("INSERT INTO enrolment_nonce (hash, expires_at) VALUES ($1, $2)")
        .bind(hash.to_vec())
        .bind(Ts::from(expires))
        .execute(c))?;
    Ok(())
}

/// Uses a nonce up; whether it was good.
pub(in crate::devices) async fn use_nonce(tx: &mut Tx, now: Timestamp, hash: &[u8]) -> Result<bool, DbError> {
    let used = change!(tx, c => sqlx::query(
        "UPDATE enrolment_nonce SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2",
    )
    .bind(hash.to_vec())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(used == 1)
}

pub(in crate::devices) async fn forget_nonces(tx: &mut Tx, before: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM enrolment_nonce WHERE expires_at < $1").bind(Ts::from(before)).execute(c))?;
    Ok(())
}

/// The newest enrolment of a device in a state.
pub(in crate::devices) async fn of_device(
    tx: &mut Tx,
    device: DeviceId,
    state: EnrolmentState,
) -> Result<Option<Enrolment>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, key_thumbprint, csr, device_id, id_code, mac, serial, model, agent_version, proof, state, reason,
                network, created_at, seen_at FROM enrolment
         WHERE device_id = $1 AND state = $2 ORDER BY seen_at DESC LIMIT 1",
    )
    .bind(device.uuid())
    .bind(state.word())
    .fetch_optional(c))?;
    row.map(Enrolment::try_from).transpose()
}

/// The device has renewed under another key.
pub(in crate::devices) async fn change_key(
    tx: &mut Tx,
    id: EnrolmentId,
    key_thumbprint: &str,
    csr: &str,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE enrolment SET key_thumbprint = $2, csr = $3 WHERE id = $1")
        .bind(id.uuid())
        .bind(key_thumbprint)
        .bind(csr)
        .execute(c))?;
    Ok(())
}
