//! Step 3: the installer signs up, confirms the address, adds the device from its label and the code it shows.

use anyhow::ensure;

use super::{
    CUSTOMER, INSTALLER, Person, Stage,
    mails::sign_in,
    stage::{Told, WEB_ADDRESS},
};

/// Plays the step.
pub(super) async fn register(stage: &mut Stage) -> anyhow::Result<()> {
    sign_up(stage).await?;
    add(stage, CUSTOMER, true).await?;
    stage
        .agent_says("is connected and heard", |told| (told.device().is_some() && told.is_settled()).then_some(()))
        .await?;
    stage.agent_says("knows that it is registered", |told| (told.life() == Some("registered")).then_some(())).await
}

/// Signs the installer up and in.
pub async fn sign_up(stage: &mut Stage) -> anyhow::Result<()> {
    let Person { name, email, password } = INSTALLER.person;
    let installer = &mut stage.installer;
    installer.open("/sign-in").await?;
    installer.look("sign-in").await?;
    installer.open("/sign-up").await?;
    installer.look("sign-up").await?;
    installer.submit("/sign-up", &[("company", INSTALLER.name), ("name", name), ("email", email)]).await?;
    ensure!(installer.path().await? == "/look-in-mail", "signing up led to:\n{}", installer.text().await?);
    installer.look("look-in-mail").await?;
    let link = stage.mails.link(INSTALLER.person, "/confirm-email").await?;
    let installer = &mut stage.installer;
    // Two different ones first: the page comes back, with the link still good.
    let fields = [("password", password), ("repeated", "another one altogether")];
    installer.follow(&link, "/confirm-email", &fields).await?;
    installer.look("confirm-email-refused").await?;
    installer.submit("/confirm-email", &[("password", password), ("repeated", password)]).await?;
    ensure!(installer.path().await? == "/sign-in", "confirming led to:\n{}", installer.text().await?);
    sign_in(&mut stage.installer, INSTALLER.person).await?;
    stage.installer.look("installer-home").await
}

/// Adds the device for that customer, with or without their data.
pub(super) async fn add(stage: &mut Stage, customer: Person, with_data: bool) -> anyhow::Result<()> {
    let told = stage.agent_status().await?;
    let (Some((mac, _)), Some(code)) = (told.hardware(), told.on_site_code()) else {
        let code = stage.agent_says("shows an on-site code", Told::on_site_code).await?;
        anyhow::bail!("the agent showed `{code}` only later")
    };
    let (mac, id_code) = (mac.to_string(), stage.id_code.to_string());
    let installer = &mut stage.installer;
    installer.open("/devices/add").await?;
    installer.look("add-device").await?;

    // Another device's MAC: one plain reason, and what was typed is still there.
    let label = |mac, proof| {
        [
            ("id_code", id_code.as_str()),
            ("mac", mac),
            ("proof", proof),
            ("web_address", WEB_ADDRESS),
            ("email", customer.email),
        ]
    };
    installer.submit("/devices/add/check", &label("02:42:AC:11:7F:99", &code)).await?;
    installer.look("add-device-refused").await?;
    ensure!(
        !installer.text().await?.contains(customer.name) && installer.path().await? == "/devices/add/check",
        "a wrong pair was taken:\n{}",
        installer.text().await?
    );

    installer.submit("/devices/add/check", &label(&mac, &code)).await?;
    installer.look("add-customer").await?;
    let data = [
        ("name", customer.name),
        ("phone", "+39 06 555 01 23"),
        ("address", "Via Appia 5"),
        ("postcode", "00179"),
        ("city", "Roma"),
        ("country", "Italia"),
        ("with", "data"),
    ];
    let fields = if with_data { &data[..] } else { &[("with", "nothing")] };
    installer.submit("/devices/add/save", fields).await?;
    let path = installer.path().await?;
    ensure!(path.ends_with("/sent"), "saving led to {path}:\n{}", installer.text().await?);
    installer.reads(customer.email).await?;
    installer.look("sent").await?;
    installer.open("/devices").await?;
    installer.reads(WEB_ADDRESS).await?;
    installer.look("installer-devices").await
}
