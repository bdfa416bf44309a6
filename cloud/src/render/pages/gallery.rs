//! Every page with samples, in every language: nothing missing, nothing unescaped, and the house rules of HTML.
//! With `GATELODGE_GALLERY=folder` the pages are also written there, to be looked at.

mod samples;
mod tests;

use std::time::Duration;

use askama::Template;
use gatelodge_proto::{
    api::{Presence, SessionState},
    identity::IdCode,
    payload::{Consent, Life},
};

use super::*;
use crate::{
    i18n::{Language, Phrase},
    render::{Notice, Refusals, Role, Side},
};
use samples::*;

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
    add("sign_up", SignUp { page: out("/sign-up"), form: SignUpForm::default(), refusals: none() }.render());
    add("look_in_mail", LookInMail { page: out("/look-in-mail") }.render());
    add("confirm_email", ConfirmEmail { page: out("/confirm-email"), token: String::new(), refusals: none() }.render());
    let mut refusals = Refusals::one("password", SetPassword::guessable());
    refusals.add("repeated", SetPassword::differs());
    add(
        "confirm_email_refused",
        ConfirmEmail { page: out("/confirm-email"), token: "token".into(), refusals }.render(),
    );
    let refusals = Refusals::one("password", AddOrganisation::not_theirs());
    add(
        "add_organisation",
        AddOrganisation { page: out("/add-organisation"), token: String::new(), refusals }.render(),
    );
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
        LinkFacts { email: "rosa@example.com".into(), times: Some((ago(90), NOW + Duration::from_secs(2 * 86_400))) };
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
        owners: vec![],
        owner: String::new(),
        organisation_name: String::new(),
        form,
        consent,
        refusals,
    };
    add("confirm_activation", confirm(customer(), Some(Consent::Ask), none()).render());
    let choice =
        |id: &str, name: &str, place: &str| OwnerChoice { id: id.into(), name: name.into(), place: place.into() };
    let owners = vec![choice("1", "Rosa Blanc", "Lyon"), choice("2", "Boulangerie Blanc & Filles", "Villeurbanne")];
    let known = confirm(customer(), None, none());
    add("confirm_activation_known", ConfirmActivation { owners: owners.clone(), owner: "1".into(), ..known }.render());
    let refusals = Refusals::one("organisation_name", ConfirmActivation::name_missing());
    let another = confirm(customer(), Some(Consent::Ask), refusals);
    add(
        "confirm_activation_another",
        ConfirmActivation { owners, owner: ConfirmActivation::ANOTHER.into(), ..another }.render(),
    );
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
    add(
        "inventory",
        Inventory {
            page: vendor("/vendor/inventory"),
            search: String::new(),
            life: None,
            counts,
            devices: inventory(),
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
    add("quarantine", Quarantine { page: vendor("/vendor/quarantine"), entries: quarantined() }.render());
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
