//! Devices as their people see them: who may see one follows from its registration.

use gatelodge_proto::{
    DeviceId, OrganisationId, Timestamp,
    identity::WebAddress,
    opening::{BreakGlass, OpenHours, Opening},
    payload::{Consent, Life},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::inventory::DeviceRow;
use crate::{
    db::{DbError, Ts, Tx, word},
    devices::model::Device,
    run,
};

/// Which devices to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of an ID code, MAC, serial, web address, product, customer or installer.
    pub search: Option<String>,
    /// Only in this state.
    pub life: Option<Life>,
    /// Only those that are there, or are not.
    pub online: Option<bool>,
    /// From the page before.
    pub after: Option<Cursor>,
    /// At most so many; 50 unless said.
    pub limit: Option<u16>,
}

/// Where the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Cursor(DeviceId);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Cursor {
    type Err = gatelodge_proto::ids::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A device with what its live registration says.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The device.
    pub device: Device,
    /// Its live registration.
    pub registration: Option<Tied>,
}

/// What a live registration says in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tied {
    /// Its web address.
    pub web_address: WebAddress,
    /// The installer.
    pub installer: OrganisationId,
    /// The installer's name.
    pub installer_name: String,
    /// The customer, once it has confirmed.
    pub customer: Option<OrganisationId>,
    /// The customer's name, once it has confirmed.
    pub customer_name: Option<String>,
    /// Where the activation link went.
    pub customer_email: String,
    /// The consent in force.
    pub consent: Consent,
    /// What the rule says beside that.
    pub opening: Opening,
}

impl Listed {
    /// What to call it: its web address, else its product and ID code.
    pub fn name(&self) -> String {
        match &self.registration {
            Some(tied) => tied.web_address.to_string(),
            None => format!("{} {}", self.device.product_name, self.device.names.id_code),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    device: DeviceRow,
    web_address: Option<String>,
    installer_id: Option<Uuid>,
    installer_name: Option<String>,
    customer_id: Option<Uuid>,
    customer_name: Option<String>,
    customer_email: Option<String>,
    consent: Option<String>,
    hours: Option<Json<OpenHours>>,
    open_until: Option<Ts>,
    break_glass: Option<String>,
}

impl TryFrom<Row> for Listed {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        let registration = match (row.web_address, row.installer_id, row.consent) {
            (Some(web_address), Some(installer), Some(consent)) => Some(Tied {
                web_address: web_address.parse().map_err(DbError::corrupt)?,
                installer: OrganisationId::from_uuid(installer),
                installer_name: row.installer_name.unwrap_or_default(),
                customer: row.customer_id.map(OrganisationId::from_uuid),
                customer_name: row.customer_name,
                customer_email: row.customer_email.unwrap_or_default(),
                consent: Consent::from_word(&consent)
                    .ok_or_else(|| DbError::Corrupt(format!("`{consent}` is no consent")))?,
                opening: Opening {
                    hours: row.hours.map(|Json(hours)| hours),
                    open_until: row.open_until.map(Timestamp::from),
                    break_glass: row
                        .break_glass
                        .as_deref()
                        .map(|text| word(text, BreakGlass::from_word, "role for emergencies"))
                        .transpose()?,
                },
            }),
            _ => None,
        };
        Ok(Self { device: row.device.try_into()?, registration })
    }
}

pub(in crate::devices) async fn devices(
    tx: &mut Tx,
    organisation: Option<OrganisationId>,
    filter: &Filter,
) -> Result<(Vec<Listed>, Option<Cursor>), DbError> {
    let limit = i64::from(filter.limit.unwrap_or(50).clamp(1, 200));
    let search = filter.search.as_deref().map(str::trim).unwrap_or_default();
    let (words, code) = (pattern(&search.to_lowercase()), pattern(&bare(search)));
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT d.id, d.id_code, d.mac, d.serial, d.product_id, p.name AS product_name, p.presets AS product_presets, d.purchased_on, d.proof,
                d.batch, d.life, d.epoch, d.created_at, d.reported_at, d.report, d.online, d.presence_since,
                r.web_address, r.installer_id, i.name AS installer_name, r.customer_id, k.name AS customer_name,
                r.customer_email, r.consent, r.hours, r.open_until, r.break_glass
         FROM device d
         JOIN product p ON p.id = d.product_id
         LEFT JOIN registration r ON r.device_id = d.id AND r.state IN ('open', 'active')
         LEFT JOIN organisation i ON i.id = r.installer_id
         LEFT JOIN organisation k ON k.id = r.customer_id
         WHERE ($1 OR r.installer_id = $2 OR r.customer_id = $2)
           AND d.id < $3
           AND ($4 OR d.life = $5)
           AND ($6 OR d.online = $7)
           AND ($8 OR d.id_code LIKE $9 ESCAPE '!' OR REPLACE(d.mac, ':', '') LIKE $9 ESCAPE '!'
                OR LOWER(d.serial) LIKE $10 ESCAPE '!' OR LOWER(p.name) LIKE $10 ESCAPE '!'
                OR LOWER(r.web_address) LIKE $10 ESCAPE '!' OR LOWER(r.customer_email) LIKE $10 ESCAPE '!'
                OR LOWER(k.name) LIKE $10 ESCAPE '!' OR LOWER(i.name) LIKE $10 ESCAPE '!')
         ORDER BY d.id DESC LIMIT $11",
    )
    .bind(organisation.is_none())
    .bind(organisation.map_or(Uuid::nil(), OrganisationId::uuid))
    .bind(filter.after.map_or(Uuid::max(), |Cursor(device)| device.uuid()))
    .bind(filter.life.is_none())
    .bind(filter.life.map_or("", Life::word))
    .bind(filter.online.is_none())
    .bind(filter.online.unwrap_or_default())
    .bind(search.is_empty())
    .bind(code)
    .bind(words)
    .bind(limit + 1)
    .fetch_all(c))?;
    let mut listed = rows.into_iter().map(Listed::try_from).collect::<Result<Vec<_>, _>>()?;
    let more = i64::try_from(listed.len()).unwrap_or(i64::MAX) > limit;
    if more {
        listed.pop();
    }
    let next = if more { listed.last().map(|last| Cursor(last.device.id)) } else { None };
    Ok((listed, next))
}

