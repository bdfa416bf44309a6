//! The vendor's emergency stop as JSON: the same as the page.

use axum::{Json, extract::State};
use gatelodge_proto::{DeviceId, OrganisationId, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    accounts::rights::VendorAdministrator,
    kits::Kits,
    sessions::emergency::{self, InForce, Scope, StopId, StopRefusal},
    web::{Call, Fault, Named, Problem, Refusal},
};

/// A stop in force.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct StopView {
    /// Its id, with which it is lifted.
    id: Uuid,
    /// Which installer, when it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    installer: Option<String>,
    /// Which device's ID code, when it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Why; everybody concerned reads it.
    reason: String,
    /// Who stopped.
    by: String,
    /// Since when.
    since: Timestamp,
}

impl From<InForce> for StopView {
    fn from(InForce { id, installer, device, reason, by, since }: InForce) -> Self {
        Self { id: id.0, installer, device, reason, by, since }
    }
}

/// Stops the sessions of an installer or on a device; of everybody when neither is named.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopRequest {
    /// Of this installer.
    #[serde(default)]
    installer: Option<OrganisationId>,
    /// On this device.
    #[serde(default)]
    device: Option<DeviceId>,
    /// Why; everybody concerned reads it.
    reason: String,
}

/// A stop, and what it ended.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct StopMade {
    /// Its id, with which it is lifted.
    id: Uuid,
    /// How many sessions it ended at once.
    ended: usize,
}

fn unfit(code: &str, field: &str, detail: &str) -> Refusal {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, "Nothing was stopped", detail).field(field, detail).into()
}

impl From<StopRefusal> for Refusal {
    fn from(refusal: StopRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            StopRefusal::Unknown => Fault::not_found().into(),
            StopRefusal::Reason => unfit("invalid_reason", "reason", &detail),
            StopRefusal::Database(error) => error.into(),
        }
    }
}

/// The emergency stops in force.
#[utoipa::path(get, path = "/api/v1/emergency-stops", tag = "sessions", responses((status = 200, body = Vec<StopView>)))]
pub(super) async fn stops(State(kits): State<Kits>, _: VendorAdministrator) -> Result<Json<Vec<StopView>>, Refusal> {
    Ok(Json(emergency::in_force(&kits).await?.into_iter().map(StopView::from).collect()))
}

/// Stops sessions at once, and keeps new ones out until it is lifted.
#[utoipa::path(post, path = "/api/v1/emergency-stops", tag = "sessions", request_body = StopRequest, responses(
    (status = 201, body = StopMade),
    (status = 404, description = "No such installer or device"),
    (status = 422, description = "No reason, or both an installer and a device"),
))]
pub(super) async fn stop(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Call(StopRequest { installer, device, reason }): Call<StopRequest>,
) -> Result<(StatusCode, Json<StopMade>), Refusal> {
    let scope = match (installer, device) {
        (None, None) => Scope::Everybody,
        (Some(installer), None) => Scope::Installer(installer),
        (None, Some(device)) => Scope::Device(device),
        (Some(_), Some(_)) => {
            return Err(unfit("scope_not_one", "device", "Name an installer or a device, not both."));
        }
    };
    let (StopId(id), ended) = emergency::stop(&kits, &by, scope, &reason).await?;
    Ok((StatusCode::CREATED, Json(StopMade { id, ended })))
}

/// Lifts an emergency stop: sessions may be asked for again.
#[utoipa::path(post, path = "/api/v1/emergency-stops/{id}/lift", tag = "sessions", params(("id" = Uuid, Path,)), responses(
    (status = 204),
    (status = 404, description = "No such stop is in force"),
))]
pub(super) async fn lift(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<Uuid>,
) -> Result<StatusCode, Refusal> {
    if emergency::lift(&kits, &by, StopId(id)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Fault::not_found().into())
    }
}
