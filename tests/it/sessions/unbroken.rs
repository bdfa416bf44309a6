//! Streams of the real programs while the cloud, the agent or the network dies around them: not one byte is lost or
//! doubled, and whoever ends the session still ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use gatelodge_proto::Random;
use gatelodge_tests::{
    chaos::{Chaos, Direction, Faults, Setup},
    cloud::{CloudSetup, TestCloud},
    ports::free_port,
    story,
    wait::{measure_for, wait_until},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

use super::live::{database, echoes, open};
use crate::data_plane::noise;

const SOON: Duration = Duration::from_secs(180);
pub(crate) const MIB: usize = 1 << 20;

/// Bytes on their way there and back at once, by one connection. The last quarter waits for [`Transfer::ends_whole`],
/// so that a network which is quick all of a sudden ends no transfer before the test has done what it does to it.
pub(crate) struct Transfer {
    length: usize,
    back: Arc<AtomicUsize>,
    rest: Arc<Notify>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Transfer {
    pub(crate) fn start(port: u16, length: usize) -> Self {
        let (back, rest) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
        let task = tokio::spawn(carry(port, length, back.clone(), rest.clone()));
        Self { length, back, rest, task }
    }

    /// Waits until so much is back, at most three quarters of all.
    pub(crate) async fn reaches(&self, bytes: usize) -> anyhow::Result<()> {
        let back = || self.back.load(Ordering::Relaxed);
        let what = format!("{bytes} bytes are back");
        let reached = wait_until(what, SOON, async || {
            Ok((back() >= bytes).then_some(()).or_else(|| self.task.is_finished().then_some(())))
        });
        reached.await.with_context(|| format!("{} are", back()))?;
        ensure!(!self.task.is_finished(), "the transfer broke off");
        Ok(())
    }

    /// Sends what is left, and waits until all is back.
    pub(crate) async fn ends_whole(self) -> anyhow::Result<()> {
        self.rest.notify_one();
        let (back, length) = (self.back, self.length);
        let done = tokio::time::timeout(SOON, self.task).await;
        done.with_context(|| format!("{} of {length} bytes are back", back.load(Ordering::Relaxed)))??
    }
}

async fn carry(port: u16, length: usize, back: Arc<AtomicUsize>, rest: Arc<Notify>) -> anyhow::Result<()> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut reader, mut writer) = tcp.into_split();
    let sent = noise(length as u64, length);
    let expected = Sha256::digest(&sent);
    let write = async {
        let (first, last) = sent.split_at(length / 4 * 3);
        writer.write_all(first).await?;
        rest.notified().await;
        writer.write_all(last).await?;
        writer.shutdown().await
    };
    let read = async {
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
        loop {
            let read = reader.read(&mut buffer).await?;
            if read == 0 {
                return Ok(hash.finalize());
            }
            hash.update(&buffer[..read]);
            back.fetch_add(read, Ordering::Relaxed);
        }
    };
    let ((), hash) = tokio::try_join!(write, read)?;
    ensure!(back.load(Ordering::Relaxed) == length, "{back:?} of {length} bytes came back");
    ensure!(hash == expected, "other bytes came back");
    Ok(())
}

#[tokio::test]
async fn a_transfer_goes_on_when_the_cloud_dies_is_stopped_and_when_the_agent_dies() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let folder = tempfile::tempdir()?;
    let (mut stage, mut forward) = open(cloud, folder.path()).await?;

    let transfer = Transfer::start(forward.port, 24 * MIB);
    transfer.reaches(4 * MIB).await?;
    stage.cloud.kill()?;
    stage.cloud.serve().await?;
    transfer.reaches(12 * MIB).await.with_context(|| format!("the technician:\n{}", forward.process.log()))?;
    stage.cloud.stop().await?;
    stage.cloud.serve().await?;
    transfer.ends_whole().await.with_context(|| format!("the technician:\n{}", forward.process.log()))?;

    let transfer = Transfer::start(forward.port, 24 * MIB);
    transfer.reaches(4 * MIB).await?;
    stage.agent.kill()?;
    transfer.reaches(8 * MIB).await.context("while no agent runs")?;
    stage.agent.run()?;
    transfer.ends_whole().await.with_context(|| format!("the agent:\n{}", stage.agent.log()))?;

    let database = database(&stage).await?;
    let begun = "SELECT count(*) FROM audit_row WHERE what = 'session_opened'";
    ensure!(sqlx::query_scalar::<_, i64>(begun).fetch_one(&database).await? == 1, "it is one session");
    let closed = "SELECT count(*) FROM session_flow WHERE closed_at IS NOT NULL AND bytes_up = 25165824";
    wait_until("both transfers are in the audit", SOON, async || {
        Ok((sqlx::query_scalar::<_, i64>(closed).fetch_one(&database).await? == 2).then_some(()))
    })
    .await?;

    // The agent that was started after the session has it on its page, and its Stop ends it.
    let one = |told: &story::Told| (told.0["sessions"].as_array()?.len() == 1).then_some(());
    stage.agent_says("shows the session it took over", one).await?;
    story::press_stop(&stage, &forward.session).await?;
    let status = forward.process.wait(SOON).await?;
    ensure!(!status.success() && forward.process.log().contains("stopped on the device"), "{}", forward.process.log());
    let ended = "SELECT end_reason FROM remote_session WHERE state = 'ended'";
    let reason = wait_until("the cloud knows", SOON, async || {
        Ok(sqlx::query_scalar::<_, String>(ended).fetch_optional(&database).await?)
    });
    ensure!(reason.await? == "device");
    Ok(())
}

