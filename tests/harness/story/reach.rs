//! Step 5: the technician signs in by browser approval, asks for a session, the customer allows it, bytes reach the
//! panel, the customer presses Stop, and it ends on both sides; and once more by Stop on the device itself.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{
    Stage,
    stage::{SERVICE, Told, WEB_ADDRESS},
};
use crate::{panel, ports::free_port, process::Process, wait::wait_until};

/// How long an end may take until both sides have it.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A session that is open, with one local port.
#[derive(Debug)]
pub struct Forward {
    /// `gatelodge forward`; dropping it ends the session.
    pub process: Process,
    /// The local port.
    pub port: u16,
    /// The session's id.
    pub session: String,
}

/// Asks for a session to that service and has the customer allow it.
pub async fn forward(stage: &mut Stage, service: &str) -> anyhow::Result<Forward> {
    let port = free_port()?;
    let place = format!("{port}:{service}");
    let process = stage.technician.start(["forward", WEB_ADDRESS, &place, "--reason", "Yearly check of the alarm"])?;
    allowed(stage, process, port).await
}

/// Waits for the request and has the customer allow it.
async fn allowed(stage: &mut Stage, process: Process, port: u16) -> anyhow::Result<Forward> {
    let session = allow(stage).await.with_context(|| format!("forward wrote:\n{}", process.log()))?;
    Ok(Forward { process, port, session })
}

/// Waits for a request and has the customer allow it; gives the session's id.
pub async fn allow(stage: &mut Stage) -> anyhow::Result<String> {
    let allow = decide(stage, "/allow").await?;
    Ok(allow.trim_start_matches("/sessions/").trim_end_matches("/allow").to_owned())
}

/// Waits for a request and has the customer refuse it.
pub async fn refuse(stage: &mut Stage) -> anyhow::Result<()> {
    decide(stage, "/refuse").await.map(drop)
}

/// Plays the step.
pub(super) async fn reach(stage: &mut Stage) -> anyhow::Result<()> {
    sign_in(stage).await?;
    let listed = stage.technician.run(["devices", "--json"]).await?.ok()?;
    let listed: Value = serde_json::from_str(&listed).with_context(|| format!("unreadable:\n{listed}"))?;
    let code = Value::from(stage.id_code.to_string());
    let rows = listed.as_array().or_else(|| listed["items"].as_array()).context("no list of devices")?;
    ensure!(rows.iter().any(|row| row["id_code"] == code && row["life"] == "active"), "not listed: {listed}");

    let Forward { process: mut forwarding, port, session } = forward(stage, SERVICE).await?;
    let page = format!("http://127.0.0.1:{port}/");
    let reached = wait_until("the panel answers through the session", Duration::from_secs(90), async || {
        Ok(reqwest::get(&page).await?.text().await?.contains(panel::WORDS).then_some(()))
    });
    reached.await.with_context(|| {
        let (agent, cloud) = (stage.agent.log(), stage.cloud.log());
        format!("forward wrote:\n{}\nthe agent:\n{agent}\nthe cloud:\n{cloud}", forwarding.log())
    })?;
    stage
        .agent_says("shows the live session", |told| (told.0["sessions"].as_array()?.len() == 1).then_some(()))
        .await?;

    stage.customer.open("/sessions").await?;
    stage.customer.look("sessions-live").await?;
    stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    let status = forwarding.wait(ENDS_WITHIN).await.with_context(|| format!("forward wrote:\n{}", forwarding.log()))?;
    ensure!(status.code().is_some(), "forward was killed: {status}");
    let over = wait_until("the device has no session any more", ENDS_WITHIN, async || {
        let told = stage.agent_status().await?;
        Ok(told.0["sessions"].as_array().is_some_and(Vec::is_empty).then_some(()))
    });
    over.await?;

    // Both histories have it.
    for (hands, path) in [(&mut stage.customer, "/history"), (&mut stage.installer, "/sessions")] {
        hands.open(path).await?;
        hands.reads(super::INSTALLER.person.name).await?;
        hands.look(&format!("after-session{}", path.replace('/', "-"))).await?;
    }
    stop_on_the_device(stage).await
}

/// Whoever stands before the device can end a session, too. This one was asked for at a terminal, without `--reason`.
async fn stop_on_the_device(stage: &mut Stage) -> anyhow::Result<()> {
    let port = free_port()?;
    let verb = ["forward", WEB_ADDRESS, &format!("{port}:{SERVICE}")];
    let process = stage.technician.start_at_terminal(verb, "Zone 4 reports a fault")?;
    let Forward { process: mut forwarding, session, .. } = allowed(stage, process, port).await?;
    stage.customer.open("/sessions").await?;
    stage.customer.reads("Zone 4 reports a fault").await?;
    stage
        .agent_says("shows the next session", |told| (told.0["sessions"].as_array()?.len() == 1).then_some(()))
        .await?;
    press_stop(stage, &session).await?;
    let ended = forwarding.wait(ENDS_WITHIN).await;
    ended.with_context(|| format!("forward wrote:\n{}\nthe agent:\n{}", forwarding.log(), stage.agent.log()))?;
    let over = |told: &Told| told.0["sessions"].as_array().is_some_and(Vec::is_empty).then_some(());
    stage.agent_says("has no session any more", over).await
}

/// Presses Stop on the device's own page.
pub async fn press_stop(stage: &Stage, session: &str) -> anyhow::Result<()> {
    let own = stage.agent.page();
    let page = reqwest::get(&own).await?.text().await?;
    let token = page.split_once("name=\"token\" value=\"").and_then(|(_, rest)| rest.get(..32));
    let token = token.with_context(|| format!("the device's page has no Stop:\n{page}"))?;
    let pressed = reqwest::Client::new()
        .post(format!("{own}/sessions/{session}/stop"))
        .header("Origin", &own)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("token={token}"));
    let answer = pressed.send().await?;
    ensure!(answer.status().is_success(), "Stop on the device led to {}", answer.status());
    Ok(())
}

/// Signs the technician's program in, approved in the browser.
pub async fn sign_in(stage: &mut Stage) -> anyhow::Result<()> {
    let address = stage.cloud.device_url();
    let mut program = stage.technician.start(["sign-in", &address])?;
    let line = program.wait_for_line("/approve?", Duration::from_secs(90)).await?;
    let link = line.split_whitespace().find(|word| word.contains("/approve?")).context("no link")?;
    let (_, query) = link.split_once('?').context("no code")?;
    stage.installer.open(&format!("/approve?{query}")).await?;
    stage.installer.look("approve").await?;
    stage.installer.submit("/approve", &[("decision", "approve")]).await?;
    let status = program.wait(Duration::from_secs(90)).await?;
    ensure!(status.success(), "the sign-in ended with {status}:\n{}", program.log());
    Ok(())
}

/// Waits for the request and decides it; gives the form's address.
async fn decide(stage: &mut Stage, decision: &str) -> anyhow::Result<String> {
    let customer = &mut stage.customer;
    let action = wait_until("the request is shown to the customer", Duration::from_secs(90), async || {
        customer.open("/requests").await?;
        let actions = customer.actions().await?;
        Ok(actions.into_iter().find(|action| action.starts_with("/sessions/") && action.ends_with(decision)))
    })
    .await?;
    customer.look("requests").await?;
    customer.open("/my-data").await?;
    let bell = customer.bell().await?;
    ensure!(bell == "1", "one request waits, and the bell of the own data says `{bell}`");
    customer.open("/requests").await?;
    customer.submit(&action, &[]).await?;
    Ok(action)
}
