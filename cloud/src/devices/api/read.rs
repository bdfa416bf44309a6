//! Devices as their people and the vendor see them, and what the vendor may do to one.

use axum::{Json, extract::State};
use gatelodge_proto::{
    DeviceId, OrganisationId,
    api::{self, DeviceView, Page, Presence},
    payload::Life,
};
use http::StatusCode;
use serde::Deserialize;

use crate::{
    accounts::{SignedIn, model::OrganisationKind, rights::VendorAdministrator},
    devices::service::{self, Cursor, Filter, Listed},
    kits::Kits,
    web::{Fault, Named, Narrowed, Refusal},
};

/// Which devices are asked for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DevicesQuery {
    /// A part of the ID code, MAC, serial, web address or customer's name.
    search: Option<String>,
    /// In this state alone.
    life: Option<Life>,
    /// Present devices alone, or absent ones alone.
    online: Option<bool>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many at most.
    limit: Option<u16>,
}

/// The devices of the caller's organisation; the vendor sees all.
#[utoipa::path(get, path = api::DEVICES_PATH, tag = "devices", params(DevicesQuery), responses(
    (status = 200, body = Page<DeviceView>),
    (status = 400, description = "The query cannot be read"),
))]
pub(super) async fn devices(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Narrowed(query): Narrowed<DevicesQuery>,
) -> Result<Json<Page<DeviceView>>, Refusal> {
    let DevicesQuery { search, life, online, cursor, limit } = query;
    let filter = Filter { search, life, online, after: cursor, limit };
    let mut tx = kits.db.read().await?;
    let (devices, next) = service::list(&mut tx, tenant(&signed_in), &filter).await?;
    Ok(Json(Page {
        items: devices.iter().map(DeviceView::from).collect(),
        next_cursor: next.map(|cursor| cursor.to_string()),
    }))
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = DeviceId, Path,)), responses(
    (status = 200, body = DeviceView),
    (status = 404, description = "No device of the caller's organisation"),
))]
pub(super) async fn device(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Named(id): Named<DeviceId>,
) -> Result<Json<DeviceView>, Refusal> {
    let mut tx = kits.db.read().await?;
    let found = service::view(&mut tx, tenant(&signed_in), id).await?;
    Ok(Json(found.as_ref().ok_or_else(Fault::not_found)?.into()))
}

/// The vendor takes a device out of service for good.
#[utoipa::path(post, path = "/api/v1/devices/{id}/retire", tag = "devices", params(("id" = DeviceId, Path,)),
    responses(
    (status = 204),
    (status = 404, description = "No such device"),
    (status = 409, description = "The device's state does not allow it"),
))]
pub(super) async fn retire_device(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<DeviceId>,
) -> Result<StatusCode, Refusal> {
    service::retire(&kits, &by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The vendor takes a device's certificates back: it has to enrol with a new key. Its owner stays.
#[utoipa::path(post, path = "/api/v1/devices/{id}/revoke", tag = "devices", params(("id" = DeviceId, Path,)),
    responses(
    (status = 204),
    (status = 404, description = "No such device"),
    (status = 409, description = "The device's state does not allow it"),
))]
pub(super) async fn revoke_device(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<DeviceId>,
) -> Result<StatusCode, Refusal> {
    service::revoke(&kits, &by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose devices the signed-in person sees: the vendor all, everybody else those of its own registrations.
fn tenant(signed_in: &SignedIn) -> Option<OrganisationId> {
    let member = signed_in.member();
    match member.kind {
        OrganisationKind::Vendor => None,
        OrganisationKind::Installer | OrganisationKind::Reseller | OrganisationKind::Customer => {
            Some(member.organisation_id)
        }
    }
}

impl From<&Listed> for DeviceView {
    fn from(listed: &Listed) -> Self {
        let device = &listed.device;
        let tied = listed.registration.as_ref();
        Self {
            id: device.id,
            id_code: device.names.id_code,
            name: listed.name(),
            product: device.product_name.clone(),
            life: device.life,
            presence: Presence { online: device.online, since: device.presence_since },
            web_address: tied.map(|tied| tied.web_address.clone()),
            customer: tied.and_then(|tied| tied.customer_name.clone()),
            consent: tied.filter(|_| device.life == Life::Active).map(|tied| tied.consent),
            opening: tied.filter(|_| device.life == Life::Active).map(|tied| tied.opening.clone()).unwrap_or_default(),
            services: device.report.as_ref().map(|report| report.services.clone()).unwrap_or_default(),
            networks: device.report.as_ref().map(|report| report.networks.clone()).unwrap_or_default(),
            listens: device.report.as_ref().map(|report| report.listens.clone()).unwrap_or_default(),
            features: device.report.as_ref().map(|report| report.features.clone()).unwrap_or_default(),
            presets: service::presets(&device.product_presets, device.report.as_ref()),
        }
    }
}
