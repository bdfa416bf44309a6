//! The portal's pages that lead to a panel's: a technician asks, waits and goes in; a customer opens the device's own.

use axum::{
    Extension, Json, Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::{
    DeviceId, SessionId,
    identity::WebAddress,
    payload::{Feature, Scheme, TicketNumber},
    web::{self, Panel},
};
use http::{HeaderValue, header};
use serde::Deserialize;

use super::{
    Gateway,
    open::{AskRefusal, EnterRefusal, Entry, Wanted, Wish},
    place::InvalidPlace,
};
use crate::{
    accounts::{
        SignedIn,
        model::{Network, OrganisationKind},
        rights::{CustomerMember, InstallerMember},
        second_factor::SecondFactorNeeded,
    },
    activation,
    kits::Kits,
    render::{
        Html, flashes,
        pages::{EnterWebPage, OwnPage, WebPage},
        paths,
    },
    sessions::{
        break_glass::NoBreakGlass,
        decide::{self, DecideRefusal},
        key::{self, ToSign},
        own::OwnRefusal,
        request::RequestRefusal,
        service as sessions,
        show::row,
    },
    web::{Fault, Form, Named, Visitor, flash},
};

/// How the form calls pages that the portal cannot read.
const BLIND: &str = "blind";

/// The routes. Without a gateway beside them there is nothing behind them.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::ASK_WEB_PAGE, post(ask))
        .route(paths::WEB_PAGE, get(page))
        .route(paths::ENTER_WEB_PAGE, post(enter))
        .route(paths::OPEN_OWN_PAGE, post(open_own))
        .route(paths::BEGIN_OWN_PAGE, post(begin_own))
        .route(paths::OWN_PAGE, get(own_page))
}

pub(super) type Here = Option<Extension<Gateway>>;

pub(super) fn here(gateway: Here) -> Result<Gateway, Fault> {
    gateway.map(|Extension(gateway)| gateway).ok_or_else(Fault::not_found)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AskForm {
    service: String,
    address: String,
    reason: String,
    ticket_number: String,
    form: String,
    break_glass: Option<String>,
    minutes: u32,
}

async fn ask(
    gateway: Here,
    by: InstallerMember,
    from: Network,
    Named(device): Named<DeviceId>,
    Form(form): Form<AskForm>,
) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    let back = Redirect::to(&paths::link(paths::DEVICE, device));
    let number = Some(form.ticket_number.trim()).filter(|number| !number.is_empty());
    let Ok(ticket_number) = number.map(str::parse::<TicketNumber>).transpose() else {
        return Ok((flash(flashes::TICKET_NUMBER), back).into_response());
    };
    let wanted = if form.address.trim().is_empty() && !form.service.is_empty() {
        Wanted::Service(form.service.parse().map_err(|_| Fault::bad_form())?)
    } else {
        match form.address.parse() {
            Ok(place) => Wanted::Place(place),
            Err(InvalidPlace) => return Ok((flash(flashes::WEB_PAGE_ADDRESS), back).into_response()),
        }
    };
    let wish = Wish {
        device,
        wanted,
        blind: form.form == BLIND,
        reason: Some(form.reason),
        ticket_number,
        break_glass: form.break_glass.is_some(),
        minutes: form.minutes,
        from,
    };
    match gateway.ask(&by, wish).await {
        Ok(session) => Ok(Redirect::to(&paths::link(paths::WEB_PAGE, session)).into_response()),
        Err(AskRefusal::Request(RequestRefusal::SecondFactor(needed))) => Ok(second_factor(needed, device)),
        Err(refusal) => Ok((flash(said(refusal)?), back).into_response()),
    }
}

/// To where the second factor is set up or shown, and back to the device.
pub(super) fn second_factor(needed: SecondFactorNeeded, device: DeviceId) -> Response {
    match needed {
        SecondFactorNeeded::NotSetUp => Redirect::to(paths::SECOND_FACTOR).into_response(),
        SecondFactorNeeded::NotConfirmed(_) => {
            Redirect::to(&paths::confirm_self(&paths::link(paths::DEVICE, device))).into_response()
        }
    }
}

