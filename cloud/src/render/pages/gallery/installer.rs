//! The installer's pages.

use std::time::Duration;

use gatelodge_proto::{
    api::{Presence, SessionState},
    identity::IdCode,
    payload::{Life, Protocol, ServiceKind},
    session::finds::FoundBy,
};

use super::{super::*, Add, samples::*};
use crate::{
    i18n::{Language, Phrase},
    render::{Notice, Refusals, Side},
};

pub(super) fn add(language: Language, add: &mut Add<'_>) {
    let installer = |path: &str| page(language, Some(Side::Installer), path);
    let none = Refusals::none;
    let mut wrong_label = Refusals::none();
    let _ = wrong_label.parse::<IdCode>("id_code", "RR52-AFY2-T1GK");
    wrong_label.add("web_address", AddDevice::web_address_taken("villa-rosa-2"));
    wrong_label.add("proof", AddDevice::proof_wrong(3));
    let counts = vec![(Life::Registered, 3), (Life::Active, 41), (Life::Released, 2)];
    add(
        "installer_home",
        &InstallerHome { page: installer("/"), devices: 46, waiting: 3, offline: 2, live: 1, recent: devices() },
    );
    add(
        "installer_home_empty",
        &InstallerHome { page: installer("/"), devices: 0, waiting: 0, offline: 0, live: 0, recent: vec![] },
    );
    add(
        "installer_devices",
        &InstallerDevices {
            page: installer("/devices"),
            search: String::new(),
            life: None,
            counts: counts.clone(),
            devices: devices(),
            next_cursor: Some("abc=".into()),
        },
    );
    add(
        "installer_devices_filtered",
        &InstallerDevices {
            page: installer("/devices"),
            search: "rosa & co".into(),
            life: Some(Life::Active),
            counts: counts.clone(),
            devices: vec![],
            next_cursor: None,
        },
    );
    add("take_over_landing", &TakeOverLanding { page: page(language, None, "/take-over") });
    for (name, organisation, may) in [("take_over", "Lena Sécurité", true), ("take_over_not", "Lena Weber", false)] {
        let take_over = TakeOver {
            page: installer("/take-over/confirm"),
            name: "villa-rosa".into(),
            product: "Sentinel 500".into(),
            id_code: IdCode::make(&random(1)),
            customer: "Rosa Blanc & Filles".into(),
            organisation: organisation.into(),
            may,
        };
        add(name, &take_over);
    }
    let domain = || ".portal.example".to_owned();
    add(
        "add_device",
        &AddDevice { page: installer("/devices/add"), form: LabelForm::default(), refusals: none(), domain: domain() },
    );
    add(
        "add_device_refused",
        &AddDevice { page: installer("/devices/add/check"), form: label(), refusals: wrong_label, domain: domain() },
    );
    add(
        "add_customer",
        &AddCustomer {
            page: installer("/devices/add/check"),
            label: label(),
            product: "Sentinel 500".into(),
            presence: Presence { online: true, since: Some(ago(4)) },
            form: CustomerForm::default(),
            refusals: none(),
        },
    );
    add(
        "device_sent",
        &DeviceSent {
            page: installer("/devices/x/sent"),
            device: device_id(1),
            name: "villa-rosa".into(),
            email: "rosa@example.com".into(),
            until: NOW + Duration::from_secs(3 * 86_400),
        },
    );
    let link =
        LinkFacts { email: "rosa@example.com".into(), times: Some((ago(90), NOW + Duration::from_secs(2 * 86_400))) };
    let device = facts(Life::Registered, true);
    add(
        "installer_device_waiting",
        &InstallerDevice {
            page: installer("/devices/x"),
            device,
            link: Some(link),
            web_page: None,
            finds: None,
            terminal: None,
            sessions: vec![],
            history: history(),
        },
    );
    add(
        "installer_device",
        &InstallerDevice {
            page: installer("/devices/x").with_notice(Notice::done(Phrase::new("flash-link-sent"))),
            device: facts(Life::Active, true),
            link: None,
            web_page: Some(WebPageChoice {
                services: vec![
                    web_service("panel-web", None, Some(ServiceKind::Web), "192.168.1.50:80"),
                    web_service("nas", Some("Recordings"), None, "192.168.1.60:443"),
                    web_service("bus-gateway", None, None, "192.168.1.61:80"),
                ],
                networks: vec!["192.168.1.0/24".into()],
                minutes: WebPageChoice::lengths(240),
                break_glass: true,
                blind: true,
            }),
            finds: Some(WishChoice {
                minutes: WebPageChoice::lengths(240),
                break_glass: false,
                networks: vec![("lan".into(), "192.168.1.0/24".into()), ("hall".into(), "192.168.2.0/24".into())],
            }),
            terminal: Some(WishChoice { minutes: WebPageChoice::lengths(240), break_glass: true, networks: vec![] }),
            sessions: vec![session(20, SessionState::Open), session(4_000, SessionState::Ended)],
            history: history(),
        },
    );
    add(
        "correct_email",
        &CorrectEmail {
            page: installer("/devices/x"),
            device: device_id(1),
            name: "villa-rosa".into(),
            email: "rosa@exampel.com".into(),
            refusals: none(),
        },
    );
    add(
        "cancel_registration",
        &CancelRegistration {
            page: installer("/devices/x"),
            device: device_id(1),
            name: "villa-rosa".into(),
            email: "rosa@example.com".into(),
        },
    );
    let web_page = |state, is_here: bool| {
        let shown = session(if state == SessionState::Ended { 4_000 } else { 20 }, state);
        let certificate_of = is_here.then(|| "192.168.1.50:8443".into());
        let service = "panel-web".into();
        WebPage { page: installer("/web-pages/x"), shown, service, is_here, blind: false, certificate_of }
    };
    add("web_page_waiting", &web_page(SessionState::Waiting, true));
    add("web_page_open", &web_page(SessionState::Open, true));
    add("web_page_lost", &web_page(SessionState::Open, false));
    add("web_page_over", &web_page(SessionState::Ended, true));
    let terminal = |state, is_here| {
        let shown = session(if state == SessionState::Ended { 4_000 } else { 20 }, state);
        TerminalPage { page: installer("/terminals/x"), shown, customer: Some("Anna <Rossi>".into()), is_here }
    };
    add("terminal_waiting", &terminal(SessionState::Waiting, true));
    add("terminal_open", &terminal(SessionState::Open, true));
    add("terminal_lost", &terminal(SessionState::Open, false));
    add("terminal_over", &terminal(SessionState::Ended, true));
    let find = |name: &str, what: &str, address: &str, port: Option<u16>, by| FindRow {
        address: address.parse().expect("an address"),
        port: port.map(|port| (Protocol::Tcp, port)),
        by,
        name: name.into(),
        what: what.into(),
        mac: (by == FoundBy::Neighbour).then(|| "00:1B:44:11:3A:B7".parse().expect("a MAC address")),
        opens: port.is_some_and(|port| port < 9_000),
    };
    let found = || {
        vec![
            find("Panel <Rosa>", "_http._tcp", "192.168.1.50", Some(8081), FoundBy::Mdns),
            find("bus", "", "192.168.1.50", Some(10_001), FoundBy::Settings),
            find("Linux UPnP/1.0 Store-300", "upnp:rootdevice", "192.168.1.60", Some(49_152), FoundBy::Ssdp),
            find("", "", "192.168.1.60", Some(8081), FoundBy::Port),
            find("", "", "192.168.1.61", None, FoundBy::Neighbour),
        ]
    };
    let finds = |state, stands, finds, progress| {
        let shown = session(if state == SessionState::Ended { 4_000 } else { 20 }, state);
        FindsPage { page: installer("/finds/x"), shown, stands, finds, progress }
    };
    add("finds_waiting", &finds(SessionState::Waiting, LookStands::Asked, vec![], None));
    add("finds_allowed", &finds(SessionState::Open, LookStands::Asked, vec![], None));
    add("finds_looking", &finds(SessionState::Open, LookStands::Looking, found(), Some((40, 120))));
    add("finds_done", &finds(SessionState::Open, LookStands::Done, found(), None));
    add("finds_nothing", &finds(SessionState::Open, LookStands::Done, vec![], None));
    let refused = LookStands::Refused("discovery is switched off in this device's settings".into());
    add("finds_refused", &finds(SessionState::Open, refused, vec![], None));
    add("finds_over", &finds(SessionState::Ended, LookStands::Over, found(), None));
    let ticket = "mzxw6ytbojtg633cmfzgm33pmi".into();
    let address = "https://s-mzxw6ytbojtg633cmfzgm33pmi.web.example/.gatelodge/enter".into();
    add("web_page_enter", &EnterWebPage { page: installer("/web-pages/x/enter"), address, ticket });
}

fn web_service(name: &str, title: Option<&str>, kind: Option<ServiceKind>, place: &str) -> WebService {
    WebService { name: name.into(), title: title.map(Into::into), kind, place: place.into() }
}
