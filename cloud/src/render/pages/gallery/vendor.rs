//! The vendor's pages.

use std::time::Duration;

use gatelodge_proto::{identity::IdCode, payload::Life};

use super::{super::*, Add, samples::*};
use crate::{
    i18n::Language,
    render::{Refusals, Side},
};

pub(super) fn add(language: Language, add: &mut Add<'_>) {
    let vendor = |path: &str| page(language, Some(Side::Vendor), path);
    let none = Refusals::none;
    let counts = vec![(Life::Registered, 3), (Life::Active, 41), (Life::Released, 2)];
    add(
        "vendor_home",
        &VendorHome { page: vendor("/"), devices: 1_204, online: 977, active: 1_011, quarantined: 2, live: 4 },
    );
    add(
        "inventory",
        &Inventory {
            page: vendor("/vendor/inventory"),
            search: String::new(),
            life: None,
            counts,
            devices: inventory(),
            next_cursor: None,
        },
    );
    add(
        "vendor_device",
        &VendorDevice {
            page: vendor("/vendor/inventory/x"),
            device: facts(Life::Active, false),
            purchased_on: Some("2026-02-11".into()),
            proof: "on_site_code".into(),
            certificate: Some(("4F2A90C1".into(), NOW + Duration::from_secs(60 * 86_400))),
            history: history(),
        },
    );
    add(
        "retire",
        &Retire {
            page: vendor("/vendor/inventory/x/retire"),
            device: device_id(1),
            id_code: IdCode::make(&random(1)),
            typed: String::new(),
            refusals: none(),
        },
    );
    let stop = StopRow {
        id: "1".into(),
        installer: Some("Petit <SARL>".into()),
        device: None,
        reason: "a laptop was stolen".into(),
        by: "Ada Keller".into(),
        since: ago(12),
    };
    let (stops, installers) = (vec![stop], vec![("1".to_owned(), "Petit <SARL>".to_owned())]);
    let (form, refusals) = (StopForm::default(), Refusals::one("installer", EmergencyStops::unknown()));
    add("emergency", &EmergencyStops { page: vendor("/vendor/emergency-stops"), stops, installers, form, refusals });
    add("quarantine", &Quarantine { page: vendor("/vendor/quarantine"), entries: quarantined() });
    let mail = MailRow {
        id: "m1".into(),
        recipient: "rosa@example.com".into(),
        subject: "Confirm your Sentinel 500 villa-rosa".into(),
        at: ago(2),
    };
    add("mailbox", &Mailbox { page: vendor("/vendor/mailbox"), mails: vec![mail.clone()] });
    let plain = "Hello,\n\nSee and confirm:\nhttps://portal.example/activate#t0ken\n\nBye".into();
    add("mail", &Mail { page: vendor("/vendor/mailbox/m1"), mail, plain });
    add("audit", &Audit { page: vendor("/vendor/audit"), rows: history(), next_cursor: None });
}
