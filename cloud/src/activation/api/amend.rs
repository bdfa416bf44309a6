//! What the installer repairs before the customer confirms.

use axum::{Json, extract::State};
use gatelodge_proto::{DeviceId, api::DeviceView, identity::EmailAddress};
use http::StatusCode;
use serde::Deserialize;

use super::{language, view};
use crate::{
    accounts::rights::InstallerMember,
    activation::amend,
    kits::Kits,
    web::{Call, Named, Refusal},
};

/// Sends the activation link again; the one before is void.
#[utoipa::path(post, path = "/api/v1/devices/{id}/resend-link", tag = "registration",
    params(("id" = DeviceId, Path,)), responses(
    (status = 200, body = DeviceView),
    (status = 404, description = "No device of the caller's organisation"),
    (status = 409, description = "The customer has confirmed already"),
    (status = 429, description = "Too many mails"),
))]
pub(super) async fn resend_link(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named<DeviceId>,
) -> Result<Json<DeviceView>, Refusal> {
    amend::resend(&kits, &by, device).await?;
    view(&kits, by.signed_in(), device).await
}

/// The address the link should have gone to.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmailCorrection {
    email: EmailAddress,
    /// What a customer who is new here reads: `en`, `fr`; the caller's language when left out.
    #[serde(default)]
    language: Option<String>,
}

/// Corrects the customer's address; the link goes there and the one before is void.
#[utoipa::path(post, path = "/api/v1/devices/{id}/correct-email", tag = "registration",
    params(("id" = DeviceId, Path,)), request_body = EmailCorrection, responses(
    (status = 200, body = DeviceView),
    (status = 404, description = "No device of the caller's organisation"),
    (status = 409, description = "The customer has confirmed already, or the address is the same"),
    (status = 429, description = "Too many mails"),
))]
pub(super) async fn correct_email(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named<DeviceId>,
    Call(body): Call<EmailCorrection>,
) -> Result<Json<DeviceView>, Refusal> {
    let language = language(body.language.as_deref(), by.member().language);
    amend::correct_email(&kits, &by, device, body.email, language).await?;
    view(&kits, by.signed_in(), device).await
}

/// Takes a registration back that the customer has not confirmed.
#[utoipa::path(post, path = "/api/v1/devices/{id}/cancel-registration", tag = "registration",
    params(("id" = DeviceId, Path,)), responses(
    (status = 204),
    (status = 404, description = "No device of the caller's organisation"),
    (status = 409, description = "The customer has confirmed already"),
))]
pub(super) async fn cancel_registration(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named<DeviceId>,
) -> Result<StatusCode, Refusal> {
    amend::cancel(&kits, &by, device).await?;
    Ok(StatusCode::NO_CONTENT)
}
