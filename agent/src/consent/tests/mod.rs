//! The customer's hold, with a passkey whose arithmetic is real.

pub(crate) mod passkey;

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, OrganisationId, Random, SessionId, Timestamp, UserId,
    consent::{Challenge, ConsentKind, NotCovered, NotSigned, PinId, Proof, StandingRule},
    grant::{Grant, SignedGrant, Technician},
    opening::{BreakGlass, Day, OpenHours, Opening, Window},
    payload::{Consent, Feature, Protocol, Service},
};

use self::passkey::Passkey;
use super::*;

/// A Friday, 09:00 in Paris.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn grant(seed: u64) -> Grant {
    let (random, device) = (Random::seeded(seed), Random::seeded(0));
    Grant {
        session: SessionId::make(NOW, &random),
        device: DeviceId::make(NOW, &device),
        epoch: 3,
        technician: Technician {
            user: UserId::make(NOW, &device),
            name: "Marc Petit".into(),
            organisation: OrganisationId::make(NOW, &device),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: "00".repeat(32),
        services: vec![Service {
            name: "panel-web".parse().unwrap(),
            protocol: Protocol::Tcp,
            host: "192.168.1.50".into(),
            port: 80,
        }],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        recording: Vec::new(),
        from: NOW,
        until: NOW + MINUTE * 60,
        lifetime_s: 3600,
        idle_s: 900,
        consent: Consent::Ask,
        reason: Some("yearly check".into()),
        ticket_number: None,
        break_glass: false,
    }
}

/// The cloud signs whatever it likes.
fn signed(grant: &Grant) -> SignedGrant {
    SignedGrant::sign(grant, &ed25519_dalek::SigningKey::from_bytes(&[5; 32]))
}

fn proof(key: &Passkey, signed: &SignedGrant) -> Proof {
    Proof::Passkey { assertion: key.sign(&Challenge::of_grant(signed)) }
}

fn moments() -> Moments {
    Moments::of(NOW, 0)
}

/// A device on which somebody has pinned the customer's key.
fn pinned(key: &Passkey) -> Keeper {
    let mut keeper = Keeper::default();
    keeper.take_offer(key.public()).unwrap();
    keeper.confirm(&key.public().fingerprint(), &Random::seeded(3), NOW).unwrap();
    keeper
}

fn rule(keeper: &Keeper) -> StandingRule {
    let grant = grant(1);
    StandingRule {
        device: grant.device,
        epoch: grant.epoch,
        pin: keeper.pin().unwrap().id,
        made_at: NOW,
        installer: grant.technician.organisation,
        services: vec!["panel-web".parse().unwrap()],
        networks: Vec::new(),
        listens: Vec::new(),
        features: vec![Feature::Web],
        consent: Consent::Always,
        opening: Opening::default(),
        longest_minutes: 60,
        valid_until: NOW + MINUTE * 60 * 24,
    }
}

#[test]
fn without_a_key_consent_is_the_clouds_word() {
    let (mut keeper, grant) = (Keeper::default(), grant(1));
    for _ in 0..2 {
        assert_eq!(keeper.open(&signed(&grant), &grant, None, moments()), Ok(ConsentKind::Cloud));
    }
    // A press is the customer's word all the same, and what was asked for elsewhere is shown no more.
    keeper.want(signed(&grant), grant.clone());
    assert_eq!(keeper.open(&signed(&grant), &grant, None, moments()), Ok(ConsentKind::Cloud));
    assert!(keeper.wanted().is_empty());
    keeper.want(signed(&grant), grant.clone());
    assert_eq!(keeper.answer(Challenge::of_grant(&signed(&grant)), true), Some(grant.session));
    for kind in [ConsentKind::Pressed, ConsentKind::Cloud] {
        assert_eq!(keeper.open(&signed(&grant), &grant, None, moments()), Ok(kind));
    }
}

