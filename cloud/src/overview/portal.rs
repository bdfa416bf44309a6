//! Home by side, one device with everything about it, and the customer's history.

use axum::{
    Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::{
    DeviceId, SessionId,
    api::{Presence, SessionState},
    identity::WebAddress,
    payload::{Feature, Life, Protocol, Report, Service, ServiceKind},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    accounts::{NotSignedIn, SignedIn, model::OrganisationKind, rights::CustomerMember},
    activation::{
        self, Wanted,
        model::{RegistrationView, State as Standing},
        rule::{self, OpenFor, RuleRefusal},
        show::{domain, proposal},
    },
    audit,
    db::DbError,
    devices::service as devices,
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{
            AddDevice, CustomerDevice, CustomerHome, DeviceFacts, History, HistoryRow, InstallerDevice, InstallerHome,
            KeyStanding, LinkFacts, PresetFacts, SessionRow, SignedRuleShown, WebPageChoice, WebService, WishChoice,
        },
        paths,
    },
    sessions::{self, break_glass},
    web::{Fault, Form, Named, Visitor, flash},
};

/// How many rows of history a device's page shows.
const LATEST: i64 = 20;
/// How many rows the history has on a page.
const PAGE: i64 = 50;

/// The routes.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::HOME, get(home))
        .route(paths::DEVICE, get(device))
        .route(paths::ALLOW_AND_OPEN, post(allow_and_open))
        .route(paths::WEB_ADDRESS, post(set_web_address))
        .route(paths::HISTORY, get(history))
}

async fn rows(
    kits: &Kits,
    by: &SignedIn,
    device: Option<DeviceId>,
    live: bool,
    limit: i64,
) -> Result<Vec<SessionRow>, DbError> {
    let wanted = sessions::service::Wanted { device, live, limit, ..Default::default() };
    let found = sessions::service::list(kits, by.member(), wanted).await?;
    Ok(found.into_iter().map(|session| sessions::show::row(session, by.member(), &kits.config.sessions)).collect())
}

async fn home(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: Result<SignedIn, NotSignedIn>,
) -> Result<Response, Response> {
    let by = match by {
        Ok(by) => by,
        Err(NotSignedIn::Page(_)) => return Ok(Redirect::to(paths::SIGN_IN).into_response()),
        Err(nobody) => return Err(nobody.into_response()),
    };
    home_of(visitor, &kits, &by).await.map_err(IntoResponse::into_response)
}

async fn home_of(visitor: Visitor, kits: &Kits, by: &SignedIn) -> Result<Response, Fault> {
    let page = visitor.page(kits.now()).signed_in(by.who());
    let live = rows(kits, by, None, true, 100).await?;
    let wanted = Wanted { limit: 500, ..Wanted::default() };
    match by.member().kind {
        OrganisationKind::Vendor => Ok(Redirect::to(paths::INVENTORY).into_response()),
        OrganisationKind::Customer => {
            let (requests, live) = live.into_iter().partition(SessionRow::waits);
            let devices = activation::service::list(kits, by.member(), &wanted).await?;
            let devices = devices.into_iter().map(activation::show::row).collect();
            Ok(Html(CustomerHome { page, requests, live, devices }).into_response())
        }
        OrganisationKind::Installer | OrganisationKind::Reseller => {
            let views = activation::service::list(kits, by.member(), &wanted).await?;
            let count = |fits: &dyn Fn(&RegistrationView) -> bool| {
                u64::try_from(views.iter().filter(|view| fits(view)).count()).unwrap_or(u64::MAX)
            };
            let waiting = count(&|view| view.state == Standing::Open);
            let offline = count(&|view| view.state == Standing::Active && !view.online);
            let devices = count(&|_| true);
            let open = live.iter().filter(|session| session.state == SessionState::Open).count();
            let recent = views.into_iter().take(5).map(activation::show::row).collect();
            let live = u64::try_from(open).unwrap_or(u64::MAX);
            Ok(Html(InstallerHome { page, devices, waiting, offline, live, recent }).into_response())
        }
    }
}

async fn device(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<DeviceId>,
) -> Result<Response, Fault> {
    if by.member().kind == OrganisationKind::Vendor {
        return Ok(Redirect::to(&paths::link(paths::VENDOR_DEVICE, id)).into_response());
    }
    device_page(&visitor, &kits, &by, id, Refusals::none()).await
}

