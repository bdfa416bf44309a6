//! The inventory from a CSV file: good rows are kept, bad ones listed by line and reason; running it again changes
//! nothing.

use std::{
    collections::{HashMap, HashSet},
    io::Read,
};

use gatelodge_proto::{
    DeviceId, Timestamp,
    identity::{IdCode, InvalidIdCode, InvalidMacAddress, InvalidSerialNumber, MacAddress, SerialNumber},
    payload::Life,
};
use serde_json::json;
use time::{Date, macros::format_description};

use super::{
    model::{Device, Names, Product, ProofKind},
    store,
};
use crate::{
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
    pki::PkiError,
};

/// The columns, in any order.
pub const COLUMNS: [&str; 7] = ["id_code", "mac", "serial", "product", "purchased_on", "proof", "batch"];

/// What an import did, or would do.
#[derive(Debug, Default)]
pub struct Import {
    /// Devices that were not there.
    pub added: usize,
    /// Devices that were there with the same data.
    pub unchanged: usize,
    /// Rows that were not used, by line.
    pub faults: Vec<Line>,
}

/// One row that was not used.
#[derive(Debug)]
pub struct Line {
    /// Its line in the file, from 1.
    pub number: u64,
    /// Why.
    pub fault: LineFault,
}

/// Why one row was not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The ID code, its check character among others.
    #[error("id_code: {0}")]
    IdCode(#[from] InvalidIdCode),
    /// The MAC address.
    #[error("mac: {0}")]
    Mac(#[from] InvalidMacAddress),
    /// The serial number.
    #[error("serial: {0}")]
    Serial(#[from] InvalidSerialNumber),
    /// Not in the catalogue.
    #[error("product: `{0}` is not in the catalogue; add it first with `gatelodge-cloud product add`")]
    Product(String),
    /// No calendar date.
    #[error("purchased_on: `{0}` is no date; write it like 2026-05-03, or leave it empty")]
    Date(String),
    /// No kind of proof.
    #[error("proof: `{0}` is no kind of proof; write factory_secret or on_site_code")]
    Proof(String),
    /// A factory secret follows from a batch key.
    #[error("batch: a device with proof factory_secret needs the name of its batch")]
    BatchMissing,
    /// No such batch key.
    #[error("batch: there is no batch `{0}`; make it first with `gatelodge-cloud batch make {0}`")]
    Batch(String),
    /// The same name twice in the file.
    #[error("the same {name} as line {line}")]
    Duplicate {
        /// Which name.
        name: &'static str,
        /// Where it stood first.
        line: u64,
    },
    /// The inventory knows one of the names under others.
    #[error("{name} is already there, under another identity: {other}")]
    OtherIdentity {
        /// Which name.
        name: &'static str,
        /// The ID code of the device that has it.
        other: IdCode,
    },
    /// The inventory knows the device with other data.
    #[error("already there with another {0}; an import changes no device")]
    Differs(&'static str),
    /// Not as many fields as columns, or no UTF-8.
    #[error("the line cannot be read: {0}")]
    Shape(String),
}

/// Why a file was not imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The first line.
    #[error("the first line must name the columns id_code,mac,serial,product,purchased_on,proof,batch; {0}")]
    Header(String),
    /// The file.
    #[error("the file cannot be read: {0}")]
    Read(#[from] csv::Error),
    /// A batch key.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The database.
    #[error("nothing was imported: {0}")]
    Db(#[from] DbError),
}

/// One row, read but not compared.
struct Row {
    names: Names,
    product: Product,
    purchased_on: Option<String>,
    proof: ProofKind,
    batch: Option<String>,
}

/// Imports a CSV file; with `dry_run` it only says what it would do.
pub async fn import(kits: &Kits, by: Actor, file: impl Read, dry_run: bool) -> Result<Import, ImportError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let columns = columns(reader.headers()?)?;
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let products = store::inventory::products(&mut tx).await?;
    let (mut done, mut seen, mut batches) = (Import::default(), Seen::default(), HashSet::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let number = error.position().map_or(0, csv::Position::line);
                done.faults.push(Line { number, fault: LineFault::Shape(shape(&error)) });
                continue;
            }
        };
        let number = record.position().map_or(0, csv::Position::line);
        let row = read(&record, &columns, &products).and_then(|row| seen.take(number, row));
        let row = match row {
            Ok(row) => row,
            Err(fault) => {
                done.faults.push(Line { number, fault });
                continue;
            }
        };
        if let Some(batch) = &row.batch
            && !batches.contains(batch)
        {
            if kits.pki.batch(batch)?.is_none() {
                done.faults.push(Line { number, fault: LineFault::Batch(batch.clone()) });
                continue;
            }
            batches.insert(batch.clone());
        }
        match compare(&mut tx, &row).await? {
            Ok(true) => done.unchanged += 1,
            Ok(false) => {
                store::inventory::insert(&mut tx, &device(kits, now, row)).await?;
                done.added += 1;
            }
            Err(fault) => done.faults.push(Line { number, fault }),
        }
    }
    if dry_run {
        return Ok(done);
    }
    if done.added > 0 {
        let details = json!({ "added": done.added, "refused": done.faults.len() });
        let readers = store::lists::vendors(&mut tx).await?;
        let entry = Entry { actor: by, what: "devices_imported", device: None, session: None, details, readers };
        audit::write(&mut tx, now, &kits.random, entry).await?;
    }
    tx.commit().await?;
    Ok(done)
}

fn columns(header: &csv::StringRecord) -> Result<HashMap<&'static str, usize>, ImportError> {
    let mut places = HashMap::new();
    for (place, name) in header.iter().enumerate() {
        let name = name.trim_start_matches('\u{feff}');
        let Some(known) = COLUMNS.into_iter().find(|column| *column == name) else {
            return Err(ImportError::Header(format!("`{name}` is none of them")));
        };
        if places.insert(known, place).is_some() {
            return Err(ImportError::Header(format!("`{name}` stands twice")));
        }
    }
    match COLUMNS.into_iter().find(|column| !places.contains_key(column)) {
        Some(missing) => Err(ImportError::Header(format!("`{missing}` is missing"))),
        None => Ok(places),
    }
}

