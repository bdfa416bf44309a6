//! Enrolment over HTTPS, devices as JSON for their people, and the vendor's quarantine.

mod enrol;
mod quarantine;
mod read;

use axum::extract::DefaultBodyLimit;
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service::ChangeError;
use crate::{
    kits::Kits,
    web::{Fault, Problem, Refusal},
};

/// A CSR and some names fit many times over.
const ENROL_BODY: usize = 16 * 1024;

/// The feature's calls.
pub fn routes() -> OpenApiRouter<Kits> {
    let enrolment = OpenApiRouter::new()
        .routes(routes!(enrol::enrol))
        .routes(routes!(enrol::enrolment_nonce))
        .routes(routes!(enrol::enrolment_standing))
        .layer(DefaultBodyLimit::max(ENROL_BODY));
    OpenApiRouter::new()
        .routes(routes!(read::devices))
        .routes(routes!(read::device))
        .routes(routes!(read::retire_device))
        .routes(routes!(read::revoke_device))
        .routes(routes!(quarantine::quarantine))
        .routes(routes!(quarantine::approve_key))
        .routes(routes!(quarantine::dismiss_key))
        .merge(enrolment)
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Missing => Fault::not_found().into(),
            ChangeError::Refused(refusal) => {
                let title = "The device's state does not allow it";
                Problem::new(StatusCode::CONFLICT, "device_state", title, &refusal.to_string()).into()
            }
            ChangeError::Db(error) => error.into(),
            ChangeError::Verify(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a device could not be changed");
                Fault::broken().into()
            }
        }
    }
}
