//! The scene: everything under `target/demo/`, made afresh at each start, with the cloud's embedded defaults.

use anyhow::Context as _;
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    programs,
    story::{Mails, Stage},
};

/// Sets it, with this machine's own MAC and serial on the device.
pub(crate) async fn set(database_url: Option<String>) -> anyhow::Result<Stage> {
    let folder = programs::target()?.join("demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let setup = CloudSetup { data_dir: Some(folder.clone()), database_url, ..CloudSetup::default() };
    let cloud = TestCloud::start(setup).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    Stage::set(cloud, mails, folder, AgentSetup::default()).await
}