#[tokio::test]
async fn a_transfer_goes_on_over_cut_connections_and_a_silent_network_until_the_customer_says_stop()
-> anyhow::Result<()> {
    const CUTS: u64 = 20;
    let front = free_port()?;
    let mut cloud = TestCloud::prepare(CloudSetup::default().behind(front))?;
    let listen = ([127, 0, 0, 1], front).into();
    let chaos = Chaos::start(Setup { listen, ..Setup::to(format!("127.0.0.1:{}", cloud.https_port())) }).await?;
    cloud.serve().await?;
    let folder = tempfile::tempdir()?;
    let (mut stage, mut forward) = open(cloud, folder.path()).await?;

    let random = Random::seeded(20);
    let transfer = Transfer::start(forward.port, 64 * MIB);
    transfer.reaches(MIB).await?;
    for cut in 0..CUTS {
        let before = chaos.counts().resets();
        let direction = if cut % 2 == 0 { Direction::Up } else { Direction::Down };
        chaos.set(Faults { reset_at: Some((direction, 20_000 + random.below(2_000_000))), ..Faults::default() });
        wait_until("a connection is cut", SOON, async || Ok((chaos.counts().resets() > before).then_some(()))).await?;
    }
    chaos.set(Faults::default());
    ensure!(!transfer.task.is_finished(), "the transfer broke off");
    transfer.ends_whole().await.with_context(|| {
        format!(
            "the technician:\n{}\nthe agent:\n{}\nthe cloud:\n{}",
            forward.process.log(),
            stage.agent.log(),
            stage.cloud.log()
        )
    })?;

    let transfer = Transfer::start(forward.port, 16 * MIB);
    transfer.reaches(MIB).await?;
    chaos.set(Faults { stall_up: true, stall_down: true, ..Faults::default() });
    measure_for(Duration::from_secs(20)).await;
    chaos.set(Faults::default());
    transfer.ends_whole().await.with_context(|| format!("the technician:\n{}", forward.process.log()))?;

    // Whoever is away when the session ends hears why when it comes again.
    let transfer = Transfer::start(forward.port, 64 * MIB);
    transfer.reaches(MIB).await?;
    chaos.set(Faults { stall_up: true, stall_down: true, ..Faults::default() });
    stage.customer.open("/sessions").await?;
    stage.customer.submit(&format!("/sessions/{}/stop", forward.session), &[]).await?;
    chaos.cut();
    chaos.set(Faults::default());
    let status = forward.process.wait(SOON).await?;
    ensure!(
        !status.success() && forward.process.log().contains("the customer pressed Stop"),
        "{}",
        forward.process.log()
    );
    Ok(())
}

#[tokio::test]
async fn a_cloud_without_descriptors_carries_on_what_it_has_and_takes_others_again() -> anyhow::Result<()> {
    const LIMIT: usize = 300;
    let mut cloud = TestCloud::prepare(CloudSetup::default())?;
    let limited = |command: std::process::Command| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {LIMIT} && exec \"$@\""), "sh"]);
        shell.arg(command.get_program()).args(command.get_args());
        shell
    };
    cloud.serve_under(limited).await?;
    let folder = tempfile::tempdir()?;
    let (stage, forward) = open(cloud, folder.path()).await?;
    let transfer = Transfer::start(forward.port, 24 * MIB);
    transfer.reaches(MIB).await?;
    let mut held = Vec::new();
    for _ in 0..LIMIT {
        held.push(TcpStream::connect(("127.0.0.1", stage.cloud.https_port())).await?);
    }
    let id = stage.cloud.id().context("the cloud runs")?;
    let full = wait_until("the cloud has no descriptor left", SOON, async || {
        Ok((std::fs::read_dir(format!("/proc/{id}/fd"))?.count() >= LIMIT - 2).then_some(()))
    });
    full.await?;
    transfer.ends_whole().await.context("the session that was there")?;
    echoes(forward.port).await.context("a new stream of it")?;
    drop(held);
    let again = wait_until("others are taken again", SOON, async || {
        Ok(stage.technician.run(["sessions", "--json"]).await?.ok().ok())
    });
    ensure!(again.await?.contains(&forward.session), "the session is listed");
    Ok(())
}
