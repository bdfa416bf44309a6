//! Sessions as JSON: the technician's program asks, joins and stops; customers may answer here as in the portal.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use gatelodge_proto::{
    DeviceId, SessionId,
    api::{Join, Page, SESSIONS_PATH, SessionRequest, SessionState, SessionView},
};
use serde::Deserialize;

use super::{
    decide::{self, DecideRefusal, OpenRefusal},
    end::{self, Stopped},
    join::{self, JoinRefusal},
    machine::Refusal,
    model::NamedSession,
    request::{self, RequestRefusal},
    service::{self, Wanted},
};
use crate::{
    accounts::{
        SignedIn,
        model::OrganisationKind,
        rights::{CustomerMember, InstallerMember, NotAllowed},
    },
    db::DbError,
    kits::Kits,
    web::{Call, Fault, Problem},
};

/// How many sessions a page has.
const PAGE: i64 = 50;

/// The routes.
pub fn routes() -> axum::Router<Kits> {
    use axum::routing::{get, post};
    let one = format!("{SESSIONS_PATH}/{{session}}");
    axum::Router::new()
        .route(SESSIONS_PATH, get(list).post(ask))
        .route(&one, get(read))
        .route(&format!("{one}/join"), post(join_session))
        .route(&format!("{one}/stop"), post(stop))
        .route(&format!("{one}/approve"), post(approve))
        .route(&format!("{one}/refuse"), post(refuse))
}

/// What an API call is answered when it is not answered as asked.
#[derive(Debug)]
enum Answer {
    Problem(Box<Problem>),
    Fault(Fault),
}

