//! `kill -9` of the agent at drawn moments, enrolment included: one key and one identity from its first moment on,
//! and what stood in its outbox reaches the cloud.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use gatelodge_agent::{
    outbox::Outbox,
    state::{Holding, read_holding},
};
use gatelodge_cloud::run;
use gatelodge_proto::{
    Random,
    payload::Correlation,
    topics::{Topic, Up},
};
use uuid::Uuid;

use super::Length;
use crate::{
    agent::TestAgent,
    cloud::CloudSetup,
    site::Site,
    story::Told,
    wait::{measure_for, wait_until},
};

/// How long the agent lives in a round, at most.
const LONGEST_LIFE_MS: u64 = 900;

/// Plays it.
pub async fn play(length: Length) -> anyhow::Result<String> {
    let random = Random::seeded(length.seed);
    let mut site = Site::open(CloudSetup::default()).await?;
    let unit = site.one().await?;
    let mut agent = TestAgent::prepare(&site.cloud, unit.setup()?)?;
    let (mut key, mut promised) = (None, BTreeMap::new());
    for round in 1..=length.rounds {
        let mut killed = async || {
            agent.run()?;
            measure_for(Duration::from_millis(random.below(LONGEST_LIFE_MS))).await;
            agent.kill()?;
            look(&agent, &mut key, &mut promised)
        };
        killed().await.with_context(|| format!("round {round}, seed {}", length.seed))?;
    }
    agent.run()?;
    let settled = wait_until("the agent is online and has all its receipts", Duration::from_secs(60), async || {
        let said = agent.say(["status", "--json"]).await?.ok()?;
        Ok(Told(serde_json::from_str(&said)?).is_settled().then_some(()))
    });
    settled.await.with_context(|| format!("seed {}; the agent wrote:\n{}", length.seed, agent.log()))?;
    agent.kill()?;
    look(&agent, &mut key, &mut promised)?;

    let db = site.db().await?;
    let mut tx = db.read().await?;
    let rows: Vec<(Uuid, i64)> =
        run!(&mut tx, c => sqlx::query_as("SELECT boot_id, seq FROM device_message").fetch_all(c))?;
    let identities: i64 =
        run!(&mut tx, c => sqlx::query_scalar("SELECT count(DISTINCT key_thumbprint) FROM certificate").fetch_one(c))?;
    let newest: Option<i64> = run!(&mut tx, c => sqlx::query_scalar("SELECT report_boot FROM device").fetch_one(c))?;
    drop(tx);
    db.close().await;
    site.whole().await.with_context(|| format!("seed {}", length.seed))?;
    ensure!(identities == 1, "{identities} keys of one device got certificates, seed {}", length.seed);
    // Of reports only the newest waits: each start's makes room for itself.
    for message in promised.iter().filter(|(_, is_report)| !**is_report).map(|(message, _)| message) {
        let came = rows.iter().any(|(boot, seq)| *boot == message.0 && u64::try_from(*seq) == Ok(message.1));
        ensure!(came, "{}:{} stood in the outbox and never came, seed {}", message.0, message.1, length.seed);
    }
    ensure!(newest == Some(starts(&agent)?), "the newest report is of start {newest:?}, seed {}", length.seed);
    ensure!(!rows.is_empty(), "the agent never lived long enough to say anything");
    Ok(format!("{} kills, {} messages promised, {} came, one key", length.rounds, promised.len(), rows.len()))
}

/// A message's start and place, and whether it reports.
type Promised = BTreeMap<(Uuid, u64), bool>;

/// How often the agent says it has started.
fn starts(agent: &TestAgent) -> anyhow::Result<i64> {
    let counter: serde_json::Value = serde_json::from_slice(&std::fs::read(agent.state_dir().join("boot.json"))?)?;
    counter["boot"].as_i64().context("boot.json has no count")
}

fn look(agent: &TestAgent, key: &mut Option<[u8; 32]>, promised: &mut Promised) -> anyhow::Result<()> {
    let state = agent.state_dir();
    if !state.exists() {
        ensure!(key.is_none(), "the state folder is gone");
        return Ok(());
    }
    let now = match read_holding(&state)? {
        None => None,
        Some(Holding::Key { key } | Holding::Enrolled { key, .. }) => Some(key.thumbprint()?),
        Some(Holding::Retired) => anyhow::bail!("the device is retired"),
    };
    ensure!(key.is_none() || *key == now, "the key is another one, or gone");
    *key = now;
    for entry in Outbox::open(&state).context("the outbox cannot be read")?.entries() {
        let Correlation { boot_id, seq } = entry.correlation();
        let is_report = matches!(entry.topic(), Some(Topic::Up(_, Up::Report)));
        promised.entry((boot_id, seq)).or_insert(is_report);
    }
    Ok(())
}
