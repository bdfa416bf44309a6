//! Agents by a calendar that is wrong, and certificates that have ended while their device was away.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use gatelodge_agent::state::{Holding, Leaf, StateDir, read_holding};
use gatelodge_cloud::run;
use gatelodge_proto::Random;

use crate::{
    agent::TestAgent,
    cloud::CloudSetup,
    faketime::Faketime,
    site::{Site, Unit},
    speaker::Speaker,
    wait::wait_until,
};

const ONLINE_WITHIN: Duration = Duration::from_secs(60);

/// Enrols and connects by a calendar that is shifted so; then starts once more. `None` when this machine lacks a part.
pub async fn calendar(shift: &str) -> anyhow::Result<Option<String>> {
    let Some(faketime) = Faketime::find("an agent whose clock is wrong")? else { return Ok(None) };
    let mut site = Site::open(CloudSetup::default()).await?;
    let unit = site.one().await?;
    let mut agent = TestAgent::prepare(&site.cloud, unit.setup()?)?;
    for start in 1..=2 {
        agent.run_as(shifted(&faketime, &agent, shift)?)?;
        online(&agent).await.with_context(|| format!("start {start} at {shift}"))?;
        agent.kill()?;
    }
    Ok(Some(format!("at {shift}: enrolled, online, and online again after a restart")))
}

/// A device that comes back so many days after it enrolled; whether it has to prove itself anew. `None` when this
/// machine lacks a part.
pub async fn away(days: u32) -> anyhow::Result<Option<bool>> {
    let Some(faketime) = Faketime::find("a certificate that has ended")? else { return Ok(None) };
    let mut site = Site::open(CloudSetup::default()).await?;
    let unit = site.one().await?;
    // Without the secret of its factory, as a device that proved itself by a code long ago.
    let setup = Unit { secret: [0; 32], ..unit.clone() }.setup()?;
    let mut agent = TestAgent::prepare(&site.cloud, setup)?;
    let speaker = Speaker::enrol(&site, unit, &Random::system()).await?;
    let held = speaker.into_holding();
    let key = key(&held)?;
    StateDir::open(&agent.state_dir())?.hold(&held)?;
    let first = serial(&agent)?;

    let shift = format!("+{days}d");
    site.cloud.stop().await?;
    site.cloud
        .serve_under(|mut command| {
            faketime.dress(&mut command, &shift);
            command
        })
        .await?;
    agent.run_as(shifted(&faketime, &agent, &shift)?)?;
    let settled = wait_until("the device is online or has to prove itself", ONLINE_WITHIN, async || {
        if is_online(&agent).await {
            return Ok(Some(false));
        }
        let refused = agent.log().contains("released: forgetting the owner");
        Ok(refused.then_some(true))
    });
    let anew = settled.await.with_context(|| format!("the agent wrote:\n{}", agent.log()))?;
    agent.kill()?;
    if !anew {
        let now = read_holding(&agent.state_dir())?.context("the device holds nothing")?;
        ensure!(self::key(&now)? == key, "the device came back with another key");
        ensure!(serial(&agent)? != first, "the device came back with the certificate that has ended");
    }
    Ok(Some(anew))
}

/// The state of one device is copied into another machine: the evidence is kept, and the row stays the first one's.
pub async fn copied() -> anyhow::Result<String> {
    let mut site = Site::open(CloudSetup::default()).await?;
    let units = site.make(2).await?;
    let mut first = TestAgent::start(&site.cloud, units[0].setup()?)?;
    online(&first).await?;
    first.kill()?;
    let second = TestAgent::prepare(&site.cloud, units[1].setup()?)?;
    copy(&first.state_dir(), &second.state_dir())?;
    let mut both = [first, second];
    for agent in &mut both {
        agent.run()?;
    }
    let db = site.db().await?;
    let conflicts = async || -> anyhow::Result<i64> {
        let mut tx = db.read().await?;
        Ok(run!(&mut tx, c => sqlx::query_scalar("SELECT count(*) FROM audit_row WHERE what = 'device_conflict'")
            .fetch_one(c))?)
    };
    wait_until("the second machine is noted", ONLINE_WITHIN, async || Ok((conflicts().await? > 0).then_some(())))
        .await
        .with_context(|| format!("the second machine wrote:\n{}", both[1].log()))?;
    let mut tx = db.read().await?;
    let reported: String = run!(&mut tx, c => sqlx::query_scalar("SELECT report FROM device WHERE report IS NOT NULL")
        .fetch_one(c))?;
    drop(tx);
    db.close().await;
    ensure!(reported.contains(units[0].serial.as_str()), "the row took the second machine's report: {reported}");
    Ok("the second machine is noted as evidence, and the row stays the first one's".into())
}

fn shifted(faketime: &Faketime, agent: &TestAgent, shift: &str) -> anyhow::Result<Command> {
    let mut command = agent.command(["run"])?;
    faketime.dress(&mut command, shift);
    Ok(command)
}

fn key(holding: &Holding) -> anyhow::Result<[u8; 32]> {
    match holding {
        Holding::Key { key } | Holding::Enrolled { key, .. } => Ok(key.thumbprint()?),
        Holding::Retired => anyhow::bail!("the device is retired"),
    }
}

fn serial(agent: &TestAgent) -> anyhow::Result<String> {
    match read_holding(&agent.state_dir())? {
        Some(Holding::Enrolled { credentials, .. }) => Ok(Leaf::read(&credentials.chain)?.serial.to_string()),
        other => anyhow::bail!("the device holds no certificate: {other:?}"),
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> anyhow::Result<()> {
    drop(StateDir::open(to)?);
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().context("a file has a name")?;
        // Folders hold what belongs to a running agent: its sessions, its places.
        if path.is_file() {
            std::fs::copy(&path, to.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

async fn online(agent: &TestAgent) -> anyhow::Result<()> {
    let online = wait_until("the agent is online", ONLINE_WITHIN, async || Ok(is_online(agent).await.then_some(())));
    online.await.with_context(|| format!("the agent wrote:\n{}", agent.log()))
}

async fn is_online(agent: &TestAgent) -> bool {
    agent.told().await.is_ok_and(|told| told.is_settled())
}
