//! One key in two machines.

use std::time::Duration;

use gatelodge_cloud::{
    devices::{prune, service},
    kits::Kits,
    mqtt::{Incoming, Intake as _},
    run,
};
use gatelodge_proto::{
    DeviceId,
    payload::{self, Status},
    topics::{Topic, Up},
};
use uuid::Uuid;

use super::{Key, audited, each, enrolled, manufactured, names, registrar};
use crate::cast;

/// The device connects under this start.
async fn connects(kits: &Kits, device: DeviceId, start: u128) {
    let status = Incoming::Message {
        topic: Topic::Up(device, Up::Status).to_string(),
        payload: payload::encode(&Status { online: true, boot_id: Uuid::from_u128(start) }).into(),
        correlation: None,
        certificate: None,
    };
    registrar(kits).take(&[status]).await.unwrap();
}

async fn told(kits: &Kits, device: DeviceId) -> (i64, i64, bool) {
    let mut tx = kits.db.read().await.unwrap();
    let mails = "SELECT COUNT(*) FROM job WHERE kind = 'device_mail_doubled'";
    let mails = run!(&mut tx, c => sqlx::query_scalar::<_, i64>(mails).fetch_one(c)).unwrap();
    let shown = service::is_doubled(&mut tx, device).await.unwrap();
    drop(tx);
    (audited(kits, "device_doubled").await, mails, shown)
}

#[tokio::test]
async fn two_machines_with_one_key_are_told_once_until_it_is_settled() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        enrolled(Key::make().enrol_by_secret(kits, &names(1)).await.unwrap());
        // Restarts, and one message that came late.
        for start in [1, 1, 2, 3, 2, 3, 4, 5] {
            connects(kits, id, start).await;
            test.pass(Duration::from_secs(60));
        }
        assert_eq!(told(kits, id).await, (0, 0, false));
        test.pass(Duration::from_secs(3600));
        for start in [6, 5, 6, 5, 6, 5, 6] {
            connects(kits, id, start).await;
            test.pass(Duration::from_secs(60));
        }
        assert_eq!(told(kits, id).await, (1, 1, true));
        prune::prune(kits).await.unwrap();
        assert!(told(kits, id).await.2, "not settled within minutes");
        test.pass(Duration::from_secs(86_400));
        prune::prune(kits).await.unwrap();
        assert_eq!(told(kits, id).await, (1, 1, false));
        for start in [5, 6, 5, 6] {
            connects(kits, id, start).await;
        }
        assert_eq!(told(kits, id).await, (2, 2, true), "another time is told anew");
    }
}

#[tokio::test]
async fn a_newly_approved_key_is_in_one_machine_until_it_shows_otherwise() {
    for cast in cast::on_each().await.unwrap() {
        let kits = cast.kits();
        let vendor = cast.vendor().await.unwrap();
        let id = manufactured(kits, 1, "factory_secret").await.id;
        enrolled(Key::make().enrol_by_secret(kits, &names(1)).await.unwrap());
        for start in [5, 6, 5, 6, 5, 6] {
            connects(kits, id, start).await;
        }
        assert_eq!(told(kits, id).await, (1, 1, true));
        let replacement = Key::make();
        replacement.enrol_by_secret(kits, &names(1)).await.unwrap();
        let mut tx = kits.db.read().await.unwrap();
        let (waiting, _) = service::quarantine(&mut tx).await.unwrap().remove(0);
        drop(tx);
        service::approve(kits, &vendor, waiting.id).await.unwrap();
        assert_eq!(told(kits, id).await, (1, 1, false));
    }
}
