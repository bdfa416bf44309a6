//! The pages of a look around: a technician asks, begins it, reads what there is, and opens what is a web page.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::{DeviceId, SessionId, payload::Feature, session::finds::Find};
use serde::Deserialize;

use super::{
    ask::NotOpened,
    look::{Found, Looked, may_be_page},
};
use crate::{
    accounts::{model::Network, rights::InstallerMember},
    gateway::{
        course::Stage,
        open::AskRefusal,
        portal::{Here, goes_on, here, said, second_factor},
        wish::WishForm,
    },
    kits::Kits,
    render::{
        Html, flashes,
        pages::{FindRow, FindsPage, LookStands},
        paths,
    },
    sessions::{join::JoinRefusal, model::NamedSession, request::RequestRefusal, service as sessions, show::row},
    web::{Fault, Form, Named, Visitor, flash},
};

/// The routes. Without a gateway beside them there is nothing behind them.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::ASK_FINDS, post(ask))
        .route(paths::FINDS, get(page))
        .route(paths::BEGIN_FINDS, post(begin))
        .route(paths::OPEN_FIND, post(open))
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
    let message = match gateway.ask_finds(&by, wish).await {
        Ok(session) => return Ok(Redirect::to(&paths::link(paths::FINDS, session)).into_response()),
        Err(AskRefusal::Request(RequestRefusal::SecondFactor(needed))) => return Ok(second_factor(needed, device)),
        Err(AskRefusal::Request(RequestRefusal::UnknownFeature { .. })) => flashes::FINDS_NOT_OFFERED,
        Err(refusal) => said(refusal)?,
    };
    Ok((flash(message), back).into_response())
}

/// The technician's own session with a look around for browsers; whatever else it is, it is not there.
async fn own(kits: &Kits, by: &InstallerMember, id: SessionId) -> Result<NamedSession, Fault> {
    let found = sessions::one(kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let is_one = found.view.features.contains(&Feature::Discovery);
    if is_one && found.technician == by.member().user_id { Ok(found) } else { Err(Fault::not_found()) }
}

async fn page(
    gateway: Here,
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(id): Named<SessionId>,
) -> Result<Html<FindsPage>, Fault> {
    let gateway = here(gateway)?;
    let shown = row(own(&kits, &by, id).await?, by.member(), &kits.config.sessions);
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let Some(look) = gateway.look(by.signed_in(), id) else {
        let (stands, finds) = (LookStands::Elsewhere, Vec::new());
        return Ok(Html(FindsPage { page, shown, stands, finds, progress: None }));
    };
    let Found { finds, progress, looked } = look.found();
    let web = match look.course.stage() {
        Stage::Inside(reach) => reach.web,
        Stage::Asked | Stage::Joining | Stage::Over(_) => false,
    };
    let stands = match (look.course.stage(), looked) {
        (Stage::Asked, _) => LookStands::Asked,
        (Stage::Joining, _) => LookStands::Joining,
        (Stage::Inside(_), None) => LookStands::Looking,
        (Stage::Inside(_), Some(Looked::Everywhere { cut: false })) => LookStands::Done,
        (Stage::Inside(_), Some(Looked::Everywhere { cut: true })) => LookStands::Cut,
        (Stage::Inside(_), Some(Looked::Refused(sentence))) => LookStands::Refused(sentence),
        (Stage::Inside(_), Some(Looked::Broken)) => LookStands::Broken,
        (Stage::Over(_), _) => LookStands::Over,
    };
    let finds = finds.iter().map(|find| shown_find(find, web)).collect();
    let progress = progress.filter(|_| stands == LookStands::Looking);
    Ok(Html(FindsPage { page, shown, stands, finds, progress }))
}

fn shown_find(find: &Find, web: bool) -> FindRow {
    FindRow {
        opens: web && may_be_page(find),
        address: find.address,
        port: find.port,
        by: find.by,
        name: find.name.to_string(),
        what: find.what.to_string(),
        mac: find.mac,
    }
}

async fn begin(gateway: Here, by: InstallerMember, Named(id): Named<SessionId>) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    let back = Redirect::to(&paths::link(paths::FINDS, id));
    match gateway.begin_look(&by, id).await {
        Ok(()) => Ok(back.into_response()),
        Err(JoinRefusal::Unknown) => Err(Fault::not_found()),
        Err(JoinRefusal::State(_)) => Ok((flash(flashes::SESSION_OVER), back).into_response()),
        Err(JoinRefusal::Database(error)) => Err(error.into()),
        Err(refusal @ (JoinRefusal::Key(_) | JoinRefusal::Pki(_))) => {
            tracing::error!(error = &refusal as &dyn std::error::Error, "a look around's session could not be joined");
            Err(Fault::broken())
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenForm {
    address: String,
    port: u16,
}

async fn open(
    gateway: Here,
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(id): Named<SessionId>,
    Form(OpenForm { address, port }): Form<OpenForm>,
) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    gateway.look(by.signed_in(), id).ok_or_else(Fault::not_found)?;
    let address: IpAddr = address.parse().map_err(|_| Fault::bad_form())?;
    let message = match gateway.open_find(by.signed_in(), id, SocketAddr::new(address, port)) {
        Ok(entry) => return Ok(goes_on(&visitor, &kits, by.signed_in(), &entry)),
        Err(NotOpened::Unknown) => return Err(Fault::not_found()),
        Err(NotOpened::NoBrowser) => return Err(Fault::forbidden()),
        Err(NotOpened::Elsewhere) => flashes::WEB_PAGE_ELSEWHERE,
        Err(NotOpened::NotLetIn) => flashes::WEB_PAGE_NOT_OFFERED,
        Err(NotOpened::Over) => flashes::SESSION_OVER,
        Err(NotOpened::Many) => flashes::FINDS_MANY,
        Err(NotOpened::Place(refusal)) => said(refusal)?,
    };
    Ok((flash(message), Redirect::to(&paths::link(paths::FINDS, id))).into_response())
}
