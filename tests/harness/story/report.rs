//! Step 2: the agent makes its key and asks to enrol. Before its row is in the inventory it is unknown hardware and
//! kept apart; with it, it shows the code that somebody who stands before it types.

use std::time::Duration;

use anyhow::Context as _;

use super::{Stage, VENDOR, inventory::add_device, mails::sign_in};
use crate::portal::Hands;

/// Plays the step.
pub async fn report(stage: &mut Stage) -> anyhow::Result<()> {
    stage.agent.run()?;
    let (mac, serial) = stage.agent_says("knows its hardware", super::stage::Told::hardware).await?;

    let mut vendor = Hands::plain(&stage.cloud.portal(), "en")?;
    sign_in(&mut vendor, VENDOR).await?;
    let shown = vendor.wait_for("/vendor/quarantine", &mac.to_string(), Duration::from_secs(90)).await;
    shown.with_context(|| format!("unknown hardware is not shown; the agent's log:\n{}", stage.agent.log()))?;

    add_device(stage, &mac.to_string(), serial.as_str()).await?;
    // Unknown hardware is told to ask again much later; somebody on site would switch it off and on.
    stage.agent.kill()?;
    stage.agent.run()?;
    stage
        .agent_says("waits for the on-site code", |told| {
            told.on_site_code().filter(|_| told.0["wait"] == "on_site_code")
        })
        .await?;
    Ok(())
}