/// What the person reads on the page they came from; what they could not have asked is a fault.
pub(super) fn said(refusal: AskRefusal) -> Result<&'static str, Fault> {
    Ok(match refusal {
        AskRefusal::Off | AskRefusal::Request(RequestRefusal::UnknownDevice) | AskRefusal::Own(OwnRefusal::Unknown) => {
            return Err(Fault::not_found());
        }
        AskRefusal::Full => flashes::WEB_PAGES_FULL,
        AskRefusal::Outside => flashes::WEB_PAGE_OUTSIDE,
        AskRefusal::Request(RequestRefusal::Busy | RequestRefusal::OrganisationBusy(_))
        | AskRefusal::Own(OwnRefusal::Busy) => flashes::WEB_PAGE_BUSY,
        AskRefusal::Request(RequestRefusal::Reason | RequestRefusal::BreakGlass(NoBreakGlass::NoReason)) => {
            flashes::WEB_PAGE_REASON
        }
        AskRefusal::Request(RequestRefusal::BreakGlass(
            NoBreakGlass::NotAgreed | NoBreakGlass::NotYou | NoBreakGlass::Pinned,
        )) => flashes::BREAK_GLASS_NOT,
        AskRefusal::Request(RequestRefusal::NotActive) => flashes::WEB_PAGE_NOT_ACTIVE,
        AskRefusal::Request(RequestRefusal::Stopped(_)) | AskRefusal::Own(OwnRefusal::Stopped(_)) => {
            flashes::WEB_PAGE_STOPPED
        }
        AskRefusal::Own(OwnRefusal::Never) => flashes::OWN_PAGE_NEVER,
        AskRefusal::Request(
            RequestRefusal::UnknownService { .. }
            | RequestRefusal::UnknownNetwork { .. }
            | RequestRefusal::UnknownFeature { .. },
        )
        | AskRefusal::Own(OwnRefusal::NoPage) => flashes::WEB_PAGE_NOT_OFFERED,
        AskRefusal::Request(
            RequestRefusal::Throttled(throttled) | RequestRefusal::BreakGlass(NoBreakGlass::Throttled(throttled)),
        )
        | AskRefusal::Own(OwnRefusal::Throttled(throttled)) => {
            return Err(Fault::throttled(throttled.seconds()));
        }
        AskRefusal::Request(RequestRefusal::Minutes(_)) => return Err(Fault::bad_form()),
        AskRefusal::Request(RequestRefusal::Database(error)) | AskRefusal::Own(OwnRefusal::Database(error)) => {
            return Err(error.into());
        }
        refusal => {
            tracing::error!(error = &refusal as &dyn std::error::Error, "a web page could not be asked for");
            return Err(Fault::broken());
        }
    })
}

async fn page(
    gateway: Here,
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<SessionId>,
) -> Result<Html<WebPage>, Fault> {
    let gateway = here(gateway)?;
    let found = sessions::one(&kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let shown = row(found, by.member(), &kits.config.sessions);
    let panel = gateway.panel(&by, id);
    let named = shown.services.first().cloned();
    let service = named.or_else(|| panel.as_ref().map(Panel::authority)).or_else(|| shown.networks.first().cloned());
    let service = service.unwrap_or_default();
    let (is_here, blind) = (panel.is_some(), shown.features.contains(&Feature::WebBlind));
    let certificate_of = panel.filter(|panel| panel.scheme == Scheme::Https).map(|panel| panel.authority());
    let page = visitor.page(kits.now()).signed_in(by.who());
    Ok(Html(WebPage { page, shown, service, is_here, blind, certificate_of }))
}

async fn enter(
    gateway: Here,
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<SessionId>,
) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    let back = || Redirect::to(&paths::link(paths::WEB_PAGE, id));
    let entered = match by.member().kind {
        OrganisationKind::Installer => {
            let member = InstallerMember::try_from(by.clone()).map_err(|_| Fault::forbidden())?;
            gateway.enter(&member, id).await
        }
        OrganisationKind::Customer => {
            let member = CustomerMember::try_from(by.clone()).map_err(|_| Fault::forbidden())?;
            gateway.enter_own(&member, id).await
        }
        OrganisationKind::Vendor | OrganisationKind::Reseller => return Err(Fault::not_found()),
    };
    match entered {
        Ok(entry) => Ok(goes_on(&visitor, &kits, &by, &entry)),
        Err(refusal) => Ok((flash(kept_out(refusal)?), back()).into_response()),
    }
}

