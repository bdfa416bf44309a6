//! The real programs as far as a session can be asked for, for whatever happens to it next.

use std::{path::Path, time::Duration};

use anyhow::ensure;
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::TestCloud,
    portal::Hands,
    story::{self, Forward, Mails, Stage},
    wait::wait_until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An active device and a technician who has signed in.
pub(crate) async fn ready(cloud: TestCloud, folder: &Path, agent: AgentSetup) -> anyhow::Result<Stage> {
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let mut stage = Stage::set(cloud, mails, folder.to_owned(), agent).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    Ok(stage)
}

/// A session to the installation's echo, open.
pub(crate) async fn open(cloud: TestCloud, folder: &Path) -> anyhow::Result<(Stage, Forward)> {
    let mut stage = ready(cloud, folder, AgentSetup::default()).await?;
    let forward = story::forward(&mut stage, "panel-echo").await?;
    answers(forward.port).await?;
    Ok((stage, forward))
}

/// Waits until the echo behind a local port answers.
pub(crate) async fn answers(port: u16) -> anyhow::Result<()> {
    let within = Duration::from_secs(120);
    wait_until("the echo answers through the session", within, async || Ok(echoes(port).await.ok())).await
}

/// One connection to the echo, there and back.
pub(crate) async fn echoes(port: u16) -> anyhow::Result<()> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.write_all(b"?").await?;
    ensure!(tcp.read_u8().await? == b'?');
    Ok(())
}

/// The cloud's own rows.
pub(crate) async fn database(stage: &Stage) -> anyhow::Result<sqlx::SqlitePool> {
    let file = stage.cloud.data_dir().join("gatelodge.db");
    Ok(sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display())).await?)
}
