//! The real services, on real databases, against small reference models: any sequence of acts leads both to the same
//! answers and the same rows, and leaves a database in which `fsck` finds nothing. A model shares no code with what it
//! is held against, and no clock but the one it moves.
//!
//! `PROPTEST_CASES` sets how many sequences are played (256 on SQLite, a sixteenth of it on PostgreSQL). What once failed
//! is in `proptest-regressions` and is played first.

mod activation;
mod device;
mod session;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Mutex, OnceLock},
};

use gatelodge_tests::{
    database::{Database, Kind},
    fsck,
    kits::TestKits,
};
use proptest::{
    strategy::Strategy,
    test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner},
};
use tokio::runtime::Runtime;

use crate::{
    cast::{Cast, Prop},
    devices::{Key, catalogue, device, enrolled, import, names, row},
};

/// Of so many cases on SQLite one is played on PostgreSQL.
const FEWER: u32 = 16;

/// So many cases go everywhere.
const WHOLE: u32 = 256;

/// What every case begins with: a copy of one database, so that a case costs little and repeats itself exactly.
struct Beginning {
    test: TestKits,
    database: Database,
}

impl Beginning {
    /// The catalogue and so many devices in the inventory.
    async fn on(kind: Kind, devices: u8) -> anyhow::Result<Option<Self>> {
        let Some(test) = TestKits::on(kind).await? else { return Ok(None) };
        catalogue(&test.kits).await;
        let rows: Vec<_> = (1..=devices).map(|n| row(&names(n), "factory_secret")).collect();
        import(&test.kits, &rows).await;
        test.kits.db.close().await;
        let database = test.database.copy().await?;
        Ok(Some(Self { test, database }))
    }

    async fn cast(&self) -> anyhow::Result<Cast> {
        Cast::on(self.test.over(self.database.copy().await?).await?).await
    }
}

/// What sequences led to, and how often. A model that is never led where things get difficult shows nothing.
#[derive(Debug, Default)]
struct Paths(Mutex<BTreeMap<String, u32>>);

impl Paths {
    /// Something came about.
    fn reach(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }
}

/// Plays sequences of acts; each must agree with its model and leave the database whole, and together they must come by
/// each of `paths`.
fn play<A: Debug>(
    name: &'static str,
    kind: Kind,
    devices: u8,
    acts: impl Strategy<Value = A>,
    paths: &[&str],
    case: &impl AsyncFn(&Cast, &A, &Paths) -> anyhow::Result<()>,
) {
    let runtime = Runtime::new().unwrap();
    let Some(beginning) = runtime.block_on(Beginning::on(kind, devices)).unwrap() else { return };
    let (default, reached) = (Config::default(), Paths::default());
    let mut runner = TestRunner::new(Config {
        cases: match kind {
            Kind::Sqlite => default.cases,
            Kind::Postgres => default.cases.div_ceil(FEWER),
        },
        max_shrink_iters: 300,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(name))),
        ..default
    });
    let outcome = runner.run(&acts, |acts| {
        let played = runtime.block_on(async {
            let cast = beginning.cast().await?;
            case(&cast, &acts, &reached).await?;
            fsck::whole(cast.kits()).await?;
            cast.kits().db.close().await;
            anyhow::Ok(())
        });
        played.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    if let Err(failure) = outcome {
        panic!("on {kind}: {failure}");
    }
    let reached = reached.0.into_inner().unwrap();
    let missed: Vec<_> = paths.iter().filter(|path| !reached.contains_key(**path)).collect();
    // A few sequences cannot go everywhere.
    assert!(missed.is_empty() || runner.config().cases < WHOLE, "never came by {missed:?}, only by {reached:?}");
}

/// Keys that devices make; a key costs more than a case.
fn key(place: usize) -> &'static Key {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..4).map(|_| Key::make()).collect())[place]
}

/// A device of the inventory.
async fn prop(cast: &Cast, n: u8) -> Prop {
    let names = names(n);
    Prop { id: device(cast.kits(), &names).await.id, id_code: names.id_code, mac: names.mac }
}

/// A device of the inventory that has enrolled with a key of its own.
async fn enrolled_prop(cast: &Cast, n: u8) -> Prop {
    let prop = prop(cast, n).await;
    enrolled(key(usize::from(n)).enrol_by_secret(cast.kits(), &names(n)).await.unwrap());
    prop
}
