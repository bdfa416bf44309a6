//! The one reading of registrations that joins the names people know their parts by.

use gatelodge_proto::{
    DeviceId, OrganisationId, RegistrationId, Timestamp, UserId,
    payload::{Life, Report},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::{OpeningColumns, consent, state};
use crate::{
    activation::model::{CustomerData, RegistrationView, State},
    db::{DbError, Ts, Tx, word},
    devices::service::{ProductPreset, presets},
    run,
};

#[derive(sqlx::FromRow)]
struct ViewRow {
    id: Uuid,
    device_id: Uuid,
    id_code: String,
    mac: String,
    serial: String,
    product: String,
    product_presets: Json<Vec<ProductPreset>>,
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
    #[sqlx(flatten)]
    opening: OpeningColumns,
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
            presets: presets(&row.product_presets.0, row.report.as_ref().map(|report| &report.0)),
            product: row.product,
            life: word(&row.life, Life::from_word, "life of a device")?,
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
            opening: row.opening.try_into()?,
            state: state(&row.state)?,
            registered_at: row.registered_at.into(),
            activated_at: row.activated_at.map(Timestamp::from),
        })
    }
}

macro_rules! view {
    ($condition:literal) => {
        concat!(
            "SELECT r.id, r.device_id, d.id_code, d.mac, d.serial, p.name AS product, p.presets AS product_presets, d.life, d.online, \
             d.presence_since, d.report, d.reported_at, r.installer_id, i.name AS installer_name, r.web_address, r.customer_email, \
             r.customer_user_id, r.customer_data, r.customer_id, k.name AS customer_name, r.consent, r.hours, r.open_until, r.break_glass, \
             r.state, \
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
pub(in crate::activation) async fn by_id(tx: &mut Tx, id: RegistrationId) -> Result<Option<RegistrationView>, DbError> {
    one(tx, view!("r.id = $1 AND r.id = $2"), id.uuid(), id.uuid()).await
}

/// The live registration of a device, if it is this installer's.
pub(in crate::activation) async fn of_installer(
    tx: &mut Tx,
    installer: OrganisationId,
    device: DeviceId,
) -> Result<Option<RegistrationView>, DbError> {
    let statement = view!("r.installer_id = $1 AND r.device_id = $2 AND r.state IN ('open', 'active')");
    one(tx, statement, installer.uuid(), device.uuid()).await
}

/// The active registration of a device, if it is this customer's.
pub(in crate::activation) async fn of_customer(
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
pub(in crate::activation) async fn list_of_installer(
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
pub(in crate::activation) async fn count_of_installer(
    tx: &mut Tx,
    installer: OrganisationId,
) -> Result<Vec<(State, u64)>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, (String, i64)>(
        "SELECT state, count(*) FROM registration WHERE installer_id = $1 AND state IN ('open', 'active') GROUP BY state",
    )
    .bind(installer.uuid())
    .fetch_all(c))?;
    rows.into_iter().map(|(word, count)| Ok((state(&word)?, u64::try_from(count).unwrap_or(0)))).collect()
}

/// A customer's active registrations, the newest first.
pub(in crate::activation) async fn list_of_customer(
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
pub(in crate::activation) async fn waiting_for(tx: &mut Tx, user: UserId) -> Result<Vec<RegistrationView>, DbError> {
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
pub(in crate::activation) async fn registered_by(tx: &mut Tx, id: RegistrationId) -> Result<Option<UserId>, DbError> {
    let user = run!(tx, c => sqlx::query_scalar::<_, Uuid>("SELECT registered_by FROM registration WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(c))?;
    Ok(user.map(UserId::from_uuid))
}
