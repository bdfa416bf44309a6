//! Sessions as JSON: the technician's program asks, joins and stops; customers may answer here as in the portal.

mod emergency;
mod refusal;

use std::time::Duration;

use axum::{Json, extract::State};
use gatelodge_proto::{
    DeviceId, SessionId,
    api::{ExtensionRequest, ExtensionState, Join, Page, SESSIONS_PATH, SessionRequest, SessionState, SessionView},
};
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    decide,
    end::{self, Stopped},
    extend, join,
    request::{self, Asked},
    service::{self, Known, Wanted},
};
use crate::{
    accounts::{
        SignedIn,
        model::{Network, OrganisationKind},
        rights::{CustomerMember, InstallerMember},
    },
    kits::Kits,
    web::{Call, Fault, Named, Narrowed, Refusal},
};

/// How many sessions a page has.
const PAGE: i64 = 50;

/// The feature's calls.
pub fn routes() -> OpenApiRouter<Kits> {
    OpenApiRouter::new()
        .routes(routes!(sessions, request_session))
        .routes(routes!(session))
        .routes(routes!(join_session))
        .routes(routes!(stop_session))
        .routes(routes!(approve_session))
        .routes(routes!(refuse_session))
        .routes(routes!(extend_session))
        .routes(routes!(refuse_extension))
        .routes(routes!(emergency::stops, emergency::stop))
        .routes(routes!(emergency::lift))
}

/// Which sessions are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SessionsQuery {
    /// On this device alone.
    device: Option<DeviceId>,
    /// Waiting and open ones alone.
    #[serde(default)]
    live: bool,
    /// Those that the caller has asked for alone.
    #[serde(default)]
    own: bool,
    /// `next_cursor` of the page before.
    cursor: Option<SessionId>,
}

/// The sessions of the caller's organisation, the newest first.
#[utoipa::path(get, path = SESSIONS_PATH, tag = "sessions", params(SessionsQuery), responses(
    (status = 200, body = Page<SessionView>),
    (status = 400, description = "The query cannot be read"),
))]
async fn sessions(
    State(kits): State<Kits>,
    by: SignedIn,
    Narrowed(query): Narrowed<SessionsQuery>,
) -> Result<Json<Page<SessionView>>, Refusal> {
    let SessionsQuery { device, live, own, cursor: before } = query;
    let wanted = Wanted { device, live, own, before, limit: PAGE + 1 };
    let mut items: Vec<SessionView> =
        service::list(&kits, by.member(), wanted).await?.into_iter().map(|session| session.view).collect();
    let more = items.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    if more {
        items.pop();
    }
    let next_cursor = items.last().filter(|_| more).map(|session| session.id.to_string());
    Ok(Json(Page { items, next_cursor }))
}

/// Asks for a session. It opens at once or waits for the customer, as the customer's rule says.
#[utoipa::path(post, path = SESSIONS_PATH, tag = "sessions", request_body = SessionRequest, responses(
    (status = 201, body = SessionView),
    (status = 404, description = "No device of the caller's organisation"),
    (status = 409, description = "`device_not_active`, `device_busy`, `organisation_busy` or `session_over`"),
    (status = 422, description = "A field does not fit; the answer names it"),
))]
async fn request_session(
    State(kits): State<Kits>,
    by: InstallerMember,
    from: Network,
    Call(body): Call<SessionRequest>,
) -> Result<(StatusCode, Json<SessionView>), Refusal> {
    let session = request::request(&kits, &by, Asked::from_network(body, from)).await?;
    Ok((StatusCode::CREATED, Json(session.view)))
}

/// Whether to wait for a change.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SessionQuery {
    /// Seconds to wait for a change.
    wait: Option<u64>,
    /// The state the caller knows; what it is now when left out.
    state: Option<SessionState>,
    /// What the caller knows of an extension; any when left out.
    extension: Option<ExtensionState>,
}

/// One session, at once or when its state has changed.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = SessionId, Path,), SessionQuery),
    responses(
    (status = 200, body = SessionView),
    (status = 404, description = "No session of the caller's organisation"),
))]
async fn session(
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<SessionId>,
    Narrowed(query): Narrowed<SessionQuery>,
) -> Result<Json<SessionView>, Refusal> {
    let found = service::one(&kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let known = Known { state: query.state.unwrap_or(found.view.state), extension: query.extension };
    let Some(seconds) = query.wait else { return Ok(Json(found.view)) };
    let patience = Duration::from_secs(seconds);
    let found = service::once_changed(&kits, by.member(), id, known, patience).await?;
    Ok(Json(found.ok_or_else(Fault::not_found)?.view))
}

/// What the technician's side needs to join an open session, good for 30 s.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/join", tag = "sessions", params(("id" = SessionId, Path,)),
    responses(
    (status = 200, body = Join),
    (status = 404, description = "No session of the caller's organisation"),
    (status = 409, description = "`consent_needed`, `session_refused` or `session_over`"),
))]
async fn join_session(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(id): Named<SessionId>,
) -> Result<Json<Join>, Refusal> {
    Ok(Json(join::join(&kits, &by, id).await?))
}

