//! The vendor's pages: inventory, one device, retiring it, quarantine.

use axum::{
    Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::{
    DeviceId, EnrolmentId,
    api::Presence,
    identity::IdCode,
    payload::{Life, Report},
};
use serde::Deserialize;

use super::{
    model::{Enrolment, Suspicion},
    service::{self, ChangeError, Filter, Listed},
};
use crate::{
    accounts::{
        SignedIn,
        rights::{VendorAdministrator, VendorMember},
    },
    audit,
    i18n::Phrase,
    kits::Kits,
    render::{
        Html, Page, Refusals, flashes,
        pages::{
            DeviceFacts, HistoryRow, Inventory, InventoryRow, PresetFacts, Quarantine, QuarantineRow, Retire,
            VendorDevice,
        },
        paths,
    },
    web::{Fault, Form, Named, Visitor, flash},
};

const HISTORY: i64 = 50;

/// The feature's pages.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::INVENTORY, get(inventory))
        .route(paths::VENDOR_DEVICE, get(device))
        .route(paths::RETIRE, get(ask_retire).post(retire))
        .route(paths::REVOKE, post(revoke))
        .route(paths::QUARANTINE, get(quarantine))
        .route(paths::DISMISS, post(dismiss))
        .route(paths::APPROVE_KEY, post(approve))
}

