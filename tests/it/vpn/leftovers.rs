//! Whatever ends a session, routes, addresses and names are as they were.

use anyhow::{Context as _, ensure};
use gatelodge_tests::wait::wait_until;
use rustix::process::Signal;

use super::{PATIENCE, Scene, Vpn, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn an_end_from_either_side_leaves_nothing() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let before = scene.office.looks()?;

    let mut vpn = carrying(&mut scene, &before).await?;
    vpn.process.signal(Signal::INT)?;
    let status = vpn.process.wait(PATIENCE).await?;
    assert!(status.success(), "{status}\n{}", vpn.process.log());
    assert_eq!(scene.office.looks()?, before, "Ctrl-C");

    let mut vpn = carrying(&mut scene, &before).await?;
    scene.stage.customer.open("/sessions").await?;
    scene.stage.customer.submit(&format!("/sessions/{}/stop", vpn.session), &[]).await?;
    let status = vpn.process.wait(PATIENCE).await?;
    assert_eq!(status.code(), Some(6), "{}", vpn.process.log());
    assert_eq!(scene.office.looks()?, before, "Stop in the portal");

    let mut vpn = carrying(&mut scene, &before).await?;
    let interface = vpn.open["interface"].as_str().context("an interface is named")?.to_owned();
    scene.office.ip(&["link", "delete", &interface])?;
    vpn.process.wait(PATIENCE).await?;
    assert_eq!(scene.office.looks()?, before, "somebody took the interface away");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_session_left_is_taken_back_at_the_next_start() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let before = scene.office.looks()?;
    let mut killed = carrying(&mut scene, &before).await?;
    killed.process.kill()?;
    wait_until("the interface is gone with its process", PATIENCE, async || {
        Ok((!scene.office.ip(&["-o", "link"])?.contains("gatelodge")).then_some(()))
    })
    .await?;
    let names = std::fs::read_to_string(scene.office.hosts())?;
    ensure!(names.contains(&killed.name()), "nothing was left to take back:\n{names}");

    let mut next = carrying(&mut scene, &before).await?;
    assert_eq!(next.open["interface"], killed.open["interface"], "the place is free again");
    next.process.signal(Signal::TERM)?;
    next.process.wait(PATIENCE).await?;
    assert_eq!(scene.office.looks()?, before);
    Ok(())
}

/// A session through which bytes have come; the computer looks different with it.
async fn carrying(scene: &mut Scene, before: &str) -> anyhow::Result<Vpn> {
    let vpn = scene.vpn(&[]).await?;
    ensure!(greeted(&mut scene.connect(vpn.panel(), 80)?)?, "the panel does not answer:\n{}", vpn.process.log());
    ensure!(scene.office.looks()? != before, "nothing was changed");
    Ok(vpn)
}
