//! What devices say, taken in.

use std::time::Duration;

use gatelodge_cloud::{
    devices::service::{self, CodeCheck, Registrant},
    kits::Kits,
    mqtt::{Incoming, Intake as _},
};
use gatelodge_proto::{
    DeviceId, Random, Timestamp,
    identity::OnSiteCode,
    link::Outgoing,
    payload::{
        self, Certificate, Command, CommandResult, Consent, Correlation, Event, Happening, Order, Outcome, Placed,
        Position, Receipt, Renew, Status,
    },
    topics::{Down, Topic, Up},
};
use serde::Serialize;
use uuid::Uuid;

use super::{Key, audited, device, each, enrolled, manufactured, names, registrar, report};

const BOOT: Uuid = Uuid::from_u128(77);

fn position(boot: u64, seq: u64) -> Position {
    Position { boot, boot_id: Uuid::from_u128(u128::from(boot) + 76), seq }
}

fn message(device: DeviceId, kind: Up, position: Position, body: impl Serialize) -> Incoming {
    Incoming::Message {
        topic: Topic::Up(device, kind).to_string(),
        payload: payload::encode(&Placed { position, body }).into(),
        correlation: Some(position.into()),
        certificate: None,
    }
}

fn status(device: DeviceId, online: bool, boot_id: Uuid) -> Incoming {
    let payload = payload::encode(&Status { online, boot_id }).into();
    Incoming::Message {
        topic: Topic::Up(device, Up::Status).to_string(),
        payload,
        correlation: None,
        certificate: None,
    }
}

fn receipts(outgoing: &[Outgoing]) -> Vec<Receipt> {
    outgoing
        .iter()
        .filter(|message| message.topic.ends_with("/down/receipt"))
        .map(|message| payload::decode(&message.payload).unwrap())
        .collect()
}

fn commands(outgoing: &[Outgoing]) -> Vec<Command> {
    outgoing
        .iter()
        .filter(|message| message.topic.ends_with("/down/command"))
        .map(|message| payload::decode(&message.payload).unwrap())
        .collect()
}

async fn enrolled_device(kits: &Kits) -> DeviceId {
    let id = manufactured(kits, 1, "factory_secret").await.id;
    enrolled(Key::make().enrol_by_secret(kits, &names(1)).await.unwrap());
    id
}

async fn take(kits: &Kits, group: &[Incoming]) -> Vec<Outgoing> {
    registrar(kits).take(group).await.unwrap()
}

#[tokio::test]
async fn the_newest_report_holds_in_whatever_order_and_number_they_come() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let say = |boot: u64, seq: u64, firmware: &str| message(id, Up::Report, position(boot, seq), report(firmware));
        let group = [say(2, 1, "c"), say(1, 9, "b"), say(2, 1, "c"), say(1, 1, "a")];
        let answers = take(kits, &group).await;
        assert_eq!(receipts(&answers).len(), 4, "each offer gets its receipt");
        assert!(receipts(&answers).iter().all(|receipt| receipt.parked.is_none()));
        let again = take(kits, &group[1..2]).await;
        assert_eq!(receipts(&again), [Receipt { boot_id: position(1, 9).boot_id, seq: 9, parked: None }]);
        let row = device(kits, &names(1)).await;
        assert_eq!(row.report.unwrap().firmware, "c");
        assert_eq!(row.reported_at, Some(kits.now()));
    }
}

