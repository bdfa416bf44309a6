//! Enrolment over HTTPS: the one call a device makes before it has a certificate.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, State},
};
use gatelodge_proto::enrol as wire;
use http::StatusCode;

use crate::{
    accounts::model::Network,
    devices::enrol::{self, EnrolError},
    kits::Kits,
    web::{Call, Fault, Problem, Refusal},
};

type Peer = ConnectInfo<SocketAddr>;

/// Hands out a nonce for the proof of the factory's secret, good once and for two minutes.
#[utoipa::path(post, path = wire::NONCE_PATH, tag = "enrolment", security(()),
    responses((status = 200, body = wire::Nonce), (status = 429, description = "Too many tries from this network")))]
pub(super) async fn enrolment_nonce(
    State(kits): State<Kits>,
    ConnectInfo(from): Peer,
) -> Result<Json<wire::Nonce>, Refusal> {
    Ok(Json(enrol::nonce(&kits, network(from).as_str()).await?))
}

/// Asks for a certificate; asking again with the same key is polling.
#[utoipa::path(post, path = wire::PATH, tag = "enrolment", security(()), request_body = wire::Request, responses(
    (status = 200, body = wire::Answer, description = "The certificate, or what the device waits for"),
    (status = 400, description = "`bad_csr`, or the body does not fit"),
    (status = 403, description = "`other_proof`, `wrong_proof` or `retired`"),
    (status = 409, description = "`nonce_used`, or `key_over`: this key will never be accepted again"),
    (status = 429, description = "Too many tries from this network, or too many keys wait"),
))]
pub(super) async fn enrol(
    State(kits): State<Kits>,
    ConnectInfo(from): Peer,
    Call(request): Call<wire::Request>,
) -> Result<Json<wire::Answer>, Refusal> {
    Ok(Json(enrol::enrol(&kits, network(from).as_str(), &request).await?))
}

/// Says what the cloud thinks of a key whose certificate was refused.
#[utoipa::path(post, path = wire::STANDING_PATH, tag = "enrolment", security(()),
    request_body = wire::StandingRequest, responses(
    (status = 200, body = wire::Standing),
    (status = 400, description = "`bad_csr`, or the body does not fit"),
    (status = 429, description = "Too many tries from this network"),
))]
pub(super) async fn enrolment_standing(
    State(kits): State<Kits>,
    ConnectInfo(from): Peer,
    Call(request): Call<wire::StandingRequest>,
) -> Result<Json<wire::Standing>, Refusal> {
    Ok(Json(enrol::standing(&kits, network(from).as_str(), &request).await?))
}

fn network(from: SocketAddr) -> Network {
    Network::from(from.ip())
}

impl From<EnrolError> for Refusal {
    fn from(error: EnrolError) -> Self {
        let problem = |status, code, title| Problem::new(status, code, title, &error.to_string());
        match &error {
            EnrolError::Db(db) => {
                tracing::error!(error = %db, "enrolment failed");
                Fault::unavailable().into()
            }
            EnrolError::Pki(pki) => {
                tracing::error!(error = %pki, "enrolment failed");
                Fault::broken().into()
            }
            EnrolError::Csr(_) => {
                problem(StatusCode::BAD_REQUEST, "bad_csr", "Not a usable certificate request").into()
            }
            EnrolError::OtherProof(_) => problem(StatusCode::FORBIDDEN, "other_proof", "Another proof is needed")
                .next("Ask the vendor how this device is set in its inventory.")
                .into(),
            EnrolError::WrongProof => problem(StatusCode::FORBIDDEN, "wrong_proof", "The proof is wrong")
                .next("Check the factory data: ID code, MAC, serial and secret must be those of this unit.")
                .into(),
            EnrolError::Nonce => {
                problem(StatusCode::CONFLICT, "nonce_used", "The nonce is over").next("Ask for a new nonce.").into()
            }
            EnrolError::KeyOver => problem(StatusCode::CONFLICT, wire::KEY_OVER, "The key is over")
                .next("Make a new key and enrol again.")
                .into(),
            EnrolError::Retired(_) => problem(StatusCode::FORBIDDEN, wire::RETIRED, "The device is retired").into(),
            EnrolError::Throttled(throttled) => {
                let too_many = problem(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many tries");
                Self::Later(too_many.next("Wait, then try again."), throttled.seconds())
            }
        }
    }
}
