//! Somebody else's key: what it never gets, by whatever way it asks, and however the moments fall.

use std::time::Duration;

use gatelodge_cloud::{
    db::Db,
    devices::{
        enrol,
        model::Suspicion,
        service::{self, CodeCheck},
    },
    kits::Kits,
    mqtt::{Incoming, Intake as _},
    run,
};
use gatelodge_proto::{
    CertificateSerial, DeviceId,
    enrol::{Standing, StandingRequest, Wait},
    payload::{self, Event, Happening, Life, Placed, Position, Receipt, Renew, Report},
    topics::{Topic, Up},
};
use gatelodge_tests::wait::wait_until;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Key, NETWORK,
    codes::{check, code, waits},
    device, each, enrolled, import, manufactured, names, registrar, row, serial_of,
};
use crate::cast;

fn report(boot: u64, firmware: &str) -> Placed<Report> {
    Placed {
        position: Position { boot, boot_id: Uuid::from_u128(u128::from(boot)), seq: 1 },
        body: super::report(firmware),
    }
}

fn placed<T>(seq: u64, body: T) -> Placed<T> {
    Placed { position: Position { boot: 9, boot_id: Uuid::from_u128(9), seq }, body }
}

fn message<T: Serialize>(
    device: DeviceId,
    kind: Up,
    said: &Placed<T>,
    certificate: Option<&CertificateSerial>,
) -> Incoming {
    Incoming::Message {
        topic: Topic::Up(device, kind).to_string(),
        payload: payload::encode(said).into(),
        correlation: Some(said.position.into()),
        certificate: certificate.cloned(),
    }
}

/// Takes a group in; the reasons with which its messages were parked.
async fn parked(kits: &Kits, group: &[Incoming]) -> Vec<Option<String>> {
    let answers = registrar(kits).take(group).await.unwrap();
    let receipts = answers.iter().filter(|message| message.topic.ends_with("/down/receipt"));
    receipts.map(|message| payload::decode::<Receipt>(&message.payload).unwrap().parked).collect()
}

async fn released(kits: &Kits, id: DeviceId) {
    let mut tx = kits.db.write().await.unwrap();
    service::register(&mut tx, id).await.unwrap();
    service::activate(&mut tx, id).await.unwrap();
    service::release(&mut tx, kits.now(), &kits.random, id).await.unwrap();
    tx.commit().await.unwrap();
}

async fn count(kits: &Kits, statement: &'static str) -> i64 {
    let mut tx = kits.db.read().await.unwrap();
    run!(&mut tx, c => sqlx::query_scalar::<_, i64>(statement).fetch_one(c)).unwrap()
}

/// Until so many transactions wait for a row that another one holds. SQLite has one writer; who waits is not seen.
async fn until_waiting(kits: &Kits, how_many: i64) {
    if !matches!(kits.db, Db::Postgres(_)) {
        return;
    }
    let waiting = wait_until("a transaction waits for a row", Duration::from_secs(30), async || {
        let waiting = count(
            kits,
            "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        );
        Ok((waiting.await >= how_many).then_some(()))
    });
    waiting.await.unwrap();
}

#[tokio::test]
async fn what_a_key_said_before_it_lost_its_right_counts_for_nothing_after() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        let (old, next, thief) = (Key::make(), Key::make(), Key::make());
        let old = serial_of(&enrolled(old.enrol_by_secret(kits, &names(1)).await.unwrap()).chain);
        released(kits, id).await;

        // These waited at the endpoint while the device was released; with and without the endpoint's stamp.
        let shown = Event { at: kits.now(), what: Happening::OnSiteCodeShown { code: code(1) } };
        let late = |by: Option<&CertificateSerial>| {
            [
                message(id, Up::Renew, &placed(1, Renew { csr: thief.csr() }), by),
                message(id, Up::Event, &placed(2, shown.clone()), by),
                message(id, Up::Report, &report(99, "old"), by),
            ]
        };
        for by in [Some(&old), None] {
            let reasons = parked(kits, &late(by)).await;
            assert!(reasons.len() == 3 && reasons.iter().all(Option::is_some), "{reasons:?}");
        }
        assert_eq!(count(kits, "SELECT COUNT(*) FROM certificate WHERE state = 'current'").await, 0);
        let standing = enrol::standing(kits, NETWORK, &StandingRequest { csr: thief.csr() }).await.unwrap();
        assert_eq!(standing, Standing::Unknown);

        // The next owner's key gets in, and the old one's words still do not count beside it.
        let new = serial_of(&enrolled(next.enrol_by_secret(kits, &names(1)).await.unwrap()).chain);
        assert!(parked(kits, &late(Some(&old))).await.iter().all(Option::is_some));
        assert_eq!(parked(kits, &[message(id, Up::Report, &report(1, "new"), Some(&new))]).await, [None]);
        assert_eq!(device(kits, &names(1)).await.report.unwrap().firmware, "new");
        assert_eq!(check(kits, id, code(1)).await, CodeCheck::NoneShown);
        assert_eq!(count(kits, "SELECT COUNT(*) FROM certificate WHERE state = 'current'").await, 1);
    }
}

