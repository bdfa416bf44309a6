//! The pages of sessions: requests, live and past ones, and the buttons that decide and stop.

use axum::{
    Json, Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::{SessionId, Timestamp, identity::IdCode, payload::FlowOutcome};
use http::{HeaderMap, header::REFERER};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    decide::{self, DecideRefusal, OpenRefusal},
    emergency::{self, InForce, Scope, StopId, StopRefusal},
    end::{self, Stopped},
    extend::{self, ExtendRefusal, Given},
    machine::NoMoreTime,
    model::{Flow, is_live},
    service::{self, Wanted},
    show::row,
};
use crate::{
    accounts::{
        SignedIn,
        model::OrganisationKind,
        rights::{CustomerMember, InstallerMember, VendorAdministrator},
        service as accounts,
    },
    db::DbError,
    devices::service as devices,
    i18n::Phrase,
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{EmergencyStops, Requests, SessionPage, SessionRow, Sessions, StopForm, StopRow, Target},
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
        .route(paths::SESSION, get(session))
        .route(paths::EMERGENCY_STOPS, get(stops).post(stop_all))
        .route(paths::LIFT_STOP, post(lift))
        .route(paths::ALLOW_SESSION, post(allow))
        .route(paths::ALLOW_SESSION_BEGIN, post(begin_to_allow))
        .route(paths::EXTEND_SESSION_BEGIN, post(begin_to_extend))
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

async fn session(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<SessionId>,
) -> Result<Html<SessionPage>, Fault> {
    let found = service::one(&kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let flows = service::flows(&kits, &found.view).await?;
    let target = |flow: Flow| {
        let refused = flow.outcome != FlowOutcome::Opened.word();
        let (open, bytes) = (!refused && flow.closed_at.is_none(), flow.bytes_up.saturating_add(flow.bytes_down));
        Target { target: flow.target, opened_at: flow.opened_at, bytes, refused, open }
    };
    let page = visitor.page(kits.now()).signed_in(by.who());
    let shown = row(found, by.member(), &kits.config.sessions);
    Ok(Html(SessionPage { page, shown, flows: flows.into_iter().map(target).collect() }))
}

async fn stops_page(
    visitor: &Visitor,
    kits: &Kits,
    by: &SignedIn,
    form: StopForm,
    refusals: Refusals,
) -> Result<Html<EmergencyStops>, Fault> {
    let stops = emergency::in_force(kits).await?;
    let installers = accounts::installers(&mut kits.db.read().await?).await?;
    let stop = |stop: InForce| StopRow {
        id: stop.id.0.to_string(),
        installer: stop.installer,
        device: stop.device,
        reason: stop.reason,
        by: stop.by,
        since: stop.since,
    };
    let page = visitor.page(kits.now()).signed_in(by.who());
    Ok(Html(EmergencyStops {
        page,
        stops: stops.into_iter().map(stop).collect(),
        installers: installers.into_iter().map(|(id, name)| (id.to_string(), name)).collect(),
        form,
        refusals,
    }))
}

async fn stops(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: VendorAdministrator,
) -> Result<Html<EmergencyStops>, Fault> {
    stops_page(&visitor, &kits, by.signed_in(), StopForm::default(), Refusals::none()).await
}

async fn stop_all(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: VendorAdministrator,
    Form(form): Form<StopForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let scope = match form.scope.as_str() {
        "everybody" => Some(Scope::Everybody),
        "installer" => form.installer.parse().ok().map(Scope::Installer),
        "device" => match refusals.parse::<IdCode>("device", &form.device) {
            Some(code) => devices::by_id_code(&mut kits.db.read().await?, code).await?.map(Scope::Device),
            None => return Ok(stops_page(&visitor, &kits, by.signed_in(), form, refusals).await?.into_response()),
        },
        _ => return Err(Fault::bad_form()),
    };
    let field = if form.scope == "device" { "device" } else { "installer" };
    let outcome = match scope {
        Some(scope) => emergency::stop(&kits, &by, scope, &form.reason).await,
        None => Err(StopRefusal::Unknown),
    };
    match outcome {
        Ok(_) => return Ok((flash(flashes::STOPPED), Redirect::to(paths::EMERGENCY_STOPS)).into_response()),
        Err(StopRefusal::Unknown) => refusals.add(field, EmergencyStops::unknown()),
        Err(StopRefusal::Reason) => refusals.add("reason", Phrase::new("refused-empty")),
        Err(StopRefusal::Database(error)) => return Err(error.into()),
    }
    Ok(stops_page(&visitor, &kits, by.signed_in(), form, refusals).await?.into_response())
}

async fn lift(State(kits): State<Kits>, by: VendorAdministrator, Named(id): Named<Uuid>) -> Result<Response, Fault> {
    if !emergency::lift(&kits, &by, StopId(id)).await? {
        return Err(Fault::not_found());
    }
    Ok((flash(flashes::LIFTED), Redirect::to(paths::EMERGENCY_STOPS)).into_response())
}

impl From<DecideRefusal> for Fault {
    fn from(refusal: DecideRefusal) -> Self {
        match refusal {
            DecideRefusal::Unknown => Self::not_found(),
            DecideRefusal::Open(OpenRefusal::Database(error)) | DecideRefusal::Database(error) => error.into(),
            DecideRefusal::Factor(refusal) => refusal.into(),
            DecideRefusal::State(_)
            | DecideRefusal::Fallen
            | DecideRefusal::Unsigned
            | DecideRefusal::NotSigned(_)
            | DecideRefusal::Open(_) => Self::changed(),
        }
    }
}

/// Where the button was: the page the browser says, when it is one of ours.
fn back(headers: &HeaderMap, otherwise: &'static str) -> Redirect {
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let path = referer.and_then(|text| url::Url::parse(text).ok()).map(|url| url.path().to_owned());
    Redirect::to(path.as_deref().map_or(otherwise, paths::own_or_home))
}

/// What `passkey.js` hands to the browser.
#[derive(Debug, Serialize)]
struct Options {
    options: Value,
}

async fn begin_to_allow(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
) -> Result<Json<Options>, Fault> {
    let options = decide::options(&kits, &by, id).await?.ok_or_else(Fault::changed)?;
    Ok(Json(Options { options }))
}

/// What the customer's passkey has signed; nothing where none is pinned on the device.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SignedForm {
    credential: String,
}

fn signed(credential: &str) -> Option<&str> {
    Some(credential).filter(|text| !text.is_empty())
}

async fn allow(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    headers: HeaderMap,
    Form(SignedForm { credential }): Form<SignedForm>,
) -> Result<Response, Fault> {
    let outcome = decide::approve_signed(&kits, &by, id, signed(&credential)).await;
    answered(outcome, flashes::SESSION_ALLOWED, &headers)
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
        Err(DecideRefusal::Unsigned | DecideRefusal::NotSigned(_)) => flashes::NOT_SIGNED,
        Err(refusal) => return Err(refusal.into()),
    };
    Ok((flash(said), back(headers, paths::REQUESTS)).into_response())
}

