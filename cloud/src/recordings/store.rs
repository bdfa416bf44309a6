//! The `recording` table.

use gatelodge_proto::{DeviceId, FlowId, OrganisationId, SessionId, Timestamp};
use uuid::Uuid;

use super::model::Recording;
use crate::{
    change,
    db::{DbError, Ts, Tx, count},
    run,
    sessions::model::Recorded,
};

/// A recording on its way, or here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) of: Recorded,
    pub(super) taken: bool,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    id: Uuid,
    session_id: Uuid,
    device_id: Uuid,
    installer_id: Uuid,
    customer_id: Uuid,
    taken_at: Option<Ts>,
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        let of = Recorded {
            session: SessionId::from_uuid(row.session_id),
            device: DeviceId::from_uuid(row.device_id),
            installer: OrganisationId::from_uuid(row.installer_id),
            customer: OrganisationId::from_uuid(row.customer_id),
        };
        Self { of, taken: row.taken_at.is_some() }
    }
}

macro_rules! standing {
    ($condition:literal) => {
        concat!(
            "SELECT id, session_id, device_id, installer_id, customer_id, taken_at FROM recording WHERE ",
            $condition
        )
    };
}

pub(super) async fn standing(tx: &mut Tx, id: FlowId) -> Result<Option<Standing>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, StandingRow>(standing!("id = $1")).bind(id.uuid()).fetch_optional(c))?;
    Ok(row.map(Standing::from))
}

pub(super) async fn of_session(tx: &mut Tx, session: SessionId) -> Result<i64, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM recording WHERE session_id = $1")
        .bind(session.uuid())
        .fetch_one(c))
}

pub(super) async fn begin(tx: &mut Tx, now: Timestamp, id: FlowId, of: &Recorded) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO recording (id, session_id, device_id, installer_id, customer_id, begun_at, bytes) \
         VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(of.session.uuid())
    .bind(of.device.uuid())
    .bind(of.installer.uuid())
    .bind(of.customer.uuid())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// What was found when it was whole.
pub(super) struct Taken {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) cut_short: bool,
}

/// Whether this is the one time that it is taken.
pub(super) async fn take(tx: &mut Tx, now: Timestamp, id: FlowId, taken: &Taken) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "UPDATE recording SET bytes = $1, sha256 = $2, cut_short = $3, taken_at = $4 WHERE id = $5 AND taken_at IS NULL",
    )
    .bind(count(taken.bytes))
    .bind(taken.sha256.as_str())
    .bind(taken.cut_short)
    .bind(Ts::from(now))
    .bind(id.uuid())
    .execute(c))?;
    Ok(changed > 0)
}

pub(super) async fn delete(tx: &mut Tx, id: FlowId) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query("DELETE FROM recording WHERE id = $1").bind(id.uuid()).execute(c))?;
    Ok(changed > 0)
}

/// Those whose time is over: taken before then, or begun before the other and never whole.
pub(super) async fn over(tx: &mut Tx, taken: Timestamp, begun: Timestamp) -> Result<Vec<(FlowId, Standing)>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, StandingRow>(
        standing!("taken_at < $1 OR (taken_at IS NULL AND begun_at < $2) ORDER BY id LIMIT 500"),
    )
    .bind(Ts::from(taken))
    .bind(Ts::from(begun))
    .fetch_all(c))?;
    Ok(rows.into_iter().map(|row| (FlowId::from_uuid(row.id), row.into())).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    session_id: Uuid,
    device_name: String,
    technician: String,
    organisation: String,
    begun_at: Ts,
    taken_at: Ts,
    bytes: i64,
    cut_short: bool,
}

impl TryFrom<Row> for Recording {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        Ok(Self {
            id: FlowId::from_uuid(row.id),
            session: SessionId::from_uuid(row.session_id),
            device_name: row.device_name,
            technician: row.technician,
            organisation: row.organisation,
            begun_at: row.begun_at.into(),
            taken_at: row.taken_at.into(),
            bytes: u64::try_from(row.bytes).map_err(DbError::corrupt)?,
            cut_short: row.cut_short,
        })
    }
}

/// Of this reader alone, whatever else is asked.
macro_rules! recordings {
    ($condition:literal) => {
        concat!(
            "SELECT c.id, c.session_id, r.web_address AS device_name, u.name AS technician, o.name AS organisation, \
             COALESCE(f.opened_at, c.begun_at) AS begun_at, c.taken_at, c.bytes, c.cut_short FROM recording c \
             JOIN remote_session s ON s.id = c.session_id JOIN registration r ON r.id = s.registration_id \
             JOIN user_account u ON u.id = s.technician_id JOIN organisation o ON o.id = c.installer_id \
             LEFT JOIN session_flow f ON f.session_id = c.session_id AND f.id = c.id \
             WHERE (c.installer_id = $1 OR c.customer_id = $1) AND c.taken_at IS NOT NULL AND ",
            $condition
        )
    };
}

pub(super) async fn list(
    tx: &mut Tx,
    reader: OrganisationId,
    before: Option<FlowId>,
    limit: i64,
) -> Result<Vec<Recording>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(recordings!("c.id < $2 ORDER BY c.id DESC LIMIT $3"))
        .bind(reader.uuid())
        .bind(before.map_or(Uuid::max(), FlowId::uuid))
        .bind(limit)
        .fetch_all(c))?;
    rows.into_iter().map(Recording::try_from).collect()
}

pub(super) async fn in_session(
    tx: &mut Tx,
    reader: OrganisationId,
    session: SessionId,
) -> Result<Vec<Recording>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(recordings!("c.session_id = $2 ORDER BY c.id DESC LIMIT 100"))
        .bind(reader.uuid())
        .bind(session.uuid())
        .fetch_all(c))?;
    rows.into_iter().map(Recording::try_from).collect()
}

pub(super) async fn one(tx: &mut Tx, reader: OrganisationId, id: FlowId) -> Result<Option<Recording>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, Row>(recordings!("c.id = $2"))
        .bind(reader.uuid())
        .bind(id.uuid())
        .fetch_optional(c))?;
    row.map(Recording::try_from).transpose()
}
