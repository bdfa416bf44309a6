//! The customer's pages, and what everybody sees of his own account.

use std::time::Duration;

use gatelodge_proto::{
    OrganisationId,
    api::{ExtensionState, ExtensionView, SessionState},
    identity::IdCode,
    payload::{Consent, Life},
};

use super::{super::*, Add, samples::*};
use crate::{
    i18n::{Language, Phrase},
    render::{Refusals, Role, Side},
};

pub(super) fn add(language: Language, add: &mut Add<'_>) {
    let out = |path: &str| page(language, None, path);
    let owner = |path: &str| page(language, Some(Side::Customer), path);
    let none = Refusals::none;
    let domain = || ".portal.example".to_owned();
    add("activation_landing", &ActivationLanding { page: out("/activate") });
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
    add("confirm_activation", &confirm(customer(), Some(Consent::Ask), none()));
    let choice =
        |id: &str, name: &str, place: &str| OwnerChoice { id: id.into(), name: name.into(), place: place.into() };
    let owners = vec![choice("1", "Rosa Blanc", "Lyon"), choice("2", "Boulangerie Blanc & Filles", "Villeurbanne")];
    let known = confirm(customer(), None, none());
    add("confirm_activation_known", &ConfirmActivation { owners: owners.clone(), owner: "1".into(), ..known });
    let refusals = Refusals::one("organisation_name", ConfirmActivation::name_missing());
    let another = confirm(customer(), Some(Consent::Ask), refusals);
    add(
        "confirm_activation_another",
        &ConfirmActivation { owners, owner: ConfirmActivation::ANOTHER.into(), ..another },
    );
    let mut refusals = Refusals::one("name", Phrase::new("refused-empty"));
    refusals.add("consent", ConfirmActivation::consent_missing());
    add("confirm_activation_refused", &confirm(CustomerForm::default(), None, refusals));
    add(
        "activated",
        &Activated {
            page: owner("/devices/x/activated"),
            device: device_id(1),
            name: "villa-rosa".into(),
            installer: "Petit Alarmes & Fils".into(),
            consent: Consent::Ask,
        },
    );
    let (waiting, open, ended) =
        (session(2, SessionState::Waiting), session(12, SessionState::Open), session(4_000, SessionState::Ended));
    add(
        "customer_home",
        &CustomerHome {
            page: owner("/"),
            requests: vec![waiting.clone()],
            live: vec![open.clone()],
            devices: devices()[..1].to_vec(),
        },
    );
    add("my_devices", &MyDevices { page: owner("/devices"), devices: devices() });
    add("my_devices_empty", &MyDevices { page: owner("/devices"), devices: vec![] });
    add(
        "customer_device",
        &CustomerDevice {
            page: owner("/devices/x"),
            device: facts(Life::Active, true),
            requests: vec![],
            live: vec![open.clone()],
            past: vec![ended.clone()],
            history: history(),
            domain: domain(),
            installer: OrganisationId::from_uuid(device_id(7).uuid()),
            opening: opening(),
            own_page: true,
            key: KeyStanding::Pinned,
            signed: Some(SignedRuleShown { stands: false, at: ago(86_400), until: NOW }),
            refusals: none(),
        },
    );
    let key = |offered: Option<KeyShown>, pinned: Option<KeyShown>, refusals| DeviceKey {
        page: owner("/devices/x/key"),
        device: device_id(1),
        name: "villa-rosa".into(),
        online: pinned.is_some(),
        decides: true,
        offered,
        pinned,
        refusals,
    };
    let shown = KeyShown { digits: "12345 67890 09876 54321 11223 34455".into(), at: ago(600) };
    add("device_key_none", &key(None, None, none()));
    add("device_key_offered", &key(Some(shown.clone()), None, none()));
    add("device_key_pinned", &key(None, Some(shown), Refusals::one("", Phrase::new("refused-key-not-signed"))));
    for (name, is_pinned) in [("own_page", false), ("own_page_pinned", true)] {
        let page = owner("/at/villa-rosa");
        add(name, &OwnPage { page, device: device_id(1), name: "villa-rosa".into(), is_pinned });
    }
    let target =
        |refused, open| Target { target: "tcp panel.local:80".into(), opened_at: ago(9), bytes: 4_096, refused, open };
    let flows = || vec![target(false, true), target(false, false), target(true, false)];
    add("session", &SessionPage { page: owner("/sessions/x"), shown: open.clone(), flows: flows() });
    add("session_request", &SessionPage { page: owner("/sessions/x"), shown: waiting.clone(), flows: Vec::new() });
    for (name, offered) in
        [("change_installer", None), ("change_installer_asked", Some(("lena@example.com".to_owned(), ago(600))))]
    {
        let page = owner("/devices/x/installer");
        let refusals = if offered.is_none() { Refusals::one("email", Phrase::new("refused-email")) } else { none() };
        let (device, named, installer) = (device_id(1), "villa-rosa".to_owned(), "Petit Alarmes".to_owned());
        add(name, &ChangeInstaller { page, device, name: named, installer, offered, email: String::new(), refusals });
    }
    add(
        "release",
        &Release {
            page: owner("/devices/x/release"),
            device: device_id(1),
            name: "villa-rosa".into(),
            typed: "villa".into(),
            refusals: Refusals::one("typed", Release::not_the_name("villa-rosa")),
        },
    );
    let wished = |seed, state| SessionRow {
        extension: Some(ExtensionView { minutes: 45, at: NOW, state, refusal: None }),
        reason: None,
        ..session(seed, SessionState::Open)
    };
    let (asked, declined) = (wished(8, ExtensionState::Asked), wished(9, ExtensionState::Declined));
    let longest = SessionRow { longest: true, may_extend: None, ..wished(10, ExtensionState::Taken) };
    add("requests", &Requests { page: owner("/requests"), requests: vec![waiting.clone(), asked.clone()] });
    add("requests_empty", &Requests { page: owner("/requests"), requests: vec![] });
    add(
        "sessions",
        &Sessions {
            page: owner("/sessions"),
            live: vec![waiting, asked, declined, longest, open],
            past: vec![ended, session(9_000, SessionState::Refused)],
            next_cursor: Some("c".into()),
        },
    );
    let recording = RecordingRow {
        id: "0190b6f4-7c1e-7a33-8a52-0d1f2c3b4a59".into(),
        device_name: "villa-rosa".into(),
        technician: "Marc Petit".into(),
        organisation: "Petit Alarmes".into(),
        begun_at: NOW,
        bytes: 48_213,
        cut_short: true,
    };
    let recordings = |recordings, has_key, may_set| Recordings {
        page: owner("/sessions/recordings"),
        recordings,
        next_cursor: None,
        has_key,
        may_set,
    };
    add("recordings", &recordings(vec![recording.clone()], true, true));
    add("recordings_none", &recordings(Vec::new(), false, true));
    add("recordings_unset", &recordings(Vec::new(), false, false));
    add("replay", &Replay { page: owner("/sessions/recordings/x"), recording, keys: "[]".into() });
    add(
        "my_data",
        &MyData {
            page: owner("/my-data"),
            form: MyDataForm { name: "Rosa Blanc".into(), phone: String::new(), mail_language: "fr".into() },
            refusals: none(),
            organisation_lines: vec!["12 chemin des Roses".into(), "74000 Annecy".into()],
            sign_ins: 7,
            created_at: ago(70_000),
        },
    );
    add(
        "my_organisation",
        &MyOrganisation {
            page: owner("/my-data/organisation"),
            form: MyOrganisationForm { name: "Rosa Blanc".into(), city: "Annecy".into(), ..Default::default() },
            refusals: none(),
        },
    );
    add(
        "my_sign_ins",
        &MySignIns {
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
        },
    );
    add(
        "my_sign_ins_first",
        &MySignIns { page: owner("/my-data/sign-ins"), browsers: vec![], programs: vec![], memberships: vec![] },
    );
    add("history", &History { page: owner("/history"), rows: history(), next_cursor: None });
}