fn page(visitor: &Visitor, kits: &Kits, signed_in: &SignedIn) -> Page {
    let mut page = visitor.page(kits.now());
    page.who = Some(signed_in.who());
    page
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InventoryQuery {
    search: String,
    life: String,
    cursor: String,
}

async fn inventory(
    State(kits): State<Kits>,
    visitor: Visitor,
    by: VendorMember,
    Query(query): Query<InventoryQuery>,
) -> Result<Html<Inventory>, Fault> {
    let life = Life::from_word(&query.life);
    let filter = Filter {
        search: Some(query.search.clone()).filter(|search| !search.trim().is_empty()),
        life,
        online: None,
        after: query.cursor.parse().ok(),
        limit: None,
    };
    let mut tx = kits.db.read().await?;
    let (devices, next) = service::list(&mut tx, None, &filter).await?;
    let counts = service::counts(&mut tx).await?;
    Ok(Html(Inventory {
        page: page(&visitor, &kits, by.signed_in()),
        search: query.search,
        life,
        counts,
        devices: devices.into_iter().map(inventory_row).collect(),
        next_cursor: next.map(|cursor| cursor.to_string()),
    }))
}

fn inventory_row(listed: Listed) -> InventoryRow {
    let device = listed.device;
    InventoryRow {
        id: device.id,
        id_code: device.names.id_code,
        mac: device.names.mac,
        serial: device.names.serial,
        product: device.product_name,
        life: device.life,
        presence: Presence { online: device.online, since: device.presence_since },
    }
}

async fn device(
    State(kits): State<Kits>,
    visitor: Visitor,
    by: VendorMember,
    Named(id): Named<DeviceId>,
) -> Result<Html<VendorDevice>, Fault> {
    let mut tx = kits.db.read().await?;
    let listed = service::view(&mut tx, None, id).await?.ok_or_else(Fault::not_found)?;
    let certificate = service::newest_certificate(&mut tx, id).await?;
    let life_since = service::life_since(&mut tx, &listed.device).await?;
    let rows = audit::read(&mut tx, by.member().organisation_id, Some(id), None, HISTORY).await?;
    let history =
        rows.into_iter().map(|row| HistoryRow::of(row.at.into(), row.actor_name, &row.what, &row.details.0)).collect();
    let tied = listed.registration.as_ref();
    let report = listed.device.report.as_ref();
    let presets = service::presets(&listed.device.product_presets, report);
    let facts = DeviceFacts {
        id,
        name: listed.name(),
        product: listed.device.product_name.clone(),
        id_code: listed.device.names.id_code,
        mac: listed.device.names.mac,
        serial: listed.device.names.serial.clone(),
        life: listed.device.life,
        life_since,
        presence: Presence { online: listed.device.online, since: listed.device.presence_since },
        web_address: tied.map(|tied| tied.web_address.clone()),
        web_url: None,
        customer: tied.map(|tied| tied.customer_name.clone().unwrap_or_else(|| tied.customer_email.clone())),
        installer: tied.map(|tied| tied.installer_name.clone()),
        consent: tied.map(|tied| tied.consent),
        firmware: report.map(|report| report.firmware.clone()),
        agent_version: report.map(|report| report.agent_version.clone()),
        addresses: report.map(addresses).unwrap_or_default(),
        services: report.map(services).unwrap_or_default(),
        networks: report.map(networks).unwrap_or_default(),
        presets: presets.into_iter().map(PresetFacts::from).collect(),
        calls: report.map(Report::calls).unwrap_or_default(),
        reported_at: listed.device.reported_at,
        doubled: service::is_doubled(&mut tx, id).await?,
    };
    Ok(Html(VendorDevice {
        page: page(&visitor, &kits, by.signed_in()),
        device: facts,
        purchased_on: listed.device.purchased_on.clone(),
        proof: listed.device.proof.word().to_owned(),
        certificate: certificate.map(|certificate| (certificate.serial.to_string(), certificate.not_after)),
        history,
    }))
}

/// The addresses a report names, as people read them.
fn addresses(report: &Report) -> Vec<String> {
    report
        .interfaces
        .iter()
        .flat_map(|interface| interface.addresses.iter().map(move |address| format!("{address} ({})", interface.name)))
        .collect()
}

/// The services a report names, as people read them.
fn services(report: &Report) -> Vec<String> {
    let one = |service: &gatelodge_proto::payload::Service| {
        format!("{} ({} {}:{})", service.name, service.protocol.word(), service.host, service.port)
    };
    report.services.iter().map(one).collect()
}

/// The same of the networks.
fn networks(report: &Report) -> Vec<String> {
    report.networks.iter().map(|network| format!("{} ({})", network.name, network.subnet)).collect()
}

async fn ask_retire(
    State(kits): State<Kits>,
    visitor: Visitor,
    by: VendorAdministrator,
    Named(id): Named<DeviceId>,
) -> Result<Html<Retire>, Fault> {
    retire_page(&kits, &visitor, &by, id, String::new(), Refusals::none()).await.map(Html)
}

async fn retire_page(
    kits: &Kits,
    visitor: &Visitor,
    by: &VendorAdministrator,
    id: DeviceId,
    typed: String,
    refusals: Refusals,
) -> Result<Retire, Fault> {
    let mut tx = kits.db.read().await?;
    let device = service::device(&mut tx, id).await?.ok_or_else(Fault::not_found)?;
    let page = page(visitor, kits, by.signed_in());
    Ok(Retire { page, device: id, id_code: device.names.id_code, typed, refusals })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    typed: String,
}

async fn retire(
    State(kits): State<Kits>,
    visitor: Visitor,
    by: VendorAdministrator,
    Named(id): Named<DeviceId>,
    Form(form): Form<Typed>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let typed: Option<IdCode> = refusals.parse("typed", &form.typed);
    let page = retire_page(&kits, &visitor, &by, id, form.typed, Refusals::none()).await?;
    if typed.is_some_and(|typed| typed != page.id_code) {
        refusals.add("typed", Phrase::new("refused-not-the-name").with("name", page.id_code.to_string()));
    }
    if !refusals.is_empty() {
        return Ok(Html(Retire { refusals, ..page }).into_response());
    }
    service::retire(&kits, &by, page.device).await.map_err(fault)?;
    let back = paths::link(paths::VENDOR_DEVICE, page.device);
    Ok((flash(flashes::DEVICE_RETIRED), Redirect::to(&back)).into_response())
}

async fn revoke(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<DeviceId>,
) -> Result<Response, Fault> {
    service::revoke(&kits, &by, id).await.map_err(fault)?;
    let back = paths::link(paths::VENDOR_DEVICE, id);
    Ok((flash(flashes::DEVICE_REVOKED), Redirect::to(&back)).into_response())
}

async fn quarantine(State(kits): State<Kits>, visitor: Visitor, by: VendorMember) -> Result<Html<Quarantine>, Fault> {
    let mut tx = kits.db.read().await?;
    let entries = service::quarantine(&mut tx).await?.into_iter().map(quarantine_row).collect();
    Ok(Html(Quarantine { page: page(&visitor, &kits, by.signed_in()), entries }))
}

fn quarantine_row((enrolment, suspicion): (Enrolment, Suspicion)) -> QuarantineRow {
    QuarantineRow {
        id: enrolment.id,
        id_code: enrolment.id_code,
        mac: enrolment.mac,
        serial: enrolment.serial,
        model: enrolment.model,
        network: enrolment.network,
        why: match suspicion {
            Suspicion::Conflict => QuarantineRow::conflict(),
            Suspicion::SeveralKeys => QuarantineRow::several(),
            Suspicion::Contradiction => QuarantineRow::mismatch(),
            Suspicion::UnknownHardware => QuarantineRow::unknown(),
        },
        may_approve: suspicion.may_be_approved(),
        first_seen: enrolment.created_at,
        last_seen: enrolment.seen_at,
    }
}

async fn dismiss(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<EnrolmentId>,
) -> Result<Response, Fault> {
    service::refuse(&kits, &by, id).await.map_err(fault)?;
    Ok((flash(flashes::DISMISSED), Redirect::to(paths::QUARANTINE)).into_response())
}

async fn approve(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<EnrolmentId>,
) -> Result<Response, Fault> {
    service::approve(&kits, &by, id).await.map_err(fault)?;
    Ok((flash(flashes::KEY_APPROVED), Redirect::to(paths::QUARANTINE)).into_response())
}

fn fault(error: ChangeError) -> Fault {
    match error {
        ChangeError::Missing => Fault::not_found(),
        ChangeError::Refused(_) => Fault::changed(),
        ChangeError::Db(error) => error.into(),
        ChangeError::Verify(error) => {
            tracing::error!(%error, "a device could not be changed");
            Fault::broken()
        }
    }
}