/// Ends a session, for both sides of it.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/stop", tag = "sessions", params(("id" = SessionId, Path,)),
    responses(
    (status = 200, body = SessionView, description = "It is over"),
    (status = 404, description = "No session of the caller's organisation"),
))]
async fn stop_session(
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<SessionId>,
) -> Result<Json<SessionView>, Refusal> {
    let not_allowed = |_| Fault::forbidden();
    let stopped = match by.member().kind {
        OrganisationKind::Installer => {
            end::stop_by_technician(&kits, &by.clone().try_into().map_err(not_allowed)?, id).await?
        }
        OrganisationKind::Customer => {
            end::stop_by_customer(&kits, &by.clone().try_into().map_err(not_allowed)?, id).await?
        }
        OrganisationKind::Vendor | OrganisationKind::Reseller => Stopped::Unknown,
    };
    match stopped {
        Stopped::Now | Stopped::WasOver => view(&kits, &by, id).await,
        Stopped::Unknown => Err(Fault::not_found().into()),
    }
}

/// The customer allows a session.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/approve", tag = "sessions", params(("id" = SessionId, Path,)),
    responses(
    (status = 200, body = SessionView),
    (status = 404, description = "No session of the caller's organisation"),
    (status = 409, description = "It waits no longer"),
))]
async fn approve_session(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
) -> Result<Json<SessionView>, Refusal> {
    decide::approve(&kits, &by, id).await?;
    view(&kits, by.signed_in(), id).await
}

/// The customer says no to a session.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/refuse", tag = "sessions", params(("id" = SessionId, Path,)),
    responses(
    (status = 200, body = SessionView),
    (status = 404, description = "No session of the caller's organisation"),
    (status = 409, description = "It waits no longer"),
))]
async fn refuse_session(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
) -> Result<Json<SessionView>, Refusal> {
    decide::refuse(&kits, &by, id).await?;
    view(&kits, by.signed_in(), id).await
}

/// More time for an open session. From a technician it is asked for, and given at once where the customer's rule is
/// `always`; from a customer it is given.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/extend", tag = "sessions", params(("id" = SessionId, Path,)),
    request_body = ExtensionRequest, responses(
    (status = 200, body = SessionView, description = "`extension` says whether it is asked for or given"),
    (status = 404, description = "No session of the caller's organisation"),
    (status = 409, description = "`session_over`, `session_too_long` or `device_limit`"),
    (status = 422, description = "`minutes_out_of_range`"),
))]
async fn extend_session(
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<SessionId>,
    Call(ExtensionRequest { minutes }): Call<ExtensionRequest>,
) -> Result<Json<SessionView>, Refusal> {
    let not_allowed = |_| Fault::forbidden();
    match by.member().kind {
        OrganisationKind::Installer => {
            extend::ask(&kits, &by.clone().try_into().map_err(not_allowed)?, id, minutes).await?;
        }
        OrganisationKind::Customer => {
            extend::give(&kits, &by.clone().try_into().map_err(not_allowed)?, id, minutes, None).await?;
        }
        OrganisationKind::Vendor | OrganisationKind::Reseller => return Err(Fault::not_found().into()),
    }
    view(&kits, &by, id).await
}

/// The customer gives no more time; the session ends when it would have.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/extend/refuse", tag = "sessions",
    params(("id" = SessionId, Path,)), responses(
    (status = 200, body = SessionView),
    (status = 404, description = "No session of the caller's organisation"),
    (status = 409, description = "`not_asked` or `session_over`"),
))]
async fn refuse_extension(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
) -> Result<Json<SessionView>, Refusal> {
    extend::decline(&kits, &by, id).await?;
    view(&kits, by.signed_in(), id).await
}

async fn view(kits: &Kits, by: &SignedIn, id: SessionId) -> Result<Json<SessionView>, Refusal> {
    let session = service::one(kits, by.member(), id).await?;
    Ok(Json(session.ok_or_else(Fault::not_found)?.view))
}