/// One device; the same answer for a missing one and somebody else's.
pub(in crate::devices) async fn device(
    tx: &mut Tx,
    organisation: Option<OrganisationId>,
    id: DeviceId,
) -> Result<Option<Listed>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT d.id, d.id_code, d.mac, d.serial, d.product_id, p.name AS product_name, p.presets AS product_presets, d.purchased_on, d.proof,
                d.batch, d.life, d.epoch, d.created_at, d.reported_at, d.report, d.online, d.presence_since,
                r.web_address, r.installer_id, i.name AS installer_name, r.customer_id, k.name AS customer_name,
                r.customer_email, r.consent, r.hours, r.open_until, r.break_glass
         FROM device d
         JOIN product p ON p.id = d.product_id
         LEFT JOIN registration r ON r.device_id = d.id AND r.state IN ('open', 'active')
         LEFT JOIN organisation i ON i.id = r.installer_id
         LEFT JOIN organisation k ON k.id = r.customer_id
         WHERE d.id = $3 AND ($1 OR r.installer_id = $2 OR r.customer_id = $2)",
    )
    .bind(organisation.is_none())
    .bind(organisation.map_or(Uuid::nil(), OrganisationId::uuid))
    .bind(id.uuid())
    .fetch_optional(c))?;
    row.map(Listed::try_from).transpose()
}

/// Who may read what happens on a device now: its installer, its customer, the vendor.
pub async fn readers(tx: &mut Tx, device: DeviceId) -> Result<Vec<OrganisationId>, DbError> {
    let rows = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT id FROM organisation WHERE kind = 'vendor'
            OR id IN (SELECT installer_id FROM registration WHERE device_id = $1 AND state IN ('open', 'active'))
            OR id IN (SELECT customer_id FROM registration WHERE device_id = $1 AND state = 'active')",
    )
    .bind(device.uuid())
    .fetch_all(c))?;
    Ok(rows.into_iter().map(OrganisationId::from_uuid).collect())
}

/// States there are devices in, and how many.
pub(in crate::devices) async fn counts(tx: &mut Tx) -> Result<Vec<(Life, u64)>, DbError> {
    #[derive(sqlx::FromRow)]
    struct Count {
        life: String,
        devices: i64,
    }
    let rows = run!(tx, c => sqlx::query_as::<_, Count>("SELECT life, COUNT(*) AS devices FROM device GROUP BY life")
        .fetch_all(c))?;
    let count = |life: Life| rows.iter().find(|row| row.life == life.word()).map(|row| row.devices);
    Ok(Life::ALL.into_iter().filter_map(|life| Some((life, u64::try_from(count(life)?).unwrap_or(0)))).collect())
}

/// When the last change of a device's life was written down.
pub(in crate::devices) async fn life_since(tx: &mut Tx, device: DeviceId) -> Result<Option<Timestamp>, DbError> {
    let at = run!(tx, c => sqlx::query_scalar::<_, Option<Ts>>(
        "SELECT MAX(at) FROM audit_row WHERE device_id = $1 AND what IN ('device_enrolled', 'device_registered',
             'registration_cancelled', 'device_activated', 'device_released', 'device_retired')",
    )
    .bind(device.uuid())
    .fetch_one(c))?;
    Ok(at.map(Timestamp::from))
}

/// The vendor.
pub(in crate::devices) async fn vendors(tx: &mut Tx) -> Result<Vec<OrganisationId>, DbError> {
    let rows =
        run!(tx, c => sqlx::query_scalar::<_, Uuid>("SELECT id FROM organisation WHERE kind = 'vendor'").fetch_all(c))?;
    Ok(rows.into_iter().map(OrganisationId::from_uuid).collect())
}

/// Whether a conflict of this device was noted since `since`.
pub(in crate::devices) async fn has_conflict(tx: &mut Tx, device: DeviceId, since: Timestamp) -> Result<bool, DbError> {
    let found = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM audit_row WHERE device_id = $1 AND what = 'device_conflict' AND at > $2",
    )
    .bind(device.uuid())
    .bind(Ts::from(since))
    .fetch_one(c))?;
    Ok(found > 0)
}

/// A code or MAC as it is kept, however it is typed.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | ':' | ' ' | '.')).collect::<String>().to_uppercase()
}

fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars().take(80) {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_of_people_mean_themselves() {
        assert_eq!(pattern("a_b%!"), "%a!_b!%!!%");
        assert_eq!(bare("02:42-ac 11"), "0242AC11");
    }
}
