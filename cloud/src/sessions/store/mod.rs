//! The tables of remote sessions. A state is changed only from the state it was read in, so of two who act at once
//! one is told what the other did.

pub(super) mod emergency;
mod flows;
mod ground;
mod read;
mod tickets;

use gatelodge_proto::{
    DeviceId, OrganisationId, RegistrationId, SessionId, Timestamp, UserId,
    api::{ExtensionState, SessionState},
    consent::{ConsentKind, Proof},
    payload::{EndReason, Feature, Listen, Network, NotLonger, Service, TicketNumber},
};
use sqlx::types::Json;
use uuid::Uuid;

pub(super) use flows::{close_flow, flows, open_flow};
pub(super) use ground::{ground, hold_ground, hold_own_ground, own_ground};
pub(super) use read::{
    Reader, Standing, count_waiting, fallen, hold_installer, is_live, lapsed, list, live_of_installer, live_on_device,
    named, standing, waiting_on,
};
pub(super) use tickets::{
    forget_credentials, forget_pledges, forget_tickets, insert_credential, insert_ticket, keep_pledge, pledged,
    recorded, take_ticket,
};

use super::{
    machine::{Ended, Extension, Found, Open, Refused, Session, Waiting, Word},
    model::{Ask, Traffic},
};
use crate::{
    change,
    db::{DbError, Ts, Tx, count, word},
    run,
};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    device_id: Uuid,
    registration_id: Uuid,
    epoch: i64,
    technician_id: Uuid,
    installer_id: Uuid,
    customer_id: Uuid,
    services: Json<Vec<Service>>,
    networks: Json<Vec<Network>>,
    listens: Json<Vec<Listen>>,
    features: Json<Vec<Feature>>,
    reason: Option<String>,
    ticket_number: Option<String>,
    break_glass: bool,
    minutes: i32,
    csr: String,
    key_thumbprint: String,
    signed_grant: Option<String>,
    consent_kind: String,
    proof: Option<Json<Box<Proof>>>,
    state: String,
    requested_at: Ts,
    decided_at: Option<Ts>,
    decided_by: Option<Uuid>,
    opened_at: Option<Ts>,
    until: Option<Ts>,
    longest: bool,
    joined_at: Option<Ts>,
    paired_at: Option<Ts>,
    lease_until: Option<Ts>,
    ended_at: Option<Ts>,
    end_reason: Option<String>,
    #[sqlx(flatten)]
    extension: ExtensionColumns,
}

/// The latest wish that a session may last longer; all of them are there, or none.
#[derive(sqlx::FromRow)]
struct ExtensionColumns {
    #[sqlx(rename = "extension_minutes")]
    minutes: Option<i32>,
    #[sqlx(rename = "extension_at")]
    at: Option<Ts>,
    #[sqlx(rename = "extension_state")]
    state: Option<String>,
    #[sqlx(rename = "extension_refusal")]
    refusal: Option<String>,
}

impl TryFrom<ExtensionColumns> for Option<Extension> {
    type Error = DbError;
    fn try_from(row: ExtensionColumns) -> Result<Self, DbError> {
        let ExtensionColumns { minutes, at, state, refusal: refused } = row;
        let (Some(minutes), Some(at), Some(state)) = (minutes, at, state) else {
            return Ok(None);
        };
        let state = word(&state, ExtensionState::from_word, "extension of a session")?;
        let refusal = |text: &String| word(text, NotLonger::from_word, "refusal of more time");
        let refusal = refused.as_ref().map(refusal).transpose()?;
        let minutes = u32::try_from(minutes).map_err(DbError::corrupt)?;
        Ok(Some(Extension { minutes, at: at.into(), state, refusal }))
    }
}

fn state(text: &str) -> Result<SessionState, DbError> {
    word(text, SessionState::from_word, "state of a session")
}

fn consent_kind(text: &str) -> Result<ConsentKind, DbError> {
    word(text, ConsentKind::from_word, "consent of a session")
}

fn ticket_number(text: Option<String>) -> Result<Option<TicketNumber>, DbError> {
    text.map(|text| text.parse().map_err(DbError::corrupt)).transpose()
}

fn end_reason(text: &str) -> Result<EndReason, DbError> {
    word(text, EndReason::from_word, "end of a session")
}

