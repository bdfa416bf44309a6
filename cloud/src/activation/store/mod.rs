//! The table `registration`: what a registration is and what becomes of it. How people read it is in `read`.

mod offer;
mod read;

use gatelodge_proto::{
    DeviceId, OrganisationId, RegistrationId, Timestamp, UserId,
    identity::WebAddress,
    opening::{BreakGlass, OpenHours, Opening},
    payload::Consent,
};
use sqlx::types::Json;
use uuid::Uuid;

pub(super) use offer::{hand_over, offer, offered, withdraw};
pub use read::Wanted;
pub(super) use read::{
    by_id, count_of_installer, list_of_customer, list_of_installer, of_customer, of_installer, registered_by,
    waiting_for,
};

use super::{
    machine::{Active, End, Ended, Found, Open, Registration, Tie},
    model::{CustomerData, State},
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
    epoch: i64,
    installer_id: Uuid,
    web_address: String,
    customer_email: String,
    customer_user_id: Uuid,
    customer_data: Json<Option<CustomerData>>,
    customer_id: Option<Uuid>,
    consent: String,
    #[sqlx(flatten)]
    opening: OpeningColumns,
    state: String,
    registered_at: Ts,
    activated_at: Option<Ts>,
    ended_at: Option<Ts>,
}

/// What the rule says beside the consent.
#[derive(sqlx::FromRow)]
struct OpeningColumns {
    hours: Option<Json<OpenHours>>,
    open_until: Option<Ts>,
    break_glass: Option<String>,
}

impl TryFrom<OpeningColumns> for Opening {
    type Error = DbError;
    fn try_from(row: OpeningColumns) -> Result<Self, DbError> {
        let role = |text: &str| word(text, BreakGlass::from_word, "role for emergencies");
        Ok(Self {
            hours: row.hours.map(|Json(hours)| hours),
            open_until: row.open_until.map(Timestamp::from),
            break_glass: row.break_glass.as_deref().map(role).transpose()?,
        })
    }
}

impl TryFrom<Row> for Found {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        let missing = |what: &str| DbError::corrupt(format!("registration {} has no {what}", row.id));
        let tie = Tie {
            id: RegistrationId::from_uuid(row.id),
            device: DeviceId::from_uuid(row.device_id),
            epoch: u64::try_from(row.epoch).map_err(DbError::corrupt)?,
            installer: OrganisationId::from_uuid(row.installer_id),
            web_address: row.web_address.parse().map_err(DbError::corrupt)?,
            registered_at: row.registered_at.into(),
            data: row.customer_data.0,
        };
        let ended = |how| -> Result<Self, DbError> {
            let at = row.ended_at.ok_or_else(|| missing("end"))?.into();
            Ok(Self::Ended(Registration { tie: tie.clone(), state: Ended { how, at } }))
        };
        match state(&row.state)? {
            State::Open => Ok(Self::Open(Registration {
                tie,
                state: Open {
                    email: row.customer_email.parse().map_err(DbError::corrupt)?,
                    customer_user: UserId::from_uuid(row.customer_user_id),
                },
            })),
            State::Active => Ok(Self::Active(Registration {
                tie,
                state: Active {
                    customer: OrganisationId::from_uuid(row.customer_id.ok_or_else(|| missing("customer"))?),
                    consent: consent(&row.consent)?,
                    opening: row.opening.try_into()?,
                    since: row.activated_at.ok_or_else(|| missing("activation"))?.into(),
                },
            })),
            State::Cancelled => ended(End::Cancelled),
            State::Released => ended(End::Released),
            State::HandedOver => ended(End::HandedOver),
        }
    }
}

fn state(text: &str) -> Result<State, DbError> {
    word(text, State::from_word, "state of a registration")
}

fn consent(text: &str) -> Result<Consent, DbError> {
    word(text, Consent::from_word, "consent")
}

macro_rules! found {
    ($condition:literal) => {
        concat!(
            "SELECT id, device_id, epoch, installer_id, web_address, customer_email, customer_user_id, customer_data, \
             customer_id, consent, hours, open_until, break_glass, state, registered_at, activated_at, ended_at FROM registration WHERE ",
            $condition
        )
    };
}