fn kept_out(refusal: EnterRefusal) -> Result<&'static str, Fault> {
    use crate::sessions::join::JoinRefusal;
    Ok(match refusal {
        EnterRefusal::Unknown | EnterRefusal::Join(JoinRefusal::Unknown) => return Err(Fault::not_found()),
        EnterRefusal::NoBrowser => return Err(Fault::forbidden()),
        EnterRefusal::Elsewhere => flashes::WEB_PAGE_ELSEWHERE,
        EnterRefusal::Over(_) | EnterRefusal::Join(JoinRefusal::State(_)) => flashes::SESSION_OVER,
        EnterRefusal::Silent => flashes::WEB_PAGE_SILENT,
        EnterRefusal::Join(JoinRefusal::Database(error)) => return Err(error.into()),
        EnterRefusal::Join(refusal) => {
            tracing::error!(error = &refusal as &dyn std::error::Error, "a web page's session could not be joined");
            return Err(Fault::broken());
        }
    })
}

/// The page that carries the ticket over to the panel's origin, in a form: no address ever holds it.
pub(super) fn goes_on(visitor: &Visitor, kits: &Kits, by: &SignedIn, entry: &Entry) -> Response {
    let origin = entry.face.origin();
    let page = visitor.page(kits.now()).signed_in(by.who());
    let (address, ticket) = (format!("{origin}{}", web::ENTER), entry.ticket.reveal().to_owned());
    let mut response = Html(EnterWebPage { page, address, ticket }).into_response();
    let policy = format!(
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'self' {origin}"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // So that the other side knows who sends the ticket.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

/// Instead of a session's id where none was asked for: the form is posted, and the person reads why.
const REFUSED: &str = "refused";

/// Asks for the device's own page where the customer's passkey is to sign it first.
async fn begin_own(
    gateway: Here,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
) -> Result<Json<ToSign>, Fault> {
    let gateway = here(gateway)?;
    if !is_pinned(&kits, &by, device).await? {
        return Ok(Json(ToSign::default()));
    }
    let refused = || Json(ToSign { ceremony: REFUSED.into(), options: None });
    let Ok(session) = gateway.open_own(&by, device).await else { return Ok(refused()) };
    let options = decide::options(&kits, &by, session).await?;
    Ok(Json(ToSign { ceremony: session.to_string(), options }))
}

async fn is_pinned(kits: &Kits, by: &CustomerMember, device: DeviceId) -> Result<bool, Fault> {
    Ok(key::of(kits, by.member(), device).await?.ok_or_else(Fault::not_found)?.pinned.is_some())
}

/// What is posted to open the device's own page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnForm {
    ceremony: String,
    credential: String,
}

async fn open_own(
    gateway: Here,
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(OwnForm { ceremony, credential }): Form<OwnForm>,
) -> Result<Response, Fault> {
    let gateway = here(gateway)?;
    let back = |said| (flash(said), Redirect::to(&paths::link(paths::DEVICE, device))).into_response();
    let session = if let Ok(asked) = ceremony.parse() {
        match decide::approve_signed(&kits, &by, asked, Some(&credential)).await {
            Ok(()) => asked,
            Err(DecideRefusal::Unsigned | DecideRefusal::NotSigned(_)) => return Ok(back(flashes::NOT_SIGNED)),
            Err(DecideRefusal::State(_) | DecideRefusal::Fallen) => return Ok(back(flashes::SESSION_OVER)),
            Err(refusal) => return Err(refusal.into()),
        }
    } else if ceremony != REFUSED && is_pinned(&kits, &by, device).await? {
        return Ok(back(flashes::OWN_PAGE_PINNED));
    } else {
        match gateway.open_own(&by, device).await {
            Ok(session) => session,
            Err(refusal) => return Ok(back(said(refusal)?)),
        }
    };
    match gateway.enter_own(&by, session).await {
        Ok(entry) => Ok(goes_on(&visitor, &kits, by.signed_in(), &entry)),
        Err(refusal) => Ok(back(kept_out(refusal)?)),
    }
}

/// Somebody has come by a device's web address. Who it is not for learns nothing of it.
async fn own_page(
    gateway: Here,
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(address): Named<WebAddress>,
) -> Result<Html<OwnPage>, Fault> {
    here(gateway)?;
    if by.member().kind != OrganisationKind::Customer {
        return Err(Fault::not_found());
    }
    let wanted = activation::Wanted { limit: 500, ..activation::Wanted::default() };
    let devices = activation::service::list(&kits, by.member(), &wanted).await?;
    let view = devices.into_iter().find(|view| view.web_address == address).ok_or_else(Fault::not_found)?;
    let page = visitor.page(kits.now()).signed_in(by.who());
    let is_pinned = key::of(&kits, by.member(), view.device).await?.is_some_and(|held| held.pinned.is_some());
    Ok(Html(OwnPage { page, device: view.device, name: view.web_address.to_string(), is_pinned }))
}