#[derive(Debug, Deserialize)]
struct ExtensionForm {
    minutes: u32,
    /// The end that the reader saw.
    until: Option<Timestamp>,
    /// As of a request.
    #[serde(default)]
    credential: String,
}

async fn begin_to_extend(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    Form(ExtensionForm { minutes, .. }): Form<ExtensionForm>,
) -> Result<Json<Options>, Fault> {
    let options = extend::options(&kits, &by, id, minutes).await.map_err(|refusal| match refusal {
        ExtendRefusal::Unknown => Fault::not_found(),
        ExtendRefusal::Database(error) => error.into(),
        ExtendRefusal::Factor(refusal) => refusal.into(),
        _ => Fault::changed(),
    })?;
    Ok(Json(Options { options: options.ok_or_else(Fault::changed)? }))
}

async fn extend_session(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    headers: HeaderMap,
    Form(ExtensionForm { minutes, until, credential }): Form<ExtensionForm>,
) -> Result<Response, Fault> {
    let given = Given { minutes, saw: until, signed: signed(&credential) };
    extended(extend::give_signed(&kits, &by, id, given).await, flashes::SESSION_EXTENDED, &headers)
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
        Err(ExtendRefusal::Unsigned | ExtendRefusal::NotSigned(_)) => flashes::NOT_SIGNED,
        Err(ExtendRefusal::Factor(refusal)) => return Err(refusal.into()),
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
