//! Step 6: the customer gives the device back. The old certificate connects no more; the device enrols anew, is
//! registered for somebody else, and the next owner sees nothing of the one before.

use anyhow::{Context as _, ensure};

use super::{
    CUSTOMER, NEXT_CUSTOMER, Stage,
    activate::confirm,
    mails::sign_out,
    register::add,
    stage::{Told, WEB_ADDRESS},
};

/// Plays the step.
pub(super) async fn release(stage: &mut Stage) -> anyhow::Result<()> {
    let before = stage.agent_status().await?;
    let epoch = before.0["epoch"].as_u64().context("the agent knows its epoch")?;
    let device = before.device().context("the agent knows its id")?.to_owned();
    let path = format!("/devices/{device}/release");
    stage.customer.open(&path).await?;
    stage.customer.look("release").await?;
    stage.customer.submit(&path, &[("typed", WEB_ADDRESS)]).await?;
    stage.customer.open("/devices").await?;
    let text = stage.customer.text().await?;
    ensure!(!text.contains(WEB_ADDRESS), "the device is still among the customer's:\n{text}");

    // It forgets the owner, makes a new key and shows a code again.
    let fresh = |told: &Told| {
        let forgotten = told.0["registration"]["customer"].is_null() && told.device().is_none();
        told.on_site_code().filter(|_| forgotten)
    };
    stage.agent_says("has forgotten its owner and shows a code", fresh).await?;

    add(stage, NEXT_CUSTOMER, false).await?;
    sign_out(&mut stage.customer).await?;
    confirm(stage, NEXT_CUSTOMER).await?;
    let again = |told: &Told| {
        let named = told.0["registration"]["customer"] == NEXT_CUSTOMER.name;
        let later = told.0["epoch"].as_u64().is_some_and(|now| now > epoch);
        (told.life() == Some("active") && named && later).then_some(())
    };
    stage.agent_says("is active for its next owner", again).await?;
    for path in [format!("/devices/{device}"), "/sessions".to_owned(), "/history".to_owned()] {
        stage.customer.open(&path).await?;
        let text = stage.customer.text().await?;
        for trace in [CUSTOMER.name, CUSTOMER.email, "+39 06 555 01 23"] {
            ensure!(!text.contains(trace), "{path} shows the next owner `{trace}`:\n{text}");
        }
    }
    Ok(())
}
