//! Live sessions of the real programs, while something goes wrong around them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    agent::AgentSetup,
    chaos::{Chaos, Faults, Setup},
    cloud::{CloudSetup, TestCloud},
    panel::WORDS,
    ports::free_port,
    story::{self, Told},
    wait::{measure_for, wait_until},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::sessions::live::{answers, database, echoes, open, ready};

const SOON: Duration = Duration::from_secs(120);

/// One connection through the session, there and back.
async fn visit(port: u16) -> anyhow::Result<()> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: panel\r\nconnection: close\r\n\r\n").await?;
    let mut page = String::new();
    tcp.read_to_string(&mut page).await?;
    ensure!(page.contains(WORDS), "the panel says:\n{page}");
    Ok(())
}

#[tokio::test]
async fn targets_wait_while_a_device_cannot_tell_of_them_and_no_row_is_lost() -> anyhow::Result<()> {
    // More rows than an outbox keeps, by far.
    const VISITS: usize = 700;
    let port = free_port()?;
    let mut cloud = TestCloud::prepare(CloudSetup::default().set("mqtt.public", &format!("\"localhost:{port}\"")))?;
    let chaos = Chaos::start(Setup {
        listen: ([127, 0, 0, 1], port).into(),
        ..Setup::to(format!("127.0.0.1:{}", cloud.mqtt_port()))
    })
    .await?;
    cloud.serve().await?;
    let folder = tempfile::tempdir()?;
    let mut stage = ready(cloud, folder.path(), AgentSetup::default()).await?;
    let forward = story::forward(&mut stage, "panel-web").await?;
    wait_until("the panel answers through the session", SOON, async || Ok(visit(forward.port).await.ok())).await?;
    let database = database(&stage).await?;
    let rows = async || -> anyhow::Result<i64> {
        let closed = "SELECT count(*) FROM session_flow WHERE closed_at IS NOT NULL AND outcome = 'opened'";
        Ok(sqlx::query_scalar(closed).fetch_one(&database).await?)
    };
    let before = wait_until("the first row is there", SOON, async || Ok(Some(rows().await?).filter(|rows| *rows > 0)));
    let before = before.await?;

    chaos.set(Faults { stall_up: true, stall_down: true, ..Faults::default() });
    let done = Arc::new(AtomicUsize::new(0));
    let visits = tokio::spawn({
        let (done, port) = (done.clone(), forward.port);
        async move {
            while done.load(Ordering::Relaxed) < VISITS {
                visit(port).await?;
                done.fetch_add(1, Ordering::Relaxed);
                // A device opens fifty targets a second and no more.
                measure_for(Duration::from_millis(25)).await;
            }
            anyhow::Ok(())
        }
    });
    wait_until("the targets wait, or all were visited", SOON, async || {
        let seen = done.load(Ordering::Relaxed);
        measure_for(Duration::from_secs(2)).await;
        Ok((done.load(Ordering::Relaxed) == seen).then_some(()))
    })
    .await?;
    chaos.set(Faults::default());
    visits.await??;
    wait_until("every target is in the audit", SOON, async || {
        let all = before + i64::try_from(VISITS)?;
        Ok((rows().await? == all).then_some(()))
    })
    .await?;
    Ok(())
}

/// The device has no session any more.
fn none_left(told: &Told) -> Option<()> {
    told.0["sessions"].as_array()?.is_empty().then_some(())
}

#[tokio::test]
async fn a_grant_ends_on_the_device_by_itself_while_the_cloud_and_its_relay_are_away() -> anyhow::Result<()> {
    let setup = AgentSetup {
        environment: vec![("GATELODGE_AGENT_LOG".into(), "info,gatelodge_agent::session=debug".into())],
        ..AgentSetup::default()
    };
    let folder = tempfile::tempdir()?;
    let mut stage = ready(TestCloud::start(CloudSetup::default()).await?, folder.path(), setup).await?;
    let port = free_port()?;
    let place = format!("{port}:panel-echo");
    let verb = ["forward", "villa-rosa", &place, "--minutes", "1", "--reason", "a short look"];
    let process = stage.technician.start(verb)?;
    story::allow(&mut stage).await?;
    answers(port).await.with_context(|| process.log())?;
    // A connection that would stay for as long as it may.
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.write_all(b"?").await?;
    ensure!(tcp.read_u8().await? == b'?');

    stage.cloud.kill()?;
    ensure!(none_left(&stage.agent_status().await?).is_none(), "an outage alone ends nothing");
    let ended = wait_until("the device ends it", SOON, async || Ok(none_left(&stage.agent_status().await?)));
    ended.await.with_context(|| stage.agent.log())?;
    let log = stage.agent.log();
    let word = log.lines().find(|line| line.contains("the session process is done"));
    ensure!(word.is_some_and(|line| line.contains("expired")), "it ended otherwise:\n{log}");

    stage.cloud.serve().await?;
    let database = database(&stage).await?;
    let told = "SELECT count(*) FROM session_flow WHERE closed_at IS NOT NULL AND bytes_up = 1";
    wait_until("both histories have its connections to their end", SOON, async || {
        Ok((sqlx::query_scalar::<_, i64>(told).fetch_one(&database).await? == 2).then_some(()))
    })
    .await?;
    let reason = "SELECT end_reason FROM remote_session WHERE state = 'ended'";
    ensure!(sqlx::query_scalar::<_, String>(reason).fetch_one(&database).await? == "expired");
    Ok(())
}

/// The device's own switch, which the agent reads when it starts.
fn switch_off(folder: &Path) -> anyhow::Result<()> {
    let settings = folder.join("agent/agent.toml");
    let text = std::fs::read_to_string(&settings)? + "\n[remote_access]\nenabled = false\n";
    Ok(std::fs::write(&settings, text)?)
}

#[tokio::test]
async fn the_device_s_own_switch_ends_what_is_live_and_lets_nobody_in_with_the_cloud_away() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut stage, mut forward) = open(TestCloud::start(CloudSetup::default()).await?, folder.path()).await?;
    stage.cloud.kill()?;
    switch_off(folder.path())?;
    ensure!(none_left(&stage.agent_status().await?).is_none(), "an outage alone ends nothing");
    stage.agent.kill()?;
    stage.agent.run()?;
    stage.agent_says("has no session any more, and asks no cloud about it", none_left).await?;
    let said = stage.agent.say(["status"]).await?.ok()?;
    ensure!(said.contains("own switch: remote access is off"), "{said}");
    stage.cloud.serve().await?;
    let status = forward.process.wait(SOON * 3).await.with_context(|| forward.process.log())?;
    ensure!(!status.success(), "{}", forward.process.log());
    Ok(())
}

#[tokio::test]
async fn remote_access_that_is_switched_off_on_the_device_ends_what_is_live() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut stage, mut forward) = open(TestCloud::start(CloudSetup::default()).await?, folder.path()).await?;
    switch_off(folder.path())?;
    echoes(forward.port).await.context("settings are read when the agent starts")?;
    stage.agent.kill()?;
    stage.agent.run()?;
    let status = forward.process.wait(SOON).await?;
    ensure!(!status.success() && forward.process.log().contains("stopped on the device"), "{}", forward.process.log());
    stage.agent_says("has no session any more", none_left).await
}
