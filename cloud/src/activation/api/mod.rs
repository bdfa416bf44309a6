//! Registration and activation as JSON: the same verbs as the pages, with the same checks.

mod amend;
mod hand_over;
mod own;
mod refusal;
mod register;

use axum::Json;
use gatelodge_proto::{DeviceId, api::DeviceView};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    accounts::SignedIn,
    i18n::Language,
    kits::Kits,
    web::{Fault, Refusal},
};

/// The feature's calls.
pub fn routes() -> OpenApiRouter<Kits> {
    OpenApiRouter::new()
        .routes(routes!(register::check_registration))
        .routes(routes!(register::register))
        .routes(routes!(amend::resend_link))
        .routes(routes!(amend::correct_email))
        .routes(routes!(amend::cancel_registration))
        .routes(routes!(own::activate))
        .routes(routes!(own::set_consent))
        .routes(routes!(own::open))
        .routes(routes!(own::set_break_glass))
        .routes(routes!(own::set_web_address))
        .routes(routes!(hand_over::offer))
        .routes(routes!(hand_over::keep))
        .routes(routes!(hand_over::take_over))
        .routes(routes!(own::release_device))
}

async fn view(kits: &Kits, by: &SignedIn, device: DeviceId) -> Result<Json<DeviceView>, Refusal> {
    let view = service::one(kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    Ok(Json(service::device_view(view)))
}

fn language(wanted: Option<&str>, else_use: Language) -> Language {
    wanted.and_then(|tag| tag.parse().ok()).unwrap_or(else_use)
}