#[tokio::test]
async fn each_message_of_a_group_is_judged_by_its_own_senders_right() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        import(kits, &[row(&names(2), "factory_secret")]).await;
        let other = device(kits, &names(2)).await.id;
        let enrol = async |n| serial_of(&enrolled(Key::make().enrol_by_secret(kits, &names(n)).await.unwrap()).chain);
        let (old, others) = (enrol(1).await, enrol(2).await);
        released(kits, id).await;
        // Nothing that does not count takes a place in the device's history, which its next key may use.
        let early = message(id, Up::Report, &report(1, "old"), Some(&old));
        assert!(parked(kits, &[early]).await[0].is_some());

        let new = enrol(1).await;
        let mut of_other = report(1, "other");
        (of_other.body.mac, of_other.body.serial) = (names(2).mac, names(2).serial);
        of_other.body.id_code = Some(names(2).id_code);
        let group = [
            message(id, Up::Report, &report(1, "old"), Some(&old)),
            message(other, Up::Report, &of_other, Some(&new)),
            message(id, Up::Report, &report(1, "new"), Some(&new)),
            message(other, Up::Report, &of_other, Some(&others)),
        ];
        let reasons = parked(kits, &group).await;
        assert_eq!(reasons.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, false], "{reasons:?}");
        let firmware = async |n| device(kits, &names(n)).await.report.map(|report| report.firmware);
        assert_eq!((firmware(1).await.as_deref(), firmware(2).await.as_deref()), (Some("new"), Some("other")));
    }
}

#[tokio::test]
async fn a_renewal_that_waits_for_a_release_comes_too_late() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        let serial = serial_of(&enrolled(Key::make().enrol_by_secret(kits, &names(1)).await.unwrap()).chain);
        let mut tx = kits.db.write().await.unwrap();
        service::register(&mut tx, id).await.unwrap();
        service::activate(&mut tx, id).await.unwrap();
        service::release(&mut tx, kits.now(), &kits.random, id).await.unwrap();
        let renewal = message(id, Up::Renew, &placed(1, Renew { csr: Key::make().csr() }), Some(&serial));
        let taking = tokio::spawn({
            let kits = kits.clone();
            async move { parked(&kits, &[renewal]).await }
        });
        until_waiting(kits, 1).await;
        tx.commit().await.unwrap();
        assert!(taking.await.unwrap()[0].is_some());
        assert_eq!(count(kits, "SELECT COUNT(*) FROM certificate WHERE state = 'current'").await, 0);
    }
}

#[tokio::test]
async fn a_certificate_past_its_end_is_not_renewed_by_message() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        let serial = serial_of(&enrolled(Key::make().enrol_by_secret(kits, &names(1)).await.unwrap()).chain);
        test.pass(Duration::from_secs(91 * 86_400));
        let renewal = message(id, Up::Renew, &placed(1, Renew { csr: Key::make().csr() }), Some(&serial));
        assert!(parked(kits, &[renewal]).await[0].is_some());
    }
}

#[tokio::test]
async fn a_poll_during_the_acceptance_of_its_key_gets_the_certificate() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "on_site_code").await.id;
        let key = Key::make();
        key.show(kits, &names(1), code(1)).await.unwrap();
        let csr = key.csr();
        let mut tx = kits.db.write().await.unwrap();
        assert_eq!(service::verify_on_site_code(&mut tx, kits, id, code(1)).await.unwrap(), CodeCheck::Right);
        let polling = tokio::spawn({
            let kits = kits.clone();
            async move { key.show(&kits, &names(1), code(1)).await }
        });
        until_waiting(kits, 1).await;
        tx.commit().await.unwrap();
        let credentials = enrolled(polling.await.unwrap().unwrap());
        let standing = enrol::standing(kits, NETWORK, &StandingRequest { csr }).await.unwrap();
        assert_eq!(standing, Standing::Current { chain: credentials.chain });
        assert_eq!(count(kits, "SELECT COUNT(*) FROM enrolment WHERE state = 'enrolled'").await, 1);
    }
}