impl axum::response::IntoResponse for Answer {
    fn into_response(self) -> axum::response::Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Fault(fault) => fault.into_response(),
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DbError> for Answer {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<NotAllowed> for Answer {
    fn from(_: NotAllowed) -> Self {
        Self::Fault(Fault::forbidden())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    device: Option<DeviceId>,
    #[serde(default)]
    live: bool,
    cursor: Option<SessionId>,
}

async fn list(
    State(kits): State<Kits>,
    by: SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<SessionView>>, Answer> {
    let wanted = Wanted { device: query.device, live: query.live, before: query.cursor, limit: PAGE + 1 };
    let mut items: Vec<SessionView> =
        service::list(&kits, by.member(), wanted).await?.into_iter().map(|session| session.view).collect();
    let more = items.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    if more {
        items.pop();
    }
    let next_cursor = items.last().filter(|_| more).map(|session| session.id.to_string());
    Ok(Json(Page { items, next_cursor }))
}

async fn ask(
    State(kits): State<Kits>,
    by: InstallerMember,
    Call(body): Call<SessionRequest>,
) -> Result<(StatusCode, Json<SessionView>), Answer> {
    let session = request::request(&kits, &by, body).await?;
    Ok((StatusCode::CREATED, Json(session.view)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadQuery {
    /// Seconds to wait for the state to change.
    wait: Option<u64>,
    /// The state the caller knows; what it is now when left out.
    state: Option<SessionState>,
}

async fn read(
    State(kits): State<Kits>,
    by: SignedIn,
    Path(id): Path<String>,
    Query(query): Query<ReadQuery>,
) -> Result<Json<SessionView>, Answer> {
    let id = session_id(&id)?;
    let found = service::one(&kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let known = query.state.unwrap_or(found.view.state);
    let Some(seconds) = query.wait else { return Ok(Json(found.view)) };
    let patience = Duration::from_secs(seconds);
    let found = service::once_changed(&kits, by.member(), id, known, patience).await?;
    Ok(Json(found.ok_or_else(Fault::not_found)?.view))
}

async fn join_session(
    State(kits): State<Kits>,
    by: InstallerMember,
    Path(id): Path<String>,
) -> Result<Json<Join>, Answer> {
    Ok(Json(join::join(&kits, &by, session_id(&id)?).await?))
}

async fn stop(State(kits): State<Kits>, by: SignedIn, Path(id): Path<String>) -> Result<Json<SessionView>, Answer> {
    let id = session_id(&id)?;
    let stopped = match by.member().kind {
        OrganisationKind::Installer => end::stop_by_technician(&kits, &by.clone().try_into()?, id).await?,
        OrganisationKind::Customer => end::stop_by_customer(&kits, &by.clone().try_into()?, id).await?,
        OrganisationKind::Vendor | OrganisationKind::Reseller => Stopped::Unknown,
    };
    match stopped {
        Stopped::Now | Stopped::WasOver => view(&kits, &by, id).await,
        Stopped::Unknown => Err(Fault::not_found().into()),
    }
}

async fn approve(
    State(kits): State<Kits>,
    by: CustomerMember,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, Answer> {
    let id = session_id(&id)?;
    decide::approve(&kits, &by, id).await?;
    view(&kits, by.signed_in(), id).await
}

async fn refuse(
    State(kits): State<Kits>,
    by: CustomerMember,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, Answer> {
    let id = session_id(&id)?;
    decide::refuse(&kits, &by, id).await?;
    view(&kits, by.signed_in(), id).await
}

/// What names no session is no session.
fn session_id(text: &str) -> Result<SessionId, Fault> {
    text.parse().map_err(|_| Fault::not_found())
}

async fn view(kits: &Kits, by: &SignedIn, id: SessionId) -> Result<Json<SessionView>, Answer> {
    let session: Option<NamedSession> = service::one(kits, by.member(), id).await?;
    Ok(Json(session.ok_or_else(Fault::not_found)?.view))
}

fn state_problem(refusal: Refusal) -> Problem {
    let (code, title, next) = match refusal {
        Refusal::Waiting => {
            ("consent_needed", "Not allowed yet", "Wait, or ask the customer to open Requests in the portal.")
        }
        Refusal::AlreadyOpen => ("session_open", "Open already", "Join it, or stop it."),
        Refusal::Refused => ("session_refused", "Refused", "Talk to the customer, then ask for another session."),
        Refusal::Ended => ("session_over", "Over", "Ask for another session."),
    };
    Problem::new(StatusCode::CONFLICT, code, title, &refusal.to_string()).next(next)
}

fn open_problem(refusal: OpenRefusal) -> Answer {
    match refusal {
        OpenRefusal::Database(error) => error.into(),
        OpenRefusal::TooManyServices => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_services",
            "Too many services",
            &refusal.to_string(),
        )
        .field("services", &refusal.to_string())
        .into(),
        OpenRefusal::NoTechnician | OpenRefusal::Overtaken => {
            Problem::new(StatusCode::CONFLICT, "session_over", "Over", &refusal.to_string()).into()
        }
    }
}

impl From<RequestRefusal> for Answer {
    fn from(refusal: RequestRefusal) -> Self {
        let detail = refusal.to_string();
        let field = |code: &str, field: &str| -> Self {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, "The request does not fit", &detail)
                .field(field, &detail)
                .into()
        };
        match refusal {
            RequestRefusal::UnknownDevice => Fault::not_found().into(),
            RequestRefusal::NotActive => {
                Problem::new(StatusCode::CONFLICT, "device_not_active", "Not active", &detail).into()
            }
            RequestRefusal::NoServices => field("no_services", "services"),
            RequestRefusal::UnknownService { .. } => field("unknown_service", "services"),
            RequestRefusal::Reason => field("reason_needed", "reason"),
            RequestRefusal::Minutes(_) => field("minutes_out_of_range", "minutes"),
            RequestRefusal::Csr(_) => field("invalid_csr", "csr"),
            RequestRefusal::Busy => Problem::new(StatusCode::CONFLICT, "device_busy", "Busy", &detail)
                .next("Stop a session of this device, then ask again.")
                .into(),
            RequestRefusal::Open(refusal) => open_problem(refusal),
            RequestRefusal::Database(error) => error.into(),
        }
    }
}

impl From<JoinRefusal> for Answer {
    fn from(refusal: JoinRefusal) -> Self {
        match refusal {
            JoinRefusal::Unknown => Fault::not_found().into(),
            JoinRefusal::State(refusal) => state_problem(refusal).into(),
            JoinRefusal::Key(_) | JoinRefusal::Pki(_) => {
                tracing::error!(error = &refusal as &dyn std::error::Error, "a session key could not be certified");
                Fault::broken().into()
            }
            JoinRefusal::Database(error) => error.into(),
        }
    }
}

impl From<DecideRefusal> for Answer {
    fn from(refusal: DecideRefusal) -> Self {
        match refusal {
            DecideRefusal::Unknown => Fault::not_found().into(),
            DecideRefusal::State(refusal) => state_problem(refusal).into(),
            DecideRefusal::Fallen => {
                Problem::new(StatusCode::CONFLICT, "session_over", "Over", &refusal.to_string()).into()
            }
            DecideRefusal::Open(refusal) => open_problem(refusal),
            DecideRefusal::Database(error) => error.into(),
        }
    }
}
