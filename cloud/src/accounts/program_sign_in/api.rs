//! The sign-in of programs as RFC 8628 lays it out, in this API's shapes.

use axum::{Json, extract::State};
use gatelodge_proto::api::{SIGN_IN_PATH, SIGN_IN_TOKEN_PATH, SignInPoll, SignInStarted, SignedIn};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    machine::{INTERVAL, LIFE, PollRefusal},
    service::{self, Started},
};
use crate::{
    accounts::{api::Refusal, model::Network, tokens::Secret},
    kits::Kits,
    render::paths,
    web::{Call, Problem},
};

pub(in crate::accounts) fn routes() -> OpenApiRouter<Kits> {
    OpenApiRouter::new().routes(routes!(start_sign_in)).routes(routes!(sign_in_token))
}

/// Begins a sign-in by browser approval (RFC 8628 section 3.1).
#[utoipa::path(post, path = SIGN_IN_PATH, tag = "sign-in", security(()), responses(
    (status = 200, body = SignInStarted, description = "The codes, where the person goes, and how often to poll"),
    (status = 429, description = "Too many sign-ins were begun from this network"),
))]
async fn start_sign_in(State(kits): State<Kits>, network: Network) -> Result<Json<SignInStarted>, Refusal> {
    let Started { device_code, user_code } = service::start(&kits, &network).await??;
    let verification_uri = format!("{}{}", kits.config.public_url.as_str().trim_end_matches('/'), paths::APPROVE);
    Ok(Json(SignInStarted {
        device_code: device_code.expose(),
        user_code: user_code.to_string(),
        verification_uri_complete: format!("{verification_uri}?code={user_code}"),
        verification_uri,
        expires_in: u32::try_from(LIFE.as_secs()).unwrap_or(u32::MAX),
        interval: u32::try_from(INTERVAL.as_secs()).unwrap_or(u32::MAX),
    }))
}

/// Asks whether the person has approved (RFC 8628 section 3.4).
#[utoipa::path(post, path = SIGN_IN_TOKEN_PATH, tag = "sign-in", security(()), request_body = SignInPoll, responses(
    (status = 200, body = SignedIn, description = "The token, this once"),
    (status = 400, description = "`authorization_pending`, `slow_down`, `access_denied` or `expired_token`"),
))]
async fn sign_in_token(State(kits): State<Kits>, Call(poll): Call<SignInPoll>) -> Result<Json<SignedIn>, Refusal> {
    let device_code: Secret = poll.device_code.parse().map_err(|_| PollRefusal::Expired)?;
    let granted = service::poll(&kits, &device_code).await??;
    Ok(Json(SignedIn {
        token: granted.token.expose(),
        expires_at: granted.expires_at,
        email: granted.member.email,
        name: granted.member.name,
        organisation: granted.member.organisation_name,
    }))
}

impl From<PollRefusal> for Refusal {
    fn from(refusal: PollRefusal) -> Self {
        let (code, title, next) = match refusal {
            PollRefusal::Pending => ("authorization_pending", "Not approved yet", "Ask again after the interval."),
            PollRefusal::SlowDown => ("slow_down", "Too fast", "Add five seconds to the interval."),
            PollRefusal::Denied => ("access_denied", "Refused", "Begin again, and approve it in the portal."),
            PollRefusal::Expired => ("expired_token", "Expired", "Begin again; a code lives for ten minutes."),
        };
        Problem::new(StatusCode::BAD_REQUEST, code, title, &refusal.to_string()).next(next).into()
    }
}