impl TryFrom<Row> for Found {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        let missing = |what: &str| DbError::corrupt(format!("session {} has no {what}", row.id));
        let ask = Ask {
            id: SessionId::from_uuid(row.id),
            device: DeviceId::from_uuid(row.device_id),
            registration: RegistrationId::from_uuid(row.registration_id),
            epoch: u64::try_from(row.epoch).map_err(DbError::corrupt)?,
            technician: UserId::from_uuid(row.technician_id),
            installer: OrganisationId::from_uuid(row.installer_id),
            customer: OrganisationId::from_uuid(row.customer_id),
            services: row.services.0,
            networks: row.networks.0,
            listens: row.listens.0,
            features: row.features.0,
            reason: row.reason,
            ticket_number: ticket_number(row.ticket_number)?,
            break_glass: row.break_glass,
            minutes: u32::try_from(row.minutes).map_err(DbError::corrupt)?,
            csr: row.csr,
            key_thumbprint: row.key_thumbprint,
            requested_at: row.requested_at.into(),
        };
        Ok(match state(&row.state)? {
            SessionState::Waiting => Self::Waiting(Session { ask, state: Waiting }),
            SessionState::Open => Self::Open(Session {
                ask,
                state: Open {
                    grant: row
                        .signed_grant
                        .as_deref()
                        .ok_or_else(|| missing("grant"))?
                        .parse()
                        .map_err(DbError::corrupt)?,
                    word: Word { kind: consent_kind(&row.consent_kind)?, proof: row.proof.map(|Json(proof)| proof) },
                    since: row.opened_at.ok_or_else(|| missing("beginning"))?.into(),
                    until: row.until.ok_or_else(|| missing("end time"))?.into(),
                    longest: row.longest,
                    joined_at: row.joined_at.map(Timestamp::from),
                    paired_at: row.paired_at.map(Timestamp::from),
                    lease_until: row.lease_until.ok_or_else(|| missing("lease"))?.into(),
                    extension: row.extension.try_into()?,
                },
            }),
            SessionState::Refused => Self::Refused(Session {
                ask,
                state: Refused {
                    by: row.decided_by.map(UserId::from_uuid),
                    at: row.decided_at.ok_or_else(|| missing("decision"))?.into(),
                },
            }),
            SessionState::Ended => Self::Ended(Session {
                ask,
                state: Ended {
                    at: row.ended_at.ok_or_else(|| missing("end"))?.into(),
                    reason: end_reason(row.end_reason.as_deref().ok_or_else(|| missing("end reason"))?)?,
                },
            }),
        })
    }
}

macro_rules! found {
    ($lock:literal) => {
        concat!(
            "SELECT id, device_id, registration_id, epoch, technician_id, installer_id, customer_id, services, networks, listens, features, \
             reason, ticket_number, break_glass, minutes, csr, key_thumbprint, signed_grant, consent_kind, proof, state, requested_at, decided_at, decided_by, opened_at, until, longest, \
             joined_at, paired_at, lease_until, ended_at, end_reason, \
             extension_minutes, extension_at, extension_state, extension_refusal FROM remote_session WHERE id = $1",
            $lock
        )
    };
}

/// A new request.
pub(super) async fn insert(tx: &mut Tx, ask: &Ask) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO remote_session (id, device_id, registration_id, epoch, technician_id, installer_id, customer_id, \
         services, networks, listens, features, reason, ticket_number, minutes, csr, key_thumbprint, state, requested_at, \
         break_glass, bytes_up, bytes_down) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 0, 0)",
    )
    .bind(ask.id.uuid())
    .bind(ask.device.uuid())
    .bind(ask.registration.uuid())
    .bind(count(ask.epoch))
    .bind(ask.technician.uuid())
    .bind(ask.installer.uuid())
    .bind(ask.customer.uuid())
    .bind(Json(&ask.services))
    .bind(Json(&ask.networks))
    .bind(Json(&ask.listens))
    .bind(Json(&ask.features))
    .bind(ask.reason.as_deref())
    .bind(ask.ticket_number.as_ref().map(TicketNumber::as_str))
    .bind(i32::try_from(ask.minutes).unwrap_or(i32::MAX))
    .bind(ask.csr.as_str())
    .bind(ask.key_thumbprint.as_str())
    .bind(SessionState::Waiting.word())
    .bind(Ts::from(ask.requested_at))
    .bind(ask.break_glass)
    .execute(c))?;
    Ok(())
}

/// A session, held until the transaction ends.
pub(super) async fn hold(tx: &mut Tx, id: SessionId) -> Result<Option<Found>, DbError> {
    let statement = if tx.is_postgres() { found!(" FOR UPDATE") } else { found!("") };
    run!(tx, c => sqlx::query_as::<_, Row>(statement).bind(id.uuid()).fetch_optional(c))?
        .map(Found::try_from)
        .transpose()
}

/// A session as it stands.
pub(super) async fn find(tx: &mut Tx, id: SessionId) -> Result<Option<Found>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(found!("")).bind(id.uuid()).fetch_optional(c))?
        .map(Found::try_from)
        .transpose()
}

/// Notes that somebody of the customer has decided about a session that a rule had opened.
pub(super) async fn decided(tx: &mut Tx, id: SessionId, by: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE remote_session SET decided_by = $2 WHERE id = $1 AND state = 'open' AND decided_by IS NULL",
    )
    .bind(id.uuid())
    .bind(by.uuid())
    .execute(c))?;
    Ok(())
}

