//! The customer confirms a registration, changes the rules of an own device, and gives it back.

use axum::{Json, extract::State};
use gatelodge_proto::{
    DeviceId, OrganisationId,
    api::DeviceView,
    identity::WebAddress,
    opening::{BreakGlass, OpenHours},
    payload::Consent,
};
use http::StatusCode;
use serde::Deserialize;

use super::view;
use crate::{
    accounts::{SignedIn, rights::CustomerMember, tokens::Secret},
    activation::{
        confirm::{self, ConfirmRefusal, Confirmation, Owner},
        model::{CustomerForm, LinkFault, organisation_name},
        release,
        rule::{self, OpenFor},
        service,
    },
    kits::Kits,
    web::{Call, Named, Problem, Refusal},
};

/// Confirms a registration.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Activation {
    /// From the activation mail: what follows `#` in the link.
    token: String,
    /// The customer's data, whole.
    customer: CustomerForm,
    /// The rule for remote access.
    consent: Consent,
    /// Which of the caller's customer organisations owns the device; the usual one when left out.
    #[serde(default)]
    organisation: Option<OrganisationId>,
    /// The name of a new organisation that owns it, instead.
    #[serde(default)]
    another_organisation: Option<String>,
}

impl Activation {
    fn owner(&self) -> Result<Owner, Refusal> {
        let refused = |detail: &str| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_organisation", "Whose device is it?", detail)
                .field("another_organisation", detail)
        };
        match (self.organisation, &self.another_organisation) {
            (None, None) => Ok(Owner::Usual),
            (Some(id), None) => Ok(Owner::Known(id)),
            (None, Some(name)) => match organisation_name(name) {
                Ok(name) => Ok(Owner::Another(name)),
                Err(fault) => Err(refused(&fault.to_string()).into()),
            },
            (Some(_), Some(_)) => Err(refused("give either an organisation or the name of another one").into()),
        }
    }
}

/// Confirms a registration with the token of the activation mail.
#[utoipa::path(post, path = "/api/v1/activations", tag = "activation", request_body = Activation, responses(
    (status = 200, body = DeviceView),
    (status = 409, description = "The registration's state does not allow it, the link is another account's, \
        or the organisation is not one the caller administers"),
    (status = 410, description = "The link does not work: unknown, expired, used or replaced by a newer one"),
    (status = 422, description = "The customer's data does not fit; the answer names the fields"),
))]
pub(super) async fn activate(
    State(kits): State<Kits>,
    by: SignedIn,
    Call(body): Call<Activation>,
) -> Result<Json<DeviceView>, Refusal> {
    let secret: Secret = body.token.parse().map_err(|_| ConfirmRefusal::Link(LinkFault::Unknown))?;
    let data = body.customer.read_whole()?;
    let confirmation = Confirmation { data, consent: body.consent, owner: body.owner()? };
    let view = confirm::confirm(&kits, &by, &secret, confirmation).await?;
    Ok(Json(service::device_view(view)))
}

/// Another rule for remote access.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentChange {
    consent: Consent,
    /// With `always`: the hours to which it is bound; outside of them the customer is asked.
    #[serde(default)]
    hours: Option<OpenHours>,
}

/// Sets the rule for remote access.
#[utoipa::path(put, path = "/api/v1/devices/{id}/consent", tag = "activation", params(("id" = DeviceId, Path,)),
    request_body = ConsentChange, responses(
    (status = 200, body = DeviceView),
    (status = 404, description = "No device of the caller's organisation"),
))]
pub(super) async fn set_consent(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Call(body): Call<ConsentChange>,
) -> Result<Json<DeviceView>, Refusal> {
    rule::set_rule(&kits, &by, device, body.consent, body.hours).await?;
    view(&kits, by.signed_in(), device).await
}

/// For how long a device is open.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenChange {
    /// 2 or 24 hours from now on; 0 closes it at once.
    hours: u32,
}

/// Opens a device from now on, whatever the rule says, or closes it again; afterwards the rule holds.
#[utoipa::path(put, path = "/api/v1/devices/{id}/open", tag = "activation", params(("id" = DeviceId, Path,)),
    request_body = OpenChange, responses(
    (status = 200, body = DeviceView),
    (status = 404, description = "No device of the caller's organisation"),
    (status = 422, description = "Not for so many hours"),
))]
pub(super) async fn open(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Call(body): Call<OpenChange>,
) -> Result<Json<DeviceView>, Refusal> {
    if body.hours == 0 {
        rule::close(&kits, &by, device).await?;
    } else {
        let detail = "A device is opened for 2 or 24 hours; 0 closes it.";
        let unknown = || Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_hours", "Not so long", detail);
        let hours = OpenFor::of_hours(body.hours).ok_or_else(|| unknown().field("hours", detail))?;
        rule::open_for(&kits, &by, device, None, hours).await?;
    }
    view(&kits, by.signed_in(), device).await
}

/// Who may enter in an emergency.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BreakGlassChange {
    /// This role of the installer and those above it; nobody when left out.
    #[serde(default)]
    who: Option<BreakGlass>,
}

/// Agrees that somebody of the installer may enter in an emergency without an answer, or withdraws it.
#[utoipa::path(put, path = "/api/v1/devices/{id}/break-glass", tag = "activation", params(("id" = DeviceId, Path,)),
    request_body = BreakGlassChange, responses(
    (status = 200, body = DeviceView),
    (status = 404, description = "No device of the caller's organisation"),
))]
pub(super) async fn set_break_glass(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Call(body): Call<BreakGlassChange>,
) -> Result<Json<DeviceView>, Refusal> {
    rule::set_break_glass(&kits, &by, device, body.who).await?;
    view(&kits, by.signed_in(), device).await
}

/// Another web address.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebAddressChange {
    web_address: WebAddress,
}

/// Sets the name of the device's own pages.
#[utoipa::path(put, path = "/api/v1/devices/{id}/web-address", tag = "activation", params(("id" = DeviceId, Path,)),
    request_body = WebAddressChange, responses(
    (status = 200, body = DeviceView),
    (status = 404, description = "No device of the caller's organisation"),
    (status = 409, description = "The web address is in use"),
))]
pub(super) async fn set_web_address(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Call(body): Call<WebAddressChange>,
) -> Result<Json<DeviceView>, Refusal> {
    rule::set_web_address(&kits, &by, device, body.web_address).await?;
    view(&kits, by.signed_in(), device).await
}

/// Gives a device back.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    /// The device's web address, typed once more, as giving back cannot be undone.
    typed: String,
}

/// Gives a device back: its certificates connect no more and its report is forgotten.
#[utoipa::path(post, path = "/api/v1/devices/{id}/release", tag = "activation", params(("id" = DeviceId, Path,)),
    request_body = Release, responses(
    (status = 204),
    (status = 404, description = "No device of the caller's organisation"),
    (status = 409, description = "Something else was typed; nothing was released"),
))]
pub(super) async fn release_device(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Call(body): Call<Release>,
) -> Result<StatusCode, Refusal> {
    release::release(&kits, &by, device, &body.typed).await?;
    Ok(StatusCode::NO_CONTENT)
}
