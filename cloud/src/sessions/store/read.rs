//! Readings of sessions: for their people, for the relay that carries them, and for the watch that ends them.

use gatelodge_proto::{
    DeviceId, OrganisationId, SessionId, Timestamp, UserId,
    api::{ExtensionView, SessionView},
    opening::{OpenHours, Standing as RuleNow},
    payload::{EndReason, Feature, Listen, Network, Service},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ExtensionColumns, consent_kind, end_reason, ground::rule, state, ticket_number};
use crate::{
    db::{DbError, Ts, Tx},
    run,
    sessions::{
        machine::Extension,
        model::{NamedSession, names},
        service::Wanted,
    },
};

/// The requests that wait on a device.
pub(in crate::sessions) async fn waiting_on(tx: &mut Tx, device: DeviceId) -> Result<Vec<SessionId>, DbError> {
    let ids = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT id FROM remote_session WHERE device_id = $1 AND state = 'waiting'",
    )
    .bind(device.uuid())
    .fetch_all(c))?;
    Ok(ids.into_iter().map(SessionId::from_uuid).collect())
}

/// Whether it waits or is open.
pub(in crate::sessions) async fn is_live(tx: &mut Tx, id: SessionId) -> Result<bool, DbError> {
    let found = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM remote_session WHERE id = $1 AND state IN ('waiting', 'open')",
    )
    .bind(id.uuid())
    .fetch_one(c))?;
    Ok(found > 0)
}

/// How many live sessions a device has.
pub(in crate::sessions) async fn live_on_device(tx: &mut Tx, device: DeviceId) -> Result<i64, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM remote_session WHERE device_id = $1 AND state IN ('waiting', 'open')",
    )
    .bind(device.uuid())
    .fetch_one(c))
}

/// Until the transaction ends nobody else asks for a session for this installer: of two who ask at one moment for the
/// last place, one has it. SQLite has one writer at a time anyway.
pub(in crate::sessions) async fn hold_installer(tx: &mut Tx, installer: OrganisationId) -> Result<(), DbError> {
    if tx.is_postgres() {
        run!(tx, c => sqlx::query_scalar::<_, Uuid>("SELECT id FROM organisation WHERE id = $1 FOR NO KEY UPDATE")
            .bind(installer.uuid())
            .fetch_optional(c))?;
    }
    Ok(())
}

/// How many live sessions an installer has.
pub(in crate::sessions) async fn live_of_installer(tx: &mut Tx, installer: OrganisationId) -> Result<i64, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM remote_session WHERE installer_id = $1 AND state IN ('waiting', 'open')",
    )
    .bind(installer.uuid())
    .fetch_one(c))
}

#[derive(sqlx::FromRow)]
struct NamedRow {
    id: Uuid,
    device_id: Uuid,
    device_name: String,
    technician_id: Uuid,
    technician: String,
    installer_id: Uuid,
    organisation: String,
    customer_id: Uuid,
    services: Json<Vec<Service>>,
    networks: Json<Vec<Network>>,
    listens: Json<Vec<Listen>>,
    features: Json<Vec<Feature>>,
    reason: Option<String>,
    ticket_number: Option<String>,
    break_glass: bool,
    minutes: i32,
    state: String,
    requested_at: Ts,
    decided_at: Option<Ts>,
    decided_by: Option<Uuid>,
    opened_at: Option<Ts>,
    until: Option<Ts>,
    longest: bool,
    consent_kind: String,
    signs: bool,
    ended_at: Option<Ts>,
    end_reason: Option<String>,
    bytes_up: i64,
    bytes_down: i64,
    #[sqlx(flatten)]
    extension: ExtensionColumns,
}

impl TryFrom<NamedRow> for NamedSession {
    type Error = DbError;
    fn try_from(row: NamedRow) -> Result<Self, DbError> {
        let extension: Option<Extension> = row.extension.try_into()?;
        Ok(Self {
            view: SessionView {
                id: SessionId::from_uuid(row.id),
                device: DeviceId::from_uuid(row.device_id),
                device_name: row.device_name,
                technician: row.technician,
                organisation: row.organisation,
                services: names(&row.services.0),
                networks: row.networks.0,
                listens: row.listens.0,
                features: row.features.0,
                reason: row.reason,
                ticket_number: ticket_number(row.ticket_number)?,
                break_glass: row.break_glass,
                state: state(&row.state)?,
                requested_at: row.requested_at.into(),
                opened_at: row.opened_at.map(Timestamp::from),
                until: row.until.map(Timestamp::from),
                longest: row.longest,
                consent_kind: row.opened_at.map(|_| consent_kind(&row.consent_kind)).transpose()?,
                extension: extension.map(ExtensionView::from),
                ended_at: row.ended_at.map(Timestamp::from),
                end_reason: row.end_reason.as_deref().map(end_reason).transpose()?,
                bytes_up: u64::try_from(row.bytes_up).unwrap_or(0),
                bytes_down: u64::try_from(row.bytes_down).unwrap_or(0),
            },
            technician: UserId::from_uuid(row.technician_id),
            installer: OrganisationId::from_uuid(row.installer_id),
            customer: OrganisationId::from_uuid(row.customer_id),
            minutes: u32::try_from(row.minutes).unwrap_or(0),
            decided_at: row.decided_at.map(Timestamp::from),
            asked: row.decided_by.is_some(),
            signs: row.signs,
        })
    }
}

