//! The customer changes installer.

use axum::{Json, extract::State};
use gatelodge_proto::{DeviceId, api::DeviceView, identity::EmailAddress};
use http::StatusCode;
use serde::Deserialize;

use super::view;
use crate::{
    accounts::{
        rights::{CustomerMember, InstallerMember},
        tokens::Secret,
    },
    activation::{
        hand_over::{self, TakeOverRefusal},
        model::LinkFault,
    },
    kits::Kits,
    web::{Call, Named, Refusal},
};

/// Who is to be the installer.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TakeOverOffer {
    /// Where the link goes.
    email: EmailAddress,
}

/// Asks another installer to take the device over, by a link; one sent before is void. Until somebody follows it, the
/// installer stays the one it is.
#[utoipa::path(put, path = "/api/v1/devices/{id}/take-over", tag = "activation", params(("id" = DeviceId, Path,)),
    request_body = TakeOverOffer, responses(
    (status = 204, description = "The mail is on its way"),
    (status = 404, description = "No active device of the caller's organisation"),
    (status = 429, description = "Too many mails"),
))]
pub(super) async fn offer(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Call(body): Call<TakeOverOffer>,
) -> Result<StatusCode, Refusal> {
    hand_over::offer(&kits, &by, device, &body.email).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the link back.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/take-over", tag = "activation", params(("id" = DeviceId, Path,)),
    responses(
    (status = 204, description = "Nobody can take the device over"),
    (status = 404, description = "No active device of the caller's organisation"),
))]
pub(super) async fn keep(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
) -> Result<StatusCode, Refusal> {
    hand_over::withdraw(&kits, &by, device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the mail brought.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TakeOver {
    /// What follows `#` in the link.
    token: String,
}

/// Makes the caller's organisation the device's installer. The right of the one before ends with it, and the customer is
/// asked about every session.
#[utoipa::path(post, path = "/api/v1/take-overs", tag = "registration", request_body = TakeOver, responses(
    (status = 200, body = DeviceView),
    (status = 409, description = "The caller's organisation is the installer already"),
    (status = 410, description = "The link does not work: unknown, expired, used, taken back or replaced by a newer one"),
))]
pub(super) async fn take_over(
    State(kits): State<Kits>,
    by: InstallerMember,
    Call(body): Call<TakeOver>,
) -> Result<Json<DeviceView>, Refusal> {
    let secret: Secret = body.token.parse().map_err(|_| TakeOverRefusal::Link(LinkFault::Unknown))?;
    let device = hand_over::take_over(&kits, &by, &secret).await?;
    view(&kits, by.signed_in(), device).await
}
