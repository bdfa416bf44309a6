//! The pages of a terminal in the portal: a technician asks, waits, and is at it in the page itself.

use axum::{
    Json, Router,
    extract::{FromRequest as _, Request, State, WebSocketUpgrade},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::{DeviceId, SessionId, payload::Feature};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{
    ask::NotIn,
    socket::{self, Guest, MOST},
    words::Why,
};
use crate::{
    accounts::{By, model::Network, rights::InstallerMember},
    activation,
    gateway::{
        name::portal_origin,
        open::AskRefusal,
        portal::{Here, here, said, second_factor},
        wish::WishForm,
    },
    i18n::Language,
    kits::Kits,
    render::{Html, flashes, pages::TerminalPage, paths},
    sessions::{
        join::JoinRefusal,
        model::NamedSession,
        request::{RequestRefusal, Unkeyed},
        service as sessions,
        show::row,
    },
    web::{Fault, Form, Named, Visitor, flash},
};

/// What waits in the socket for a browser that does not read.
const GATHERED: usize = 64 * 1024;

/// The routes. Without a gateway beside them there is nothing behind them.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::ASK_TERMINAL, post(ask))
        .route(paths::TERMINAL, get(page))
        .route(paths::ENTER_TERMINAL, post(enter))
        .route(paths::TERMINAL_SOCKET, get(socket))
}

async fn ask(
    gateway: Here,
    by: InstallerMember,
    from: Network,
    Named(device): Named<DeviceId>,
    Form(form): Form<WishForm>,
) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    let back = Redirect::to(&paths::link(paths::DEVICE, device));
    let wish = match form.read(device, from) {
        Ok(wish) => wish,
        Err(said) => return Ok((flash(said), back).into_response()),
    };
    let refusal = match gateway.ask_terminal(&by, wish).await {
        Ok(session) => return Ok(Redirect::to(&paths::link(paths::TERMINAL, session)).into_response()),
        Err(refusal) => refusal,
    };
    let message = match refusal {
        AskRefusal::Request(RequestRefusal::SecondFactor(needed)) => return Ok(second_factor(needed, device)),
        AskRefusal::Request(RequestRefusal::NoRecordingKey(Unkeyed::Installer)) => flashes::TERMINAL_OWN_KEY,
        AskRefusal::Request(RequestRefusal::NoRecordingKey(Unkeyed::Customer)) => flashes::TERMINAL_THEIR_KEY,
        AskRefusal::Request(RequestRefusal::UnknownFeature { .. }) => flashes::TERMINAL_NOT_OFFERED,
        AskRefusal::Request(RequestRefusal::Reason) => flashes::TERMINAL_REASON,
        AskRefusal::Full => flashes::TERMINALS_FULL,
        refusal => said(refusal)?,
    };
    Ok((flash(message), back).into_response())
}

/// The technician's own session with a terminal for browsers; whatever else it is, it is not there.
async fn own(kits: &Kits, by: &InstallerMember, id: SessionId) -> Result<NamedSession, Fault> {
    let found = sessions::one(kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let is_one = [Feature::Terminal, Feature::Web].iter().all(|feature| found.view.features.contains(feature));
    if is_one && found.technician == by.member().user_id { Ok(found) } else { Err(Fault::not_found()) }
}

async fn page(
    gateway: Here,
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(id): Named<SessionId>,
) -> Result<Html<TerminalPage>, Fault> {
    let gateway = here(gateway)?;
    let found = own(&kits, &by, id).await?;
    let device = activation::service::one(&kits, by.member(), found.view.device).await?;
    let customer = device.and_then(|device| device.customer_name);
    let shown = row(found, by.member(), &kits.config.sessions);
    let is_here = gateway.terminal(by.signed_in(), id).is_some();
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    Ok(Html(TerminalPage { page, shown, customer, is_here }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EnterForm {
    columns: String,
    rows: String,
}

/// What the page's script reads.
#[derive(Debug, Serialize)]
struct Ticket {
    ticket: String,
}

async fn enter(
    gateway: Here,
    visitor: Visitor,
    by: InstallerMember,
    Named(id): Named<SessionId>,
    Form(form): Form<EnterForm>,
) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    if gateway.terminal(by.signed_in(), id).is_none() {
        return Err(Fault::not_found());
    }
    let size = socket::size(&form.columns, &form.rows).ok_or_else(Fault::bad_form)?;
    match gateway.enter_terminal(&by, id, size).await {
        Ok(ticket) => Ok(Json(Ticket { ticket: ticket.reveal().to_owned() }).into_response()),
        Err(refusal) => Ok((StatusCode::CONFLICT, Json(kept_out(visitor.language, refusal)?)).into_response()),
    }
}

fn kept_out(language: Language, refusal: NotIn) -> Result<Why, Fault> {
    Ok(match refusal {
        NotIn::Unknown | NotIn::Join(JoinRefusal::Unknown) => return Err(Fault::not_found()),
        NotIn::NoBrowser => return Err(Fault::forbidden()),
        NotIn::Over(outcome) => Why::over(language, &outcome),
        NotIn::Join(JoinRefusal::State(_)) => Why::of(language, "closed", false),
        NotIn::Silent => Why::of(language, "silent", true),
        NotIn::Join(JoinRefusal::Database(error)) => return Err(error.into()),
        NotIn::Join(refusal @ (JoinRefusal::Key(_) | JoinRefusal::Pki(_))) => {
            tracing::error!(error = &refusal as &dyn std::error::Error, "a terminal's session could not be joined");
            return Err(Fault::broken());
        }
    })
}

/// The socket, from a page of the portal itself alone (cross-site WebSocket hijacking).
async fn socket(
    gateway: Here,
    visitor: Visitor,
    by: InstallerMember,
    Named(id): Named<SessionId>,
    request: Request,
) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    let kits = gateway.kits().clone();
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if origin != Some(portal_origin(&kits.config.public_url).as_str()) {
        return Err(Fault::cross_site());
    }
    let terminal = gateway.terminal(by.signed_in(), id).ok_or_else(Fault::not_found)?;
    let By::Browser { id: browser, secret, .. } = by.signed_in().by().clone() else { return Err(Fault::forbidden()) };
    let upgrade = match WebSocketUpgrade::from_request(request, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.into_response()),
    };
    let guest = Guest { member: by.member().clone(), browser, secret, language: visitor.language };
    let upgrade = upgrade.max_message_size(MOST).max_frame_size(MOST).read_buffer_size(16 * 1024);
    let upgrade = upgrade.write_buffer_size(0).max_write_buffer_size(GATHERED);
    Ok(upgrade.on_upgrade(move |socket| socket::serve(socket, terminal, guest, kits)))
}