macro_rules! session {
    ($condition:literal) => {
        concat!(
            "SELECT s.id, s.device_id, r.web_address AS device_name, s.technician_id, u.name AS technician, \
             s.installer_id, o.name AS organisation, s.customer_id, s.services, s.networks, s.listens, s.features, s.reason, s.ticket_number, s.break_glass, s.minutes, \
             s.state, s.requested_at, s.decided_at, s.decided_by, s.opened_at, s.until, s.longest, s.consent_kind, k.pin IS NOT NULL AS signs, s.ended_at, s.end_reason, s.bytes_up, s.bytes_down, \
             s.extension_minutes, s.extension_at, s.extension_state, s.extension_refusal \
             FROM remote_session s JOIN registration r ON r.id = s.registration_id \
             JOIN user_account u ON u.id = s.technician_id JOIN organisation o ON o.id = s.installer_id \
             LEFT JOIN device_key k ON k.device_id = s.device_id WHERE ",
            $condition
        )
    };
}

/// Whose sessions are read: a technician's organisation sees those it asked for, a customer those on its devices.
#[derive(Debug, Clone, Copy)]
pub(in crate::sessions) enum Reader {
    Installer(OrganisationId),
    Customer(OrganisationId),
}

/// A session, if it is the reader's.
pub(in crate::sessions) async fn named(
    tx: &mut Tx,
    reader: Reader,
    id: SessionId,
) -> Result<Option<NamedSession>, DbError> {
    let (statement, organisation) = match reader {
        Reader::Installer(id) => (session!("s.id = $1 AND s.installer_id = $2"), id),
        Reader::Customer(id) => (session!("s.id = $1 AND s.customer_id = $2"), id),
    };
    run!(tx, c => sqlx::query_as::<_, NamedRow>(statement)
        .bind(id.uuid())
        .bind(organisation.uuid())
        .fetch_optional(c))?
    .map(NamedSession::try_from)
    .transpose()
}

/// The reader's sessions that are wanted, the newest first; `who` reads.
pub(in crate::sessions) async fn list(
    tx: &mut Tx,
    reader: Reader,
    wanted: &Wanted,
    who: UserId,
) -> Result<Vec<NamedSession>, DbError> {
    let (statement, organisation) = match reader {
        Reader::Installer(id) => (
            session!(
                "s.installer_id = $1 AND ($2 OR s.device_id = $3) AND ($4 OR s.state IN ('waiting', 'open')) \
                 AND ($7 OR s.technician_id = $8) AND s.id < $5 ORDER BY s.id DESC LIMIT $6"
            ),
            id,
        ),
        Reader::Customer(id) => (
            session!(
                "s.customer_id = $1 AND ($2 OR s.device_id = $3) AND ($4 OR s.state IN ('waiting', 'open')) \
                 AND ($7 OR s.technician_id = $8) AND s.id < $5 ORDER BY s.id DESC LIMIT $6"
            ),
            id,
        ),
    };
    run!(tx, c => sqlx::query_as::<_, NamedRow>(statement)
        .bind(organisation.uuid())
        .bind(wanted.device.is_none())
        .bind(wanted.device.map_or(Uuid::nil(), DeviceId::uuid))
        .bind(!wanted.live)
        .bind(wanted.before.map_or(Uuid::max(), SessionId::uuid))
        .bind(wanted.limit)
        .bind(!wanted.own)
        .bind(who.uuid())
        .fetch_all(c))?
    .into_iter()
    .map(NamedSession::try_from)
    .collect()
}

/// How many requests, for a session or for more time in one, wait for a customer's word.
pub(in crate::sessions) async fn count_waiting(tx: &mut Tx, customer: OrganisationId) -> Result<u32, DbError> {
    let count = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM remote_session WHERE customer_id = $1 \
         AND (state = 'waiting' OR (state = 'open' AND extension_state = 'asked'))",
    )
    .bind(customer.uuid())
    .fetch_one(c))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// What the relay that carries a session must know of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::sessions) struct Standing {
    /// Why it is over; `None` while it is open.
    pub(in crate::sessions) over: Option<EndReason>,
    /// Until when it may last.
    pub(in crate::sessions) until: Option<Timestamp>,
    /// Until when the relay's word holds.
    pub(in crate::sessions) lease_until: Timestamp,
}

