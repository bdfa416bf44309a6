//! Step 4: the customer gets the mails, sets a password, opens the link, corrects the data, picks the consent.

use anyhow::ensure;

use super::{
    CUSTOMER, INSTALLER, Person, Stage,
    mails::sign_in,
    stage::{Told, WEB_ADDRESS},
};
use crate::portal::Hands;

/// Plays the step.
pub(super) async fn activate(stage: &mut Stage) -> anyhow::Result<()> {
    confirm(stage, CUSTOMER).await?;
    let says = |told: &Told| {
        let registration = &told.0["registration"];
        let named = registration["customer"] == CUSTOMER.name && registration["installer"] == INSTALLER.name;
        (told.life() == Some("active") && named && registration["consent"] == "ask").then_some(())
    };
    stage.agent_says("knows for whom it is active, by whom, and who may enter", says).await?;
    let page = reqwest::get(stage.agent.page()).await?.text().await?;
    ensure!(page.contains(CUSTOMER.name) && page.contains(INSTALLER.name), "the device's own page says:\n{page}");
    Ok(())
}

/// A customer who is new here: both mails, password, confirmation.
pub(super) async fn confirm(stage: &mut Stage, person: Person) -> anyhow::Result<()> {
    let password = stage.mails.link(person, "/set-password").await?;
    let activation = stage.mails.link(person, "/activate").await?;
    for link in [&password, &activation] {
        ensure!(!link.contains(person.password), "a mail has a password in it");
    }
    let customer = &mut stage.customer;

    // What a mail scanner does: it opens the link, and nothing may come of it.
    let mut scanner = Hands::plain(&stage.cloud.portal(), "en")?;
    scanner.open(&activation).await?;

    let fields = [("password", person.password), ("repeated", person.password)];
    customer.follow(&password, "/set-password", &fields).await?;
    sign_in(customer, person).await?;
    customer.follow(&activation, "/activate", &[]).await?;
    let path = customer.path().await?;
    ensure!(path == "/activate/confirm", "the link led to {path}:\n{}", customer.text().await?);
    customer.look("confirm").await?;
    let fields = [
        ("name", person.name),
        ("phone", "+39 06 555 01 24"),
        ("address", "Via Appia 7"),
        ("postcode", "00179"),
        ("city", "Roma"),
        ("country", "Italia"),
        ("consent", "ask"),
    ];
    customer.submit("/activate/confirm", &fields).await?;
    let path = customer.path().await?;
    ensure!(path.ends_with("/activated"), "confirming led to {path}:\n{}", customer.text().await?);
    customer.look("activated").await?;

    // A link is used once.
    customer.follow(&activation, "/activate", &[]).await?;
    ensure!(customer.path().await? != "/activate/confirm", "a used link was taken again");
    customer.open("/devices").await?;
    customer.reads(WEB_ADDRESS).await?;
    customer.look("my-devices").await
}
