//! Live sessions of the real programs, while something goes wrong around them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use gatelodge_tests::{
    agent::AgentSetup,
    chaos::{Chaos, Faults, Setup},
    cloud::{CloudSetup, TestCloud},
    panel::WORDS,
    portal::Hands,
    ports::free_port,
    story::{self, Forward, Mails, Stage},
    wait::{measure_for, wait_until},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const SOON: Duration = Duration::from_secs(120);

/// A session that is open, on a device whose way to the device endpoint may go elsewhere.
async fn open(cloud: TestCloud, folder: &std::path::Path) -> anyhow::Result<(Stage, Forward)> {
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let mut stage = Stage::set(cloud, mails, folder.to_owned(), AgentSetup::default()).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    let forward = story::forward(&mut stage, "panel-web").await?;
    wait_until("the panel answers through the session", SOON, async || Ok(visit(forward.port).await.ok())).await?;
    Ok((stage, forward))
}

/// One connection through the session, there and back.
async fn visit(port: u16) -> anyhow::Result<()> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: panel\r\nconnection: close\r\n\r\n").await?;
    let mut page = String::new();
    tcp.read_to_string(&mut page).await?;
    ensure!(page.contains(WORDS), "the panel says:\n{page}");
    Ok(())
}

async fn database(stage: &Stage) -> anyhow::Result<sqlx::SqlitePool> {
    let file = stage.cloud.data_dir().join("gatelodge.db");
    Ok(sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display())).await?)
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
    let (stage, forward) = open(cloud, folder.path()).await?;
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