/// Where a session stands, for the relay that carries it.
pub(in crate::sessions) async fn standing(tx: &mut Tx, id: SessionId) -> Result<Option<Standing>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (String, Option<String>, Option<Ts>, Option<Ts>)>(
        "SELECT state, end_reason, until, lease_until FROM remote_session WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(c))?;
    row.map(|(state, reason, until, lease_until)| {
        let over = if state == "open" {
            None
        } else {
            Some(reason.as_deref().map(end_reason).transpose()?.unwrap_or(EndReason::Revoked))
        };
        let lease_until = lease_until.map_or(Timestamp::EPOCH, Timestamp::from);
        Ok(Standing { over, until: until.map(Timestamp::from), lease_until })
    })
    .transpose()
}

fn ids(rows: Vec<Uuid>) -> Vec<SessionId> {
    rows.into_iter().map(SessionId::from_uuid).collect()
}

/// Live sessions that have lost a right they stand on: user, role, registration, ownership, consent, or the key with
/// which the device was let in when the session opened.
pub(in crate::sessions) async fn fallen(tx: &mut Tx, now: Timestamp) -> Result<Vec<SessionId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT s.id FROM remote_session s JOIN registration r ON r.id = s.registration_id \
         JOIN device d ON d.id = s.device_id JOIN user_account u ON u.id = s.technician_id \
         LEFT JOIN membership m ON m.user_id = s.technician_id AND m.organisation_id = s.installer_id \
         WHERE s.state IN ('waiting', 'open') AND (u.disabled_at IS NOT NULL OR m.role IS NULL OR m.role = 'basic' \
         OR r.state <> 'active' OR d.epoch <> s.epoch OR d.life <> 'active' \
         OR ((r.open_until IS NULL OR r.open_until <= $1) AND (r.consent = 'never' \
         OR (r.consent = 'ask' AND s.state = 'open' AND s.decided_by IS NULL \
         AND s.consent_kind IN ('cloud', 'standing_rule') AND NOT s.break_glass))) \
         OR (s.break_glass AND s.state = 'open' AND s.decided_by IS NULL AND (r.break_glass IS NULL \
         OR (r.break_glass = 'administrator' AND m.role <> 'administrator') \
         OR (r.break_glass = 'supervisor' AND m.role NOT IN ('administrator', 'supervisor')))) \
         OR EXISTS (SELECT 1 FROM emergency_stop e WHERE e.lifted_at IS NULL \
         AND (e.installer_id IS NULL OR e.installer_id = s.installer_id) \
         AND (e.device_id IS NULL OR e.device_id = s.device_id)) \
         OR NOT EXISTS (SELECT 1 FROM certificate k WHERE k.device_id = s.device_id AND k.epoch = s.epoch \
         AND k.state <> 'revoked' AND (s.opened_at IS NULL OR k.issued_at <= s.opened_at))) LIMIT 200",
    )
    .bind(Ts::from(now))
    .fetch_all(c))?;
    let mut fallen = ids(rows);
    fallen.extend(outside_hours(tx, now).await?);
    Ok(fallen)
}

/// Open sessions that nobody was asked about, on devices whose hours do not hold at this moment.
async fn outside_hours(tx: &mut Tx, now: Timestamp) -> Result<Vec<SessionId>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, (Uuid, String, Option<Json<OpenHours>>, Option<Ts>)>(
        "SELECT s.id, r.consent, r.hours, r.open_until FROM remote_session s \
         JOIN registration r ON r.id = s.registration_id \
         WHERE s.state = 'open' AND s.until > $1 AND s.decided_by IS NULL \
         AND s.consent_kind IN ('cloud', 'standing_rule') AND NOT s.break_glass \
         AND r.consent = 'always' \
         AND r.hours IS NOT NULL LIMIT 1000",
    )
    .bind(Ts::from(now))
    .fetch_all(c))?;
    let mut outside = Vec::new();
    for (id, consent, hours, open_until) in rows {
        if !matches!(rule(&consent, hours, open_until)?(now), RuleNow::Open(_)) {
            outside.push(SessionId::from_uuid(id));
        }
    }
    Ok(outside)
}

/// Live sessions whose time, lease or patience is over.
pub(in crate::sessions) async fn lapsed(
    tx: &mut Tx,
    now: Timestamp,
    asked_before: Timestamp,
) -> Result<Vec<SessionId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT id FROM remote_session WHERE (state = 'open' AND (until <= $1 OR lease_until <= $1)) \
         OR (state = 'waiting' AND requested_at <= $2) LIMIT 200",
    )
    .bind(Ts::from(now))
    .bind(Ts::from(asked_before))
    .fetch_all(c))?;
    Ok(ids(rows))
}