#[test]
fn with_a_key_nothing_opens_without_its_word_on_this_very_grant() {
    let (key, grant) = (Passkey::make("lodge.example"), grant(1));
    let (mut keeper, this) = (pinned(&key), signed(&grant));
    let mut open = |proof: Option<&Proof>| keeper.open(&this, &grant, proof, moments());
    assert_eq!(open(None), Err(Unproven::Nothing));
    let by = |assertion| Proof::Passkey { assertion };
    let challenge = Challenge::of_grant(&this);
    let other = Challenge::of_grant(&signed(&Grant { lifetime_s: 60, ..grant.clone() }));
    for (assertion, why) in [
        (key.sign(&other), NotSigned::Challenge),
        (Passkey::make("lodge.example").sign(&challenge), NotSigned::Signature),
        (key.sign_for("evil.example", &challenge), NotSigned::Origin),
        (key.sign_with(0x01, &challenge), NotSigned::NotVerified),
        (key.sign_with(0x04, &challenge), NotSigned::NotPresent),
    ] {
        assert_eq!(open(Some(&by(assertion))), Err(why.into()));
    }
    let mut altered = key.sign(&challenge);
    let client = String::from_utf8(altered.client.bytes().to_vec()).unwrap();
    altered.client = gatelodge_proto::consent::Blob::new(format!("{client} ").into_bytes()).unwrap();
    assert_eq!(open(Some(&by(altered))), Err(NotSigned::Signature.into()));
    assert_eq!(open(Some(&by(key.sign(&challenge)))), Ok(ConsentKind::Passkey));
}

#[test]
fn one_consent_opens_one_session_once_however_long_ago_and_after_a_restart() {
    let key = Passkey::make("lodge.example");
    let mut keeper = pinned(&key);
    let first = grant(1);
    let first_signed = signed(&first);
    let first_proof = proof(&key, &first_signed);
    assert!(keeper.open(&first_signed, &first, Some(&first_proof), moments()).is_ok());
    assert_eq!(keeper.open(&first_signed, &first, Some(&first_proof), moments()), Err(Unproven::Spent));
    // A longer grant of the same session, which the customer has signed as well, opens no second one.
    let longer = Grant { until: first.until + MINUTE, ..first.clone() };
    let longer_signed = signed(&longer);
    let again = keeper.open(&longer_signed, &longer, Some(&proof(&key, &longer_signed)), moments());
    assert_eq!(again, Err(Unproven::Spent));
    // As many as the book holds and some more; the first is not listed any more, and its time is remembered.
    for seed in 2..300 {
        let from = NOW + MINUTE * u32::try_from(seed).unwrap();
        let next = Grant { from, until: from + MINUTE * 60, ..grant(seed) };
        let next_signed = signed(&next);
        assert!(keeper.open(&next_signed, &next, Some(&proof(&key, &next_signed)), moments()).is_ok(), "{seed}");
    }
    let stored = serde_json::to_string(keeper.book()).unwrap();
    assert!(!stored.contains(&first.session.to_string()) && stored.len() < 64 * 1024);
    let mut restarted = Keeper::new(keeper.pin().cloned(), serde_json::from_str(&stored).unwrap());
    for clock in [NOW, NOW - MINUTE * 60 * 24 * 365] {
        let replayed = restarted.open(&first_signed, &first, Some(&first_proof), Moments::of(clock, 0));
        assert_eq!(replayed, Err(Unproven::Spent), "with a clock set back, too");
    }
    // Nor after the same key was taken away and pinned again.
    assert!(restarted.forget(restarted.pin().unwrap().id));
    restarted.take_offer(key.public()).unwrap();
    restarted.confirm(&key.public().fingerprint(), &Random::seeded(4), NOW).unwrap();
    assert_eq!(restarted.open(&first_signed, &first, Some(&first_proof), moments()), Err(Unproven::Spent));
}

#[test]
fn a_press_allows_what_was_shown_and_once() {
    let (key, asked) = (Passkey::make("lodge.example"), grant(1));
    let mut keeper = pinned(&key);
    let draft = signed(&asked);
    keeper.want(draft.clone(), asked.clone());
    assert_eq!(keeper.open(&draft, &asked, None, moments()), Err(Unproven::Nothing), "shown is not pressed");
    let wider = Grant { lifetime_s: 9000, until: NOW + MINUTE * 150, ..asked.clone() };
    let shown = Challenge::of_grant(&draft);
    assert_eq!(keeper.answer(shown, true), Some(asked.session));
    assert_eq!(keeper.answer(shown, true), None, "it waits no more");
    assert_eq!(keeper.open(&signed(&wider), &wider, None, moments()), Err(Unproven::Nothing));
    assert_eq!(keeper.open(&draft, &asked, None, moments()), Ok(ConsentKind::Pressed));
    assert_eq!(keeper.open(&draft, &asked, None, moments()), Err(Unproven::Nothing));
    keeper.want(draft.clone(), asked.clone());
    keeper.answer(shown, true);
    assert_eq!(keeper.open(&draft, &asked, None, moments()), Err(Unproven::Spent), "shown and pressed a second time");
    let refused = grant(2);
    keeper.want(signed(&refused), refused.clone());
    assert_eq!(keeper.answer(Challenge::of_grant(&signed(&refused)), false), Some(refused.session));
    assert_eq!(keeper.open(&signed(&refused), &refused, None, moments()), Err(Unproven::Nothing));
}

