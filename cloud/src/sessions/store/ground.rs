//! The ground that sessions stand on: registration, customer, rule and what the device reports.

use gatelodge_proto::{
    DeviceId, OrganisationId, RegistrationId, Timestamp,
    opening::{BreakGlass, OpenHours, Opening, Standing},
    payload::{Consent, Feature, Listen, Network, Report, Service},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    db::{DbError, Ts, Tx, word},
    run,
    sessions::model::Ask,
};

/// What a session on a device would stand on.
#[derive(Debug, Clone)]
pub(in crate::sessions) struct Ground {
    pub(in crate::sessions) registration: RegistrationId,
    pub(in crate::sessions) epoch: u64,
    /// `None` while the customer has not confirmed.
    pub(in crate::sessions) customer: Option<OrganisationId>,
    /// What the customer's rule comes to at this moment.
    pub(in crate::sessions) rule: Standing,
    /// Who may enter in an emergency without an answer.
    pub(in crate::sessions) break_glass: Option<BreakGlass>,
    pub(in crate::sessions) services: Vec<Service>,
    pub(in crate::sessions) networks: Vec<Network>,
    pub(in crate::sessions) listens: Vec<Listen>,
    pub(in crate::sessions) features: Vec<Feature>,
}

impl Ground {
    /// Whether a session that was asked for still stands on it.
    pub(in crate::sessions) fn is_of(&self, ask: &Ask) -> bool {
        self.registration == ask.registration && self.epoch == ask.epoch && self.rule != Standing::Never
    }
}

#[derive(sqlx::FromRow)]
struct GroundRow {
    id: Uuid,
    epoch: i64,
    customer_id: Option<Uuid>,
    consent: String,
    hours: Option<Json<OpenHours>>,
    open_until: Option<Ts>,
    break_glass: Option<String>,
    stops: i64,
    report: Option<Json<Report>>,
}

macro_rules! ground {
    ($of:literal, $lock:literal) => {
        concat!(
            "SELECT r.id, r.epoch, r.customer_id, r.consent, r.hours, r.open_until, r.break_glass, d.report, (SELECT count(*) FROM emergency_stop e \
             WHERE e.lifted_at IS NULL AND (e.installer_id IS NULL OR e.installer_id = $1) \
             AND (e.device_id IS NULL OR e.device_id = r.device_id)) AS stops \
             FROM registration r JOIN device d ON d.id = r.device_id AND d.epoch = r.epoch \
             WHERE ",
            $of,
            " = $1 AND r.device_id = $2 AND r.state IN ('open', 'active')",
            $lock
        )
    };
}

/// What a session of this installer on this device would stand on; `None` when the device is not the installer's.
pub(in crate::sessions) async fn ground(
    tx: &mut Tx,
    now: Timestamp,
    installer: OrganisationId,
    device: DeviceId,
) -> Result<Option<Ground>, DbError> {
    ground_by(tx, ground!("r.installer_id", ""), now, installer, device).await
}

/// The same, and until the transaction ends nobody else asks for a session there: what is counted meanwhile stays true.
pub(in crate::sessions) async fn hold_ground(
    tx: &mut Tx,
    now: Timestamp,
    installer: OrganisationId,
    device: DeviceId,
) -> Result<Option<Ground>, DbError> {
    let statement =
        if tx.is_postgres() { ground!("r.installer_id", " FOR UPDATE OF r") } else { ground!("r.installer_id", "") };
    hold_by(tx, statement, now, installer, device).await
}

/// The same for the customer whose device it is.
pub(in crate::sessions) async fn hold_own_ground(
    tx: &mut Tx,
    now: Timestamp,
    customer: OrganisationId,
    device: DeviceId,
) -> Result<Option<Ground>, DbError> {
    let statement =
        if tx.is_postgres() { ground!("r.customer_id", " FOR UPDATE OF r") } else { ground!("r.customer_id", "") };
    hold_by(tx, statement, now, customer, device).await
}

/// A registration that ended while this waited for it may have a successor, which only a second look sees.
async fn hold_by(
    tx: &mut Tx,
    statement: &'static str,
    now: Timestamp,
    organisation: OrganisationId,
    device: DeviceId,
) -> Result<Option<Ground>, DbError> {
    match ground_by(tx, statement, now, organisation, device).await? {
        None if tx.is_postgres() => ground_by(tx, statement, now, organisation, device).await,
        found => Ok(found),
    }
}

fn agreed(text: &str) -> Result<BreakGlass, DbError> {
    word(text, BreakGlass::from_word, "role for emergencies")
}

/// The customer's rule, to be asked for a moment.
pub(super) fn rule(
    consent: &str,
    hours: Option<Json<OpenHours>>,
    open_until: Option<Ts>,
) -> Result<impl Fn(Timestamp) -> Standing, DbError> {
    let consent = word(consent, Consent::from_word, "consent")?;
    let (hours, open_until) = (hours.map(|Json(hours)| hours), open_until.map(Timestamp::from));
    let opening = Opening { hours, open_until, ..Opening::default() };
    Ok(move |now| opening.at(consent, now))
}

/// The same, to look at.
pub(in crate::sessions) async fn own_ground(
    tx: &mut Tx,
    now: Timestamp,
    customer: OrganisationId,
    device: DeviceId,
) -> Result<Option<Ground>, DbError> {
    ground_by(tx, ground!("r.customer_id", ""), now, customer, device).await
}

async fn ground_by(
    tx: &mut Tx,
    statement: &'static str,
    now: Timestamp,
    organisation: OrganisationId,
    device: DeviceId,
) -> Result<Option<Ground>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, GroundRow>(statement)
    .bind(organisation.uuid())
    .bind(device.uuid())
    .fetch_optional(c))?;
    row.map(|row| {
        let (services, networks, listens, features) = row
            .report
            .map(|Json(report)| (report.services, report.networks, report.listens, report.features))
            .unwrap_or_default();
        Ok(Ground {
            registration: RegistrationId::from_uuid(row.id),
            epoch: u64::try_from(row.epoch).map_err(DbError::corrupt)?,
            customer: row.customer_id.map(OrganisationId::from_uuid),
            rule: match row.stops {
                0 => rule(&row.consent, row.hours, row.open_until)?(now),
                _ => Standing::Never,
            },
            break_glass: row.break_glass.as_deref().map(agreed).transpose()?,
            services,
            networks,
            listens,
            features,
        })
    })
    .transpose()
}
