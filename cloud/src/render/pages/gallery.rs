//! Every page with samples in every language: nothing missing, nothing unescaped, and the house rules of HTML.
//! With `GATELODGE_GALLERY=folder` the pages are also written there, to be looked at.

use std::time::Duration;

use askama::Template;
use gatelodge_proto::{
    DeviceId, EnrolmentId, Random, SessionId, Timestamp,
    api::{Presence, SessionState},
    identity::IdCode,
    payload::{Consent, EndReason, Life},
};
use serde_json::json;

use super::*;
use crate::{
    i18n::{Language, Phrase},
    render::{Notice, Page, Refusals, Role, Side, Theme, Who, asset_path, paths},
};

const NOW: Timestamp = Timestamp::from_seconds(1_777_809_600);

fn ago(minutes: u64) -> Timestamp {
    NOW - Duration::from_secs(minutes * 60)
}

fn random(seed: u64) -> Random {
    Random::seeded(seed)
}

fn device_id(seed: u64) -> DeviceId {
    DeviceId::make(ago(9_000), &random(seed))
}

fn page(language: Language, side: Option<Side>, path: &str) -> Page {
    let (name, organisation) = match side {
        Some(Side::Vendor) => ("Ada Keller", "Sentinel SA"),
        Some(Side::Customer) => ("Rosa Blanc", "Rosa Blanc"),
        _ => ("Marc Petit", "Petit Alarmes & Fils"),
    };
    Page {
        language,
        theme: Theme::System,
        path: path.into(),
        who: side.map(|side| Who {
            name: name.into(),
            email: "name@example.com".into(),
            organisation: organisation.into(),
            side,
            role: Role::Administrator,
            waiting: 1,
            mailbox: true,
        }),
        notice: None,
        now: NOW,
    }
}

fn devices() -> Vec<DeviceRow> {
    let row = |seed, name: &str, life, online, customer: &str| DeviceRow {
        id: device_id(seed),
        name: name.into(),
        id_code: IdCode::make(&random(seed)),
        product: "Sentinel 500".into(),
        life,
        presence: Presence { online, since: (seed != 4).then(|| ago(seed * 500)) },
        customer: Some(customer.into()),
        installer: Some("Petit Alarmes & Fils".into()),
    };
    vec![
        row(1, "villa-rosa", Life::Active, true, "Rosa Blanc"),
        row(2, "atelier-du-port-de-peche", Life::Registered, true, "atelier@example.com"),
        row(3, "ecole-jules-ferry", Life::Active, false, "Commune de Saint-Martin"),
        row(4, "Sentinel 500", Life::Released, false, "–"),
    ]
}

fn facts(life: Life, online: bool) -> DeviceFacts {
    DeviceFacts {
        id: device_id(1),
        name: "villa-rosa".into(),
        product: "Sentinel 500".into(),
        id_code: IdCode::make(&random(1)),
        mac: "02:42:AC:11:00:02".parse().unwrap(),
        serial: "SN-500-000117".parse().unwrap(),
        life,
        life_since: ago(70_000),
        presence: Presence { online, since: Some(ago(130)) },
        web_address: "villa-rosa".parse().ok(),
        web_url: Some("https://villa-rosa.portal.example/".into()),
        customer: Some("Rosa Blanc".into()),
        installer: Some("Petit Alarmes & Fils".into()),
        consent: Some(Consent::Ask),
        firmware: Some("Sentinel OS 4.2".into()),
        agent_version: Some("0.1.0".into()),
        addresses: vec!["192.168.1.20".into(), "fe80::42:acff:fe11:2".into()],
        services: vec!["panel-web (tcp 192.168.1.50:80)".into(), "panel-bus (tcp 192.168.1.50:4001)".into()],
        reported_at: Some(ago(12)),
    }
}

