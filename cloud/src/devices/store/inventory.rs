//! Products and devices.

use gatelodge_proto::{
    DeviceId, Timestamp,
    identity::{IdCode, MacAddress},
    payload::{Life, Position, Report},
};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use crate::{
    change,
    db::{
        DbError, Ts, Tx, count,
        rows::{self, Column},
    },
    devices::{
        machine,
        model::{Device, Names, Product, ProductId, ProofKind},
        presets::ProductPreset,
    },
    run,
};

#[derive(sqlx::FromRow)]
struct ProductRow {
    id: Uuid,
    reference: String,
    name: String,
    kind: String,
    warranty_months: i32,
    label_help: String,
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        Self {
            id: ProductId(row.id),
            reference: row.reference,
            name: row.name,
            kind: row.kind,
            warranty_months: u32::try_from(row.warranty_months).unwrap_or(0),
            label_help: row.label_help,
        }
    }
}

/// Writes a product, or changes the one with its reference.
pub(in crate::devices) async fn put_product(tx: &mut Tx, now: Timestamp, product: &Product) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO product (id, reference, name, kind, warranty_months, label_help, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (reference) DO UPDATE
         SET name = excluded.name, kind = excluded.kind, warranty_months = excluded.warranty_months,
             label_help = excluded.label_help",
    )
    .bind(product.id.0)
    .bind(&product.reference)
    .bind(&product.name)
    .bind(&product.kind)
    .bind(i32::try_from(product.warranty_months).unwrap_or(i32::MAX))
    .bind(&product.label_help)
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

pub(in crate::devices) async fn products(tx: &mut Tx) -> Result<Vec<Product>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, ProductRow>(
        "SELECT id, reference, name, kind, warranty_months, label_help FROM product ORDER BY reference",
    )
    .fetch_all(c))?;
    Ok(rows.into_iter().map(Product::from).collect())
}

/// The presets of a product, held until the transaction ends; `None` without such a product.
pub(in crate::devices) async fn hold_presets(
    tx: &mut Tx,
    reference: &str,
) -> Result<Option<Vec<ProductPreset>>, DbError> {
    change!(tx, c => sqlx::query("UPDATE product SET presets = presets WHERE reference = $1")
        .bind(reference)
        .execute(c))?;
    let found = run!(tx, c => sqlx::query_scalar::<_, Json<Vec<ProductPreset>>>(
        "SELECT presets FROM product WHERE reference = $1",
    )
    .bind(reference)
    .fetch_optional(c))?;
    Ok(found.map(|Json(presets)| presets))
}

pub(in crate::devices) async fn put_presets(
    tx: &mut Tx,
    reference: &str,
    presets: &[ProductPreset],
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE product SET presets = $2 WHERE reference = $1")
        .bind(reference)
        .bind(Json(presets))
        .execute(c))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(in crate::devices) struct DeviceRow {
    id: Uuid,
    id_code: String,
    mac: String,
    serial: String,
    product_id: Uuid,
    product_name: String,
    product_presets: Json<Vec<ProductPreset>>,
    purchased_on: Option<String>,
    proof: String,
    batch: Option<String>,
    life: String,
    epoch: i64,
    created_at: Ts,
    reported_at: Option<Ts>,
    report: Option<Json<serde_json::Value>>,
    online: bool,
    presence_since: Option<Ts>,
}

impl TryFrom<DeviceRow> for Device {
    type Error = DbError;
    fn try_from(row: DeviceRow) -> Result<Self, DbError> {
        let word = |what: &str, text: &str| DbError::Corrupt(format!("`{text}` is no {what}"));
        Ok(Self {
            id: DeviceId::from_uuid(row.id),
            names: Names {
                id_code: row.id_code.parse().map_err(DbError::corrupt)?,
                mac: row.mac.parse().map_err(DbError::corrupt)?,
                serial: row.serial.parse().map_err(DbError::corrupt)?,
            },
            product: ProductId(row.product_id),
            product_name: row.product_name,
            product_presets: row.product_presets.0,
            purchased_on: row.purchased_on,
            proof: ProofKind::from_word(&row.proof).ok_or_else(|| word("kind of proof", &row.proof))?,
            batch: row.batch,
            life: Life::from_word(&row.life).ok_or_else(|| word("life", &row.life))?,
            epoch: u64::try_from(row.epoch).map_err(DbError::corrupt)?,
            created_at: row.created_at.into(),
            reported_at: row.reported_at.map(Timestamp::from),
            // An older report that this version cannot read is as good as none; the next one replaces it.
            report: row.report.and_then(|Json(report)| serde_json::from_value(report).ok()),
            online: row.online,
            presence_since: row.presence_since.map(Timestamp::from),
        })
    }
}

pub(in crate::devices) async fn insert(tx: &mut Tx, device: &Device) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO device (id, id_code, mac, serial, serial_folded, product_id, purchased_on, proof, batch, life,
             epoch, state_version, created_at, online)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13)",
    )
    .bind(device.id.uuid())
    .bind(device.names.id_code.compact())
    .bind(device.names.mac.to_string())
    .bind(device.names.serial.as_str())
    .bind(device.names.serial.folded())
    .bind(device.product.0)
    .bind(device.purchased_on.clone())
    .bind(device.proof.word())
    .bind(device.batch.clone())
    .bind(device.life.word())
    .bind(count(device.epoch))
    .bind(Ts::from(device.created_at))
    .bind(false)
    .execute(c))?;
    Ok(())
}

