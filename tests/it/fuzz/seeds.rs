//! The seeds of the corpora that our own encoders make: while the wire stays, they stay. `GATELODGE_PIN=1` writes those
//! that are not there yet, never one that is.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use gatelodge_proto::{
    DeviceId, FlowId, OrganisationId, Random, SessionId, Timestamp, UserId,
    api::{Page, Problem, SessionRequest, SessionState, SessionView},
    consent::{Assertion, Blob, Challenge, PinId, Proof as Consented, SignedRule, StandingRule},
    enrol::{Answer, Proof, Request, Standing, Wait},
    grant::{Grant, GrantKey, SignedGrant, Technician},
    identity::{ClaimSecret, IdCode, Label, OnSiteCode},
    opening::{BreakGlass, Day, OpenHours, Opening, Window},
    payload::{
        self, Consent, Correlation, DeviceState, EndReason, Feature, Life, Placed, Position, Protocol, Renew, Service,
    },
    session::{
        Role,
        inner_frame::{Class, InnerFrame, Open, ResetCode, Target},
    },
    topics::{Down, Topic, Up},
};
use gatelodge_tests::programs::repository;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

type Seed = (&'static str, &'static str, Vec<u8>);

fn json(message: &impl Serialize) -> Vec<u8> {
    payload::encode(message)
}

fn service() -> Service {
    let name = "panel-web".parse().unwrap();
    Service { name, protocol: Protocol::Tcp, host: "192.168.1.50".into(), port: 80 }
}

fn texts(random: &Random) -> Vec<Seed> {
    let (device, id_code, secret) = (DeviceId::make(NOW, random), IdCode::make(random), ClaimSecret::make(random));
    let mac = "02:42:AC:11:00:02".parse().unwrap();
    let correlation = Correlation { boot_id: Uuid::from_u128(0x1234), seq: 7 };
    let label = Label { id_code, mac, secret: Some(secret.clone()) };
    vec![
        ("id_code", "made", id_code.to_string().into()),
        ("claim_secret", "made", secret.reveal().into()),
        ("on_site_code", "made", OnSiteCode::make(random).reveal().into()),
        ("label", "without_secret", Label { secret: None, ..label.clone() }.to_string().into()),
        ("label", "with_secret", label.to_string().into()),
        ("device_id", "made", device.to_string().into()),
        ("timestamp", "made", (NOW + Duration::from_micros(1)).to_string().into()),
        ("topic", "up", Topic::Up(device, Up::Report).to_string().into()),
        ("topic", "down", Topic::Down(device, Down::Command).to_string().into()),
        ("correlation", "made", correlation.to_string().into()),
    ]
}

fn messages(random: &Random) -> Vec<Seed> {
    let (device, session) = (DeviceId::make(NOW, random), SessionId::make(NOW, random));
    let position = Position { boot: 3, boot_id: Uuid::from_u128(0x1234), seq: 7 };
    let state = DeviceState {
        epoch: 1,
        version: 2,
        life: Life::Active,
        customer: Some("Anna Rossi".into()),
        installer: None,
        web_address: Some("villa-rosa".into()),
        consent: Consent::Ask,
        opening: Opening::default(),
    };
    let asks = |proof| Request {
        csr: "-----BEGIN CERTIFICATE REQUEST-----\n".into(),
        id_code: Some(IdCode::make(random)),
        mac: "02:42:AC:11:00:02".parse().unwrap(),
        serial: "AX-100/7".parse().unwrap(),
        model: "AX".into(),
        agent_version: "0.1.0".into(),
        proof,
    };
    let by_secret = Proof::FactorySecret { nonce: "00".repeat(16), answer: "ff".repeat(32) };
    let view = SessionView {
        id: session,
        device,
        device_name: "villa-rosa".into(),
        technician: "Paul Petit".into(),
        organisation: "Petit Alarmes".into(),
        services: vec![service().name],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        reason: Some("yearly check".into()),
        ticket_number: None,
        state: SessionState::Ended,
        requested_at: NOW,
        opened_at: Some(NOW),
        until: None,
        longest: false,
        consent_kind: None,
        extension: None,
        ended_at: Some(NOW),
        end_reason: Some(EndReason::Customer),
        bytes_up: 1,
        bytes_down: 2,
        break_glass: false,
    };
    let wanted = SessionRequest {
        device,
        services: vec![service().name],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Feature::ALL.to_vec(),
        reason: Some("yearly check".into()),
        ticket_number: Some("2026-0417".parse().unwrap()),
        minutes: 30,
        csr: String::new(),
        break_glass: false,
    };
    vec![
        ("renew", "made", json(&Placed { position, body: Renew { csr: "PEM".into() } })),
        ("device_state", "made", json(&state)),
        ("enrol_request", "by_secret", json(&asks(by_secret))),
        ("enrol_request", "by_code", json(&asks(Proof::OnSiteCode { code: OnSiteCode::make(random) }))),
        ("enrol_answer", "waiting", json(&Answer::Waiting { wait: Wait::OnSiteCode, retry_after_s: 5 })),
        ("standing", "unknown", json(&Standing::Unknown)),
        ("session_request", "made", json(&wanted)),
        ("session_page", "made", json(&Page { items: vec![view], next_cursor: Some("abc".into()) })),
        ("problem", "made", json(&problem())),
        ("grant", "made", grant(random, device, session)),
        ("proof", "passkey", json(&Consented::Passkey { assertion: signed(&Challenge::of_rule("e30")) })),
        ("proof", "another_challenge", json(&Consented::Passkey { assertion: signed(&Challenge::of_rule("e31")) })),
        ("proof", "standing", standing(device)),
        ("standing_rule", "made", rule(device).text().into()),
    ]
}

