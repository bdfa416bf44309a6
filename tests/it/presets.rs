//! What is picked by name instead of by port: as the device's own settings say it, and as the vendor names it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    panel::{self, Panel},
    portal::Hands,
    process::Process,
    settings::quoted,
    story::{self, Mails, Stage},
    wait::wait_until,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

async fn presets(stage: &Stage) -> anyhow::Result<Vec<(String, usize)>> {
    let listed = stage.technician.run(["--json", "devices"]).await?.ok()?;
    let listed: Value = serde_json::from_str(&listed).with_context(|| format!("unreadable:\n{listed}"))?;
    let presets = listed[0]["presets"].as_array().cloned().unwrap_or_default();
    let one = |preset: &Value| Some((preset["name"].as_str()?.to_owned(), preset["services"].as_array()?.len()));
    Ok(presets.iter().filter_map(one).collect())
}

/// Where a running `forward` says that it listens, by service.
fn listens(process: &Process) -> Option<Vec<(String, String)>> {
    let log = process.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let forwards = lines.into_iter().find_map(|line| line["forwards"].as_array().cloned())?;
    let one = |forward: &Value| Some((forward["service"].as_str()?.to_owned(), forward["local"].as_str()?.to_owned()));
    Some(forwards.iter().filter_map(one).collect())
}

#[tokio::test]
async fn a_technician_picks_what_a_service_is_for_and_needs_no_port() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let bus = Panel::start(10).await?;
    let setup = AgentSetup {
        services: vec![("bus".to_owned(), bus.web)],
        profiles: vec![
            ("panel-web", "kind", quoted("programming")),
            ("bus", "kind", quoted("programming")),
            ("panel-web", "title", quoted("Web page")),
        ],
        ..AgentSetup::default()
    };
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    assert_eq!(presets(&stage).await?, [("Programming".to_owned(), 1), ("Web page".to_owned(), 1)]);
    let table = stage.technician.run(["devices"]).await?.ok()?;
    ensure!(table.contains("programming, web-page"), "{table}");
    stage.installer.open("/devices").await?;

    // The vendor's names take the place of the device's own.
    let named = ["product", "preset", "AX-100", "Set up", "kind:programming"];
    let said = stage.cloud.run(named).await?.ok()?;
    ensure!(said.contains("Set up: kind:programming"), "{said}");
    let refused = stage.cloud.run(["product", "preset", "AX-100", "set-up", "bus"]).await?;
    ensure!(!refused.success && refused.err.contains("are typed the same, `set-up`"), "{}", refused.err);
    assert_eq!(presets(&stage).await?, [("Set up".to_owned(), 2)]);

    let at_one = stage.technician.run(["forward", "villa-rosa", "8080:set-up", "--reason", "x"]).await?;
    ensure!(
        !at_one.success && at_one.err.contains("Set up is several services, which cannot all be at"),
        "{}",
        at_one.err
    );
    let unknown = stage.technician.run(["forward", "villa-rosa", "video", "--reason", "x"]).await?;
    ensure!(!unknown.success && unknown.err.contains("set-up, "), "{}", unknown.err);

    let forwarding = stage.technician.start(["--json", "forward", "villa-rosa", "set-up", "--reason", "zone 4"])?;
    story::allow(&mut stage).await.with_context(|| forwarding.log())?;
    let ports = wait_until("both services have a port here", PATIENCE, async || Ok(listens(&forwarding))).await?;
    let mut names: Vec<_> = ports.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["bus", "panel-web"]);
    for (name, local) in &ports {
        let page = format!("http://{local}/");
        let reached = wait_until(format!("{name} answers at {page}"), PATIENCE, async || {
            let Ok(answer) = reqwest::get(&page).await else { return Ok(None) };
            Ok(answer.text().await?.contains(panel::WORDS).then_some(()))
        });
        reached.await.with_context(|| forwarding.log())?;
    }

    let gone = stage.cloud.run(["product", "preset", "AX-100", "Set up", "--remove"]).await?.ok()?;
    ensure!(gone.contains("AX-100 has no presets"), "{gone}");
    assert_eq!(presets(&stage).await?, [("Programming".to_owned(), 1), ("Web page".to_owned(), 1)]);
    Ok(())
}
