//! Bytes pinned: neighbouring versions of agent and cloud must read each other.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    CommandId, Random, SessionId, Timestamp,
    consent::{Assertion, Blob, Challenge, PinId, PinnedKey, Point, Proof, SignedRule},
    identity::OnSiteCode,
};

fn position() -> Position {
    Position { boot: 3, boot_id: Uuid::from_u128(0x1234), seq: 7 }
}

/// Compares with the committed bytes; a change of the wire needs a new file beside the old one
/// (`GATELODGE_PIN=1` writes files that are not there yet, never one that is).
fn golden<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, message: &T) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.json"));
    if std::env::var_os("GATELODGE_PIN").is_some() && !path.exists() {
        std::fs::write(&path, [encode(message), b"\n".to_vec()].concat()).unwrap();
    }
    let pinned = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let pinned: &[u8] = pinned.trim_ascii_end();
    assert_eq!(String::from_utf8_lossy(&encode(message)), String::from_utf8_lossy(pinned), "{name}");
    assert_eq!(&decode::<T>(pinned).unwrap(), message);
}

fn report() -> Report {
    Report {
        id_code: Some("RR52-AFY2-T1GJ".parse().unwrap()),
        mac: "02:42:AC:11:00:02".parse().unwrap(),
        serial: "AX-100/7".parse().unwrap(),
        serial_source: "dmi".into(),
        model: "AX 100".into(),
        firmware: "Debian GNU/Linux 12".into(),
        agent_version: "0.1.0".into(),
        observed_at: Timestamp::from_seconds(1_800_000_000),
        epoch: 1,
        interfaces: vec![Interface {
            name: "eth0".into(),
            mac: Some("02:42:AC:11:00:02".parse().unwrap()),
            addresses: vec!["192.168.1.2".parse().unwrap(), "fe80::42".parse().unwrap()],
        }],
        services: vec![Service {
            name: "panel-web".parse().unwrap(),
            protocol: Protocol::Tcp,
            host: "192.168.1.50".into(),
            port: 80,
        }],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        profiles: Vec::new(),
    }
}

#[test]
fn report_bytes() {
    golden("report", &Placed { position: position(), body: report() });
}

#[test]
fn status_and_receipt_bytes() {
    golden("status", &Status { online: true, boot_id: position().boot_id });
    golden("receipt", &Receipt { boot_id: position().boot_id, seq: 7, parked: None });
    golden("receipt_parked", &Receipt { boot_id: position().boot_id, seq: 7, parked: Some("unreadable".into()) });
}

fn key() -> PinnedKey {
    PinnedKey {
        credential: Blob::new(vec![7; 16]).unwrap(),
        point: Point::from_bytes(&[4; 65]).unwrap(),
        rp: "lodge.example".parse().unwrap(),
    }
}

fn assertion() -> Assertion {
    Assertion {
        authenticator: Blob::new(vec![1; 37]).unwrap(),
        client: Blob::new(b"{}".to_vec()).unwrap(),
        signature: Blob::new(vec![3; 8]).unwrap(),
    }
}

#[test]
fn command_and_result_bytes() {
    let (now, random) = (Timestamp::from_seconds(1_800_000_000), Random::seeded(4));
    let state = DeviceState {
        epoch: 1,
        version: 2,
        life: Life::Active,
        customer: Some("Anna Rossi".into()),
        installer: Some("Petit Alarmes".into()),
        web_address: Some("villa-rosa".into()),
        consent: Consent::Ask,
        opening: crate::opening::Opening::default(),
    };
    let id = CommandId::make(now, &random);
    let make = |order| Command { id, issued_at: now, deadline: now + Duration::from_secs(60), epoch: 1, order };
    golden("command_state", &make(Order::State(state)));
    let session = SessionId::make(now, &random);
    golden("command_stop", &make(Order::StopSession { session, reason: EndReason::Customer }));
    let grant = "e30.AA".parse().unwrap();
    golden("command_extend", &make(Order::ExtendSession { grant, proof: None }));
    golden("command_renew_code", &make(Order::RenewOnSiteCode));
    golden("command_offer_key", &make(Order::OfferKey { key: key() }));
    golden("command_consent_wanted", &make(Order::ConsentWanted { draft: "e30.AA".parse().unwrap() }));
    golden("command_consent_gone", &make(Order::ConsentGone { session }));
    let rule = SignedRule { text: "e30".into(), assertion: assertion() };
    golden("command_standing_rule", &make(Order::StandingRule { rule: rule.clone() }));
    golden("command_release_key", &make(Order::ReleaseKey { assertion: assertion() }));
    let order = |proof| {
        Order::OpenSession(Box::new(SessionOrder {
            grant: "e30.AA".parse().unwrap(),
            proof: Some(Box::new(proof)),
            relay: "wss://lodge.example/relay/v1".into(),
            ticket: "00".repeat(16),
            recording: None,
        }))
    };
    golden("command_open_passkey", &make(order(Proof::Passkey { assertion: assertion() })));
    golden("command_open_standing", &make(order(Proof::Standing { rule })));
    let result = |outcome| Placed { position: position(), body: CommandResult { command: id, outcome } };
    golden("result_done", &result(Outcome::Done));
    golden("result_refused", &result(Outcome::Refused { reason: "late".into(), end: None }));
    let end = Some(EndReason::DeviceBusy);
    golden("result_refused_session", &result(Outcome::Refused { reason: "busy".into(), end }));
}

