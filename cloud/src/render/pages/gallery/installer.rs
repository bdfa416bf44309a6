//! The installer's pages.

use std::time::Duration;

use gatelodge_proto::{
    api::{Presence, SessionState},
    identity::IdCode,
    payload::Life,
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
}