/// What a browser answers; the signature is none.
fn signed(challenge: &Challenge) -> Assertion {
    let challenge = Blob::<32>::new(challenge.bytes().to_vec()).unwrap();
    let client = format!(
        r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"https://lodge.example","crossOrigin":false}}"#
    );
    let data = [&Sha256::digest("lodge.example")[..], &[0x1d], &[0; 4]].concat();
    Assertion {
        authenticator: Blob::new(data).unwrap(),
        client: Blob::new(client.into_bytes()).unwrap(),
        signature: Blob::new(vec![0x30, 0x06, 2, 1, 1, 2, 1, 1]).unwrap(),
    }
}

/// With randomness of its own: every seed after it stays what it was.
fn rule(device: DeviceId) -> StandingRule {
    let random = &Random::seeded(17);
    let window = Window { days: Day::ALL.to_vec(), from: "22:00".parse().unwrap(), until: "06:30".parse().unwrap() };
    StandingRule {
        device,
        epoch: 1,
        pin: PinId::make(random),
        made_at: NOW,
        installer: OrganisationId::make(NOW, random),
        services: vec![service().name],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Feature::ALL.to_vec(),
        consent: Consent::Always,
        opening: Opening {
            hours: Some(OpenHours { zone: "Europe/Paris".parse().unwrap(), windows: vec![window] }),
            open_until: Some(NOW),
            break_glass: Some(BreakGlass::Supervisor),
        },
        longest_minutes: 60,
        valid_until: NOW + Duration::from_secs(86_400),
    }
}

fn standing(device: DeviceId) -> Vec<u8> {
    let text = rule(device).text();
    json(&Consented::Standing { rule: SignedRule { assertion: signed(&Challenge::of_rule(&text)), text } })
}

fn problem() -> Problem {
    Problem {
        kind: "https://gatelodge.dev/problems/not_found".into(),
        title: "Not there".into(),
        status: 404,
        detail: "There is no such device.".into(),
        code: "not_found".into(),
        next: None,
        fields: Vec::new(),
    }
}

fn grant(random: &Random, device: DeviceId, session: SessionId) -> Vec<u8> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let grant = Grant {
        session,
        device,
        epoch: 1,
        technician: Technician {
            user: UserId::make(NOW, random),
            name: "Paul Petit".into(),
            organisation: OrganisationId::make(NOW, random),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: "ab".repeat(32),
        services: vec![service()],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Feature::ALL.to_vec(),
        recording: Vec::new(),
        from: NOW,
        until: NOW + Duration::from_secs(1800),
        lifetime_s: 1800,
        idle_s: 900,
        consent: Consent::Ask,
        reason: Some("yearly check".into()),
        ticket_number: Some("2026-0417".parse().unwrap()),
        break_glass: false,
    };
    format!("{}\n{}", GrantKey::of(&key), SignedGrant::sign(&grant, &key).as_str()).into()
}

/// A stream from its OPEN to its end, as the technician's side sends it.
fn streams(random: &Random) -> Vec<Seed> {
    let open = |stream| InnerFrame::Open {
        stream,
        open: Open {
            flow: FlowId::make(NOW, random),
            target: Target::Service(service().name),
            class: Class::Bulk,
            credit: 65_536,
        },
    };
    let data = |stream| InnerFrame::Data { stream, payload: Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n") };
    let bytes = |frames: &[InnerFrame]| frames.iter().flat_map(|frame| frame.encode().to_vec()).collect::<Vec<u8>>();
    let life = [
        open(1),
        data(1),
        InnerFrame::Credit { stream: 1, bytes: 1000 },
        open(5),
        data(5),
        InnerFrame::Rst { stream: 5, code: ResetCode::Cancelled },
        InnerFrame::Ping { stamp: 9 },
        InnerFrame::Fin { stream: 1 },
    ];
    let backwards = [open(7), open(5)];
    let revoked = [open(1), InnerFrame::Revoked { by: Role::Technician, reason: EndReason::Technician }];
    vec![
        ("mux", "life", bytes(&life)),
        ("mux", "backwards", bytes(&backwards)),
        ("mux", "data_of_nobody", bytes(&[data(9)])),
        ("mux", "revoked", bytes(&revoked)),
        ("inner_frame", "life", bytes(&life)),
    ]
}

/// The golden bytes of the wire, which its own tests pin.
fn golden() -> Vec<(String, String, Vec<u8>)> {
    let folder = repository().join("proto/golden");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        match name.strip_suffix("_frames") {
            Some(layer) => {
                for line in String::from_utf8(bytes).unwrap().lines() {
                    let (frame, hex) = line.split_once(' ').unwrap();
                    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
                    let bytes = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
                    seeds.push((format!("{layer}_frame"), frame.to_owned(), bytes));
                }
            }
            None => seeds.push((name.split('_').next().unwrap().to_owned(), name.clone(), bytes)),
        }
    }
    seeds
}

#[test]
fn the_seeds_are_what_our_encoders_make() {
    let random = Random::seeded(4);
    let made = [texts(&random), messages(&random), streams(&random)].concat();
    let mut seeds: Vec<(String, String, Vec<u8>)> =
        made.into_iter().map(|(target, name, bytes)| (target.to_owned(), name.to_owned(), bytes)).collect();
    seeds.extend(golden());
    let mut wrong = String::new();
    for (target, name, bytes) in seeds {
        let file: PathBuf = repository().join("proto/fuzz/corpus").join(target).join(name);
        if std::env::var_os("GATELODGE_PIN").is_some() && !file.exists() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &bytes).unwrap();
        }
        if std::fs::read(&file).ok().as_ref() != Some(&bytes) {
            writeln!(wrong, "{}", file.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "these seeds are not what is sent today:\n{wrong}");
}