fn read(
    record: &csv::StringRecord,
    columns: &HashMap<&'static str, usize>,
    products: &[Product],
) -> Result<Row, LineFault> {
    let field = |name: &str| columns.get(name).and_then(|place| record.get(*place)).unwrap_or_default();
    let optional = |name: &str| Some(field(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let names = Names {
        id_code: field("id_code").parse::<IdCode>()?,
        mac: field("mac").parse::<MacAddress>()?,
        serial: field("serial").parse::<SerialNumber>()?,
    };
    let reference = field("product");
    let product = products.iter().find(|product| product.reference == reference);
    let product = product.ok_or_else(|| LineFault::Product(reference.to_owned()))?.clone();
    let purchased_on = optional("purchased_on");
    if let Some(date) = &purchased_on
        && Date::parse(date, format_description!("[year]-[month]-[day]")).is_err()
    {
        return Err(LineFault::Date(date.clone()));
    }
    let proof = ProofKind::from_word(field("proof")).ok_or_else(|| LineFault::Proof(field("proof").to_owned()))?;
    let batch = optional("batch");
    if proof == ProofKind::FactorySecret && batch.is_none() {
        return Err(LineFault::BatchMissing);
    }
    Ok(Row { names, product, purchased_on, proof, batch })
}

/// The names of the lines before.
#[derive(Default)]
struct Seen {
    id_codes: HashMap<IdCode, u64>,
    macs: HashMap<MacAddress, u64>,
    serials: HashMap<(uuid::Uuid, String), u64>,
}

impl Seen {
    fn take(&mut self, number: u64, row: Row) -> Result<Row, LineFault> {
        let serial = (row.product.id.0, row.names.serial.folded());
        let before = [
            (self.id_codes.get(&row.names.id_code), "ID code"),
            (self.macs.get(&row.names.mac), "MAC address"),
            (self.serials.get(&serial), "serial number"),
        ];
        for (line, name) in before {
            if let Some(line) = line {
                return Err(LineFault::Duplicate { name, line: *line });
            }
        }
        self.id_codes.insert(row.names.id_code, number);
        self.macs.insert(row.names.mac, number);
        self.serials.insert(serial, number);
        Ok(row)
    }
}

/// Whether the device is there already; a fault when it is, in another way.
async fn compare(tx: &mut Tx, row: &Row) -> Result<Result<bool, LineFault>, DbError> {
    let id_code = row.names.id_code.compact();
    let serial = row.names.serial.folded();
    for known in store::inventory::by_any_name(tx, Some(&id_code), row.names.mac, &serial).await? {
        let same = [
            (known.names.id_code == row.names.id_code, "ID code"),
            (known.names.mac == row.names.mac, "MAC address"),
            (known.product == row.product.id && known.names.serial == row.names.serial, "serial number"),
        ];
        if same.iter().all(|(same, _)| *same) {
            let data = [
                (known.purchased_on == row.purchased_on, "purchase date"),
                (known.proof == row.proof, "proof"),
                (known.batch == row.batch, "batch"),
            ];
            return Ok(match data.into_iter().find(|(same, _)| !same) {
                Some((_, what)) => Err(LineFault::Differs(what)),
                None => Ok(true),
            });
        }
        if let Some((_, name)) = same.into_iter().find(|(same, _)| *same) {
            return Ok(Err(LineFault::OtherIdentity { name, other: known.names.id_code }));
        }
    }
    Ok(Ok(false))
}

fn device(kits: &Kits, now: Timestamp, row: Row) -> Device {
    Device {
        id: DeviceId::make(now, &kits.random),
        names: row.names,
        product: row.product.id,
        product_name: row.product.name,
        product_presets: Vec::new(),
        purchased_on: row.purchased_on,
        proof: row.proof,
        batch: row.batch,
        life: Life::Manufactured,
        epoch: Device::FIRST_EPOCH,
        created_at: now,
        reported_at: None,
        report: None,
        online: false,
        presence_since: None,
    }
}

fn shape(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("it has {len} fields, not {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}
