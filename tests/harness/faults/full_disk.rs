//! The cloud's disk is full: changes are refused in words, whoever wants to take a right away still can, and with
//! room everything goes on by itself. Mounts a small disk, so it runs in a namespace of its own.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use gatelodge_cloud::db::DbUrl;
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    fsck,
    portal::Hands,
    portal::{Page, Visitor},
    story::{self, CUSTOMER, Mails, Person, Stage, VENDOR},
    wait::wait_until,
};

const DISK: &str = "size=64m";
const RESERVE_MIB: &str = "8";
/// Changes that still fit into what is there already.
const MOST_THAT_FIT: u32 = 600;

/// Plays it; the caller is in a mount namespace of its own.
pub async fn play() -> anyhow::Result<String> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    // Outlives whoever has files on it.
    let disk = Disk::mount(folder.path().join("disk"))?;

    let setup = CloudSetup { data_dir: Some(disk.0.clone()), ..CloudSetup::default() };
    let cloud = TestCloud::start(setup.set("database.reserve_mib", RESERVE_MIB)).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let mut stage = Stage::set(cloud, mails, folder.path().join("stage"), AgentSetup::default()).await?;
    let fitted = filled(&mut stage, &disk.0).await;
    let changes = fitted.with_context(|| format!("the cloud wrote:\n{}", stage.cloud.log()))?;
    stage.cloud.stop().await?;
    sound(&stage.cloud.data_dir().join("gatelodge.db")).await?;
    Ok(format!("{changes} changes fitted, then all were put off until there was room"))
}

/// A small disk that goes away again.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir(&at).with_context(|| format!("cannot make {}", at.display()))?;
        let mut mount = Command::new("mount");
        let status =
            mount.args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&at).status().context("cannot start mount")?;
        ensure!(status.success(), "the small disk is not mounted: {status}");
        Ok(Self(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // With its namespace it would go anyway; its folder would stay.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The story up to an open session, then no room, then room again; how many changes still fitted.
async fn filled(stage: &mut Stage, disk: &Path) -> anyhow::Result<u32> {
    story::play_until(stage, 4, |_| {}).await?;
    story::sign_in_technician(stage).await?;
    let mut open = story::forward(stage, "panel-web").await?;
    stage.agent_says("has the session", |told| (told.0["sessions"].as_array()?.len() == 1).then_some(())).await?;
    let told = stage.agent_status().await?;
    let device = told.device().context("the device is enrolled")?.to_owned();
    let mut customer = signed_in(&stage.cloud, CUSTOMER).await?;

    let reserve = stage.cloud.data_dir().join("gatelodge.db.reserve");
    ensure!(reserve.exists(), "no reserve is kept");
    let filler = fill(disk)?;
    let changes = until_refused(&mut customer, &device).await?;
    ensure!(!reserve.exists(), "the reserve is still there");

    // What takes a right away, and what leads there.
    let mut again = signed_in(&stage.cloud, CUSTOMER).await.context("signing in on a full disk")?;
    good(again.open("/devices").await?)?;
    good(again.open("/sessions").await?)?;
    good(again.submit(&format!("/sessions/{}/stop", open.session), &[]).await?).context("stopping a session")?;
    open.process.wait(Duration::from_secs(20)).await.context("the technician's side of a stopped session")?;
    good(again.open(&format!("/devices/{device}")).await?)?;
    good(again.submit(&format!("/devices/{device}/consent"), &[("consent", "never")]).await?).context("withdrawing")?;
    let mut vendor = signed_in(&stage.cloud, VENDOR).await?;
    good(vendor.open(&format!("/vendor/inventory/{device}")).await?)?;
    good(vendor.submit(&format!("/vendor/inventory/{device}/revoke"), &[]).await?).context("revoking")?;
    stage.agent_says("has lost its certificate", |told| (!told.is_settled()).then_some(())).await?;
    // The rest is still refused, however often somebody asks.
    refused(change(&mut again, &device, "villa-still-full").await?)?;

    std::fs::remove_file(&filler).context("cannot make room")?;
    wait_until("changes are taken again", Duration::from_secs(30), async || {
        Ok((change(&mut again, &device, "villa-rosa").await?.status < 500).then_some(()))
    })
    .await?;
    ensure!(reserve.exists(), "with room, no reserve is kept again");
    Ok(changes)
}

async fn signed_in(cloud: &TestCloud, person: Person) -> anyhow::Result<Visitor> {
    let mut visitor = Visitor::at(&cloud.portal(), "en")?;
    visitor.open("/sign-in").await?;
    let page = visitor.submit("/sign-in", &[("email", person.email), ("password", person.password)]).await?;
    ensure!(page.status == 200 && !page.address.ends_with("/sign-in"), "{} is not signed in: {page:?}", person.email);
    Ok(visitor)
}

/// A change that may wait.
async fn change<'a>(visitor: &'a mut Visitor, device: &str, name: &str) -> anyhow::Result<&'a Page> {
    good(visitor.open(&format!("/devices/{device}")).await?)?;
    visitor.submit(&format!("/devices/{device}/web-address"), &[("web_address", name)]).await
}

async fn until_refused(visitor: &mut Visitor, device: &str) -> anyhow::Result<u32> {
    for number in 0..MOST_THAT_FIT {
        let page = change(visitor, device, &format!("villa-{number}")).await?;
        if page.status >= 500 {
            refused(page)?;
            return Ok(number);
        }
    }
    bail!("{MOST_THAT_FIT} changes fitted on a full disk")
}

fn refused(page: &Page) -> anyhow::Result<()> {
    ensure!(page.status == 503, "a change on a full disk was answered with {}:\n{}", page.status, page.html);
    ensure!(page.retry_after.is_some(), "nobody said when to come back");
    ensure!(page.html.contains("disk is full"), "nobody said why:\n{}", page.html);
    Ok(())
}

fn good(page: &Page) -> anyhow::Result<()> {
    ensure!(page.status == 200, "{} was answered with {}:\n{}", page.address, page.status, page.html);
    Ok(())
}

/// Leaves no byte.
fn fill(disk: &Path) -> anyhow::Result<PathBuf> {
    let path = disk.join("filler");
    let mut file = File::create(&path).context("cannot fill the disk")?;
    for size in [1 << 20, 4096, 512, 1] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
    Ok(path)
}

async fn sound(database: &Path) -> anyhow::Result<()> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", database.display())).await?;
    let said: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await?;
    ensure!(said == "ok", "the database is damaged: {said}");
    connection.close().await?;
    fsck::held_at(&DbUrl::Sqlite(database.to_owned()), Vec::new()).await
}
