//! The customer answers on the device's own page, whether or not a key is pinned there: the real programs, and a browser
//! at that page on a phone in English and at a desk in French.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    agent::AgentSetup,
    browser::{Screen, Setup, Theme},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    ports::free_port,
    process::Process,
    story::{self, Stage, WEB_ADDRESS},
    wait::wait_until,
};

use super::live;

const SOON: Duration = Duration::from_secs(60);

/// Somebody asks, and the device's page shows it.
async fn asked(stage: &mut Stage, hands: &mut Hands, port: u16, heading: &str) -> anyhow::Result<Process> {
    let (place, reason) = (format!("{port}:panel-echo"), "Yearly check");
    let forward = stage.technician.start(["forward", WEB_ADDRESS, &place, "--reason", reason])?;
    hands.wait_for("/", heading, SOON).await.with_context(|| format!("the agent:\n{}", stage.agent.log()))?;
    hands.reads(reason).await?;
    Ok(forward)
}

async fn nobody_asks(stage: &Stage) -> anyhow::Result<()> {
    let wanted = async || {
        let consent = stage.agent_status().await?.0["consent"]["wanted"].clone();
        Ok(consent.as_array().is_none_or(Vec::is_empty).then_some(()))
    };
    wait_until("the device shows no request any more", SOON, wanted).await
}

async fn story(setup: Setup) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mut stage = live::ready(cloud, folder.path(), AgentSetup::default()).await?;
    let Some(mut hands) = Hands::browser(&stage.agent.page(), setup).await? else { return Ok(()) };
    let heading = if setup.language == "en" { "Somebody asks to enter" } else { "Quelqu’un demande à entrer" };
    let port = free_port()?;

    // No: the technician is told who said so.
    let mut forward = asked(&mut stage, &mut hands, port, heading).await?;
    hands.look("device_page_asked").await?;
    hands.submit("/consent/refuse", &[]).await?;
    let (at, text) = (hands.path().await?, hands.text().await?);
    let status = forward.wait(SOON).await;
    let status = status.with_context(|| format!("{at} says:\n{text}\nthe agent:\n{}", stage.agent.log()))?;
    ensure!(status.code() == Some(4), "{status}:\n{}", forward.log());
    nobody_asks(&stage).await?;

    // Yes: it opens, and both the device and the portal say on whose word.
    let mut forward = asked(&mut stage, &mut hands, port, heading).await?;
    hands.submit("/consent/allow", &[]).await?;
    live::answers(port)
        .await
        .with_context(|| format!("the agent:\n{}\nthe technician:\n{}", stage.agent.log(), forward.log()))?;
    let told = stage.agent_status().await?.0["sessions"][0].clone();
    ensure!(told["consent_kind"] == "pressed", "{told}");
    hands.open("/").await?;
    hands.look("device_page_inside").await?;
    stage.customer.open("/sessions").await?;
    stage.customer.reads("Allowed by somebody at the device").await?;
    let session = told["session"].as_str().context("no session")?;
    hands.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    ensure!(!forward.wait(SOON).await?.success());

    // Who answers in the portal takes the question off the device.
    let mut forward = asked(&mut stage, &mut hands, port, heading).await?;
    story::allow(&mut stage).await?;
    live::answers(port).await?;
    nobody_asks(&stage).await?;
    let told = stage.agent_status().await?.0["sessions"][0].clone();
    ensure!(told["consent_kind"] == "cloud", "{told}");
    story::press_stop(&stage, told["session"].as_str().context("no session")?).await?;
    ensure!(!forward.wait(SOON).await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_customer_answers_at_the_device_without_a_key_on_a_phone() -> anyhow::Result<()> {
    story(Setup { screen: Screen::Phone, theme: Theme::Light, language: "en" }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_customer_answers_at_the_device_without_a_key_at_a_desk_in_the_dark() -> anyhow::Result<()> {
    story(Setup { screen: Screen::Desk, theme: Theme::Dark, language: "fr" }).await
}