/// A new registration. [`DbError::is_taken`] with `web_address` or `device` tells who was faster.
pub(super) async fn insert(
    tx: &mut Tx,
    registration: &Registration<Open>,
    registered_by: UserId,
) -> Result<(), DbError> {
    let Registration { tie, state } = registration;
    change!(tx, c => sqlx::query(
        "INSERT INTO registration (id, device_id, epoch, installer_id, registered_by, web_address, customer_email, \
         customer_email_folded, customer_user_id, customer_data, consent, state, registered_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(tie.id.uuid())
    .bind(tie.device.uuid())
    .bind(count(tie.epoch))
    .bind(tie.installer.uuid())
    .bind(registered_by.uuid())
    .bind(tie.web_address.as_str())
    .bind(state.email.as_str())
    .bind(state.email.folded())
    .bind(state.customer_user.uuid())
    .bind(Json(&tie.data))
    .bind(Consent::Never.word())
    .bind(State::Open.word())
    .bind(Ts::from(tie.registered_at))
    .execute(c))?;
    Ok(())
}

/// A registration, held until the transaction ends.
pub(super) async fn hold(tx: &mut Tx, id: RegistrationId) -> Result<Option<Found>, DbError> {
    let statement = if tx.is_postgres() { found!("id = $1 FOR UPDATE") } else { found!("id = $1") };
    run!(tx, c => sqlx::query_as::<_, Row>(statement).bind(id.uuid()).fetch_optional(c))?
        .map(Found::try_from)
        .transpose()
}

/// The registration in force for a device.
pub(super) async fn live(tx: &mut Tx, device: DeviceId) -> Result<Option<Found>, DbError> {
    let statement = found!("device_id = $1 AND state IN ('open', 'active')");
    run!(tx, c => sqlx::query_as::<_, Row>(statement).bind(device.uuid()).fetch_optional(c))?
        .map(Found::try_from)
        .transpose()
}

/// The registration in force for a device, held until the transaction ends.
pub(super) async fn hold_live(tx: &mut Tx, device: DeviceId) -> Result<Option<Found>, DbError> {
    if !tx.is_postgres() {
        return live(tx, device).await;
    }
    let statement = found!("device_id = $1 AND state IN ('open', 'active') FOR UPDATE");
    let mut found = None;
    // One that ended while this waited for it may have a successor, which only a second look sees.
    for _ in 0..2 {
        found = run!(tx, c => sqlx::query_as::<_, Row>(statement).bind(device.uuid()).fetch_optional(c))?;
        if found.is_some() {
            break;
        }
    }
    found.map(Found::try_from).transpose()
}

/// Whether a live registration has this web address.
pub(super) async fn is_web_address_taken(tx: &mut Tx, web_address: &WebAddress) -> Result<bool, DbError> {
    let found = run!(tx, c => sqlx::query_scalar::<_, i32>(
        "SELECT 1 FROM registration WHERE web_address = $1 AND state IN ('open', 'active')",
    )
    .bind(web_address.as_str())
    .fetch_optional(c))?;
    Ok(found.is_some())
}

/// Writes a confirmed registration; `false` when it was no longer open.
pub(super) async fn activate(tx: &mut Tx, registration: &Registration<Active>) -> Result<bool, DbError> {
    let Registration { tie, state } = registration;
    let changed = change!(tx, c => sqlx::query(
        "UPDATE registration SET state = $2, customer_id = $3, consent = $4, customer_data = $5, activated_at = $6 \
         WHERE id = $1 AND state = 'open'",
    )
    .bind(tie.id.uuid())
    .bind(State::Active.word())
    .bind(state.customer.uuid())
    .bind(state.consent.word())
    .bind(Json(&tie.data))
    .bind(Ts::from(state.since))
    .execute(c))?;
    Ok(changed == 1)
}

/// Writes the address a link goes to from now on.
pub(super) async fn set_email(tx: &mut Tx, registration: &Registration<Open>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE registration SET customer_email = $2, customer_email_folded = $3, customer_user_id = $4 \
         WHERE id = $1 AND state = 'open'",
    )
    .bind(registration.tie.id.uuid())
    .bind(registration.state.email.as_str())
    .bind(registration.state.email.folded())
    .bind(registration.state.customer_user.uuid())
    .execute(c))?;
    Ok(())
}

/// Writes another name of the device's own pages. [`DbError::is_taken`] with `web_address` tells who was faster.
pub(super) async fn set_web_address(tx: &mut Tx, registration: &Registration<Active>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE registration SET web_address = $2 WHERE id = $1 AND state = 'active'")
        .bind(registration.tie.id.uuid())
        .bind(registration.tie.web_address.as_str())
        .execute(c))?;
    Ok(())
}

/// Writes the customer's rule.
pub(super) async fn set_rule(tx: &mut Tx, registration: &Registration<Active>) -> Result<(), DbError> {
    let Opening { hours, open_until, break_glass } = &registration.state.opening;
    change!(tx, c => sqlx::query(
        "UPDATE registration SET consent = $2, hours = $3, open_until = $4, break_glass = $5 \
         WHERE id = $1 AND state = 'active'",
    )
    .bind(registration.tie.id.uuid())
    .bind(registration.state.consent.word())
    .bind(hours.as_ref().map(Json))
    .bind(open_until.map(Ts::from))
    .bind(break_glass.map(BreakGlass::word))
    .execute(c))?;
    Ok(())
}

/// Devices whose opening is over, and on which nobody is inside any more: a session that the customer has extended
/// beyond it goes on.
pub(super) async fn closing(tx: &mut Tx, now: Timestamp) -> Result<Vec<DeviceId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT r.device_id FROM registration r WHERE r.open_until <= $1 AND r.state = 'active' AND NOT EXISTS \
         (SELECT 1 FROM remote_session s WHERE s.registration_id = r.id AND s.state = 'open') LIMIT 200",
    )
    .bind(Ts::from(now))
    .fetch_all(c))?;
    Ok(rows.into_iter().map(DeviceId::from_uuid).collect())
}

/// Writes the end.
pub(super) async fn end(tx: &mut Tx, registration: &Registration<Ended>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE registration SET state = $2, consent = $3, ended_at = $4 \
         WHERE id = $1 AND state IN ('open', 'active')",
    )
    .bind(registration.tie.id.uuid())
    .bind(State::from(registration.state.how).word())
    .bind(Consent::Never.word())
    .bind(Ts::from(registration.state.at))
    .execute(c))?;
    Ok(())
}
