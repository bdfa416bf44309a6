//! Where devices bring recordings, with the credential that came with the order of their session.

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts},
};
use gatelodge_proto::{
    FlowId,
    recording::{MAX_PIECE, NEVER, Received, Whole},
};
use http::{StatusCode, header, request::Parts};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::receive::{Bringing, NotTaken};
use crate::{
    kits::Kits,
    sessions::model::Credential,
    web::{Call, Fault, Named, Narrowed, Problem, Refusal},
};

/// The calls of this feature.
pub fn routes() -> OpenApiRouter<Kits> {
    OpenApiRouter::new()
        .routes(routes!(recording_standing, bring_recording, end_recording))
        .layer(DefaultBodyLimit::max(MAX_PIECE))
}

/// Before anything of the request is read.
impl FromRequestParts<Kits> for Bringing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, kits: &Kits) -> Result<Self, Refusal> {
        let Named(recording): Named<FlowId> = Named::from_request_parts(parts, kits).await?;
        let credential = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = credential.and_then(|text| text.strip_prefix("Bearer ")).and_then(|text| text.parse().ok());
        let credential: Credential = credential.ok_or(NotTaken::Unknown)?;
        Ok(Self::by(kits, &credential, recording).await?)
    }
}

/// Says how much of a recording is here.
#[utoipa::path(get, path = "/record/v1/{recording}", tag = "recordings", security(()),
    params(("recording" = FlowId, Path, description = "The terminal's flow")), responses(
    (status = 200, body = Received),
    (status = 404, description = "`recording_refused`: no session's, and it never will be"),
))]
async fn recording_standing(bringing: Bringing) -> Result<Json<Received>, Refusal> {
    Ok(Json(bringing.standing().await?))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Place {
    /// So many bytes come before these.
    at: u64,
}

/// Brings bytes of a recording that follow those already here; the answer says where to go on.
#[utoipa::path(put, path = "/record/v1/{recording}", tag = "recordings", security(()),
    params(("recording" = FlowId, Path, description = "The terminal's flow"), Place),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 200, body = Received),
    (status = 404, description = "`recording_refused`: no session's, and it never will be"),
    (status = 413, description = "`recording_refused`: larger than recordings are here"),
))]
async fn bring_recording(
    bringing: Bringing,
    Narrowed(Place { at }): Narrowed<Place>,
    bytes: Bytes,
) -> Result<Json<Received>, Refusal> {
    Ok(Json(bringing.bytes(at, bytes).await?))
}

/// Says that a recording is whole. `taken` in the answer is the receipt: the device need not keep it any more.
#[utoipa::path(post, path = "/record/v1/{recording}", tag = "recordings", security(()),
    params(("recording" = FlowId, Path, description = "The terminal's flow")), request_body = Whole, responses(
    (status = 200, body = Received),
    (status = 404, description = "`recording_refused`: no session's, and it never will be"),
    (status = 422, description = "`recording_refused`: no recording"),
))]
async fn end_recording(bringing: Bringing, Call(whole): Call<Whole>) -> Result<Json<Received>, Refusal> {
    Ok(Json(bringing.whole(&whole).await?))
}

impl From<NotTaken> for Refusal {
    fn from(refusal: NotTaken) -> Self {
        let detail = refusal.to_string();
        let never = |status| Self::from(Problem::new(status, NEVER, "Not taken", &detail));
        match refusal {
            NotTaken::Unknown => never(StatusCode::NOT_FOUND),
            NotTaken::TooLong(_) => never(StatusCode::PAYLOAD_TOO_LARGE),
            NotTaken::TooMany | NotTaken::NoRecording => never(StatusCode::UNPROCESSABLE_ENTITY),
            NotTaken::Disk(error) => {
                tracing::error!(%error, "a recording cannot be written");
                Fault::unavailable().into()
            }
            NotTaken::Database(error) => error.into(),
        }
    }
}
