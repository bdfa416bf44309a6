//! Every rule but the arithmetic, which stands here as one word.

use std::time::Duration;

use super::*;
use crate::{
    OrganisationId, Random, SessionId, Timestamp, UserId,
    grant::{Grant, Technician},
    opening::{BreakGlass, Day, OpenHours, Opening, Window},
    payload::{Consent, Feature, Network, Protocol, Service},
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const GOOD: &[u8] = b"signed";

fn arithmetic(_: &Point, message: &[u8], signature: &[u8]) -> bool {
    message.len() >= 37 + 32 && signature == GOOD
}

fn key() -> PinnedKey {
    PinnedKey {
        credential: Blob::new(vec![7; 16]).unwrap(),
        point: Point::from_bytes(&[4; 65]).unwrap(),
        rp: "lodge.example".parse().unwrap(),
    }
}

type Change = fn(&mut Said);

/// The parts of an answer, each to be changed.
#[derive(Clone)]
struct Said {
    client: serde_json::Value,
    rp: String,
    flags: u8,
    rest: Vec<u8>,
    signature: Vec<u8>,
}

fn said(challenge: &Challenge) -> Said {
    let challenge = Blob::<32>::new(challenge.bytes().to_vec()).unwrap().to_string();
    let client = serde_json::json!({
        "type": "webauthn.get", "challenge": challenge, "origin": "https://lodge.example", "crossOrigin": false,
    });
    Said { client, rp: "lodge.example".into(), flags: 0x1d, rest: vec![0; 4], signature: GOOD.into() }
}

impl Said {
    fn with(&self, change: impl FnOnce(&mut Self)) -> Assertion {
        let mut said = self.clone();
        change(&mut said);
        let data = [&Sha256::digest(said.rp.as_bytes())[..], &[said.flags], &said.rest].concat();
        Assertion {
            authenticator: Blob::new(data).unwrap(),
            client: Blob::new(serde_json::to_vec(&said.client).unwrap()).unwrap(),
            signature: Blob::new(said.signature).unwrap(),
        }
    }
}

#[test]
fn an_assertion_counts_for_its_challenge_key_and_site_and_for_nothing_else() {
    let challenge = Challenge::of_rule("e30");
    let said = said(&challenge);
    let check = |assertion: &Assertion| assertion.check(&challenge, &key(), arithmetic);
    assert_eq!(check(&said.with(|_| ())), Ok(()));
    assert_eq!(check(&said.with(|said| said.client["origin"] = "https://desk.lodge.example:8443".into())), Ok(()));
    assert_eq!(check(&said.with(|said| said.client["more"] = "of a newer browser".into())), Ok(()));
    let extended = said.with(|said| (said.flags, said.rest) = (said.flags | 0x80, vec![0; 9]));
    assert_eq!(check(&extended), Ok(()));
    let changes: [(Change, NotSigned); 21] = [
        (|said| said.client["type"] = "webauthn.create".into(), NotSigned::Kind),
        (|said| said.client["type"] = "payment.get".into(), NotSigned::Kind),
        (|said| said.client["challenge"] = "AAAA".into(), NotSigned::Challenge),
        (|said| said.client["origin"] = "https://evil.example".into(), NotSigned::Origin),
        (|said| said.client["origin"] = "https://evillodge.example".into(), NotSigned::Origin),
        (|said| said.client["origin"] = "https://lodge.example.evil.example".into(), NotSigned::Origin),
        (|said| said.client["origin"] = "https://evil.example/.lodge.example".into(), NotSigned::Origin),
        (|said| said.client["origin"] = "https://a@lodge.example".into(), NotSigned::Origin),
        (|said| said.client["origin"] = "http://lodge.example".into(), NotSigned::Origin),
        (|said| said.client["origin"] = "lodge.example".into(), NotSigned::Origin),
        (|said| said.client["crossOrigin"] = true.into(), NotSigned::Origin),
        (|said| said.client["topOrigin"] = "https://evil.example".into(), NotSigned::Origin),
        (|said| said.client = "no object".into(), NotSigned::Shape),
        (|said| said.rp = "evil.example".into(), NotSigned::Rp),
        (|said| said.rp = "desk.lodge.example".into(), NotSigned::Rp),
        (|said| said.flags = 0x1c, NotSigned::NotPresent),
        (|said| said.flags = 0x19, NotSigned::NotVerified),
        (|said| said.flags |= 0x40, NotSigned::Shape),
        (|said| said.rest = vec![0; 3], NotSigned::Shape),
        (|said| said.rest = vec![0; 5], NotSigned::Shape),
        (|said| said.signature = b"forged".to_vec(), NotSigned::Signature),
    ];
    for (place, (change, why)) in changes.into_iter().enumerate() {
        assert_eq!(check(&said.with(change)), Err(why), "change {place}");
    }
    assert_eq!(said.with(|_| ()).check(&Challenge::of_rule("e31"), &key(), arithmetic), Err(NotSigned::Challenge));
    let twice = r#"{"type":"webauthn.get","type":"webauthn.get","challenge":"","origin":""}"#;
    let twice = Assertion { client: Blob::new(twice.into()).unwrap(), ..said.with(|_| ()) };
    assert_eq!(check(&twice), Err(NotSigned::Shape), "one field, two meanings");
}

#[test]
fn browsers_take_plain_http_from_the_machine_itself_alone() {
    let local = PinnedKey { rp: "localhost".parse().unwrap(), ..key() };
    let challenge = Challenge::of_rule("e30");
    for (origin, good) in
        [("http://localhost:8443", true), ("https://localhost", true), ("http://localhost.evil.example", false)]
    {
        let assertion = said(&challenge).with(|said| {
            said.client["origin"] = origin.into();
            said.rp = "localhost".into();
        });
        assert_eq!(assertion.check(&challenge, &local, arithmetic).is_ok(), good, "{origin}");
    }
}

#[test]
fn each_purpose_has_hashes_of_its_own() {
    let (random, text) = (Random::seeded(1), "e30.AA");
    let grant = Challenge::of_grant(&text.parse().unwrap());
    assert_ne!(grant, Challenge::of_rule("e30"));
    assert_eq!(grant, Challenge::of_grant(&"e30.BB".parse().unwrap()), "what is signed, not by whom");
    let (device, pin) = (crate::DeviceId::make(NOW, &random), PinId::make(&random));
    assert_ne!(Challenge::of_release(device, pin), Challenge::of_release(device, PinId::make(&random)));
    assert_eq!(grant.to_string().parse(), Ok(grant));
    for bad in ["", "ab", &grant.to_string().to_uppercase(), &"é".repeat(32)] {
        assert!(bad.parse::<Challenge>().is_err(), "{bad}");
    }
}

#[test]
fn a_fingerprint_names_key_and_site() {
    let fingerprint = key().fingerprint();
    assert_eq!(fingerprint, "84611 04060 22910 71985 29609 07544", "it is on pages and on paper: it never changes");
    let other = |rp: &str, point: u8| {
        let mut bytes = [point; 65];
        bytes[0] = 4;
        PinnedKey { rp: rp.parse().unwrap(), point: Point::from_bytes(&bytes).unwrap(), ..key() }.fingerprint()
    };
    assert_ne!(other("lodge.example", 5), fingerprint);
    assert_ne!(other("evil.example", 4), fingerprint);
    let credential = PinnedKey { credential: Blob::new(Vec::new()).unwrap(), ..key() };
    assert_eq!(credential.fingerprint(), fingerprint, "nothing rests on the credential's name");
}

#[test]
fn what_is_no_key_is_refused() {
    for bad in
        ["", "Lodge.example", "lodge..example", "-a.example", "127.0.0.1", "lodge.example:8443", "a/b", "é.example"]
    {
        assert!(bad.parse::<RpId>().is_err(), "{bad}");
    }
    for bad in [&[4; 64][..], &[4; 66], &[2; 65], &[]] {
        assert!(Point::from_bytes(bad).is_err());
    }
    assert!(Blob::<3>::new(vec![0; 4]).is_err());
    assert!("AAAAAA".parse::<Blob<3>>().is_err());
    assert!("A A".parse::<Blob<3>>().is_err());
    assert_eq!("AAAA".parse::<Blob<3>>().unwrap().bytes(), [0; 3]);
}

fn service(name: &str) -> Service {
    Service { name: name.parse().unwrap(), protocol: Protocol::Tcp, host: "192.168.1.50".into(), port: 80 }
}

fn grant() -> Grant {
    let random = Random::seeded(9);
    Grant {
        session: SessionId::make(NOW, &random),
        device: crate::DeviceId::make(NOW, &random),
        epoch: 3,
        technician: Technician {
            user: UserId::make(NOW, &random),
            name: "Marc Petit".into(),
            organisation: OrganisationId::make(NOW, &random),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: "00".repeat(32),
        services: vec![service("panel-web")],
        networks: vec![Network { name: "lan".parse().unwrap(), subnet: "192.168.1.0/24".parse().unwrap() }],
        listens: Vec::new(),
        features: Vec::new(),
        recording: Vec::new(),
        from: NOW,
        until: NOW + Duration::from_secs(3600),
        lifetime_s: 3600,
        idle_s: 900,
        consent: Consent::Always,
        reason: None,
        ticket_number: None,
        break_glass: false,
    }
}

fn rule() -> StandingRule {
    let grant = grant();
    StandingRule {
        device: grant.device,
        epoch: grant.epoch,
        pin: PinId::make(&Random::seeded(2)),
        made_at: NOW,
        installer: grant.technician.organisation,
        services: vec!["panel-web".parse().unwrap()],
        networks: vec!["lan".parse().unwrap()],
        listens: Vec::new(),
        features: vec![Feature::Web],
        consent: Consent::Always,
        opening: Opening { hours: Some(hours()), ..Opening::default() },
        longest_minutes: 60,
        valid_until: NOW + Duration::from_secs(30 * 24 * 3600),
    }
}

/// Fridays, when it is [`NOW`], and the night from Sunday on.
fn hours() -> OpenHours {
    let window = |day, from: &str, until: &str| Window {
        days: vec![day],
        from: from.parse().unwrap(),
        until: until.parse().unwrap(),
    };
    OpenHours {
        zone: "Europe/Paris".parse().unwrap(),
        windows: vec![window(Day::Fri, "08:00", "17:30"), window(Day::Sun, "22:00", "02:00")],
    }
}

#[test]
fn a_standing_rule_covers_what_it_names_and_nothing_beyond() {
    assert_eq!(rule().covers(&grant(), NOW), Ok(()));
    let other = Random::seeded(1);
    let technician = |organisation| Technician { organisation, ..grant().technician };
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let wider = Network { name: "bus".parse().unwrap(), subnet: "10.0.0.0/24".parse().unwrap() };
    for (asked, why) in [
        (Grant { device: crate::DeviceId::make(NOW, &other), ..grant() }, NotCovered::Device),
        (Grant { epoch: 4, ..grant() }, NotCovered::Device),
        (Grant { technician: technician(OrganisationId::make(NOW, &other)), ..grant() }, NotCovered::Installer),
        (Grant { services: vec![service("panel-web"), service("nas")], ..grant() }, NotCovered::Wider),
        (Grant { networks: vec![wider], ..grant() }, NotCovered::Wider),
        (Grant { features: vec![Feature::Web, Feature::Terminal], ..grant() }, NotCovered::Wider),
        (Grant { until: NOW + minutes(61), ..grant() }, NotCovered::Longer),
        (Grant { lifetime_s: 3601, ..grant() }, NotCovered::Longer),
    ] {
        assert_eq!(rule().covers(&asked, NOW), Err(why), "{asked:?}");
    }
    let end = rule().valid_until;
    assert_eq!(rule().covers(&grant(), end), Err(NotCovered::Over));
    let last = Grant { from: end - minutes(30), until: end + minutes(1), lifetime_s: 60, ..grant() };
    assert_eq!(rule().covers(&last, end - minutes(30)), Err(NotCovered::Over), "nor does one outlive it");
}

#[test]
fn a_standing_rule_holds_at_its_hours_and_until_they_end() {
    let at = |from: &str, minutes: u64| {
        let from: Timestamp = from.parse().unwrap();
        let until = from + Duration::from_secs(minutes * 60);
        rule().covers(&Grant { from, until, ..grant() }, from)
    };
    // 2027-01-15 is a Friday, in winter.
    for (from, minutes, good) in [
        ("2027-01-15T06:59:00Z", 60, false),
        ("2027-01-15T07:00:00Z", 60, true),
        ("2027-01-15T16:00:00Z", 30, true),
        ("2027-01-15T16:00:00Z", 31, false),
        ("2027-01-15T16:30:00Z", 1, false),
        ("2027-01-16T09:00:00Z", 60, false),
        ("2027-01-17T21:30:00Z", 60, true),
        ("2027-01-18T00:30:00Z", 30, true),
        ("2027-01-18T00:30:00Z", 31, false),
        ("2027-01-18T01:00:00Z", 1, false),
    ] {
        assert_eq!(at(from, minutes), if good { Ok(()) } else { Err(NotCovered::Hour) }, "{from} for {minutes}");
    }
}

#[test]
fn openings_asking_and_emergencies_are_what_the_customer_has_signed() {
    let by = |consent, opening: Opening, break_glass| {
        StandingRule { consent, opening, ..rule() }.covers(&Grant { break_glass, ..grant() }, NOW)
    };
    let open = |seconds| Opening { open_until: Some(NOW + Duration::from_secs(seconds)), ..Opening::default() };
    assert_eq!(by(Consent::Always, Opening::default(), false), Ok(()));
    for consent in [Consent::Ask, Consent::Never] {
        assert_eq!(by(consent, Opening::default(), false), Err(NotCovered::Hour));
        assert_eq!(by(consent, open(3_600), false), Ok(()));
        assert_eq!(by(consent, open(3_599), false), Err(NotCovered::Hour), "it would go on beyond");
    }
    let emergencies = || Opening { break_glass: Some(BreakGlass::Supervisor), ..Opening::default() };
    assert_eq!(by(Consent::Ask, emergencies(), true), Ok(()));
    assert_eq!(by(Consent::Ask, emergencies(), false), Err(NotCovered::Hour));
    assert_eq!(by(Consent::Never, emergencies(), true), Err(NotCovered::Emergency));
    assert_eq!(by(Consent::Always, Opening::default(), true), Err(NotCovered::Emergency));
    let long = Grant { until: NOW + Duration::from_secs(3_601), break_glass: true, ..grant() };
    let rule = StandingRule { consent: Consent::Ask, opening: emergencies(), longest_minutes: 600, ..rule() };
    assert_eq!(rule.covers(&long, NOW), Err(NotCovered::Longer));
}

#[test]
fn a_rule_is_read_from_what_was_signed_and_bounds_that_are_not_known_are_not_passed_over() {
    let assertion = said(&Challenge::of_rule("e30")).with(|_| ());
    let signed = SignedRule { text: rule().text(), assertion: assertion.clone() };
    assert_eq!(signed.read(), Ok(rule()));
    let mut json = serde_json::to_value(rule()).unwrap();
    json["only_by_night"] = true.into();
    let text = Blob::<4096>::new(serde_json::to_vec(&json).unwrap()).unwrap().to_string();
    for text in [text, "e30".into(), "no base64!".into(), "A".repeat(LONGEST_TEXT + 1)] {
        assert_eq!(SignedRule { text, assertion: assertion.clone() }.read(), Err(InvalidRule));
    }
}

#[test]
fn the_largest_proof_fits_its_place() {
    let assertion = Assertion {
        authenticator: Blob::new(vec![1; 512]).unwrap(),
        client: Blob::new(vec![2; 1024]).unwrap(),
        signature: Blob::new(vec![3; 80]).unwrap(),
    };
    let rule = SignedRule { text: "A".repeat(LONGEST_TEXT), assertion };
    assert!(crate::payload::encode(&Proof::Standing { rule }).len() <= MAX_BYTES);
}

#[test]
fn kinds_have_one_spelling() {
    for kind in ConsentKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        assert_eq!(ConsentKind::from_word(kind.word()), Some(kind));
    }
}
