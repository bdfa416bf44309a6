//! A small simulated fleet against the real cloud: what the ledger of receipts has is what the database has.

use std::{collections::BTreeSet, time::Duration};

use gatelodge_cloud::{db::Db, run};
use gatelodge_proto::DeviceId;
use gatelodge_tests::{
    cloud::{CloudSetup, TestCloud},
    database::{Database, Kind},
    fleet::{Fleet, number},
    fsck,
    ledger::AGAIN,
};
use uuid::Uuid;

const WITHIN: Duration = Duration::from_secs(180);

/// Device, start, number and kind of each message.
type Messages = BTreeSet<(DeviceId, Uuid, u64, String)>;

async fn committed(url: &str) -> Messages {
    let db = Db::open(&url.parse().unwrap()).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let rows = run!(&mut tx, c => sqlx::query_as::<_, (Uuid, Uuid, i64, String)>(
        "SELECT device_id, boot_id, seq, kind FROM device_message",
    )
    .fetch_all(c));
    let place = |(device, boot, seq, kind)| (DeviceId::from_uuid(device), boot, u64::try_from(seq).unwrap(), kind);
    let rows = rows.unwrap().into_iter().map(place).collect();
    drop(tx);
    db.close().await;
    rows
}

async fn ledger_and_database_agree(kind: Kind, devices: usize) {
    let Some(database) = Database::fresh(kind).await.unwrap() else { return };
    let url = database.url().to_owned();
    let mut cloud = TestCloud::start(CloudSetup::default().on(database)).await.unwrap();
    let fleet = Fleet::enrolled(&cloud, devices, WITHIN).await.unwrap();
    let count = devices.to_string();

    let storm = fleet.run(["storm", "--devices", &count, "--seed", "1"], WITHIN).await.unwrap();
    assert_eq!(storm["connected"], devices, "{storm}");
    assert_eq!(storm["errors"], 0, "{storm}");
    let by_rate = ["run", "--devices", &count, "--rate", "40", "--seconds", "3", "--seed", "2"];
    let flat_out = ["run", "--devices", &count, "--seconds", "2", "--seed", "3"];
    for verb in [&by_rate[..], &flat_out[..]] {
        let told = fleet.run(verb.iter().copied(), WITHIN).await.unwrap();
        assert!(number(&told, "receipts").unwrap() > 0.0, "{told}");
        for nothing in ["missing", "parked", "failures"] {
            assert_eq!(told[nothing], 0, "{told}");
        }
    }

    let receipts = fleet.receipts().unwrap();
    let first = receipts.iter().filter(|one| one.kind != AGAIN);
    let promised: Messages = first.map(|one| (one.device, one.boot, one.seq, one.kind.clone())).collect();
    cloud.stop().await.unwrap();
    fsck::held_at(&url.parse().unwrap(), vec![fleet.ledger()]).await.unwrap();
    let committed = committed(&url).await;
    let lost: Vec<_> = promised.difference(&committed).collect();
    let untold: Vec<_> = committed.difference(&promised).collect();
    assert!(lost.is_empty() && untold.is_empty(), "promised and not there: {lost:?}; there and not told: {untold:?}");
    assert!(promised.iter().any(|(.., kind)| kind == "report") && promised.iter().any(|(.., kind)| kind == "result"));
}

#[tokio::test]
async fn a_fleets_ledger_is_what_the_database_has() {
    ledger_and_database_agree(Kind::Sqlite, 50).await;
    ledger_and_database_agree(Kind::Postgres, 10).await;
}
