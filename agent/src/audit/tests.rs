use std::{fs::OpenOptions, io::Write as _};

use gatelodge_proto::{
    FlowId, OrganisationId, Random, SessionId, UserId,
    payload::{Consent, EndReason, FlowOutcome, FlowRow, KeptEnd, Life},
};
use tempfile::TempDir;

use super::*;

const AT: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn session() -> SessionId {
    SessionId::make(AT, &Random::seeded(1))
}

fn flow(seed: u64) -> FlowId {
    FlowId::make(AT, &Random::seeded(seed))
}

fn visit() -> Box<Visit> {
    Box::new(Visit {
        session: session(),
        technician: "Marc Petit".into(),
        technician_id: UserId::make(AT, &Random::seeded(2)),
        organisation: "Petit Alarmes".into(),
        organisation_id: OrganisationId::make(AT, &Random::seeded(3)),
        reach: vec!["panel-web".into()],
        reason: Some("yearly check".into()),
        ticket_number: Some("2026-0417".parse().unwrap()),
        from: AT,
        until: AT,
        consent: Consent::Ask,
        break_glass: false,
    })
}

fn opened(seed: u64) -> FlowRow {
    FlowRow::Opened { flow: flow(seed), target: "tcp panel.local:80".into(), outcome: FlowOutcome::Opened }
}

fn closed(seed: u64) -> FlowRow {
    FlowRow::Closed { flow: flow(seed), bytes_up: 5, bytes_down: 3, duration_ms: 1250 }
}

fn end() -> Happening {
    Happening::SessionEnded { session: session(), reason: EndReason::Customer, bytes_up: 5, bytes_down: 3 }
}

/// A rule, a visit with two targets, and its end: five entries and four of targets.
fn recorded() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut audit = Audit::open(folder.path()).unwrap();
    let rule = |consent| Deed::RuleTold { life: Life::Active, customer: None, installer: None, consent };
    audit.note(AT, rule(Consent::Ask)).unwrap();
    audit.note(AT, Deed::SessionOpened(visit())).unwrap();
    let joined = Happening::SessionJoined { session: session(), end: KeptEnd { granted: AT, until: AT } };
    let rows = vec![opened(1), opened(2), closed(1)];
    audit.told(AT, [joined, Happening::Flows { session: session(), rows }]).unwrap();
    drop(audit);
    // An agent that starts again goes on.
    let mut audit = Audit::open(folder.path()).unwrap();
    audit.told(AT, [closed(2).alone(session()), end()]).unwrap();
    audit.note(AT, rule(Consent::Never)).unwrap();
    folder
}

