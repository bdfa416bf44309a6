//! The table `registration`, and the one reading of it that joins the names people know its parts by.

use gatelodge_proto::{
    DeviceId, OrganisationId, RegistrationId, Timestamp, UserId,
    identity::WebAddress,
    payload::{Consent, Life, Report},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    machine::{Active, End, Ended, Found, Open, Registration, Tie},
    model::{CustomerData, RegistrationView, State},
};
use crate::{
    change,
    db::{DbError, Ts, Tx, count},
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
    state: String,
    registered_at: Ts,
    activated_at: Option<Ts>,
    ended_at: Option<Ts>,
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
                    since: row.activated_at.ok_or_else(|| missing("activation"))?.into(),
                },
            })),
            State::Cancelled => ended(End::Cancelled),
            State::Released => ended(End::Released),
        }
    }
}

fn state(word: &str) -> Result<State, DbError> {
    State::from_word(word).ok_or_else(|| DbError::corrupt(format!("`{word}` is no state of a registration")))
}

fn consent(word: &str) -> Result<Consent, DbError> {
    Consent::from_word(word).ok_or_else(|| DbError::corrupt(format!("`{word}` is no consent")))
}

macro_rules! found {
    ($condition:literal) => {
        concat!(
            "SELECT id, device_id, epoch, installer_id, web_address, customer_email, customer_user_id, customer_data, \
             customer_id, consent, state, registered_at, activated_at, ended_at FROM registration WHERE ",
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

/// The registration in force for a device, held until the transaction ends.
pub(super) async fn hold_live(tx: &mut Tx, device: DeviceId) -> Result<Option<Found>, DbError> {
    let statement = if tx.is_postgres() {
        found!("device_id = $1 AND state IN ('open', 'active') FOR UPDATE")
    } else {
        found!("device_id = $1 AND state IN ('open', 'active')")
    };
    run!(tx, c => sqlx::query_as::<_, Row>(statement).bind(device.uuid()).fetch_optional(c))?
        .map(Found::try_from)
        .transpose()
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
pub(super) async fn set_consent(tx: &mut Tx, registration: &Registration<Active>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE registration SET consent = $2 WHERE id = $1 AND state = 'active'")
        .bind(registration.tie.id.uuid())
        .bind(registration.state.consent.word())
        .execute(c))?;
    Ok(())
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

#[derive(sqlx::FromRow)]
struct ViewRow {
    id: Uuid,
    device_id: Uuid,
    id_code: String,
    mac: String,
    serial: String,
    product: String,
    life: String,
    online: bool,
    presence_since: Option<Ts>,
    report: Option<Json<Report>>,
    reported_at: Option<Ts>,
    installer_id: Uuid,
    installer_name: String,
    web_address: String,
    customer_email: String,
    customer_user_id: Uuid,
    customer_data: Json<Option<CustomerData>>,
    customer_id: Option<Uuid>,
    customer_name: Option<String>,
    consent: String,
    state: String,
    registered_at: Ts,
    activated_at: Option<Ts>,
}

impl TryFrom<ViewRow> for RegistrationView {
    type Error = DbError;
    fn try_from(row: ViewRow) -> Result<Self, DbError> {
        Ok(Self {
            id: RegistrationId::from_uuid(row.id),
            device: DeviceId::from_uuid(row.device_id),
            id_code: row.id_code.parse().map_err(DbError::corrupt)?,
            mac: row.mac.parse().map_err(DbError::corrupt)?,
            serial: row.serial.parse().map_err(DbError::corrupt)?,
            product: row.product,
            life: Life::from_word(&row.life).ok_or_else(|| DbError::corrupt("a device has no such life"))?,
            online: row.online,
            presence_since: row.presence_since.map(Timestamp::from),
            report: row.report.map(|report| report.0),
            reported_at: row.reported_at.map(Timestamp::from),
            installer: OrganisationId::from_uuid(row.installer_id),
            installer_name: row.installer_name,
            web_address: row.web_address.parse().map_err(DbError::corrupt)?,
            email: row.customer_email.parse().map_err(DbError::corrupt)?,
            customer_user: UserId::from_uuid(row.customer_user_id),
            data: row.customer_data.0,
            customer: row.customer_id.map(OrganisationId::from_uuid),
            customer_name: row.customer_name,
            consent: consent(&row.consent)?,
            state: state(&row.state)?,
            registered_at: row.registered_at.into(),
            activated_at: row.activated_at.map(Timestamp::from),
        })
    }
}

macro_rules! view {
    ($condition:literal) => {
        concat!(
            "SELECT r.id, r.device_id, d.id_code, d.mac, d.serial, p.name AS product, d.life, d.online, \
             d.presence_since, d.report, d.reported_at, r.installer_id, i.name AS installer_name, r.web_address, r.customer_email, \
             r.customer_user_id, r.customer_data, r.customer_id, k.name AS customer_name, r.consent, r.state, \
             r.registered_at, r.activated_at \
             FROM registration r JOIN device d ON d.id = r.device_id JOIN product p ON p.id = d.product_id \
             JOIN organisation i ON i.id = r.installer_id LEFT JOIN organisation k ON k.id = r.customer_id WHERE ",
            $condition
        )
    };
}

async fn one(
    tx: &mut Tx,
    statement: &'static str,
    first: Uuid,
    second: Uuid,
) -> Result<Option<RegistrationView>, DbError> {
    run!(tx, c => sqlx::query_as::<_, ViewRow>(statement).bind(first).bind(second).fetch_optional(c))?
        .map(RegistrationView::try_from)
        .transpose()
}

/// A registration by its id, for those who hold its link.
pub(super) async fn by_id(tx: &mut Tx, id: RegistrationId) -> Result<Option<RegistrationView>, DbError> {
    one(tx, view!("r.id = $1 AND r.id = $2"), id.uuid(), id.uuid()).await
}

/// The live registration of a device, if it is this installer's.
pub(super) async fn of_installer(
    tx: &mut Tx,
    installer: OrganisationId,
    device: DeviceId,
) -> Result<Option<RegistrationView>, DbError> {
    let statement = view!("r.installer_id = $1 AND r.device_id = $2 AND r.state IN ('open', 'active')");
    one(tx, statement, installer.uuid(), device.uuid()).await
}

/// The active registration of a device, if it is this customer's.
pub(super) async fn of_customer(
    tx: &mut Tx,
    customer: OrganisationId,
    device: DeviceId,
) -> Result<Option<RegistrationView>, DbError> {
    let statement = view!("r.customer_id = $1 AND r.device_id = $2 AND r.state = 'active'");
    one(tx, statement, customer.uuid(), device.uuid()).await
}

/// Which registrations an installer wants to see.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Open ones alone, active ones alone, or both.
    pub state: Option<State>,
    /// Present devices alone, absent ones alone, or both.
    pub online: Option<bool>,
    /// A part of the web address, the ID code, the serial, the e-mail address or the customer's name.
    pub search: String,
    /// Before this one in the list.
    pub before: Option<RegistrationId>,
    /// How many at most.
    pub limit: i64,
}

/// An installer's live registrations, the newest first.
pub(super) async fn list_of_installer(
    tx: &mut Tx,
    installer: OrganisationId,
    wanted: &Wanted,
) -> Result<Vec<RegistrationView>, DbError> {
    let search = wanted.search.trim().to_lowercase();
    let escaped = search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let code = format!("%{}%", escaped.replace(['-', ' '], ""));
    run!(tx, c => sqlx::query_as::<_, ViewRow>(view!(
        "r.installer_id = $1 AND r.state IN ('open', 'active') AND ($2 OR r.state = $3) AND ($4 OR d.online = $5) \
         AND ($6 OR lower(r.web_address) LIKE $7 ESCAPE '\\' OR lower(d.serial) LIKE $7 ESCAPE '\\' \
         OR r.customer_email_folded LIKE $7 ESCAPE '\\' OR lower(k.name) LIKE $7 ESCAPE '\\' \
         OR lower(replace(d.id_code, '-', '')) LIKE $8 ESCAPE '\\') \
         AND r.id < $9 ORDER BY r.id DESC LIMIT $10"
    ))
    .bind(installer.uuid())
    .bind(wanted.state.is_none())
    .bind(wanted.state.map_or("", State::word))
    .bind(wanted.online.is_none())
    .bind(wanted.online.unwrap_or_default())
    .bind(search.is_empty())
    .bind(format!("%{escaped}%"))
    .bind(code)
    .bind(wanted.before.map_or(Uuid::max(), RegistrationId::uuid))
    .bind(wanted.limit)
    .fetch_all(c))?
    .into_iter()
    .map(RegistrationView::try_from)
    .collect()
}

/// How many live registrations an installer has in each state.
pub(super) async fn count_of_installer(tx: &mut Tx, installer: OrganisationId) -> Result<Vec<(State, u64)>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, (String, i64)>(
        "SELECT state, count(*) FROM registration WHERE installer_id = $1 AND state IN ('open', 'active') GROUP BY state",
    )
    .bind(installer.uuid())
    .fetch_all(c))?;
    rows.into_iter().map(|(word, count)| Ok((state(&word)?, u64::try_from(count).unwrap_or(0)))).collect()
}

/// A customer's active registrations, the newest first.
pub(super) async fn list_of_customer(
    tx: &mut Tx,
    customer: OrganisationId,
    before: Option<RegistrationId>,
    limit: i64,
) -> Result<Vec<RegistrationView>, DbError> {
    run!(tx, c => sqlx::query_as::<_, ViewRow>(view!(
        "r.customer_id = $1 AND r.state = 'active' AND r.id < $2 ORDER BY r.id DESC LIMIT $3"
    ))
    .bind(customer.uuid())
    .bind(before.map_or(Uuid::max(), RegistrationId::uuid))
    .bind(limit)
    .fetch_all(c))?
    .into_iter()
    .map(RegistrationView::try_from)
    .collect()
}

/// What waits for this user to confirm it.
pub(super) async fn waiting_for(tx: &mut Tx, user: UserId) -> Result<Vec<RegistrationView>, DbError> {
    run!(tx, c => sqlx::query_as::<_, ViewRow>(view!(
        "r.customer_user_id = $1 AND r.state = 'open' ORDER BY r.id DESC LIMIT 50"
    ))
    .bind(user.uuid())
    .fetch_all(c))?
    .into_iter()
    .map(RegistrationView::try_from)
    .collect()
}

/// The address an installer's mails about a registration go to: whoever saved it.
pub(super) async fn registered_by(tx: &mut Tx, id: RegistrationId) -> Result<Option<UserId>, DbError> {
    let user = run!(tx, c => sqlx::query_scalar::<_, Uuid>("SELECT registered_by FROM registration WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(c))?;
    Ok(user.map(UserId::from_uuid))
}
