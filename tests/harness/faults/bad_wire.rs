//! A bad wire between devices and cloud: messages that come twice and out of order, connections that are reset, and a
//! wire that is cut without a word.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use gatelodge_cloud::run;
use gatelodge_proto::Random;

use super::Length;
use crate::{
    agent::TestAgent,
    chaos::{Chaos, Faults, Pem, Setup, Termination},
    cloud::{CloudSetup, TestCloud},
    ports::free_port,
    site::Site,
    speaker::Speaker,
    story::Told,
    wait::{measure_for, wait_until},
};

/// The agent's keep-alive (`link::Settings::device`).
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(120);

/// Messages of several devices come twice and out of order, both ways, and in each round every connection is reset.
pub async fn shuffled(length: Length) -> anyhow::Result<String> {
    let random = Random::seeded(length.seed);
    let mut site = Site::open(CloudSetup::default()).await?;
    let keys = site.cloud.data_dir().join("keys");
    let read = |name: &str| std::fs::read_to_string(keys.join(name)).with_context(|| format!("cannot read {name}"));
    let (chain, key, ca) = (read("server.pem")?, read("server.key")?, read("server-ca.pem")?);
    let shown = Pem { chain: &chain, key: &key };
    let mut devices = Vec::new();
    for unit in site.make(3).await? {
        let speaker = Speaker::enrol(&site, unit, &random).await?;
        let (own_chain, own_key) = speaker.identity()?;
        let own = Pem { chain: &own_chain, key: &own_key };
        let chaos = Chaos::start(Setup {
            mqtt: true,
            tls: Some(Termination::new(shown, own, &ca, "localhost")?),
            seed: random.below(u64::MAX),
            faults: Faults { duplicate_percent: 30, reorder: 6, ..Faults::default() },
            ..Setup::to(format!("127.0.0.1:{}", site.cloud.mqtt_port()))
        })
        .await?;
        let speaking = speaker.by_way_of(chaos.address()).speak()?;
        devices.push((chaos, speaking));
    }
    for _ in 0..length.rounds {
        measure_for(Duration::from_millis(500 + random.below(1000))).await;
        for (chaos, _) in &devices {
            chaos.cut();
        }
    }
    let (mut receipts, mut duplicated, mut reordered, mut resets) = (0, 0, 0, 0);
    let db = site.db().await?;
    for (chaos, speaking) in &mut devices {
        speaking.settle(SOON).await.with_context(|| format!("seed {}", length.seed))?;
        receipts += speaking.audit(&db).await.with_context(|| format!("seed {}", length.seed))?;
        duplicated += chaos.counts().duplicated();
        reordered += chaos.counts().reordered();
        resets += chaos.counts().resets();
    }
    db.close().await;
    ensure!(resets > 0, "no connection was reset");
    ensure!(duplicated > 0 && reordered > 0, "{duplicated} messages came twice, {reordered} late: that shows nothing");
    Ok(format!("{receipts} receipts; {duplicated} messages came twice and {reordered} late, nothing was done twice"))
}

/// The wire of a real agent is cut without a word: how long it is still shown as there.
pub async fn cut() -> anyhow::Result<String> {
    let port = free_port()?;
    let mut cloud = TestCloud::prepare(CloudSetup::default().set("mqtt.public", &format!("\"localhost:{port}\"")))?;
    let chaos = Chaos::start(Setup {
        listen: ([127, 0, 0, 1], port).into(),
        ..Setup::to(format!("127.0.0.1:{}", cloud.mqtt_port()))
    })
    .await?;
    cloud.serve().await?;
    let mut site = Site::around(cloud).await?;
    let unit = site.one().await?;
    let agent = TestAgent::start(&site.cloud, unit.setup()?)?;
    wait_until("the agent is online", SOON, async || {
        let said = agent.say(["status", "--json"]).await?.ok()?;
        Ok(Told(serde_json::from_str(&said)?).is_settled().then_some(()))
    })
    .await?;
    let db = site.db().await?;
    let is_online = async || -> anyhow::Result<bool> {
        let mut tx = db.read().await?;
        Ok(run!(&mut tx, c => sqlx::query_scalar("SELECT online FROM device").fetch_one(c))?)
    };
    wait_until("the device is shown as there", SOON, async || Ok(is_online().await?.then_some(()))).await?;

    chaos.set(Faults { stall_up: true, stall_down: true, ..Faults::default() });
    let began = Instant::now();
    let promised = KEEP_ALIVE * 3 / 2 + Duration::from_secs(5);
    wait_until("the device is shown as away", promised, async || Ok((!is_online().await?).then_some(()))).await?;
    let away_after = began.elapsed();
    chaos.set(Faults::default());
    wait_until("the device is shown as there again", SOON, async || Ok(is_online().await?.then_some(()))).await?;
    db.close().await;
    Ok(format!("shown as away {away_after:.0?} after the cut, of {promised:?} promised; back by itself"))
}