fn bytes(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

fn write(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

fn fault(folder: &TempDir) -> (&'static str, Option<u64>, Fault) {
    match verify(folder.path()) {
        Err(Unsound::Broken(broken)) => (broken.file, broken.line, broken.fault),
        other => panic!("{other:?}"),
    }
}

/// The line of that number and its end.
fn line(text: &str, number: usize) -> String {
    text.split_inclusive('\n').nth(number - 1).unwrap().to_owned()
}

#[test]
fn a_whole_record_is_sound_and_tells_the_visit_with_what_it_opened() {
    let folder = recorded();
    let length = verify(folder.path()).unwrap();
    assert_eq!((length.deeds, length.targets, length.end.number), (5, 4, 5));
    let story = story(&deeds(folder.path()).unwrap(), &targets(folder.path()).unwrap());
    let [Chapter::Rule { consent: Consent::Ask, .. }, Chapter::Stay(stay), Chapter::Rule { .. }] = &story[..] else {
        panic!("{story:?}")
    };
    assert_eq!(stay.visit.as_ref(), Some(&*visit()));
    assert_eq!((stay.joined_at, stay.end.unwrap().reason, stay.cut_short), (Some(AT), EndReason::Customer, false));
    let told: Vec<_> = stay.targets.iter().map(|target| (target.flow, target.closed)).collect();
    assert_eq!(told, [(flow(1), Some((5, 3, 1250))), (flow(2), Some((5, 3, 1250)))]);
}

#[test]
fn nothing_on_record_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(verify(folder.path()).unwrap().deeds, 0);
    Audit::open(folder.path()).unwrap();
    assert_eq!(verify(folder.path()).unwrap().end, Mark::START);
}

#[test]
fn each_change_is_named_at_its_first_broken_link() {
    const DEEDS: &str = "audit.log";
    const TARGETS: &str = "targets.log";
    let text = bytes(&recorded(), DEEDS);
    let targets = bytes(&recorded(), TARGETS);
    let (second, last) = (line(&text, 2), line(&text, 5));
    let cases = [
        (DEEDS, text.replace("yearly check", "weekly check"), (Some(2), Fault::Changed)),
        (DEEDS, text.replace(&second, ""), (Some(3), Fault::Gap)),
        (DEEDS, text.replace(&last, ""), (Some(4), Fault::Cut)),
        (DEEDS, text.replace("never", "ask"), (Some(5), Fault::OtherEnd)),
        (DEEDS, text.replace(&second, &second.replace('{', "?")), (Some(2), Fault::Unreadable)),
        (DEEDS, String::new(), (None, Fault::Cut)),
        (DEEDS, text.replacen(&line(&text, 1), "", 1), (Some(2), Fault::Gap)),
        (TARGETS, targets.replacen("panel.local", "nas.local", 1), (Some(1), Fault::Changed)),
        (TARGETS, targets.replace(&line(&targets, 4), ""), (Some(3), Fault::Cut)),
    ];
    for (place, (name, changed, (number, expected))) in cases.into_iter().enumerate() {
        let folder = recorded();
        write(&folder, name, changed);
        assert_eq!(fault(&folder), (name, number, expected), "case {place}");
        // Whatever is written afterwards, also by an agent that starts again, does not heal it.
        let mut audit = Audit::open(folder.path()).unwrap();
        audit.told(AT, [opened(9).alone(session()), end()]).unwrap();
        drop(audit);
        assert!(matches!(verify(folder.path()), Err(Unsound::Broken(_))), "case {place} has healed");
    }
    let folder = recorded();
    std::fs::remove_file(folder.path().join("audit.head.json")).unwrap();
    assert_eq!(fault(&folder), ("audit.head.json", None, Fault::NoHead));
    write(&folder, "audit.head.json", "?");
    assert_eq!(fault(&folder).2, Fault::NoHead);
}

#[test]
fn a_torn_line_goes_and_one_that_came_before_its_head_stays() {
    let folder = recorded();
    let head = bytes(&folder, "audit.head.json");
    let mut audit = Audit::open(folder.path()).unwrap();
    audit.note(AT, Deed::RecordCutShort { session: session() }).unwrap();
    drop(audit);
    // The power went between the line and its head, and while the next line was written.
    write(&folder, "audit.head.json", head);
    let path = folder.path().join("audit.log");
    OpenOptions::new().append(true).open(path).unwrap().write_all(b"{\"number\":7,\"at\"").unwrap();
    assert_eq!(verify(folder.path()).unwrap().end.number, 6);
    let mut audit = Audit::open(folder.path()).unwrap();
    audit.told(AT, [end()]).unwrap();
    assert_eq!(verify(folder.path()).unwrap().end.number, 7);
}

#[test]
fn a_long_record_lets_its_oldest_go_and_many_targets_make_no_visit_disappear() {
    let folder = recorded();
    let mut audit = Audit::open(folder.path()).unwrap();
    let many = |from: u64| Happening::Flows { session: session(), rows: (from..from + 1000).map(opened).collect() };
    (0..50).for_each(|round| audit.told(AT, [many(round * 1000)]).unwrap());
    audit.told(AT, [end()]).unwrap();
    let length = verify(folder.path()).unwrap();
    assert!((1000..40_000).contains(&length.targets), "the oldest targets have gone: {length:?}");
    assert_eq!(length.deeds, 6);
    let refused = |letter: &str| Deed::SessionRefused { visit: None, reason: letter.repeat(20_000), end: None };
    (0..60).for_each(|_| audit.note(AT, refused("x")).unwrap());
    assert_eq!(verify(folder.path()).unwrap().deeds, 66, "one file and a bit are kept whole");
    (0..60).for_each(|_| audit.note(AT, refused("y")).unwrap());
    let length = verify(folder.path()).unwrap();
    assert!(length.deeds < 120 && length.end.number == 126, "{length:?}");
    assert!(deeds(folder.path()).unwrap().iter().all(|line| line.number > 7), "the first entries have gone");
    drop(audit);
    let first = line(&bytes(&folder, "audit.older.log"), 1);
    let rest = bytes(&folder, "audit.older.log").replacen(&first, "", 1);
    write(&folder, "audit.older.log", rest);
    assert_eq!(fault(&folder).2, Fault::Gap, "what has gone by itself is no gap, what somebody removed is one");
}

#[test]
fn what_an_owner_leaves_is_erased_and_the_chain_goes_on() {
    let folder = recorded();
    let mut audit = Audit::open(folder.path()).unwrap();
    audit.forget(AT).unwrap();
    audit.note(AT, Deed::SessionOpened(visit())).unwrap();
    audit.told(AT, [opened(7).alone(session()), end()]).unwrap();
    assert_eq!(verify(folder.path()).unwrap().end.number, 8);
    let story = story(&deeds(folder.path()).unwrap(), &targets(folder.path()).unwrap());
    assert!(matches!(&story[..], [Chapter::Erased(AT), Chapter::Stay(stay)] if stay.targets.len() == 1), "{story:?}");
    for name in ["audit.log", "targets.log"] {
        assert!(!bytes(&folder, name).contains("weekly") && bytes(&folder, name).len() < 2000);
    }
}