#[tokio::test]
async fn one_key_that_asks_twice_at_once_gets_one_certificate() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        let key = Key::make();
        let mut asking = Vec::new();
        for _ in 0..2 {
            let proof = key.secret_proof(kits, &names(1)).await;
            asking.push(key.request(&names(1), proof));
        }
        let mut held = kits.db.write().await.unwrap();
        gatelodge_cloud::change!(&mut held, c => sqlx::query("UPDATE device SET epoch = epoch WHERE id = $1")
            .bind(id.uuid())
            .execute(c))
        .unwrap();
        let asking = asking.into_iter().map(|request| {
            let kits = kits.clone();
            tokio::spawn(async move { enrol::enrol(&kits, NETWORK, &request).await })
        });
        let asking: Vec<_> = asking.collect();
        until_waiting(kits, 2).await;
        drop(held);
        let mut chains = Vec::new();
        for asked in asking {
            chains.push(enrolled(asked.await.unwrap().unwrap()).chain);
        }
        assert_eq!(chains[0], chains[1]);
        assert_eq!(count(kits, "SELECT COUNT(*) FROM enrolment WHERE state = 'enrolled'").await, 1);
    }
}

#[tokio::test]
async fn a_code_chooses_between_no_two_keys_and_the_vendor_does() {
    for cast in cast::on_each().await.unwrap() {
        let kits = cast.kits();
        let vendor = cast.vendor().await.unwrap();
        let id = manufactured(kits, 1, "on_site_code").await.id;
        let (key, stranger) = (Key::make(), Key::make());
        assert!(waits(&key.show(kits, &names(1), code(1)).await.unwrap(), Wait::OnSiteCode));
        assert!(waits(&stranger.show(kits, &names(1), code(2)).await.unwrap(), Wait::OnSiteCode));
        key.show(kits, &names(1), code(1)).await.unwrap();
        for typed in [2, 1] {
            assert_eq!(check(kits, id, code(typed)).await, CodeCheck::Disputed);
        }
        assert_eq!(check(kits, id, code(3)).await, CodeCheck::Wrong { left: 4 }, "a wrong code is told as ever");
        assert_eq!(device(kits, &names(1)).await.life, Life::Manufactured);

        let mut tx = kits.db.read().await.unwrap();
        let waiting = service::quarantine(&mut tx).await.unwrap();
        drop(tx);
        assert_eq!(waiting.iter().map(|(_, why)| *why).collect::<Vec<_>>(), [Suspicion::SeveralKeys; 2]);
        let thumbprint = gatelodge_cloud::pki::Csr::parse(&key.csr()).unwrap().thumbprint_hex();
        let (genuine, _) = waiting.iter().find(|(row, _)| row.key_thumbprint == thumbprint).unwrap();
        service::approve(kits, &vendor, genuine.id).await.unwrap();
        enrolled(key.show(kits, &names(1), code(1)).await.unwrap());
        assert!(stranger.show(kits, &names(1), code(2)).await.is_err(), "the other key is over");
        assert_eq!(check(kits, id, code(2)).await, CodeCheck::NoneShown, "and so is its code");
    }
}

#[tokio::test]
async fn a_strangers_code_takes_no_device_from_the_key_that_holds_it() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "on_site_code").await.id;
        let (key, stranger) = (Key::make(), Key::make());
        key.show(kits, &names(1), code(1)).await.unwrap();
        assert_eq!(check(kits, id, code(1)).await, CodeCheck::Right);
        let credentials = enrolled(key.show(kits, &names(1), code(1)).await.unwrap());
        assert!(waits(&stranger.show(kits, &names(1), code(2)).await.unwrap(), Wait::Conflict));
        assert_eq!(check(kits, id, code(2)).await, CodeCheck::NoneShown);
        let standing = enrol::standing(kits, NETWORK, &StandingRequest { csr: key.csr() }).await.unwrap();
        assert_eq!(standing, Standing::Current { chain: credentials.chain });
    }
}

#[tokio::test]
async fn strangers_who_wait_keep_the_device_from_nothing() {
    for test in each().await {
        let kits = &test.kits;
        manufactured(kits, 1, "on_site_code").await;
        import(kits, &[row(&names(2), "on_site_code")]).await;
        let id = device(kits, &names(1)).await.id;
        let strangers: Vec<_> = (0..8).map(|_| Key::make()).collect();
        for (place, stranger) in strangers.iter().enumerate() {
            test.pass(Duration::from_secs(1));
            stranger.show(kits, &names(1), code(100 + place as u64)).await.unwrap();
        }
        Key::make().show(kits, &names(2), code(50)).await.unwrap();
        let key = Key::make();
        assert!(waits(&key.show(kits, &names(1), code(1)).await.unwrap(), Wait::OnSiteCode));
        assert_eq!(count(kits, "SELECT COUNT(*) FROM enrolment").await, 9, "eight of this device, one of the other");
        assert_eq!(check(kits, id, code(100)).await, CodeCheck::Wrong { left: 4 }, "the first stranger made room");
        assert_eq!(check(kits, id, code(1)).await, CodeCheck::Disputed);

        // Whoever stops asking waits no more.
        for _ in 0..2 {
            test.pass(Duration::from_secs(8 * 60));
            key.show(kits, &names(1), code(2)).await.unwrap();
        }
        assert_eq!(check(kits, id, code(2)).await, CodeCheck::Right);
    }
}
