//! The customer's passkey on the device, from the portal's page to the session that stands on it: with a real browser, a
//! real authenticator within it, a real agent; on a phone in English and at a desk in French.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    agent::AgentSetup,
    browser::{Authenticator, Screen, Setup, Theme, fantoccini::Locator},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    ports::free_port,
    process::Process,
    story::{self, CUSTOMER, Stage, WEB_ADDRESS},
    wait::wait_until,
};
use serde_json::Value;

use super::live;
use crate::gateway::browser::{browser, press_at};

const SOON: Duration = Duration::from_secs(60);

/// Presses the button of a form that is sent by the script.
pub(crate) async fn press(hands: &Hands, action: &str) -> anyhow::Result<()> {
    press_at(browser(hands)?, &format!("form[action='{action}'] button")).await
}

/// Presses Stop on the only session that is open.
async fn stop(hands: &mut Hands, forward: &mut Process) -> anyhow::Result<()> {
    hands.open("/sessions").await?;
    let stops = hands.actions().await?.into_iter().find(|action| action.ends_with("/stop"));
    hands.submit(&stops.context("nothing to stop")?, &[]).await?;
    ensure!(!forward.wait(SOON).await?.success());
    Ok(())
}

async fn consent(stage: &Stage) -> anyhow::Result<Value> {
    Ok(stage.agent_status().await?.0["consent"].clone())
}

/// A passkey made in the browser, shown on both, confirmed at the device.
pub(crate) async fn pin(
    hands: &mut Hands,
    stage: &Stage,
    device: &str,
    offered: &str,
    done: &str,
) -> anyhow::Result<()> {
    let page = format!("/devices/{device}/key");
    hands.open(&page).await?;
    press(hands, &page).await?;
    browser(hands)?.wait_for_words(offered).await?;
    hands.look("device_key_offered").await?;
    let shown = browser(hands)?.client.find(Locator::Css(".digits")).await?.text().await?;
    let digits: String = shown.chars().filter(|c| c.is_ascii_digit() || *c == ' ').collect();
    let digits = digits.trim().to_owned();
    let offered = wait_until("the device shows it", SOON, async || {
        Ok(consent(stage).await?["offered"]["fingerprint"].as_str().map(str::to_owned))
    });
    ensure!(offered.await? == digits, "both show the same");
    stage.agent.say(["consent", "pin-key", "--digits", &digits]).await?.ok()?;
    browser(hands)?.wait_for_words(done).await
}