fn session(seed: u64, state: SessionState) -> SessionRow {
    let open = state == SessionState::Open;
    let over = state == SessionState::Ended;
    SessionRow {
        id: SessionId::make(ago(seed), &random(seed)),
        device: device_id(1),
        device_name: "villa-rosa".into(),
        technician: "Lea Moreau".into(),
        organisation: "Petit Alarmes & Fils".into(),
        services: vec!["panel-web".into(), "panel-bus".into()],
        reason: "Zone 4 reports a fault since <Tuesday>".into(),
        minutes: 60,
        state,
        requested_at: ago(seed),
        opened_at: (open || over).then(|| ago(seed - 1)),
        until: open.then(|| NOW + Duration::from_secs(48 * 60)),
        ended_at: over.then(|| ago(seed.saturating_sub(35))),
        end_reason: over.then_some(EndReason::Customer),
        bytes: if open || over { 1_540_000 } else { 0 },
        proven_by: open.then_some(ProvenBy::Asked),
        may_stop: open,
        may_decide: state == SessionState::Waiting,
    }
}

fn history() -> Vec<HistoryRow> {
    let details = json!({
        "added": 3, "consent": "ask", "email": "rosa@example.com", "label": "CRM", "network": "192.0.2.7",
        "organisation": "Petit Alarmes", "reason": "relay_lost", "refused": 1, "services": "panel-web",
        "target": "tcp panel:80", "web_address": "villa-rosa",
    });
    AUDITED
        .iter()
        .zip(1..)
        .map(|(what, place)| HistoryRow::of(ago(place * 700), "Marc Petit".into(), what, &details))
        .collect()
}

/// What the services write into the audit trail, and a word of a later version.
const AUDITED: [&str; 9] = [
    "device_registered",
    "device_activated",
    "session_requested",
    "session_allowed",
    "session_ended",
    "device_conflict",
    "devices_imported",
    "web_address_changed",
    "something_later",
];

fn label() -> LabelForm {
    LabelForm {
        label: String::new(),
        id_code: "RR52-AFY2-T1GJ".into(),
        mac: "02:42:AC:11:00:02".into(),
        proof: "4F7K-92XQ".into(),
        web_address: "villa-rosa".into(),
        email: "rosa@example.com".into(),
    }
}

fn customer() -> CustomerForm {
    CustomerForm {
        name: "Rosa Blanc".into(),
        company: String::new(),
        phone: "+33 4 50 00 00 00".into(),
        address: "12 chemin des Roses".into(),
        postcode: "74000".into(),
        city: "Annecy".into(),
        country: "France".into(),
    }
}

