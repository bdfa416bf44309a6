//! What strangers may cost: a flood of questions, and what is kept of them.

use std::time::Duration;

use gatelodge_cloud::{
    change,
    devices::{
        enrol::{self, EnrolError},
        prune,
    },
    kits::Kits,
    mqtt::{Incoming, Intake as _},
    run,
};
use gatelodge_proto::{
    enrol::{Answer, Proof, Wait},
    identity::OnSiteCode,
};

use super::{Key, NETWORK, audited, each, enrolled, manufactured, names, registrar};

const DAY: Duration = Duration::from_secs(86_400);

async fn change(kits: &Kits, statement: &'static str) {
    let mut tx = kits.db.write().await.unwrap();
    change!(&mut tx, c => sqlx::query(statement).execute(c)).unwrap();
    tx.commit().await.unwrap();
}

async fn count(kits: &Kits, statement: &'static str) -> i64 {
    let mut tx = kits.db.read().await.unwrap();
    run!(&mut tx, c => sqlx::query_scalar::<_, i64>(statement).fetch_one(c)).unwrap()
}

#[tokio::test]
async fn a_flood_of_enrolments_is_an_alarm_and_keeps_no_device_out() {
    for test in each().await {
        let kits = &test.kits;
        manufactured(kits, 1, "factory_secret").await;
        let key = Key::make();
        let proof = key.secret_proof(kits, &names(1)).await;
        change(kits, "UPDATE attempt SET count = 500000 WHERE scope = 'enrol-everybody'").await;
        let request = key.request(&names(1), proof);
        let first = enrolled(enrol::enrol(kits, NETWORK, &request).await.unwrap());
        assert_eq!(enrolled(enrol::enrol(kits, "198.51.100.1", &request).await.unwrap()), first);
        assert_eq!(audited(kits, "enrolment_flood").await, 1, "told once an hour");
    }
}

#[tokio::test]
async fn an_address_that_floods_is_turned_away_alone_and_costs_no_write() {
    for test in each().await {
        let kits = &test.kits;
        enrol::nonce(kits, NETWORK).await.unwrap();
        change(kits, "UPDATE attempt SET count = 6000 WHERE scope = 'enrol-network'").await;
        let refused = enrol::nonce(kits, NETWORK).await;
        assert!(matches!(refused, Err(EnrolError::Throttled(_))), "{refused:?}");
        let counted = "SELECT count FROM attempt WHERE scope = 'enrol-network'";
        let counted = async || {
            let mut tx = kits.db.read().await.unwrap();
            run!(&mut tx, c => sqlx::query_scalar::<_, i32>(counted).fetch_one(c)).unwrap()
        };
        let before = counted().await;
        for _ in 0..3 {
            let refused = enrol::nonce(kits, NETWORK).await;
            assert!(matches!(refused, Err(EnrolError::Throttled(_))), "{refused:?}");
        }
        assert_eq!(counted().await, before, "whoever is over the limit is not counted any more");
        enrol::nonce(kits, "198.51.100.1").await.unwrap();
        test.pass(Duration::from_secs(3600));
        enrol::nonce(kits, NETWORK).await.unwrap();
    }
}

#[tokio::test]
async fn one_network_fills_the_quarantine_no_further_than_somebody_looks() {
    for test in each().await {
        let kits = &test.kits;
        let asks = async |key: &Key, network: &'static str| {
            let shown = Proof::OnSiteCode { code: OnSiteCode::make(&kits.random) };
            let answer = enrol::enrol(kits, network, &key.request(&names(9), shown)).await.unwrap();
            assert!(matches!(answer, Answer::Waiting { wait: Wait::UnknownHardware, .. }), "{answer:?}");
            count(kits, "SELECT count(*) FROM enrolment").await
        };
        let first = Key::make();
        assert_eq!(asks(&first, NETWORK).await, 1);
        change(kits, "UPDATE attempt SET count = 200 WHERE scope = 'enrol-unknown'").await;
        assert_eq!(asks(&Key::make(), NETWORK).await, 1, "one too many today");
        assert_eq!(asks(&Key::make(), "198.51.100.1").await, 2);
        test.pass(Duration::from_secs(60));
        assert_eq!(asks(&first, NETWORK).await, 2);
        let newest = "SELECT count(*) FROM enrolment WHERE seen_at > created_at";
        assert_eq!(count(kits, newest).await, 1, "a key that is there is followed");
    }
}

#[tokio::test]
async fn what_has_served_its_time_is_forgotten_and_what_was_decided_stays() {
    for test in each().await {
        let kits = &test.kits;
        manufactured(kits, 1, "factory_secret").await;
        let key = Key::make();
        let proof = key.secret_proof(kits, &names(1)).await;
        enrolled(enrol::enrol(kits, NETWORK, &key.request(&names(1), proof)).await.unwrap());
        let stranger = Key::make();
        let shown = Proof::OnSiteCode { code: OnSiteCode::make(&kits.random) };
        let answer = enrol::enrol(kits, NETWORK, &stranger.request(&names(9), shown)).await.unwrap();
        assert!(matches!(answer, Answer::Waiting { wait: Wait::UnknownHardware, .. }));
        let unusable = Incoming::Message {
            topic: "gl/1/nonsense".into(),
            payload: "x".into(),
            correlation: None,
            certificate: None,
        };
        registrar(kits).take(&[unusable]).await.unwrap();
        let kept = async || {
            (
                count(kits, "SELECT count(*) FROM enrolment").await,
                count(kits, "SELECT count(*) FROM parked_message").await,
            )
        };
        prune::prune(kits).await.unwrap();
        assert_eq!(kept().await, (2, 1));
        test.pass(DAY * 31);
        prune::prune(kits).await.unwrap();
        assert_eq!(kept().await, (1, 0), "the key that was let in stays");
        assert_eq!(count(kits, "SELECT count(*) FROM enrolment WHERE state = 'enrolled'").await, 1);
        assert_eq!(count(kits, "SELECT count(*) FROM enrolment_nonce").await, 0);
    }
}
