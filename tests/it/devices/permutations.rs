//! The same messages in any order, any number of times and in any grouping leave the same state: the newest by the
//! device's own count.

use gatelodge_cloud::{kits::Kits, mqtt::Incoming, mqtt::Intake as _, run};
use gatelodge_proto::{
    DeviceId, Random, Timestamp,
    identity::OnSiteCode,
    payload::{self, Event, Happening, Placed, Position, Report},
    topics::{Topic, Up},
};
use proptest::{collection::vec, prelude::*, sample::subsequence, test_runner::TestRunner};
use serde::Serialize;
use uuid::Uuid;

use super::{Key, catalogue, device, each, enrolled, import, names, registrar, row};

const CASES: u32 = 48;

/// One message of a trace: its start, its place in it, and whether it reports.
type Said = (u64, u64, bool);

fn traces() -> impl Strategy<Value = Vec<Said>> {
    let places: Vec<(u64, u64)> = (1..=3).flat_map(|boot| (1..=5).map(move |seq| (boot, seq))).collect();
    let count = places.len();
    (subsequence(places, 1..=count), any::<u16>()).prop_map(|(places, kinds)| {
        let kind = |place: usize| kinds >> place & 1 == 0;
        places.into_iter().enumerate().map(|(place, (boot, seq))| (boot, seq, kind(place))).collect()
    })
}

/// A trace, and as indices into it what arrives: all of it at least once, in some order, in groups of some sizes.
fn deliveries() -> impl Strategy<Value = (Vec<Said>, Vec<usize>, Vec<usize>)> {
    traces().prop_flat_map(|trace| {
        let count = trace.len();
        let arrivals =
            vec(0..count, 0..count).prop_map(move |again| (0..count).chain(again).collect::<Vec<_>>()).prop_shuffle();
        (Just(trace), arrivals, vec(1_usize..6, 1..40))
    })
}

fn said(kits: &Kits, n: u8, device: DeviceId, (boot, seq, is_report): Said) -> Incoming {
    let position = Position { boot, boot_id: Uuid::from_u128(u128::from(n) << 64 | u128::from(boot)), seq };
    let placed = |kind, body: &dyn erased::Body| Incoming::Message {
        topic: Topic::Up(device, kind).to_string(),
        payload: body.placed(position).into(),
        correlation: Some(position.into()),
        certificate: None,
    };
    if !is_report {
        let code = OnSiteCode::make(&Random::seeded(boot << 16 | seq));
        return placed(Up::Event, &Event { at: kits.now(), what: Happening::OnSiteCodeShown { code } });
    }
    let names = names(n);
    placed(
        Up::Report,
        &Report {
            id_code: Some(names.id_code),
            mac: names.mac,
            serial: names.serial,
            serial_source: "factory".into(),
            model: "AX".into(),
            firmware: format!("{boot}.{seq}"),
            agent_version: "0.1.0".into(),
            observed_at: Timestamp::from_seconds(1_800_000_000),
            epoch: 1,
            interfaces: Vec::new(),
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            profiles: Vec::new(),
        },
    )
}

mod erased {
    use super::{Placed, Position, Serialize, payload};

    /// A message's body, whichever it is.
    pub(super) trait Body {
        fn placed(&self, position: Position) -> Vec<u8>;
    }

    impl<T: Serialize> Body for T {
        fn placed(&self, position: Position) -> Vec<u8> {
            payload::encode(&Placed { position, body: self })
        }
    }
}

async fn count(kits: &Kits, statement: &'static str, device: DeviceId) -> usize {
    let mut tx = kits.db.read().await.unwrap();
    let count: i64 = run!(&mut tx, c => sqlx::query_scalar(statement).bind(device.uuid()).fetch_one(c)).unwrap();
    usize::try_from(count).unwrap()
}

#[test]
fn every_permutation_of_the_same_messages_leaves_the_same_state() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let all = runtime.block_on(each());
    for test in &all {
        let kits = &test.kits;
        runtime.block_on(catalogue(kits));
        let number = std::cell::Cell::new(0_u8);
        let mut runner = TestRunner::new(ProptestConfig { cases: CASES, max_shrink_iters: 100, ..Default::default() });
        let outcome = runner.run(&deliveries(), |(trace, arrivals, groups)| {
            let n = number.get() + 1;
            number.set(n);
            runtime.block_on(async {
                import(kits, &[row(&names(n), "factory_secret")]).await;
                let id = device(kits, &names(n)).await.id;
                enrolled(Key::make().enrol_by_secret(kits, &names(n)).await.unwrap());
                let mut rest = &arrivals[..];
                for size in groups.iter().cycle() {
                    let (group, later) = rest.split_at((*size).min(rest.len()));
                    let group: Vec<_> = group.iter().map(|place| said(kits, n, id, trace[*place])).collect();
                    registrar(kits).take(&group).await.unwrap();
                    rest = later;
                    if rest.is_empty() {
                        break;
                    }
                }
                let newest = trace.iter().filter(|(.., is_report)| *is_report).max();
                let expected = newest.map(|(boot, seq, _)| format!("{boot}.{seq}"));
                let found = device(kits, &names(n)).await.report.map(|report| report.firmware);
                prop_assert_eq!(found, expected);
                let events = trace.iter().filter(|(.., is_report)| !is_report).count();
                let messages = "SELECT count(*) FROM device_message WHERE device_id = $1";
                prop_assert_eq!(count(kits, messages, id).await, trace.len());
                prop_assert_eq!(
                    count(kits, "SELECT count(*) FROM on_site_code WHERE device_id = $1", id).await,
                    events
                );
                Ok(())
            })
        });
        outcome.unwrap();
    }
}