/// Every page, by name.
fn all(language: Language) -> Vec<(&'static str, String)> {
    let out = |path: &str| page(language, None, path);
    let installer = |path: &str| page(language, Some(Side::Installer), path);
    let owner = |path: &str| page(language, Some(Side::Customer), path);
    let vendor = |path: &str| page(language, Some(Side::Vendor), path);
    let none = Refusals::none;
    let mut wrong_label = Refusals::none();
    let _ = wrong_label.parse::<IdCode>("id_code", "RR52-AFY2-T1GK");
    wrong_label.add("web_address", AddDevice::web_address_taken("villa-rosa-2"));
    wrong_label.add("proof", AddDevice::proof_wrong(3));
    let counts = vec![(Life::Registered, 3), (Life::Active, 41), (Life::Released, 2)];
    let mut pages = Vec::new();
    let mut add = |name: &'static str, text: Result<String, askama::Error>| pages.push((name, text.unwrap()));

    add(
        "fault",
        FaultPage {
            page: out("/nowhere"),
            status: 500,
            title: "Something is broken".into(),
            what: "It is <broken>.".into(),
            next: "Try again.".into(),
            request: Some("0197-…".into()),
        }
        .render(),
    );
    add("sign_in", SignIn { page: out("/sign-in"), form: SignInForm::default(), refusals: none() }.render());
    let form = SignInForm { email: "a\"b@example.com".into(), ..SignInForm::default() };
    let notice = Notice::done(Phrase::new("flash-password-set"));
    add(
        "sign_in_refused",
        SignIn { page: out("/sign-in").with_notice(notice), form, refusals: Refusals::one("", SignIn::wrong_pair()) }
            .render(),
    );
    let mut refusals = Refusals::one("password", SignUp::password_common());
    refusals.add("repeated", SignUp::password_differs());
    add("sign_up", SignUp { page: out("/sign-up"), form: SignUpForm::default(), refusals }.render());
    add("look_in_mail", LookInMail { page: out("/look-in-mail") }.render());
    add("confirm_email", ConfirmEmail { page: out("/confirm-email") }.render());
    add(
        "forgotten_password",
        ForgottenPassword { page: out("/forgotten-password"), email: String::new(), refusals: none() }.render(),
    );
    add("set_password", SetPassword { page: out("/set-password"), token: String::new(), refusals: none() }.render());

    add(
        "installer_home",
        InstallerHome { page: installer("/"), devices: 46, waiting: 3, offline: 2, live: 1, recent: devices() }
            .render(),
    );
    add(
        "installer_home_empty",
        InstallerHome { page: installer("/"), devices: 0, waiting: 0, offline: 0, live: 0, recent: vec![] }.render(),
    );
    add(
        "installer_devices",
        InstallerDevices {
            page: installer("/devices"),
            search: String::new(),
            life: None,
            counts: counts.clone(),
            devices: devices(),
            next_cursor: Some("abc=".into()),
        }
        .render(),
    );
    add(
        "installer_devices_filtered",
        InstallerDevices {
            page: installer("/devices"),
            search: "rosa & co".into(),
            life: Some(Life::Active),
            counts: counts.clone(),
            devices: vec![],
            next_cursor: None,
        }
        .render(),
    );
    let domain = || ".portal.example".to_owned();
    add(
        "add_device",
        AddDevice { page: installer("/devices/add"), form: LabelForm::default(), refusals: none(), domain: domain() }
            .render(),
    );
    add(
        "add_device_refused",
        AddDevice { page: installer("/devices/add/check"), form: label(), refusals: wrong_label, domain: domain() }
            .render(),
    );
    add(
        "add_customer",
        AddCustomer {
            page: installer("/devices/add/check"),
            label: label(),
            product: "Sentinel 500".into(),
            presence: Presence { online: true, since: Some(ago(4)) },
            form: CustomerForm::default(),
            refusals: none(),
        }
        .render(),
    );
    add(
        "device_sent",
        DeviceSent {
            page: installer("/devices/x/sent"),
            device: device_id(1),
            name: "villa-rosa".into(),
            email: "rosa@example.com".into(),
            until: NOW + Duration::from_secs(3 * 86_400),
        }
        .render(),
    );
    let link =
        LinkFacts { email: "rosa@example.com".into(), sent_at: ago(90), until: NOW + Duration::from_secs(2 * 86_400) };
    let device = facts(Life::Registered, true);
    add(
        "installer_device_waiting",
        InstallerDevice {
            page: installer("/devices/x"),
            device,
            link: Some(link),
            sessions: vec![],
            history: history(),
        }
        .render(),
    );
    add(
        "installer_device",
        InstallerDevice {
            page: installer("/devices/x").with_notice(Notice::done(Phrase::new("flash-link-sent"))),
            device: facts(Life::Active, true),
            link: None,
            sessions: vec![session(20, SessionState::Open), session(4_000, SessionState::Ended)],
            history: history(),
        }
        .render(),
    );
    add(
        "correct_email",
        CorrectEmail {
            page: installer("/devices/x"),
            device: device_id(1),
            name: "villa-rosa".into(),
            email: "rosa@exampel.com".into(),
            refusals: none(),
        }
        .render(),
    );
    add(
        "cancel_registration",
        CancelRegistration {
            page: installer("/devices/x"),
            device: device_id(1),
            name: "villa-rosa".into(),
            email: "rosa@example.com".into(),
        }
        .render(),
    );

    add("activation_landing", ActivationLanding { page: out("/activate") }.render());
    let confirm = |form, consent, refusals| ConfirmActivation {
        page: owner("/activate/confirm"),
        name: "villa-rosa".into(),
        product: "Sentinel 500".into(),
        id_code: IdCode::make(&random(1)),
        installer: "Petit Alarmes & Fils".into(),
        form,
        consent,
        refusals,
    };
    add("confirm_activation", confirm(customer(), Some(Consent::Ask), none()).render());
    let mut refusals = Refusals::one("name", Phrase::new("refused-empty"));
    refusals.add("consent", ConfirmActivation::consent_missing());
    add("confirm_activation_refused", confirm(CustomerForm::default(), None, refusals).render());
    add(
        "activated",
        Activated {
            page: owner("/devices/x/activated"),
            device: device_id(1),
            name: "villa-rosa".into(),
            installer: "Petit Alarmes & Fils".into(),
            consent: Consent::Ask,
        }
        .render(),
    );
    let (waiting, open, ended) =
        (session(2, SessionState::Waiting), session(12, SessionState::Open), session(4_000, SessionState::Ended));
    add(
        "customer_home",
        CustomerHome {
            page: owner("/"),
            requests: vec![waiting.clone()],
            live: vec![open.clone()],
            devices: devices()[..1].to_vec(),
        }
        .render(),
    );
    add("my_devices", MyDevices { page: owner("/devices"), devices: devices() }.render());
    add("my_devices_empty", MyDevices { page: owner("/devices"), devices: vec![] }.render());
    add(
        "customer_device",
        CustomerDevice {
            page: owner("/devices/x"),
            device: facts(Life::Active, true),
            requests: vec![],
            live: vec![open.clone()],
            past: vec![ended.clone()],
            history: history(),
            domain: domain(),
            refusals: none(),
        }
        .render(),
    );
    add(
        "release",
        Release {
            page: owner("/devices/x/release"),
            device: device_id(1),
            name: "villa-rosa".into(),
            typed: "villa".into(),
            refusals: Refusals::one("typed", Release::not_the_name("villa-rosa")),
        }
        .render(),
    );
    add("requests", Requests { page: owner("/requests"), requests: vec![waiting.clone()] }.render());
    add("requests_empty", Requests { page: owner("/requests"), requests: vec![] }.render());
    add(
        "sessions",
        Sessions {
            page: owner("/sessions"),
            live: vec![waiting, open],
            past: vec![ended, session(9_000, SessionState::Refused)],
            next_cursor: Some("c".into()),
        }
        .render(),
    );
    add(
        "my_data",
        MyData {
            page: owner("/my-data"),
            form: MyDataForm { name: "Rosa Blanc".into(), phone: String::new(), mail_language: "fr".into() },
            refusals: none(),
            organisation_lines: vec!["12 chemin des Roses".into(), "74000 Annecy".into()],
            sign_ins: 7,
            created_at: ago(70_000),
        }
        .render(),
    );
    add(
        "my_organisation",
        MyOrganisation {
            page: owner("/my-data/organisation"),
            form: MyOrganisationForm { name: "Rosa Blanc".into(), city: "Annecy".into(), ..Default::default() },
            refusals: none(),
        }
        .render(),
    );
    add(
        "my_sign_ins",
        MySignIns {
            page: owner("/my-data/sign-ins"),
            browsers: [true, false]
                .map(|is_this| BrowserRow {
                    id: "0199".into(),
                    is_this,
                    user_agent: "Mozilla/5.0 (X11; Linux x86_64)".into(),
                    network: "192.0.2.7".into(),
                    organisation: "Rosa Blanc".into(),
                    seen_at: ago(3),
                })
                .into(),
            programs: [Some(ago(20)), None]
                .map(|used_at| ProgramRow {
                    id: "0199".into(),
                    label: "gatelodge (192.0.2.9)".into(),
                    organisation: "Rosa Blanc".into(),
                    used_at,
                    expires_at: NOW + Duration::from_secs(2_400_000),
                })
                .into(),
            memberships: [(true, Side::Customer), (false, Side::Installer)]
                .map(|(is_this, side)| MembershipRow {
                    id: "0199".into(),
                    is_this,
                    name: "Rosa Blanc".into(),
                    side,
                    role: Role::Administrator,
                })
                .into(),
        }
        .render(),
    );
    add(
        "my_sign_ins_first",
        MySignIns { page: owner("/my-data/sign-ins"), browsers: vec![], programs: vec![], memberships: vec![] }
            .render(),
    );
    add("history", History { page: owner("/history"), rows: history(), next_cursor: None }.render());

    add(
        "vendor_home",
        VendorHome { page: vendor("/"), devices: 1_204, online: 977, active: 1_011, quarantined: 2, live: 4 }.render(),
    );
    let inventory = devices()
        .into_iter()
        .map(|row| InventoryRow {
            id: row.id,
            id_code: row.id_code,
            mac: "02:42:AC:11:00:02".parse().unwrap(),
            serial: "SN-500-000117".parse().unwrap(),
            product: row.product,
            life: row.life,
            presence: row.presence,
        })
        .collect();
    add(
        "inventory",
        Inventory {
            page: vendor("/vendor/inventory"),
            search: String::new(),
            life: None,
            counts,
            devices: inventory,
            next_cursor: None,
        }
        .render(),
    );
    add(
        "vendor_device",
        VendorDevice {
            page: vendor("/vendor/inventory/x"),
            device: facts(Life::Active, false),
            purchased_on: Some("2026-02-11".into()),
            proof: "on_site_code".into(),
            certificate: Some(("4F2A90C1".into(), NOW + Duration::from_secs(60 * 86_400))),
            history: history(),
        }
        .render(),
    );
    add(
        "retire",
        Retire {
            page: vendor("/vendor/inventory/x/retire"),
            device: device_id(1),
            id_code: IdCode::make(&random(1)),
            typed: String::new(),
            refusals: none(),
        }
        .render(),
    );
    let entries = [QuarantineRow::unknown(), QuarantineRow::conflict(), QuarantineRow::mismatch()]
        .into_iter()
        .map(|why| QuarantineRow {
            id: EnrolmentId::make(NOW, &random(9)),
            id_code: Some(IdCode::make(&random(7))),
            mac: "02:42:AC:11:00:09".parse().unwrap(),
            serial: "SN-500-000999".parse().unwrap(),
            model: "Generic x86 <board>".into(),
            network: "192.0.2.0/24".into(),
            why,
            first_seen: ago(300),
            last_seen: ago(3),
            may_approve: true,
        })
        .collect();
    add("quarantine", Quarantine { page: vendor("/vendor/quarantine"), entries }.render());
    let mail = MailRow {
        id: "m1".into(),
        recipient: "rosa@example.com".into(),
        subject: "Confirm your Sentinel 500 villa-rosa".into(),
        at: ago(2),
    };
    add("mailbox", Mailbox { page: vendor("/vendor/mailbox"), mails: vec![mail.clone()] }.render());
    let plain = "Hello,\n\nSee and confirm:\nhttps://portal.example/activate#t0ken\n\nBye".into();
    add("mail", Mail { page: vendor("/vendor/mailbox/m1"), mail, plain }.render());
    add("audit", Audit { page: vendor("/vendor/audit"), rows: history(), next_cursor: None }.render());
    let asked = AskedSignIn { user_code: "WDJB-MJHT".into(), network: "192.0.2.0/24".into(), asked_at: ago(1) };
    add(
        "approve",
        ApproveSignIn { page: installer("/approve"), asked: Some(asked), typed: String::new(), refusals: none() }
            .render(),
    );
    add(
        "approve_type",
        ApproveSignIn {
            page: installer("/approve"),
            asked: None,
            typed: "WDJB".into(),
            refusals: Refusals::one("code", ApproveSignIn::unknown_code()),
        }
        .render(),
    );
    add("approve_done", ApproveDone { page: installer("/approve"), approved: true }.render());
    pages
}