#[test]
fn a_standing_rule_opens_what_it_covers_until_it_is_taken_back() {
    let key = Passkey::make("lodge.example");
    let keeper = pinned(&key);
    let by = |rule: &StandingRule| Proof::Standing { rule: key.rule(rule) };
    let judged = |rule: &StandingRule, at: Moments| {
        let asked = grant(1);
        keeper.clone().open(&signed(&asked), &asked, Some(&by(rule)), at)
    };
    let good = rule(&keeper);
    assert_eq!(judged(&good, moments()), Ok(ConsentKind::StandingRule));
    let other = Random::seeded(77);
    let hours = |days: &[Day], from: &str, until: &str| {
        let window = Window { days: days.to_vec(), from: from.parse().unwrap(), until: until.parse().unwrap() };
        let hours = OpenHours { zone: "Europe/Paris".parse().unwrap(), windows: vec![window] };
        StandingRule { opening: Opening { hours: Some(hours), ..Opening::default() }, ..good.clone() }
    };
    for (rule, why) in [
        (StandingRule { pin: PinId::make(&other), ..good.clone() }, NotCovered::Device),
        (StandingRule { installer: OrganisationId::make(NOW, &other), ..good.clone() }, NotCovered::Installer),
        (StandingRule { services: Vec::new(), ..good.clone() }, NotCovered::Wider),
        (StandingRule { longest_minutes: 59, ..good.clone() }, NotCovered::Longer),
        (StandingRule { valid_until: NOW, ..good.clone() }, NotCovered::Over),
        (StandingRule { consent: Consent::Ask, ..good.clone() }, NotCovered::Hour),
        (hours(&[Day::Fri], "07:00", "09:00"), NotCovered::Hour),
        (hours(&[Day::Thu], "07:00", "18:00"), NotCovered::Hour),
        (hours(&[Day::Fri], "09:00", "09:59"), NotCovered::Hour),
    ] {
        assert_eq!(judged(&rule, moments()), Err(why.into()), "{rule:?}");
    }
    assert!(judged(&hours(&[Day::Fri], "09:00", "10:00"), moments()).is_ok(), "09:00 in Paris, where it is winter");
    let agreed = Opening { break_glass: Some(BreakGlass::Technician), ..Opening::default() };
    let emergencies = StandingRule { consent: Consent::Ask, opening: agreed, ..good.clone() };
    let urgent = Grant { break_glass: true, ..grant(1) };
    for (rule, outcome) in [(&emergencies, Ok(ConsentKind::BreakGlass)), (&good, Err(NotCovered::Emergency.into()))] {
        let judged = keeper.clone().open(&signed(&urgent), &urgent, Some(&by(rule)), moments());
        assert_eq!(judged, outcome);
    }
    let forged = Proof::Standing { rule: Passkey::make("lodge.example").rule(&good) };
    let asked = grant(1);
    let refused = keeper.clone().open(&signed(&asked), &asked, Some(&forged), moments());
    assert_eq!(refused, Err(NotSigned::Signature.into()));
    let mut wider = key.rule(&good);
    wider.text = StandingRule { longest_minutes: 600, ..good.clone() }.text();
    let refused = keeper.clone().open(&signed(&asked), &asked, Some(&Proof::Standing { rule: wider }), moments());
    assert_eq!(refused, Err(NotSigned::Challenge.into()));
    // The cloud says another hour than this device's own clock.
    let corrected = Moments::of(NOW, i64::try_from(Duration::from_secs(86_400 * 40).as_micros()).unwrap());
    let early = StandingRule { valid_until: NOW + MINUTE * 60, ..good.clone() };
    assert!(judged(&early, corrected).is_ok(), "before its end by both clocks");
    let late = Moments::of(NOW, -i64::try_from(Duration::from_secs(86_400 * 40).as_micros()).unwrap());
    assert_eq!(judged(&good, late), Err(NotCovered::Over.into()), "over by the device's own");

    // Dates under which it could not be taken back, or would never be over.
    let year = Duration::from_secs(366 * 86_400);
    for (made_at, valid_until) in [(NOW + MINUTE * 60 * 48, NOW + MINUTE * 60 * 96), (NOW, NOW + year + MINUTE)] {
        let odd = StandingRule { made_at, valid_until, ..good.clone() };
        assert_eq!(judged(&odd, moments()), Err(NotCovered::Dates.into()));
        assert!(keeper.clone().take_rule(&key.rule(&odd), moments()).is_err(), "nor does it take the others' place");
    }

    let mut keeper = keeper;
    let newer = StandingRule { made_at: NOW + MINUTE, services: Vec::new(), ..good.clone() };
    keeper.take_rule(&key.rule(&newer), moments()).unwrap();
    assert_eq!(keeper.open(&signed(&asked), &asked, Some(&by(&good)), moments()), Err(NotCovered::TakenBack.into()));
    assert!(keeper.take_rule(&key.rule(&good), moments()).is_err(), "an older one does not come back");
    let newest = StandingRule { made_at: NOW + MINUTE * 2, ..good };
    assert!(keeper.open(&signed(&asked), &asked, Some(&by(&newest)), moments()).is_ok());
    assert!(keeper.take_rules_back(NOW - MINUTE * 60), "with a clock that is behind");
    let next = grant(2);
    let back = keeper.open(&signed(&next), &next, Some(&by(&newest)), moments());
    assert_eq!(back, Err(NotCovered::TakenBack.into()));
}