#[tokio::test]
async fn a_poison_message_is_parked_and_stops_nobody() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let correlation = Correlation { boot_id: BOOT, seq: 5 };
        let poison = |payload: &'static [u8]| Incoming::Message {
            topic: Topic::Up(id, Up::Report).to_string(),
            payload: payload.into(),
            correlation: Some(correlation),
            certificate: None,
        };
        let nowhere = Incoming::Message {
            topic: "gl/1/d/x/up/report".into(),
            payload: "{}".into(),
            correlation: Some(correlation),
            certificate: None,
        };
        let stranger = message(DeviceId::make(kits.now(), &Random::seeded(9)), Up::Report, position(1, 1), report("x"));
        let good = message(id, Up::Report, position(1, 6), report("good"));
        let unkept = message(id, Up::Report, position(1, 5), report("a\0b"));
        let group = [poison(b"\xff\x00{"), nowhere, poison(b"{\"position\":1}"), unkept, stranger, good];
        let answers = receipts(&take(kits, &group).await);
        let parked: Vec<bool> = answers.iter().map(|receipt| receipt.parked.is_some()).collect();
        assert_eq!(parked, [true, true, true, true, false], "{answers:?}");
        assert!(answers[0].parked.as_deref().unwrap().contains("cannot be read"), "{answers:?}");
        assert!(answers[2].parked.as_deref().unwrap().contains("NUL"), "{answers:?}");
        assert_eq!(device(kits, &names(1)).await.report.unwrap().firmware, "good");
        let mut tx = kits.db.read().await.unwrap();
        let kept =
            gatelodge_cloud::run!(&mut tx, c => sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM parked_message")
            .fetch_one(c))
            .unwrap();
        assert_eq!(kept, 5);
    }
}

#[tokio::test]
async fn of_a_device_that_sends_nothing_readable_enough_is_kept_and_no_more() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let poison = |seq| Incoming::Message {
            topic: Topic::Up(id, Up::Report).to_string(),
            payload: "{".into(),
            correlation: Some(Correlation { boot_id: BOOT, seq }),
            certificate: None,
        };
        let group: Vec<_> = (1..=60).map(poison).collect();
        let told = receipts(&take(kits, &group).await);
        let kept = |receipt: &&Receipt| !receipt.parked.as_deref().unwrap().contains("keeps no more");
        assert_eq!(
            (told.len(), told.iter().filter(kept).count()),
            (60, 50),
            "each is answered, so that none comes again"
        );
        let mut tx = kits.db.read().await.unwrap();
        let rows = "SELECT COUNT(*) FROM parked_message";
        let rows = gatelodge_cloud::run!(&mut tx, c => sqlx::query_scalar::<_, i64>(rows).fetch_one(c)).unwrap();
        drop(tx);
        assert_eq!(rows, 50);
        test.pass(std::time::Duration::from_secs(86_400));
        let next_day = receipts(&take(kits, &[poison(61)]).await);
        assert!(next_day.iter().all(|receipt| kept(&receipt)), "{next_day:?}");
    }
}

#[tokio::test]
async fn a_report_that_contradicts_the_inventory_is_evidence_and_no_state() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let mut wrong = report("cloned");
        wrong.mac = names(3).mac;
        let group = [1, 2].map(|seq| message(id, Up::Report, position(1, seq), &wrong));
        assert_eq!(receipts(&take(kits, &group).await).len(), 2);
        let row = device(kits, &names(1)).await;
        assert_eq!((row.report, row.reported_at), (None, None));
        assert_eq!(audited(kits, "device_conflict").await, 1);
    }
}

#[tokio::test]
async fn an_old_will_does_not_overrule_a_newer_start() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let online = async || device(kits, &names(1)).await.online;
        take(kits, &[status(id, true, old)]).await;
        assert!(online().await);
        take(kits, &[status(id, true, new), status(id, false, old)]).await;
        assert!(online().await);
        take(kits, &[status(id, false, new)]).await;
        assert!(!online().await);
        assert_eq!(device(kits, &names(1)).await.presence_since, Some(kits.now()));
    }
}

#[tokio::test]
async fn coming_and_going_within_one_group_holds_in_its_order() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let lease = async || {
            let mut tx = kits.db.read().await.unwrap();
            let until = gatelodge_cloud::run!(&mut tx, c => sqlx::query_scalar::<_, Option<i64>>(
                "SELECT lease_until FROM device WHERE online",
            )
            .fetch_optional(c));
            until.unwrap().flatten().map(Timestamp::from_micros)
        };
        let (came, went, left) = (status(id, true, BOOT), status(id, false, BOOT), Incoming::Left(id));
        let full = Some(kits.now() + Duration::from_secs(45));
        for (group, until) in [
            ([&came, &left], Some(kits.now() + Duration::from_secs(15))),
            ([&left, &came], full),
            ([&came, &went], None),
            ([&went, &came], full),
            ([&came, &Incoming::Silent(id)], None),
        ] {
            take(kits, &group.map(Clone::clone)).await;
            assert_eq!(lease().await, until, "{group:?}");
        }
    }
}

