//! The device's own record of a visit beside the cloud's history: the same session, the same flows; whole, exported, and
//! named where somebody changed it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self, Mails, Stage},
    wait::wait_until,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_visit_is_on_record_on_the_device_with_the_flows_that_the_cloud_has_and_a_change_is_named()
-> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), AgentSetup::default()).await?;
    story::play_until(&mut stage, 5, |_| {}).await?;
    let device = stage.agent_status().await?.device().context("the device has no id")?.to_owned();
    let lines = wait_until("the visit is on record", PATIENCE, async || {
        let said = stage.agent.say(["history", "--json"]).await?.ok()?;
        let lines: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(lines.iter().any(|line| line["kind"] == "session_ended").then_some(lines))
    })
    .await?;
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    let opened = of("session_opened");
    assert_eq!((opened.len(), &opened[0]["consent"]), (2, &"ask".into()), "{lines:?}");
    let flows: BTreeSet<_> = of("target_opened").iter().filter_map(|line| line["flow"].as_str()).collect();
    assert!(!flows.is_empty(), "{lines:?}");
    let at_cloud = wait_until("the cloud has the flows too", PATIENCE, async || {
        let csv = stage.customer.file("/history.csv").await?;
        Ok(flows.iter().all(|flow| csv.contains(*flow)).then_some(csv))
    })
    .await?;
    let session = opened[0]["session"].as_str().context("a visit names its session")?;
    assert!(at_cloud.contains(session) && at_cloud.contains(&device), "{at_cloud}");

    let text = stage.agent.say(["history"]).await?.ok()?;
    assert!(text.contains("panel-web") && text.contains(session), "{text}");
    let csv = stage.agent.say(["history", "--csv"]).await?.ok()?;
    assert!(csv.starts_with("\"at\",\"kind\"") && csv.contains(session), "{csv}");

    let doctor = stage.agent.say(["doctor"]).await?.ok()?;
    assert!(doctor.contains("unbroken"), "{doctor}");
    let path = stage.agent.state_dir().join("audit.log");
    let record = std::fs::read_to_string(&path)?;
    std::fs::write(&path, record.replace("\"consent\":\"ask\"", "\"consent\":\"always\""))?;
    let said = stage.agent.say(["doctor"]).await?;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("FAIL") && said.out.contains("audit.log, entry 2 of "), "{}", said.out);
    Ok(())
}