#[test]
fn every_page_renders_in_every_language() {
    for language in Language::ALL {
        for (name, text) in all(language) {
            assert!(!text.contains('⟦'), "{name} {language} lacks a sentence: {}", around(&text, '⟦'));
            assert!(!text.contains("{$"), "{name} {language} lacks data: {}", around(&text, '$'));
            assert!(!text.contains("<Tuesday>") && !text.contains("<board>"), "{name}: unescaped");
        }
    }
}

#[test]
fn pages_keep_the_rules_of_html_and_of_the_content_policy() {
    for (name, text) in all(Language::En) {
        assert_eq!(text.matches("<h1").count(), 1, "{name}: one h1");
        assert_eq!(text.matches("<main").count(), 1, "{name}: one main");
        for forbidden in [" style=", "<style", "onclick", "<script>", "javascript:", "http-equiv"] {
            assert!(!text.contains(forbidden), "{name} has {forbidden}, which the policy forbids");
        }
        let mut ids: Vec<_> = attributes(&text, " id=\"").collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: ids are unique");
        for label in attributes(&text, " for=\"") {
            assert!(ids.contains(&label), "{name}: label for `{label}` has no field");
        }
        for link in attributes(&text, "href=\"#").filter(|link| *link != "main") {
            assert!(ids.contains(&link), "{name}: nothing to jump to at `{link}`");
        }
    }
}