pub(in crate::devices) async fn by_id(tx: &mut Tx, id: DeviceId) -> Result<Option<Device>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, DeviceRow>(
        "SELECT d.id, d.id_code, d.mac, d.serial, d.product_id, p.name AS product_name, p.presets AS product_presets, d.purchased_on, d.proof,
                d.batch, d.life, d.epoch, d.created_at, d.reported_at, d.report, d.online, d.presence_since
         FROM device d JOIN product p ON p.id = d.product_id WHERE d.id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(c))?;
    row.map(Device::try_from).transpose()
}

/// A device by its id, its row held until the transaction ends: what it says is taken in, or its right to speak ends,
/// but never both at once.
pub(in crate::devices) async fn hold(tx: &mut Tx, id: DeviceId) -> Result<Option<Device>, DbError> {
    if tx.is_postgres() {
        change!(tx, c => sqlx::query("SELECT 1 FROM device WHERE id = $1 FOR NO KEY UPDATE")
            .bind(id.uuid())
            .execute(c))?;
    }
    by_id(tx, id).await
}

/// The device with this ID code.
pub(in crate::devices) async fn by_id_code(tx: &mut Tx, id_code: IdCode) -> Result<Option<DeviceId>, DbError> {
    let id = run!(tx, c => sqlx::query_scalar::<_, Uuid>("SELECT id FROM device WHERE id_code = $1")
        .bind(id_code.compact())
        .fetch_optional(c))?;
    Ok(id.map(DeviceId::from_uuid))
}

/// Every device that has one of these names.
pub(in crate::devices) async fn by_any_name(
    tx: &mut Tx,
    id_code: Option<&str>,
    mac: MacAddress,
    serial_folded: &str,
) -> Result<Vec<Device>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, DeviceRow>(
        "SELECT d.id, d.id_code, d.mac, d.serial, d.product_id, p.name AS product_name, p.presets AS product_presets, d.purchased_on, d.proof,
                d.batch, d.life, d.epoch, d.created_at, d.reported_at, d.report, d.online, d.presence_since
         FROM device d JOIN product p ON p.id = d.product_id
         WHERE d.id_code = $1 OR d.mac = $2 OR d.serial_folded = $3
         ORDER BY d.id LIMIT 20",
    )
    .bind(id_code.unwrap_or_default())
    .bind(mac.to_string())
    .bind(serial_folded)
    .fetch_all(c))?;
    rows.into_iter().map(Device::try_from).collect()
}

/// Holds the device's row until the transaction ends, so that two changes of one life never cross.
pub(in crate::devices) async fn lock(tx: &mut Tx, id: DeviceId) -> Result<bool, DbError> {
    let held =
        change!(tx, c => sqlx::query("UPDATE device SET epoch = epoch WHERE id = $1").bind(id.uuid()).execute(c))?;
    Ok(held == 1)
}

pub(in crate::devices) async fn set_life(tx: &mut Tx, id: DeviceId, found: &machine::Found) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE device SET life = $2, epoch = $3 WHERE id = $1")
        .bind(id.uuid())
        .bind(found.life().word())
        .bind(count(found.epoch()))
        .execute(c))?;
    Ok(())
}

/// The next version of what the device is told about itself.
pub(in crate::devices) async fn next_state_version(tx: &mut Tx, id: DeviceId) -> Result<u64, DbError> {
    let version = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "UPDATE device SET state_version = state_version + 1 WHERE id = $1 RETURNING state_version",
    )
    .bind(id.uuid())
    .fetch_one(c))?;
    u64::try_from(version).map_err(DbError::corrupt)
}

/// Keeps reports that are newer than the ones kept, by each device's own count; at most one of a device.
pub(in crate::devices) async fn keep_reports(
    tx: &mut Tx,
    now: Timestamp,
    reports: &[(DeviceId, Position, &Report)],
) -> Result<(), DbError> {
    const ROW: [Column; 4] = [Column::Uuid, Column::Integer, Column::Integer, Column::Json];
    for list in rows::lists(reports) {
        let (values, reported_at) = rows::placeholders(tx, list.len(), &ROW);
        let text = format!(
            "WITH newest (id, boot, seq, report) AS (VALUES {values})
             UPDATE device SET reported_at = ${reported_at}, report_boot = newest.boot, report_seq = newest.seq,
                 report = newest.report
             FROM newest
             WHERE device.id = newest.id AND (report_boot IS NULL OR report_boot < newest.boot
                 OR (report_boot = newest.boot AND report_seq < newest.seq))"
        );
        change!(tx, c => {
            let mut update = sqlx::query(AssertSqlSafe(text));
            for (device, position, report) in list {
                update = update
                    .bind(device.uuid())
                    .bind(count(position.boot))
                    .bind(count(position.seq))
                    .bind(Json(report));
            }
            update.bind(Ts::from(now)).execute(c)
        })?;
    }
    Ok(())
}

/// Forgets what the last owner's agent said: its count of starts begins anew with a new key, and the next owner has
/// no business with it.
pub(in crate::devices) async fn forget_report(tx: &mut Tx, id: DeviceId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE device SET reported_at = NULL, report_boot = NULL, report_seq = NULL, report = NULL WHERE id = $1",
    )
    .bind(id.uuid())
    .execute(c))?;
    Ok(())
}