#[test]
fn nobody_but_the_key_and_a_person_at_the_device_changes_the_key() {
    let (key, other) = (Passkey::make("lodge.example"), Passkey::make("lodge.example"));
    let mut keeper = Keeper::default();
    keeper.take_offer(key.public()).unwrap();
    assert_eq!(keeper.pin(), None, "an offer is no pin");
    keeper.take_offer(other.public()).unwrap();
    let random = Random::seeded(3);
    assert_eq!(keeper.confirm(&key.public().fingerprint(), &random, NOW), None, "not the key that was compared");
    assert!(keeper.confirm(&other.public().fingerprint(), &random, NOW).is_some());
    assert_eq!(keeper.take_offer(key.public()), Err(Refused::Pinned));
    assert_eq!(keeper.confirm(&key.public().fingerprint(), &random, NOW), None);

    let (device, pin) = (grant(1).device, keeper.pin().unwrap().id);
    let statement = Challenge::of_release(device, pin);
    assert!(keeper.release(&key.sign(&statement), device).is_err(), "another key's word");
    let of_earlier = Challenge::of_release(device, PinId::make(&random));
    assert!(keeper.release(&other.sign(&of_earlier), device).is_err(), "of an earlier pinning");
    assert!(keeper.release(&other.sign(&statement), DeviceId::make(NOW, &Random::seeded(8))).is_err());
    assert_eq!(keeper.pin().map(|pin| pin.id), Some(pin));
    assert_eq!(keeper.release(&other.sign(&statement), device), Ok(pin));
    assert_eq!(keeper.pin(), None);
    keeper.take_offer(key.public()).unwrap();
    keeper.confirm(&key.public().fingerprint(), &random, NOW).unwrap();
    assert!(!keeper.forget(pin), "a page of before");
    assert!(keeper.forget(keeper.pin().unwrap().id));
}

#[test]
fn an_offer_that_outlived_its_confirmation_on_disk_is_none() {
    let key = Passkey::make("lodge.example");
    let mut offered = Keeper::default();
    offered.take_offer(Passkey::make("lodge.example").public()).unwrap();
    let keeper = Keeper::new(pinned(&key).pin().cloned(), offered.book().clone());
    assert_eq!(keeper.offer(), None);
}

#[test]
fn a_day_has_so_many_emergencies_however_many_the_cloud_counts() {
    let key = Passkey::make("lodge.example");
    let mut keeper = pinned(&key);
    let opening = Opening { break_glass: Some(BreakGlass::Technician), ..Opening::default() };
    let valid_until = NOW + MINUTE * 60 * 48;
    let agreed = StandingRule { opening, consent: Consent::Ask, valid_until, ..rule(&keeper) };
    let mut enter = |seed: u64, moments: Moments| {
        let grant = Grant { break_glass: true, ..grant(seed) };
        let rule = Proof::Standing { rule: key.rule(&agreed) };
        keeper.open(&signed(&grant), &grant, Some(&rule), moments)
    };
    for seed in 1..=3 {
        assert_eq!(enter(seed, moments()), Ok(ConsentKind::BreakGlass), "{seed}");
    }
    assert_eq!(enter(4, moments()), Err(Unproven::Emergencies));
    assert_eq!(enter(4, Moments::of(NOW + MINUTE * 60 * 23, 0)), Err(Unproven::Emergencies));
    // A cloud that moves the clock on by a day moves no device's own.
    let later = MINUTE * 60 * 25;
    let moved = i64::try_from(later.as_micros()).unwrap();
    assert_eq!(enter(4, Moments::of(NOW + later, moved)), Err(Unproven::Emergencies));
    assert_eq!(enter(4, Moments::of(NOW + later, 0)), Ok(ConsentKind::BreakGlass));
}
