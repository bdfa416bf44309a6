//! The main job through real browsers, one story: on a phone in English over SQLite, at a desk in French over
//! PostgreSQL. Every page is checked for accessibility and width, and kept as a picture.

use std::time::Duration;

use gatelodge_tests::{
    agent::AgentSetup,
    browser::{Screen, Setup, Theme},
    cloud::{CloudSetup, TestCloud},
    database::{Database, Kind},
    mailbox::Mailbox,
    portal::Hands,
    story::{self, Mails, Stage},
};

async fn main_job(setup: Setup, kind: Kind) -> anyhow::Result<()> {
    let Some(database) = Database::fresh(kind).await? else { return Ok(()) };
    let mailbox = Mailbox::start().await?;
    let cloud = TestCloud::start(CloudSetup::default().on(database).mailing_to(&mailbox)).await?;
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(cloud, Mails::Caught(mailbox), folder.path().to_owned(), AgentSetup::default()).await?;
    if !stage.with_browsers(setup).await? {
        return Ok(());
    }
    story::play(&mut stage, |_| {}).await
}

#[tokio::test]
async fn the_main_job_on_a_phone_in_english() -> anyhow::Result<()> {
    main_job(Setup { screen: Screen::Phone, theme: Theme::Light, language: "en" }, Kind::Sqlite).await
}

#[tokio::test]
async fn the_main_job_at_a_desk_in_french_in_the_dark() -> anyhow::Result<()> {
    main_job(Setup { screen: Screen::Desk, theme: Theme::Dark, language: "fr" }, Kind::Postgres).await
}

#[tokio::test]
async fn a_device_that_refuses_a_session_ends_it_at_once_and_everybody_reads_why() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let switched_off = AgentSetup::default().set("remote_access.enabled", "false");
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), switched_off).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    let mut forward = story::forward(&mut stage, "panel-web").await?;
    let status = forward.process.wait(Duration::from_secs(90)).await?;
    let said = forward.process.log();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("remote access is switched off on the device itself"), "{said}");
    stage.customer.open("/history").await?;
    stage.customer.reads("The session ended: remote access is switched off on the device").await?;
    stage.customer.open("/sessions").await?;
    stage.customer.reads("Switched off on the device").await?;
    stage.installer.open("/sessions").await?;
    stage.installer.reads("Switched off on the device").await
}

#[tokio::test]
async fn the_main_job_with_plain_hands_and_the_built_in_mailbox() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), AgentSetup::default()).await?;
    story::play(&mut stage, |_| {}).await
}
