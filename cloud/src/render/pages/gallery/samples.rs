//! People, devices, sessions and forms as the gallery shows them.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, EnrolmentId, Random, SessionId, Timestamp,
    api::{Presence, SessionState},
    identity::IdCode,
    opening::{BreakGlass, Day, OpenHours, Opening, Window},
    payload::{Consent, EndReason, Feature, Life, ServiceKind},
};
use serde_json::json;

use super::super::*;
use crate::{
    i18n::Language,
    render::{Page, Role, Side, Theme, Who},
};

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_777_809_600);

pub(super) fn ago(minutes: u64) -> Timestamp {
    NOW - Duration::from_secs(minutes * 60)
}

pub(super) fn random(seed: u64) -> Random {
    Random::seeded(seed)
}

pub(super) fn device_id(seed: u64) -> DeviceId {
    DeviceId::make(ago(9_000), &random(seed))
}

pub(super) fn page(language: Language, side: Option<Side>, path: &str) -> Page {
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

pub(super) fn devices() -> Vec<DeviceRow> {
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

pub(super) fn facts(life: Life, online: bool) -> DeviceFacts {
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
        networks: vec!["lan (192.168.1.0/24)".into()],
        presets: vec![
            PresetFacts {
                name: "Programming".into(),
                kind: Some(ServiceKind::Programming),
                typed: "programming".into(),
            },
            PresetFacts { name: "Keypad".into(), kind: None, typed: "keypad".into() },
        ],
        calls: vec!["event-receiver (tcp 9000 from 192.168.1.0/24)".into()],
        reported_at: Some(ago(12)),
        doubled: life == Life::Active && !online,
    }
}

pub(super) fn session(seed: u64, state: SessionState) -> SessionRow {
    let open = state == SessionState::Open;
    let over = state == SessionState::Ended;
    SessionRow {
        id: SessionId::make(ago(seed), &random(seed)),
        device: device_id(1),
        device_name: "villa-rosa".into(),
        technician: "Lea Moreau".into(),
        organisation: "Petit Alarmes & Fils".into(),
        services: vec!["panel-web".into(), "panel-bus".into()],
        networks: vec!["192.168.1.0/24".into()],
        calls: vec![Call { from: "192.168.1.0/24".into(), port: "tcp 9000 (event-receiver)".into() }],
        features: Feature::ALL.to_vec(),
        ticket_number: Some("2026-0417".into()),
        reason: Some("Zone 4 reports a fault since <Tuesday>".into()),
        break_glass: over,
        minutes: 60,
        state,
        requested_at: ago(seed),
        opened_at: (open || over).then(|| ago(seed - 1)),
        until: open.then(|| NOW + Duration::from_secs(48 * 60)),
        longest: false,
        ended_at: over.then(|| ago(seed.saturating_sub(35))),
        end_reason: over.then_some(EndReason::Customer),
        bytes: if open || over { 1_540_000 } else { 0 },
        proven_by: open.then_some(ProvenBy::Asked),
        signs: false,
        extension: None,
        may_stop: open,
        may_extend: open.then_some(30),
        may_decide: state == SessionState::Waiting,
    }
}

pub(super) fn history() -> Vec<HistoryRow> {
    let details = json!({
        "added": 3, "asked": 500_000, "consent": "ask", "email": "rosa@example.com", "label": "CRM", "network": "192.0.2.7",
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
const AUDITED: [&str; 13] = [
    "device_registered",
    "device_activated",
    "session_requested",
    "session_allowed",
    "session_ended",
    "device_conflict",
    "device_doubled",
    "enrolment_flood",
    "on_site_code_locked",
    "activation_mail_refused",
    "devices_imported",
    "web_address_changed",
    "something_later",
];

pub(super) fn label() -> LabelForm {
    LabelForm {
        label: String::new(),
        id_code: "RR52-AFY2-T1GJ".into(),
        mac: "02:42:AC:11:00:02".into(),
        proof: "4F7K-92XQ".into(),
        web_address: "villa-rosa".into(),
        email: "rosa@example.com".into(),
    }
}

pub(super) fn customer() -> CustomerForm {
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

pub(super) fn inventory() -> Vec<InventoryRow> {
    devices()
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
        .collect()
}

pub(super) fn quarantined() -> Vec<QuarantineRow> {
    [QuarantineRow::unknown(), QuarantineRow::conflict(), QuarantineRow::several(), QuarantineRow::mismatch()]
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
        .collect()
}

/// Office hours, and open for a while.
pub(super) fn opening() -> Opening {
    let window =
        Window { days: vec![Day::Mon, Day::Fri], from: "08:00".parse().unwrap(), until: "18:00".parse().unwrap() };
    let hours = OpenHours { zone: "Europe/Paris".parse().unwrap(), windows: vec![window] };
    Opening {
        hours: Some(hours),
        open_until: Some(NOW + Duration::from_secs(7_200)),
        break_glass: Some(BreakGlass::Supervisor),
    }
}
