//! The vendor's quarantine: keys that somebody has to look at.

use axum::{Json, extract::State};
use gatelodge_proto::{
    DeviceId, EnrolmentId, Timestamp,
    identity::{IdCode, MacAddress, SerialNumber},
};
use http::StatusCode;
use serde::Serialize;

use crate::{
    accounts::rights::{VendorAdministrator, VendorMember},
    devices::{
        model::{Enrolment, Suspicion},
        service,
    },
    kits::Kits,
    web::{Named, Refusal},
};

/// One key in the quarantine, with what its device says of itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct QuarantineView {
    id: EnrolmentId,
    why: Suspicion,
    /// Whether the key can be approved. Unknown hardware is let in by importing it.
    may_approve: bool,
    /// The device whose identity it wants, when there is one.
    device: Option<DeviceId>,
    id_code: Option<IdCode>,
    mac: MacAddress,
    serial: SerialNumber,
    model: String,
    agent_version: String,
    /// Where it asks from.
    network: String,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

impl From<(Enrolment, Suspicion)> for QuarantineView {
    fn from((enrolment, why): (Enrolment, Suspicion)) -> Self {
        Self {
            id: enrolment.id,
            why,
            may_approve: why.may_be_approved(),
            device: enrolment.device,
            id_code: enrolment.id_code,
            mac: enrolment.mac,
            serial: enrolment.serial,
            model: enrolment.model,
            agent_version: enrolment.agent_version,
            network: enrolment.network,
            first_seen: enrolment.created_at,
            last_seen: enrolment.seen_at,
        }
    }
}

/// The newest 200 keys that the vendor has to look at: unknown hardware, contradicting names, second keys.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "quarantine", responses((status = 200, body = [QuarantineView])))]
pub(super) async fn quarantine(
    State(kits): State<Kits>,
    _: VendorMember,
) -> Result<Json<Vec<QuarantineView>>, Refusal> {
    let mut tx = kits.db.read().await?;
    let waiting = service::quarantine(&mut tx).await?;
    Ok(Json(waiting.into_iter().map(QuarantineView::from).collect()))
}

/// Lets a second key take the place of the first, as after a repair, or one of several that wait.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/approve", tag = "quarantine",
    params(("id" = EnrolmentId, Path,)), responses(
    (status = 204),
    (status = 404, description = "No second key with this id waits"),
    (status = 409, description = "The device's state does not allow it"),
))]
pub(super) async fn approve_key(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<EnrolmentId>,
) -> Result<StatusCode, Refusal> {
    service::approve(&kits, &by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says no to a key. The hardware may ask again with a new one.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/dismiss", tag = "quarantine",
    params(("id" = EnrolmentId, Path,)),
    responses((status = 204), (status = 404, description = "No key with this id waits")))]
pub(super) async fn dismiss_key(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Named(id): Named<EnrolmentId>,
) -> Result<StatusCode, Refusal> {
    service::refuse(&kits, &by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