#[test]
fn event_bytes() {
    let (at, random) = (Timestamp::from_seconds(1_800_000_000), Random::seeded(4));
    let event = |what| Placed { position: position(), body: Event { at, what } };
    golden("event_code", &event(Happening::OnSiteCodeShown { code: OnSiteCode::make(&random) }));
    let session = SessionId::make(at, &random);
    let ended = Happening::SessionEnded { session, reason: EndReason::Device, bytes_up: 10, bytes_down: 3 };
    golden("event_session_ended", &event(ended));
    let flow = crate::FlowId::make(at, &random);
    let opened = FlowRow::Opened { flow, target: "tcp 192.168.1.50:80".into(), outcome: FlowOutcome::Opened };
    let closed = FlowRow::Closed { flow, bytes_up: 7, bytes_down: 3, duration_ms: 20 };
    for row in [opened.clone(), closed.clone()] {
        assert_eq!(FlowRow::of(row.clone().alone(session)), Ok((session, row)));
    }
    golden("event_flows", &event(Happening::Flows { session, rows: vec![opened, closed] }));
    golden("event_record_cut_short", &event(Happening::RecordCutShort { session }));
    let end = KeptEnd { granted: at + std::time::Duration::from_secs(60), until: at };
    let (pin, draft) = (PinId::make(&random), Challenge::of_rule("e30"));
    golden("event_consent_pressed", &event(Happening::ConsentPressed { session, draft, allowed: true }));
    golden("event_key_pinned", &event(Happening::KeyPinned { pin, key: key().into() }));
    golden("event_key_declined", &event(Happening::KeyDeclined { key: key().into() }));
    golden("event_key_forgotten", &event(Happening::KeyForgotten { pin, by: Forgot::Device }));
    golden("event_session_joined", &event(Happening::SessionJoined { session, end }));
    golden("event_session_extended", &event(Happening::SessionExtended { session, end }));
    let refused = |end| Happening::ExtensionRefused { session, end, reason: NotLonger::Longest };
    golden("event_extension_refused", &event(refused(Some(end))));
    golden("event_extension_refused_unopened", &event(refused(None)));
}

#[test]
fn words_have_one_spelling_on_the_wire_and_in_the_database() {
    for life in Life::ALL {
        assert_eq!(serde_json::to_value(life).unwrap(), life.word());
        assert_eq!(Life::from_word(life.word()), Some(life));
    }
    for consent in Consent::ALL {
        assert_eq!(serde_json::to_value(consent).unwrap(), consent.word());
        assert_eq!(Consent::from_word(consent.word()), Some(consent));
    }
    for reason in EndReason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.word());
        assert_eq!(EndReason::from_word(reason.word()), Some(reason));
    }
    for reason in NotLonger::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.word());
        assert_eq!(NotLonger::from_word(reason.word()), Some(reason));
    }
    for state in crate::api::ExtensionState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        assert_eq!(crate::api::ExtensionState::from_word(state.word()), Some(state));
    }
    for state in crate::api::SessionState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        assert_eq!(crate::api::SessionState::from_word(state.word()), Some(state));
    }
}

#[test]
fn a_later_version_may_add_fields() {
    let mut value = serde_json::to_value(Placed { position: position(), body: report() }).unwrap();
    value["temperature"] = 21.into();
    let read: Placed<Report> = decode(&serde_json::to_vec(&value).unwrap()).unwrap();
    assert_eq!(read.body, report());
}

#[test]
fn oversized_and_unreadable_messages_are_refused_in_words() {
    assert!(decode::<Status>(&vec![b' '; MAX_BYTES + 1]).unwrap_err().to_string().contains("at most 65536"));
    assert!(decode::<Status>(b"{").unwrap_err().to_string().starts_with("the message cannot be read"));
}

proptest! {
    #[test]
    fn correlations_round_trip(boot_id: u128, seq: u64) {
        let correlation = Correlation { boot_id: Uuid::from_u128(boot_id), seq };
        prop_assert_eq!(correlation.to_string().parse::<Correlation>().unwrap(), correlation);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Placed<Report>>(&bytes);
        let _ = decode::<Command>(&bytes);
        let _ = decode::<Placed<Event>>(&bytes);
    }
}

#[test]
fn a_nul_is_seen_however_it_is_spelt_and_nothing_else_is_taken_for_one() {
    for nul in [r#"{"a":"\u0000"}"#, r#"["x\\\u0000"]"#, r#"{"\u0000":1}"#] {
        assert!(has_nul(nul.as_bytes()), "{nul}");
        assert!(decode::<serde_json::Value>(nul.as_bytes()).unwrap_err().to_string().contains("NUL"));
    }
    for other in [r#"["\\u0000"]"#, r#"["\u0001"]"#, r#"["u0000"]"#, r#"["\\\\u0000"]"#] {
        assert!(!has_nul(other.as_bytes()), "{other}");
        decode::<serde_json::Value>(other.as_bytes()).unwrap();
    }
}