#[tokio::test]
async fn a_command_is_offered_each_time_the_device_comes_until_its_result_is_in() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let mut tx = kits.db.write().await.unwrap();
        let registrant = |consent| Registrant { installer: Some("Petit".into()), consent, ..Registrant::NOBODY };
        for consent in [Consent::Never, Consent::Ask] {
            service::tell_state(&mut tx, kits.now(), &kits.random, id, registrant(consent)).await.unwrap();
        }
        tx.commit().await.unwrap();

        let first = commands(&take(kits, &[status(id, true, BOOT)]).await);
        assert_eq!(first.len(), 1, "the newer state takes the place of the older");
        let Order::State(state) = &first[0].order else { panic!("{first:?}") };
        assert_eq!((state.epoch, state.consent, state.installer.as_deref()), (1, Consent::Ask, Some("Petit")));
        assert_eq!(commands(&take(kits, &[status(id, true, BOOT)]).await), first);
        let done = CommandResult { command: first[0].id, outcome: Outcome::Done };
        take(kits, &[message(id, Up::Result, position(1, 1), done)]).await;
        assert!(commands(&take(kits, &[status(id, true, BOOT)]).await).is_empty());
    }
}

#[tokio::test]
async fn a_command_is_void_after_its_deadline_and_in_the_next_epoch() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let send = async |order| {
            let mut tx = kits.db.write().await.unwrap();
            let deadline = kits.now() + Duration::from_secs(60);
            service::send(&mut tx, kits.now(), &kits.random, id, order, deadline).await.unwrap();
            tx.commit().await.unwrap();
        };
        // Enrolment has told the device where it stands; that is out of the way.
        let told = commands(&take(kits, &[status(id, true, BOOT)]).await);
        let done = CommandResult { command: told[0].id, outcome: Outcome::Done };
        take(kits, &[message(id, Up::Result, position(1, 1), done)]).await;

        send(Order::RenewOnSiteCode).await;
        test.pass(Duration::from_secs(61));
        assert!(commands(&take(kits, &[status(id, true, BOOT)]).await).is_empty());
        send(Order::RenewOnSiteCode).await;
        let mut tx = kits.db.write().await.unwrap();
        service::register(&mut tx, id).await.unwrap();
        service::activate(&mut tx, id).await.unwrap();
        service::release(&mut tx, kits.now(), &kits.random, id).await.unwrap();
        tx.commit().await.unwrap();
        assert!(commands(&take(kits, &[status(id, true, BOOT)]).await).is_empty());
    }
}

#[tokio::test]
async fn a_code_that_an_enrolled_device_shows_can_be_typed() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let code = OnSiteCode::make(&Random::seeded(4));
        let event = Event { at: kits.now(), what: Happening::OnSiteCodeShown { code } };
        take(kits, &[message(id, Up::Event, position(1, 1), event)]).await;
        let mut tx = kits.db.write().await.unwrap();
        let check = service::verify_on_site_code(&mut tx, kits, id, code).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(check, CodeCheck::Right);
        let orders = commands(&take(kits, &[status(id, true, BOOT)]).await);
        assert!(orders.iter().any(|command| command.order == Order::RenewOnSiteCode), "{orders:?}");
    }
}

#[tokio::test]
async fn renewal_gives_one_certificate_for_one_key_and_keeps_the_identity() {
    for test in each().await {
        let kits = &test.kits;
        let id = enrolled_device(kits).await;
        let key = Key::make();
        let chain = async |seq: u64, csr: String| {
            let answers = take(kits, &[message(id, Up::Renew, position(1, seq), Renew { csr })]).await;
            let topic = Topic::Down(id, Down::Certificate).to_string();
            answers
                .iter()
                .find(|answer| answer.topic == topic)
                .map(|answer| payload::decode::<Certificate>(&answer.payload).unwrap().chain)
        };
        let first = chain(1, key.csr()).await.unwrap();
        assert_eq!(chain(1, key.csr()).await, Some(first.clone()), "offered again: the same answer");
        assert_eq!(chain(2, key.csr()).await, Some(first), "asked again: the same certificate");
        assert_eq!(chain(3, "rubbish".into()).await, None);
    }
}