async fn device_page(
    visitor: &Visitor,
    kits: &Kits,
    by: &SignedIn,
    id: DeviceId,
    refusals: Refusals,
) -> Result<Response, Fault> {
    let view = activation::service::one(kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let page = visitor.page(kits.now()).signed_in(by.who());
    let found = rows(kits, by, Some(id), false, 50).await?;
    let history = told(kits, by, Some(id), None, LATEST).await?.0;
    let link = if view.state == Standing::Open {
        let times = activation::service::link_times(kits, view.id).await?;
        Some(LinkFacts { email: view.email.to_string(), times })
    } else {
        None
    };
    let doubled = devices::is_doubled(&mut kits.db.read().await?, id).await?;
    let break_glass = view.opening.break_glass.is_some_and(|agreed| break_glass::covers(agreed, by.member().role));
    let report = view.report.as_ref().filter(|_| view.life == Life::Active);
    let report = report.filter(|report| report.features.contains(&Feature::Web));
    let has_terminal = report.is_some_and(|report| report.features.contains(&Feature::Terminal));
    let minutes = WebPageChoice::lengths(kits.config.sessions.max_minutes);
    let looks = report.is_some_and(|report| {
        report.features.contains(&Feature::Discovery)
            && report.features.contains(&Feature::Web)
            && !report.networks.is_empty()
    });
    let finds = (looks && kits.config.gateway.is_on()).then(|| WishChoice {
        minutes: minutes.clone(),
        break_glass,
        networks: named_networks(report),
    });
    let terminal = (has_terminal && kits.config.gateway.terminals > 0).then_some(WishChoice {
        minutes,
        break_glass,
        networks: Vec::new(),
    });
    let report = report.filter(|_| kits.config.gateway.is_on());
    let web_page = report.map(|report| web_page_choice(kits, report, break_glass)).filter(WebPageChoice::has_some);
    let own_page = report.is_some_and(|report| sessions::own::own_page(&report.services).is_some());
    let opening = view.opening.clone();
    let words = sessions::key::RuleWords { installer: view.installer, consent: view.consent, opening: opening.clone() };
    let installer = view.installer;
    let device = facts(view, doubled);
    let held = sessions::key::of(kits, by.member(), id).await?.unwrap_or_default();
    let signed = held.rule.as_ref().map(|ruled| SignedRuleShown {
        stands: ruled.says(&words, kits.now()),
        at: ruled.said.made_at,
        until: ruled.said.valid_until,
    });
    let key = match (held.pinned, held.offered) {
        (Some(_), _) => KeyStanding::Pinned,
        (None, Some(_)) => KeyStanding::Offered,
        (None, None) => KeyStanding::None,
    };
    if by.member().kind != OrganisationKind::Customer {
        let sessions = found;
        return Ok(
            Html(InstallerDevice { page, device, link, web_page, finds, terminal, sessions, history }).into_response()
        );
    }
    let (requests, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(SessionRow::waits);
    let (live, past) = rest.into_iter().partition(|session| session.state == SessionState::Open);
    let domain = domain(kits);
    Ok(Html(CustomerDevice {
        page,
        device,
        requests,
        live,
        past,
        history,
        domain,
        own_page,
        installer,
        opening,
        key,
        signed,
        refusals,
    })
    .into_response())
}

/// What a browser can be a client of.
fn web_page_choice(kits: &Kits, report: &Report, break_glass: bool) -> WebPageChoice {
    let profile = |service: &Service| report.profiles.iter().find(|profile| profile.service == service.name);
    let is_for_browsers = |service: &&Service| {
        let said = profile(service);
        let other =
            said.is_some_and(|said| said.kind.is_some_and(|kind| kind != ServiceKind::Web) && said.scheme.is_none());
        service.protocol == Protocol::Tcp && !other
    };
    let services = report.services.iter().filter(is_for_browsers);
    let place = |service: &Service| WebService {
        name: service.name.to_string(),
        title: profile(service).and_then(|said| said.title.as_ref()).map(ToString::to_string),
        kind: profile(service).and_then(|said| said.kind),
        place: format!("{}:{}", service.host, service.port),
    };
    let minutes = WebPageChoice::lengths(kits.config.sessions.max_minutes);
    let networks = report.networks.iter().map(|network| network.subnet.to_string()).collect();
    let blind = kits.config.gateway.blind.is_some() && report.features.contains(&Feature::WebBlind);
    WebPageChoice { services: services.map(place).collect(), networks, minutes, break_glass, blind }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenForm {
    hours: u32,
}

/// The customer allows a session, and opens its device for whatever follows in the next hours.
async fn allow_and_open(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<SessionId>,
    Form(OpenForm { hours }): Form<OpenForm>,
) -> Result<Response, Fault> {
    let hours = OpenFor::of_hours(hours).ok_or_else(Fault::bad_form)?;
    let session = sessions::service::one(&kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    sessions::decide::approve(&kits, &by, id).await?;
    rule::open_for(&kits, &by, session.view.device, Some(session.installer), hours).await?;
    Ok((flash(flashes::DEVICE_OPENED), Redirect::to(&paths::link(paths::SESSION, id))).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WebAddressForm {
    web_address: String,
}

/// Gives the device's own pages another name; a refusal is the device's page with the reason.
async fn set_web_address(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(id): Named<DeviceId>,
    Form(WebAddressForm { web_address }): Form<WebAddressForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    if let Some(wanted) = refusals.parse::<WebAddress>("web_address", &web_address) {
        match rule::set_web_address(&kits, &by, id, wanted).await {
            Ok(()) => {
                let back = Redirect::to(&paths::link(paths::DEVICE, id));
                return Ok((flash(flashes::WEB_ADDRESS_SAVED), back).into_response());
            }
            Err(RuleRefusal::WebAddressInUse) => {
                refusals.add("web_address", AddDevice::web_address_taken(&proposal(&web_address)));
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    device_page(&visitor, &kits, by.signed_in(), id, refusals).await
}

fn named_networks(report: Option<&Report>) -> Vec<(String, String)> {
    let networks = report.into_iter().flat_map(|report| &report.networks);
    networks.map(|network| (network.name.to_string(), network.subnet.to_string())).collect()
}

fn facts(view: RegistrationView, doubled: bool) -> DeviceFacts {
    let active = view.state == Standing::Active;
    let report = view.report.as_ref();
    DeviceFacts {
        id: view.device,
        name: view.web_address.to_string(),
        id_code: view.id_code,
        mac: view.mac,
        life: view.life,
        life_since: view.activated_at.unwrap_or(view.registered_at),
        presence: Presence { online: view.online, since: view.presence_since },
        web_url: None,
        installer: Some(view.installer_name),
        consent: (view.life == Life::Active).then_some(view.consent),
        firmware: report.map(|report| report.firmware.clone()),
        agent_version: report.map(|report| report.agent_version.clone()),
        addresses: report.map(addresses).unwrap_or_default(),
        services: report
            .map(|report| {
                let service = |service: &Service| {
                    format!("{} ({} {}:{})", service.name, service.protocol.word(), service.host, service.port)
                };
                report.services.iter().map(service).collect()
            })
            .unwrap_or_default(),
        networks: report
            .map(|report| {
                report.networks.iter().map(|network| format!("{} ({})", network.name, network.subnet)).collect()
            })
            .unwrap_or_default(),
        calls: report.map(Report::calls).unwrap_or_default(),
        presets: view.presets.into_iter().map(PresetFacts::from).collect(),
        reported_at: view.reported_at,
        doubled,
        product: view.product,
        serial: view.serial,
        customer: if active { view.customer_name } else { Some(view.email.to_string()) },
        web_address: Some(view.web_address),
    }
}

fn addresses(report: &Report) -> Vec<String> {
    let all = report.interfaces.iter().flat_map(|interface| &interface.addresses);
    all.map(ToString::to_string).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HistoryQuery {
    cursor: String,
}

async fn history(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Query(HistoryQuery { cursor }): Query<HistoryQuery>,
) -> Result<Html<History>, Fault> {
    let (rows, next_cursor) = told(&kits, &by, None, Uuid::try_parse(&cursor).ok(), PAGE).await?;
    let page = visitor.page(kits.now()).signed_in(by.who());
    Ok(Html(History { page, rows, next_cursor }))
}

/// What the reader's organisation may know, the newest first, and the next page's cursor.
async fn told(
    kits: &Kits,
    by: &SignedIn,
    device: Option<DeviceId>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<(Vec<HistoryRow>, Option<String>), DbError> {
    let mut tx = kits.db.read().await?;
    let rows = audit::read(&mut tx, by.member().organisation_id, device, before, limit).await?;
    let full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| row.id.to_string());
    let told =
        rows.into_iter().map(|row| HistoryRow::of(row.at.into(), row.actor_name, &row.what, &row.details.0)).collect();
    Ok((told, next))
}
