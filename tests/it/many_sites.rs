//! One technician, two sites: devices are found by a part of their name, sessions to both are open at once, and
//! `gatelodge status` shows them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_proto::{Random, identity::IdCode};
use gatelodge_tests::{
    agent::{AgentSetup, TestAgent},
    cloud::{CloudSetup, TestCloud},
    panel::{self, Panel},
    portal::Hands,
    ports::free_port,
    process::Process,
    story::{self, CUSTOMER, Mails, Stage},
    wait::wait_until,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const MAC: &str = "02:42:AC:11:00:77";

/// Another device of the same customer, registered by the same installer, whose technicians enter at any time.
async fn second_site(stage: &mut Stage, panel: &Panel) -> anyhow::Result<TestAgent> {
    let used = stage.mails.link(CUSTOMER, "/activate").await?;
    let id_code = IdCode::make(&Random::system()).to_string();
    let rows = format!(
        "id_code,mac,serial,product,purchased_on,proof,batch\n{id_code},{MAC},SN-77,AX-100,2026-03-01,on_site_code,\n"
    );
    let file = stage.folder.join("second.csv");
    std::fs::write(&file, rows)?;
    stage.cloud.run(["import", "devices", &file.display().to_string()]).await?.ok()?;
    let setup = AgentSetup::labelled(&id_code, MAC, "SN-77").with_service("panel-web", panel.web);
    let agent = TestAgent::start(&stage.cloud, setup)?;
    let code = wait_until("the second device shows a code", PATIENCE, async || Ok(agent.told().await?.on_site_code()));
    let code = code.await.with_context(|| agent.log())?;
    let label = [
        ("id_code", id_code.as_str()),
        ("mac", MAC),
        ("proof", &code),
        ("web_address", "villa-blu"),
        ("email", CUSTOMER.email),
    ];
    stage.installer.open("/devices/add").await?;
    stage.installer.submit("/devices/add/check", &label).await?;
    stage.installer.submit("/devices/add/save", &[("with", "nothing")]).await?;
    let link = wait_until("the second link has come", PATIENCE, async || {
        let link = stage.mails.link(CUSTOMER, "/activate").await?;
        Ok((link != used).then_some(link))
    })
    .await?;
    stage.customer.follow(&link, "/activate", &[]).await?;
    let data = [
        ("name", CUSTOMER.name),
        ("phone", "+39 06 555 01 24"),
        ("address", "Via Appia 9"),
        ("postcode", "00179"),
        ("city", "Roma"),
        ("country", "Italia"),
        ("consent", "always"),
    ];
    stage.customer.submit("/activate/confirm", &data).await?;
    let path = stage.customer.path().await?;
    ensure!(path.ends_with("/activated"), "confirming led to {path}:\n{}", stage.customer.text().await?);
    let told = wait_until("the second device is active", PATIENCE, async || {
        Ok((agent.told().await?.life() == Some("active")).then_some(()))
    });
    told.await.with_context(|| agent.log())?;
    Ok(agent)
}

async fn answers(port: u16, process: &Process) -> anyhow::Result<()> {
    let page = format!("http://127.0.0.1:{port}/");
    let reached = wait_until(format!("the panel answers at {page}"), PATIENCE, async || {
        let Ok(answer) = reqwest::get(&page).await else { return Ok(None) };
        Ok(answer.text().await?.contains(panel::WORDS).then_some(()))
    });
    reached.await.with_context(|| process.log())
}

#[tokio::test]
async fn two_sites_are_reached_at_once_and_status_shows_both() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), AgentSetup::default()).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    let panel = Panel::start(10).await?;
    let _second = second_site(&mut stage, &panel).await?;
    story::sign_in_technician(&mut stage).await?;

    let said = |said: String| serde_json::from_str::<Value>(&said).with_context(|| said);
    let status = said(stage.technician.run(["--json", "status"]).await?.ok()?)?;
    assert_eq!((status["own"].as_array().map(Vec::len), &status["organisation"]), (Some(0), &"Petit Alarmes".into()));

    let names = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|device| Some(device["name"].as_str()?.to_owned())).collect()
    };
    for (arguments, expected) in [
        (&["blu"][..], &["villa-blu"][..]),
        (&["villa"], &["villa-blu", "villa-rosa"]),
        (&["--state", "registered"], &[]),
        (&["--offline"], &[]),
        (&["rosa", "--online", "--state", "active"], &["villa-rosa"]),
    ] {
        let arguments = ["--json", "devices"].into_iter().chain(arguments.iter().copied());
        let mut found = names(&said(stage.technician.run(arguments).await?.ok()?)?);
        found.sort();
        assert_eq!(found, expected);
    }
    let refused = stage.technician.run(["devices", "nobody's"]).await?.refused(4)?;
    assert!(refused.contains("no device of yours is like that"), "{refused}");

    let rosa = story::forward(&mut stage, "panel-web").await?;
    let port = free_port()?;
    let blu =
        stage.technician.start(["forward", "villa-blu", &format!("{port}:panel-web"), "--ticket", "2026-0417"])?;
    answers(rosa.port, &rosa.process).await?;
    answers(port, &blu).await?;
    let status = said(stage.technician.run(["--json", "status"]).await?.ok()?)?;
    let own = status["own"].as_array().context("no list of own sessions")?;
    let mut open: Vec<_> =
        own.iter().map(|session| (session["device_name"].as_str(), session["state"].as_str())).collect();
    open.sort();
    assert_eq!(open, [(Some("villa-blu"), Some("open")), (Some("villa-rosa"), Some("open"))]);
    assert!(own.iter().any(|session| session["ticket_number"] == "2026-0417"), "{status}");
    let text = stage.technician.run(["status"]).await?.ok()?;
    for words in ["villa-blu", "villa-rosa", "you", "in 59 min", &rosa.session] {
        ensure!(text.contains(words), "`{words}` is not said:\n{text}");
    }
    drop(rosa);
    answers(port, &blu).await
}