async fn story(setup: Setup) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let stage = live::ready(cloud, folder.path(), AgentSetup::default()).await?;
    let Some(mut hands) = Hands::browser(&stage.cloud.portal(), setup).await? else { return Ok(()) };
    let say = |english: &'static str, french: &'static str| if setup.language == "en" { english } else { french };
    let authenticator = Authenticator::of(browser(&hands)?).await?;
    hands.open("/sign-in").await?;
    hands.submit("/sign-in", &[("email", CUSTOMER.email), ("password", CUSTOMER.password)]).await?;
    let device = stage.agent_status().await?.0["device"].as_str().context("no device")?.to_owned();
    let page = format!("/devices/{device}/key");
    hands.open(&page).await?;
    hands.look("device_key_none").await?;
    let (offered, done) = (
        say("Now at the device", "Maintenant, devant l’appareil"),
        say("Pinned on the device.", "Épinglée sur l’appareil."),
    );
    pin(&mut hands, &stage, &device, offered, done).await?;
    ensure!(authenticator.passkeys(browser(&hands)?).await?.len() == 1);
    hands.look("device_key_pinned").await?;

    // A request: the portal's word alone is none, the passkey's is.
    let port = free_port()?;
    let place = format!("{port}:panel-echo");
    let mut forward = stage.technician.start(["forward", WEB_ADDRESS, &place, "--reason", "Yearly check"])?;
    hands.wait_for("/requests", say("Allow with your passkey", "Autoriser avec votre clé d’accès"), SOON).await?;
    hands.look("request_signed").await?;
    let actions = hands.actions().await?;
    let allow = actions.into_iter().find(|action| action.ends_with("/allow")).context("nothing to allow")?;
    authenticator.knows_its_user(browser(&hands)?, false).await?;
    press(&hands, &allow).await?;
    browser(&hands)?.wait_for_words(say("That did not work", "Cela n’a pas marché")).await?;
    ensure!(stage.agent_status().await?.0["sessions"] == serde_json::json!([]), "nobody is in");
    authenticator.knows_its_user(browser(&hands)?, true).await?;
    press(&hands, &allow).await?;
    live::answers(port)
        .await
        .with_context(|| format!("the agent:\n{}\nthe technician:\n{}", stage.agent.log(), forward.log()))?;
    let told = stage.agent_status().await?.0;
    ensure!(told["sessions"][0]["consent_kind"] == "passkey", "{told}");
    hands.open("/sessions").await?;
    hands
        .reads(say("Signed by the passkey pinned on the device", "Signée par la clé d’accès épinglée sur l’appareil"))
        .await?;
    hands.look("sessions_signed").await?;

    // More time, signed too; then the end.
    let session = allow.trim_start_matches("/sessions/").trim_end_matches("/allow").to_owned();
    let until = |told: &Value| told["sessions"][0]["until"].as_str().map(str::to_owned);
    let before = until(&told);
    press(&hands, &format!("/sessions/{session}/extend")).await?;
    wait_until("the device lets it last longer", SOON, async || {
        Ok((until(&stage.agent_status().await?.0) > before).then_some(()))
    })
    .await
    .with_context(|| format!("the agent:\n{}", stage.agent.log()))?;
    stop(&mut hands, &mut forward).await?;

    // A press on the device opens one, too, and the key takes itself away.
    let mut forward = stage.technician.start(["forward", WEB_ADDRESS, &place])?;
    wait_until("the device shows the request", SOON, async || {
        Ok(consent(&stage).await?["wanted"].as_array().is_some_and(|wanted| wanted.len() == 1).then_some(()))
    })
    .await?;
    stage.agent.say(["consent", "allow"]).await?.ok()?;
    live::answers(port)
        .await
        .with_context(|| format!("the agent:\n{}\nthe technician:\n{}", stage.agent.log(), forward.log()))?;
    ensure!(stage.agent_status().await?.0["sessions"][0]["consent_kind"] == "pressed");
    hands.open("/sessions").await?;
    hands.reads(say("Allowed by somebody at the device", "Donnée par quelqu’un devant l’appareil")).await?;
    stop(&mut hands, &mut forward).await?;

    // The rule, signed: open for two hours, and nobody is asked.
    let at_home = format!("/devices/{device}");
    hands.open(&at_home).await?;
    hands.look("device_rule_unsigned").await?;
    press(&hands, &format!("{at_home}/rule")).await?;
    browser(&hands)?.wait_for_words(say("Your passkey signed this rule", "a signé cette règle")).await?;
    hands.look("device_rule_signed").await?;
    let mut forward = stage.technician.start(["forward", WEB_ADDRESS, &place])?;
    live::answers(port)
        .await
        .with_context(|| format!("the agent:\n{}\nthe technician:\n{}", stage.agent.log(), forward.log()))?;
    ensure!(stage.agent_status().await?.0["sessions"][0]["consent_kind"] == "standing_rule");
    // Closing needs no signature, and whoever was let in by the rule is out.
    hands.open(&at_home).await?;
    hands.submit(&format!("{at_home}/open"), &[("hours", "0")]).await?;
    ensure!(!forward.wait(SOON).await?.success());
    hands.open(&at_home).await?;
    hands.reads(say("which is not the one above", "qui n’est pas celle ci-dessus")).await?;

    hands.open(&page).await?;
    press(&hands, &format!("{page}/release")).await?;
    wait_until("the device has forgotten it", SOON, async || {
        Ok(consent(&stage).await?["pinned"].is_null().then_some(()))
    })
    .await?;
    browser(&hands)?
        .wait_for_words(say("Make a passkey for this device", "Créer une clé d’accès pour cet appareil"))
        .await?;
    story::sign_out(&mut hands).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_pinned_signs_and_is_taken_away_on_a_phone() -> anyhow::Result<()> {
    story(Setup { screen: Screen::Phone, theme: Theme::Light, language: "en" }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_pinned_signs_and_is_taken_away_at_a_desk_in_the_dark() -> anyhow::Result<()> {
    story(Setup { screen: Screen::Desk, theme: Theme::Dark, language: "fr" }).await
}