/// Writes that a session is open; `false` when it no longer waited.
pub(super) async fn open(tx: &mut Tx, session: &Session<Open>, by: Option<UserId>) -> Result<bool, DbError> {
    let Session { ask, state } = session;
    let changed = change!(tx, c => sqlx::query(
        "UPDATE remote_session SET state = 'open', signed_grant = $2, decided_at = $3, decided_by = $4, opened_at = $3, \
         until = $5, lease_until = $6, consent_kind = $7, proof = $8 WHERE id = $1 AND state = 'waiting'",
    )
    .bind(ask.id.uuid())
    .bind(state.grant.as_str())
    .bind(Ts::from(state.since))
    .bind(by.map(UserId::uuid))
    .bind(Ts::from(state.until))
    .bind(Ts::from(state.lease_until))
    .bind(state.word.kind.word())
    .bind(state.word.proof.as_ref().map(Json))
    .execute(c))?;
    Ok(changed == 1)
}

/// Writes the wish that a session may last longer, its end and its grant; `false` when it is not open any more.
pub(super) async fn extend(tx: &mut Tx, session: &Session<Open>) -> Result<bool, DbError> {
    let Session { ask, state } = session;
    let changed = change!(tx, c => sqlx::query(
        "UPDATE remote_session SET until = $2, signed_grant = $3, extension_minutes = $4, extension_at = $5, \
         extension_state = $6, extension_refusal = $7, longest = $8, consent_kind = $9, proof = $10 WHERE id = $1 AND state = 'open'",
    )
    .bind(ask.id.uuid())
    .bind(Ts::from(state.until))
    .bind(state.grant.as_str())
    .bind(state.extension.map(|extension| i32::try_from(extension.minutes).unwrap_or(i32::MAX)))
    .bind(state.extension.map(|extension| Ts::from(extension.at)))
    .bind(state.extension.map(|extension| extension.state.word()))
    .bind(state.extension.and_then(|extension| extension.refusal).map(NotLonger::word))
    .bind(state.longest)
    .bind(state.word.kind.word())
    .bind(state.word.proof.as_ref().map(Json))
    .execute(c))?;
    Ok(changed == 1)
}

/// Writes a refusal; `false` when the session no longer waited.
pub(super) async fn refuse(tx: &mut Tx, session: &Session<Refused>) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "UPDATE remote_session SET state = 'refused', decided_at = $2, decided_by = $3 \
         WHERE id = $1 AND state = 'waiting'",
    )
    .bind(session.ask.id.uuid())
    .bind(Ts::from(session.state.at))
    .bind(session.state.by.map(UserId::uuid))
    .execute(c))?;
    Ok(changed == 1)
}

/// Writes an end; `false` when the session was over already.
pub(super) async fn end(tx: &mut Tx, session: &Session<Ended>) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "UPDATE remote_session SET state = 'ended', ended_at = $2, end_reason = $3 \
         WHERE id = $1 AND state IN ('waiting', 'open')",
    )
    .bind(session.ask.id.uuid())
    .bind(Ts::from(session.state.at))
    .bind(session.state.reason.word())
    .execute(c))?;
    Ok(changed == 1)
}

/// Raises the byte counts of a session; counts that arrive late or twice change nothing.
pub(super) async fn count_bytes(tx: &mut Tx, id: SessionId, traffic: Traffic) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE remote_session SET \
         bytes_up = CASE WHEN bytes_up > $2 THEN bytes_up ELSE $2 END, \
         bytes_down = CASE WHEN bytes_down > $3 THEN bytes_down ELSE $3 END WHERE id = $1",
    )
    .bind(id.uuid())
    .bind(count(traffic.up))
    .bind(count(traffic.down))
    .execute(c))?;
    Ok(())
}

/// Notes that both ends of a session are there; `true` for the first time, after which bytes may flow.
pub(super) async fn pair(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "UPDATE remote_session SET paired_at = $2 WHERE id = $1 AND paired_at IS NULL",
    )
    .bind(id.uuid())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(changed == 1)
}

/// Counts an end that has come again.
pub(super) async fn count_rejoin(tx: &mut Tx, id: SessionId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE remote_session SET rejoins = rejoins + 1 WHERE id = $1")
        .bind(id.uuid())
        .execute(c))?;
    Ok(())
}

/// The byte counts of a session.
pub(super) async fn bytes(tx: &mut Tx, id: SessionId) -> Result<Traffic, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (i64, i64)>(
        "SELECT bytes_up, bytes_down FROM remote_session WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(c))?;
    let (up, down) = row.unwrap_or_default();
    Ok(Traffic { up: u64::try_from(up).unwrap_or(0), down: u64::try_from(down).unwrap_or(0) })
}

/// A relay carries the session until `lease_until` at least; `false` when the session is not open.
pub(super) async fn renew_lease(
    tx: &mut Tx,
    id: SessionId,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "UPDATE remote_session SET joined_at = COALESCE(joined_at, $2), lease_until = $3 WHERE id = $1 AND state = 'open'",
    )
    .bind(id.uuid())
    .bind(Ts::from(now))
    .bind(Ts::from(lease_until))
    .execute(c))?;
    Ok(changed == 1)
}