/// Forms and links lead to addresses of [`paths`] alone.
#[test]
fn pages_lead_only_to_known_addresses() {
    let source = include_str!("../paths.rs");
    let patterns: Vec<Vec<&str>> = source
        .split("&str = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|pattern| pattern.split('/').collect())
        .collect();
    assert!(patterns.contains(&paths::MAIL.split('/').collect()));
    let known = |path: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        patterns.iter().any(|pattern| {
            pattern.len() == parts.len() && pattern.iter().zip(&parts).all(|(p, q)| p == q || p.starts_with('{'))
        })
    };
    for (name, text) in all(Language::En) {
        for link in ["href=\"/", "action=\"/", "src=\"/"].into_iter().flat_map(|opening| attributes(&text, opening)) {
            let path = format!("/{}", link.split(['?', '#']).next().unwrap_or_default());
            assert!(known(&path) || path.starts_with("/assets/"), "{name} leads to {path}");
        }
    }
}

fn attributes<'a>(text: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(opening).skip(1).filter_map(|rest| rest.split('"').next())
}

fn around(text: &str, mark: char) -> String {
    text.chars().skip_while(|c| *c != mark).take(80).collect()
}

#[test]
fn the_gallery_is_written_where_it_is_wanted() {
    let Some(folder) = std::env::var_os("GATELODGE_GALLERY") else { return };
    let folder = std::path::PathBuf::from(folder);
    for name in ["gatelodge.css", "gatelodge.js", "icons.svg", "mark.svg"] {
        let path = folder.join(asset_path(name).trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &*crate::render::asset(name).unwrap().bytes).unwrap();
    }
    for language in Language::ALL {
        for (name, text) in all(language) {
            std::fs::write(folder.join(format!("{name}-{language}.html")), text).unwrap();
        }
        for (name, mail) in crate::render::mails::samples() {
            let letter = mail.render(language, "Sentinel SA");
            std::fs::write(folder.join(format!("mail_{name}-{language}.html")), letter.html).unwrap();
        }
    }
}

/// Every `audit-` sentence names only details that [`HistoryRow::of`] hands on.
#[test]
fn the_history_is_told_with_the_details_there_are() {
    let sentences = include_str!("../../../locales/en/audit.ftl");
    for key in sentences.lines().filter_map(|line| line.strip_prefix("audit-")?.split_once(" =").map(|(key, _)| key)) {
        let details = json!({
            "added": 3, "consent": "ask", "email": "rosa@example.com", "label": "CRM", "network": "192.0.2.7",
            "organisation": "Petit Alarmes", "reason": "idle", "refused": 1, "services": "panel-web",
            "target": "tcp panel:80", "web_address": "villa-rosa", "what": "other",
        });
        let row = HistoryRow::of(NOW, "Ada".into(), &key.replace('-', "_"), &details);
        for language in Language::ALL {
            let said = row.what.say(language);
            assert!(key == "other" || !said.contains("{$") && !said.contains('⟦'), "{key} {language}: {said}");
        }
    }
}
