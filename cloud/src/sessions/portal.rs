//! The pages of sessions: requests, live and past ones, and the buttons that decide and stop.

use axum::{
    Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::{SessionId, Timestamp};
use http::{HeaderMap, header::REFERER};
use serde::Deserialize;

use super::{
    decide::{self, DecideRefusal, OpenRefusal},
    end::{self, Stopped},
    extend::{self, ExtendRefusal},
    machine::NoMoreTime,
    model::is_live,
    service::{self, Wanted},
    show::row,
};
use crate::{
    accounts::{
        SignedIn,
        model::OrganisationKind,
        rights::{CustomerMember, InstallerMember},
    },
    db::DbError,
    kits::Kits,
    render::{
        Html, flashes,
        pages::{Requests, SessionRow, Sessions},
        paths,
    },
    web::{Fault, Form, Named, Visitor, flash},
};

/// How many past sessions a page has.
const PAGE: i64 = 30;

/// The routes.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::REQUESTS, get(requests))
        .route(paths::SESSIONS, get(sessions))
        .route(paths::ALLOW_SESSION, post(allow))
        .route(paths::REFUSE_SESSION, post(refuse))
        .route(paths::STOP_SESSION, post(stop))
        .route(paths::EXTEND_SESSION, post(extend_session))
        .route(paths::REFUSE_EXTENSION, post(refuse_extension))
}

async fn rows(kits: &Kits, by: &SignedIn, wanted: Wanted) -> Result<Vec<SessionRow>, DbError> {
    let sessions = service::list(kits, by.member(), wanted).await?;
    Ok(sessions.into_iter().map(|session| row(session, by.member(), &kits.config.sessions)).collect())
}

async fn requests(visitor: Visitor, State(kits): State<Kits>, by: SignedIn) -> Result<Html<Requests>, Fault> {
    let mut requests = rows(&kits, &by, Wanted { live: true, limit: 100, ..Wanted::default() }).await?;
    requests.retain(SessionRow::waits);
    let page = visitor.page(kits.now()).signed_in(by.who());
    Ok(Html(Requests { page, requests }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    cursor: String,
}

async fn sessions(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Query(ListQuery { cursor }): Query<ListQuery>,
) -> Result<Html<Sessions>, Fault> {
    let live = rows(&kits, &by, Wanted { live: true, limit: 100, ..Wanted::default() }).await?;
    let before: Option<SessionId> = cursor.parse().ok();
    let page_of = rows(&kits, &by, Wanted { before, limit: PAGE, ..Wanted::default() }).await?;
    let full = page_of.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
    let next_cursor = page_of.last().filter(|_| full).map(|session| session.id.to_string());
    let past = page_of.into_iter().filter(|session| !is_live(session.state)).collect();
    let page = visitor.page(kits.now()).signed_in(by.who());
    Ok(Html(Sessions { page, live, past, next_cursor }))
}

impl From<DecideRefusal> for Fault {
    fn from(refusal: DecideRefusal) -> Self {
        match refusal {
            DecideRefusal::Unknown => Self::not_found(),
            DecideRefusal::Open(OpenRefusal::Database(error)) | DecideRefusal::Database(error) => error.into(),
            DecideRefusal::State(_) | DecideRefusal::Fallen | DecideRefusal::Open(_) => Self::changed(),
        }
    }
}

/// Where the button was: the page the browser says, when it is one of ours.
fn back(headers: &HeaderMap, otherwise: &'static str) -> Redirect {
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let path = referer.and_then(|text| url::Url::parse(text).ok()).map(|url| url.path().to_owned());
    Redirect::to(path.as_deref().map_or(otherwise, paths::own_or_home))
}

async fn allow(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    answered(decide::approve(&kits, &by, id).await, flashes::SESSION_ALLOWED, &headers)
}

async fn refuse(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    answered(decide::refuse(&kits, &by, id).await, flashes::SESSION_REFUSED, &headers)
}

/// What was over or decided already is no fault of the person who pressed: they are told and see how it stands.
fn answered(outcome: Result<(), DecideRefusal>, done: &'static str, headers: &HeaderMap) -> Result<Response, Fault> {
    let said = match outcome {
        Ok(()) => done,
        Err(DecideRefusal::State(_) | DecideRefusal::Fallen) => flashes::SESSION_OVER,
        Err(refusal) => return Err(refusal.into()),
    };
    Ok((flash(said), back(headers, paths::REQUESTS)).into_response())
}

#[derive(Debug, Deserialize)]
struct ExtensionForm {
    minutes: u32,
    /// The end that the reader saw.
    until: Option<Timestamp>,
}

async fn extend_session(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    headers: HeaderMap,
    Form(ExtensionForm { minutes, until }): Form<ExtensionForm>,
) -> Result<Response, Fault> {
    extended(extend::give(&kits, &by, id, minutes, until).await, flashes::SESSION_EXTENDED, &headers)
}

async fn refuse_extension(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    extended(extend::decline(&kits, &by, id).await, flashes::EXTENSION_REFUSED, &headers)
}

fn extended(outcome: Result<(), ExtendRefusal>, done: &'static str, headers: &HeaderMap) -> Result<Response, Fault> {
    let said = match outcome {
        Ok(()) => done,
        Err(ExtendRefusal::State(NoMoreTime::TooLong(_))) => flashes::SESSION_TOO_LONG,
        Err(ExtendRefusal::State(NoMoreTime::Device)) => flashes::SESSION_LONGEST,
        Err(ExtendRefusal::State(NoMoreTime::Over)) => flashes::SESSION_OVER,
        Err(ExtendRefusal::State(NoMoreTime::NotAsked | NoMoreTime::Moved)) => flashes::EXTENSION_ANSWERED,
        Err(ExtendRefusal::Unknown) => return Err(Fault::not_found()),
        Err(ExtendRefusal::Minutes(_)) => return Err(Fault::bad_form()),
        Err(ExtendRefusal::Throttled(throttled)) => return Err(Fault::throttled(throttled.seconds())),
        Err(ExtendRefusal::Database(error)) => return Err(error.into()),
    };
    Ok((flash(said), back(headers, paths::SESSIONS)).into_response())
}

async fn stop(
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<SessionId>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let stopped = match by.member().kind {
        OrganisationKind::Installer => {
            let by = InstallerMember::try_from(by).map_err(|_| Fault::forbidden())?;
            end::stop_by_technician(&kits, &by, id).await?
        }
        OrganisationKind::Customer => {
            let by = CustomerMember::try_from(by).map_err(|_| Fault::forbidden())?;
            end::stop_by_customer(&kits, &by, id).await?
        }
        OrganisationKind::Vendor | OrganisationKind::Reseller => Stopped::Unknown,
    };
    let said = match stopped {
        Stopped::Now => flashes::SESSION_STOPPED,
        Stopped::WasOver => flashes::SESSION_OVER,
        Stopped::Unknown => return Err(Fault::not_found()),
    };
    Ok((flash(said), back(&headers, paths::SESSIONS)).into_response())
}
