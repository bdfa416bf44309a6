//! The installer registers a device, or asks first whether it could.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, State},
};
use gatelodge_proto::{
    DeviceId,
    api::DeviceView,
    identity::{ClaimSecret, EmailAddress, IdCode, MacAddress, OnSiteCode, WebAddress},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::language;
use crate::{
    accounts::rights::InstallerMember,
    activation::{
        model::{Claim, CustomerForm, Presence},
        register, service,
    },
    kits::Kits,
    web::{Call, Fault, Problem, Refusal},
};

/// Registers a device, or checks whether it could be.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    /// From the label.
    id_code: IdCode,
    /// From the label.
    mac: MacAddress,
    /// The name wanted for the device's own pages.
    web_address: WebAddress,
    /// Where the activation link goes.
    email: EmailAddress,
    /// The code that the device shows.
    #[serde(default)]
    on_site_code: Option<OnSiteCode>,
    /// The secret in the label's QR, instead of the code.
    #[serde(default)]
    label_secret: Option<ClaimSecret>,
    /// The customer's data, whole or not at all.
    #[serde(default)]
    customer: CustomerForm,
    /// What a customer who is new here reads: `en`, `fr`; the caller's language when left out.
    #[serde(default)]
    language: Option<String>,
}

impl Registration {
    fn claim(&self) -> Result<Claim, Problem> {
        let presence = match (&self.on_site_code, &self.label_secret) {
            (Some(code), None) => Presence::OnSiteCode(*code),
            (None, Some(secret)) => Presence::LabelSecret(secret.clone()),
            (None, None) | (Some(_), Some(_)) => {
                let detail = "give either the on-site code that the device shows or the label's secret";
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "proof_needed", "Proof needed", detail);
                return Err(problem.field("on_site_code", detail));
            }
        };
        Ok(Claim {
            id_code: self.id_code,
            mac: self.mac,
            web_address: self.web_address.clone(),
            email: self.email.clone(),
            presence,
        })
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(super) struct Checked {
    /// The device.
    device: DeviceId,
    /// The product's name.
    product: String,
    /// Whether the device is there.
    online: bool,
}

/// Says whether a device could be registered so. A wrong on-site code counts as a try.
#[utoipa::path(post, path = "/api/v1/registrations/check", tag = "registration", request_body = Registration,
    responses(
    (status = 200, body = Checked),
    (status = 409, description = "`taken`, `retired`, `yours` or `not_connected`"),
    (status = 422, description = "A field does not fit; the answer names it"),
    (status = 429, description = "Too many tries"),
))]
pub(super) async fn check_registration(
    State(kits): State<Kits>,
    by: InstallerMember,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Call(body): Call<Registration>,
) -> Result<Json<Checked>, Refusal> {
    let device = register::check(&kits, &by, &from.ip().into(), &body.claim()?).await?;
    Ok(Json(Checked { device: device.id, product: device.product_name, online: device.online }))
}

/// Registers a device; the customer gets the activation link by mail.
#[utoipa::path(post, path = "/api/v1/registrations", tag = "registration", request_body = Registration, responses(
    (status = 201, body = DeviceView),
    (status = 409, description = "`taken`, `retired`, `yours` or `not_connected`"),
    (status = 422, description = "A field does not fit; the answer names it"),
    (status = 429, description = "Too many tries"),
))]
pub(super) async fn register(
    State(kits): State<Kits>,
    by: InstallerMember,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Call(body): Call<Registration>,
) -> Result<(StatusCode, Json<DeviceView>), Refusal> {
    let data = body.customer.read()?;
    let language = language(body.language.as_deref(), by.member().language);
    let id = register::save(&kits, &by, &from.ip().into(), &body.claim()?, data, language).await?;
    let view = service::registration(&kits, id).await?.ok_or_else(Fault::not_found)?;
    Ok((StatusCode::CREATED, Json(service::device_view(view))))
}
