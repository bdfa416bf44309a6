//! Enrolment over HTTPS, and devices as JSON for their people and the vendor.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use gatelodge_proto::{
    DeviceId,
    api::{self, DeviceView, Page, Presence},
    enrol::{self as wire},
    payload::Life,
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{
    enrol::{self, EnrolError},
    service::{self, ChangeError, Cursor, Filter, Listed},
};
use crate::{
    accounts::{
        SignedIn,
        model::{Network, OrganisationKind},
        rights::VendorAdministrator,
    },
    kits::Kits,
    web::{Call, Fault, Problem},
};

/// A CSR and some names fit many times over.
const ENROL_BODY: usize = 16 * 1024;

/// The feature's calls.
pub fn routes() -> Router<Kits> {
    let enrolment = Router::new()
        .route(wire::PATH, post(ask))
        .route(wire::NONCE_PATH, post(nonce))
        .route(wire::STANDING_PATH, post(standing))
        .layer(DefaultBodyLimit::max(ENROL_BODY));
    Router::new()
        .route(api::DEVICES_PATH, get(list))
        .route("/api/v1/devices/{id}", get(one))
        .route("/api/v1/devices/{id}/retire", post(retire))
        .route("/api/v1/devices/{id}/revoke", post(revoke))
        .merge(enrolment)
}

type Peer = ConnectInfo<SocketAddr>;

async fn nonce(State(kits): State<Kits>, ConnectInfo(from): Peer) -> Result<Json<wire::Nonce>, Response> {
    enrol::nonce(&kits, network(from).as_str()).await.map(Json).map_err(|error| refusal(&error))
}

async fn ask(
    State(kits): State<Kits>,
    ConnectInfo(from): Peer,
    Call(request): Call<wire::Request>,
) -> Result<Json<wire::Answer>, Response> {
    enrol::enrol(&kits, network(from).as_str(), &request).await.map(Json).map_err(|error| refusal(&error))
}

async fn standing(
    State(kits): State<Kits>,
    ConnectInfo(from): Peer,
    Call(request): Call<wire::StandingRequest>,
) -> Result<Json<wire::Standing>, Response> {
    enrol::standing(&kits, network(from).as_str(), &request).await.map(Json).map_err(|error| refusal(&error))
}

fn network(from: SocketAddr) -> Network {
    Network::from(from.ip())
}

fn refusal(error: &EnrolError) -> Response {
    let (status, code, title, next) = match error {
        EnrolError::Db(db) => {
            tracing::error!(error = %db, "enrolment failed");
            return Fault::unavailable().into_response();
        }
        EnrolError::Pki(pki) => {
            tracing::error!(error = %pki, "enrolment failed");
            return Fault::broken().into_response();
        }
        EnrolError::Csr(_) => (StatusCode::BAD_REQUEST, "bad_csr", "Not a usable certificate request", None),
        EnrolError::OtherProof(_) => (
            StatusCode::FORBIDDEN,
            "other_proof",
            "Another proof is needed",
            Some("Ask the vendor how this device is set in its inventory."),
        ),
        EnrolError::WrongProof => (
            StatusCode::FORBIDDEN,
            "wrong_proof",
            "The proof is wrong",
            Some("Check the factory data: ID code, MAC, serial and secret must be those of this unit."),
        ),
        EnrolError::Nonce => (StatusCode::CONFLICT, "nonce_used", "The nonce is over", Some("Ask for a new nonce.")),
        EnrolError::KeyOver => {
            (StatusCode::CONFLICT, "key_over", "The key is over", Some("Make a new key and enrol again."))
        }
        EnrolError::Retired(_) => (StatusCode::FORBIDDEN, "retired", "The device is retired", None),
        EnrolError::Crowded => (
            StatusCode::TOO_MANY_REQUESTS,
            "crowded",
            "Too many keys wait",
            Some("Ask the vendor to look at its quarantine."),
        ),
        EnrolError::Throttled(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many tries", Some("Wait, then try again."))
        }
    };
    let mut problem = Problem::new(status, code, title, &error.to_string());
    if let Some(next) = next {
        problem = problem.next(next);
    }
    let mut response = problem.into_response();
    if let EnrolError::Throttled(throttled) = error
        && let Ok(seconds) = HeaderValue::from_str(&throttled.seconds().to_string())
    {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// Query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    search: Option<String>,
    life: Option<String>,
    online: Option<bool>,
    cursor: Option<String>,
    limit: Option<u16>,
}

async fn list(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Page<DeviceView>>, Response> {
    let Query(query) = query.map_err(|error| bad_query(&error.body_text()))?;
    let life = match query.life.as_deref() {
        None => None,
        Some(word) => {
            Some(Life::from_word(word).ok_or_else(|| bad_query(&format!("`{word}` is no state of a device")))?)
        }
    };
    let after = query.cursor.as_deref().map(str::parse::<Cursor>).transpose();
    let after = after.map_err(|_| bad_query("the cursor is not from an earlier page"))?;
    let filter = Filter { search: query.search, life, online: query.online, after, limit: query.limit };
    let mut tx = kits.db.read().await.map_err(|error| Fault::from(error).into_response())?;
    let (devices, next) = service::list(&mut tx, tenant(&signed_in), &filter)
        .await
        .map_err(|error| Fault::from(error).into_response())?;
    Ok(Json(Page {
        items: devices.iter().map(DeviceView::from).collect(),
        next_cursor: next.map(|cursor| cursor.to_string()),
    }))
}

async fn one(State(kits): State<Kits>, signed_in: SignedIn, Path(id): Path<String>) -> Result<Json<DeviceView>, Fault> {
    let id: DeviceId = id.parse().map_err(|_| Fault::not_found())?;
    let mut tx = kits.db.read().await?;
    let found = service::view(&mut tx, tenant(&signed_in), id).await?;
    found.as_ref().map(|listed| Json(listed.into())).ok_or_else(Fault::not_found)
}

async fn retire(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Path(id): Path<String>,
) -> Result<StatusCode, Response> {
    let id: DeviceId = id.parse().map_err(|_| Fault::not_found().into_response())?;
    service::retire(&kits, &by, id).await.map_err(|error| changed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke(
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Path(id): Path<String>,
) -> Result<StatusCode, Response> {
    let id: DeviceId = id.parse().map_err(|_| Fault::not_found().into_response())?;
    service::revoke(&kits, &by, id).await.map_err(|error| changed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn changed(error: &ChangeError) -> Response {
    match error {
        ChangeError::Missing => Fault::not_found().into_response(),
        ChangeError::Refused(refusal) => Problem::new(
            StatusCode::CONFLICT,
            "not_allowed_now",
            "The device's state does not allow it",
            &refusal.to_string(),
        )
        .into_response(),
        ChangeError::Verify(_) | ChangeError::Db(_) => {
            tracing::error!(%error, "a device could not be changed");
            Fault::unavailable().into_response()
        }
    }
}

fn bad_query(detail: &str) -> Response {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", "The query cannot be read", detail).into_response()
}

/// Whose devices the signed-in person sees: the vendor all, everybody else those of its own registrations.
pub(super) fn tenant(signed_in: &SignedIn) -> Option<gatelodge_proto::OrganisationId> {
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
            services: device.report.as_ref().map(|report| report.services.clone()).unwrap_or_default(),
        }
    }
}
