//! Why a terminal in the portal ends, or does not begin, as the page says it.

use anyhow::{Context as _, ensure};
use gatelodge_tests::{cloud::CloudSetup, wait::wait_until};

use super::{Desk, SOON, with_terminal};
use crate::{sessions::live::database, terminal::unkeyed};

#[tokio::test]
async fn whoever_takes_a_right_away_ends_the_terminal_and_the_page_says_why() -> anyhow::Result<()> {
    let mut desk = Desk::open(with_terminal("nobody")).await?;
    let device = desk.device.clone();

    let (mut line, session) = desk.terminal().await?;
    let customer = &mut desk.scene.stage.customer;
    customer.open("/sessions").await?;
    customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    line.ends_by("The session is over. Reason: Stopped by the customer").await?;

    let (mut line, _) = desk.terminal().await?;
    let customer = &mut desk.scene.stage.customer;
    customer.open(&format!("/devices/{device}")).await?;
    customer.submit(&format!("/devices/{device}/consent"), &[("consent", "never")]).await?;
    line.ends_by("The session is over").await?;
    let customer = &mut desk.scene.stage.customer;
    customer.open(&format!("/devices/{device}")).await?;
    customer.submit(&format!("/devices/{device}/consent"), &[("consent", "ask")]).await?;

    // A second technician would not do: this one's own role, and the account itself.
    let database = database(&desk.scene.stage).await?;
    let role = "UPDATE membership SET role = $1 WHERE user_id = (SELECT id FROM user_account WHERE email = $2)";
    let paul = gatelodge_tests::story::INSTALLER.person.email;
    let (mut line, _) = desk.terminal().await?;
    sqlx::query(role).bind("basic").bind(paul).execute(&database).await?;
    line.ends_by("The session is over. Reason: A right fell away").await?;
    sqlx::query(role).bind("administrator").bind(paul).execute(&database).await?;

    let (mut line, _) = desk.terminal().await?;
    let disabled = "UPDATE user_account SET disabled_at = $1 WHERE email = $2";
    sqlx::query(disabled).bind(Some(1)).bind(paul).execute(&database).await?;
    let over = line.over().await?;
    let what = over["what"].as_str().context("no sentence")?;
    ensure!(what.contains("A right fell away") || what.contains("no longer signed in"), "{over}");
    sqlx::query(disabled).bind(None::<i64>).bind(paul).execute(&database).await?;
    Ok(())
}

#[tokio::test]
async fn signing_out_closes_the_terminal_and_ends_its_session() -> anyhow::Result<()> {
    let mut desk = Desk::open(with_terminal("nobody")).await?;
    let (mut line, session) = desk.terminal().await?;
    let installer = &mut desk.scene.stage.installer;
    installer.open("/").await?;
    installer.submit("/sign-out", &[]).await?;
    line.ends_by("no longer signed in").await?;
    desk.scene.stage.customer.wait_for(&format!("/sessions/{session}"), "Ended", SOON).await
}

#[tokio::test]
async fn without_a_recording_there_is_no_terminal_and_the_page_says_why() -> anyhow::Result<()> {
    // Nobody could read it.
    let (mut stage, _folder) = unkeyed(CloudSetup::default(), with_terminal("nobody")).await?;
    let device = stage.agent_status().await?.device().context("enrolled")?.to_owned();
    stage.installer.open(&format!("/devices/{device}")).await?;
    let fields = [("reason", "Log files"), ("minutes", "30")];
    stage.installer.submit(&format!("/devices/{device}/terminal"), &fields).await?;
    stage.installer.reads("your organisation has no recording passphrase yet").await?;
    drop(stage);

    // The device cannot write it.
    let mut desk = Desk::open(with_terminal("nobody").set("terminal.max_recording", "1")).await?;
    let folder = desk.scene.stage.agent.state_dir().join("recordings");
    drop(std::fs::remove_dir(&folder));
    std::fs::write(&folder, "")?;
    let session = desk.allowed().await?;
    let said = refused(&desk, &session).await?;
    ensure!(said.contains("cannot write the recording of the terminal"), "{said}\n{}", desk.logs());
    std::fs::remove_file(&folder)?;

    // Its room is full while somebody is inside.
    let (mut line, _) = desk.terminal().await?;
    line.types("yes 0123456789abcdef\r").await?;
    let over = line.over().await?;
    ensure!(over["quote"].as_str().is_some_and(|said| said.contains("largest size")), "{over}");
    wait_until("the session ends with it", SOON, async || {
        Ok(desk.scene.stage.agent_status().await?.0["sessions"].as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await
}

/// What the device says, whichever way the page hears it first.
async fn refused(desk: &Desk, session: &str) -> anyhow::Result<String> {
    match desk.line(session).await {
        Ok(mut line) => Ok(line.over().await?.to_string()),
        Err(error) => Ok(error.to_string()),
    }
}
