//! The customer edits the hours of the rule on a phone, and answers a request from the mail's link, in a language that
//! the mail is not in: with a real browser, a real agent and a real technician.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    agent::AgentSetup,
    browser::{Browser, Screen, Setup, Theme, fantoccini::Locator},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    ports::free_port,
    story::{CUSTOMER, Mails, Stage, WEB_ADDRESS, sign_out},
    wait::wait_until,
};
use serde_json::{Value, json};

use super::live;
use crate::gateway::browser::{browser, press_at};

const SOON: Duration = Duration::from_secs(120);
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const SAVED: &str = "Votre choix est enregistré";

async fn tick(browser: &Browser, days: &[&str]) -> anyhow::Result<()> {
    for day in days {
        press_at(browser, &format!("input[name='days0'][value='{day}']")).await?;
    }
    Ok(())
}

/// Sets the first row's hours. How a time is typed differs between the languages of browsers.
async fn times(browser: &Browser, from: &str, until: &str) -> anyhow::Result<()> {
    let script = "document.querySelector('[name=from0]').value = arguments[0];\
        document.querySelector('[name=until0]').value = arguments[1];\
        return [...document.querySelectorAll(':invalid')].map((field) => field.name).join()";
    let invalid = browser.client.execute(script, vec![json!(from), json!(until)]).await?;
    ensure!(invalid == "", "the form takes no {invalid}");
    Ok(())
}

/// What the form shows: the rule, the first row's days and hours, the zone.
async fn shown(browser: &Browser) -> anyhow::Result<Value> {
    let script = "const of = (css) => document.querySelector(css);\
        return [of('input[name=consent]:checked').value,\
            [...document.querySelectorAll('input[name=days0]:checked')].map((day) => day.value),\
            of('input[name=from0]').value, of('input[name=until0]').value, of('#zone').value]";
    Ok(browser.client.execute(script, Vec::new()).await?)
}

/// The day of the week in three days: far from now in every zone.
async fn another_day(browser: &Browser) -> anyhow::Result<&'static str> {
    let script = "return (new Date(Date.now() + 3 * 864e5).getUTCDay() + 6) % 7";
    let day = browser.client.execute(script, Vec::new()).await?.as_u64().context("no day")?;
    Ok(DAYS[usize::try_from(day)?])
}

/// The link in the customer's mail about a request.
async fn link_of_request(stage: &mut Stage) -> anyhow::Result<String> {
    let Mails::BuiltIn(vendor) = &mut stage.mails else { anyhow::bail!("the mails are elsewhere") };
    wait_until("the customer gets a mail about the request", SOON, async || {
        vendor.open("/vendor/mailbox").await?;
        let links = vendor.links().await?;
        for mail in links.into_iter().filter(|link| link.starts_with("/vendor/mailbox/")) {
            vendor.open(&mail).await?;
            let text = vendor.text().await?;
            let link = text.split_whitespace().find(|word| word.starts_with("http") && word.contains("/sessions/"));
            if let Some(link) = link.filter(|_| text.contains(CUSTOMER.email)) {
                return Ok(Some(link.to_owned()));
            }
        }
        Ok(None)
    })
    .await
}

async fn story(setup: Setup) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mut stage = live::ready(cloud, folder.path(), AgentSetup::default()).await?;
    let Some(mut hands) = Hands::browser(&stage.cloud.portal(), setup).await? else { return Ok(()) };
    hands.open("/sign-in").await?;
    let sign_in = [("email", CUSTOMER.email), ("password", CUSTOMER.password)];
    hands.submit("/sign-in", &sign_in).await?;
    let device = stage.agent_status().await?.0["device"].as_str().context("no device")?.to_owned();
    let (page, action) = (format!("/devices/{device}"), format!("/devices/{device}/consent"));

    // Hours of one day that is not today: kept as they were typed.
    hands.open(&page).await?;
    press_at(browser(&hands)?, "details.hours > summary").await?;
    let other = another_day(browser(&hands)?).await?;
    tick(browser(&hands)?, &[other]).await?;
    hands.look("device-hours-open").await?;
    let zone = browser(&hands)?.client.find(Locator::Css("#zone")).await?;
    zone.select_by_label("Europe/Paris").await?;
    times(browser(&hands)?, "08:15", "18:45").await?;
    hands.submit(&action, &[("consent", "always")]).await?;
    hands.reads(SAVED).await?;
    hands.look("device-hours-saved").await?;
    hands.open(&page).await?;
    let stands = shown(browser(&hands)?).await?;
    ensure!(stands == json!(["always", [other], "08:15", "18:45", "Europe/Paris"]), "the page shows {stands}");
    sign_out(&mut hands).await?;

    // Outside of them the customer is asked; the mail's link leads through the sign-in to the answer.
    let port = free_port()?;
    let place = format!("{port}:panel-echo");
    let verb = ["forward", WEB_ADDRESS, &place, "--reason", "Yearly check"];
    let mut forward = stage.technician.start(verb)?;
    let link = link_of_request(&mut stage).await?;
    hands.open(&link).await?;
    hands.look("request-sign-in").await?;
    ensure!(hands.path().await? == "/sign-in", "whoever is signed out reads {}", hands.path().await?);
    hands.submit("/sign-in", &sign_in).await?;
    ensure!(link.ends_with(&hands.path().await?), "the sign-in led to {}", hands.path().await?);
    for words in ["Yearly check", "Autoriser"] {
        hands.reads(words).await?;
    }
    hands.look("request-by-mail").await?;
    let actions = hands.actions().await?;
    let allow = actions.into_iter().find(|action| action.ends_with("/allow")).context("nothing to allow")?;
    hands.submit(&allow, &[]).await?;
    live::answers(port).await.with_context(|| forward.log())?;
    hands.open("/sessions").await?;
    hands.submit(&allow.replace("/allow", "/stop"), &[]).await?;
    ensure!(!forward.wait(SOON).await?.success());

    // All days, no times: any hour of them, so nobody is asked.
    hands.open(&page).await?;
    let rest: Vec<_> = DAYS.into_iter().filter(|day| *day != other).collect();
    tick(browser(&hands)?, &rest).await?;
    times(browser(&hands)?, "", "").await?;
    hands.submit(&action, &[]).await?;
    let stands = shown(browser(&hands)?).await?;
    ensure!(stands == json!(["always", DAYS, "00:00", "00:00", "Europe/Paris"]), "the page shows {stands}");
    let mut forward = stage.technician.start(verb)?;
    live::answers(port).await.with_context(|| forward.log())?;

    // Narrower again: who was let in by the hours is out.
    hands.open(&page).await?;
    tick(browser(&hands)?, &rest).await?;
    hands.submit(&action, &[]).await?;
    ensure!(!forward.wait(SOON).await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_edits_the_hours_and_answers_from_the_mail_on_a_phone() -> anyhow::Result<()> {
    story(Setup { screen: Screen::Phone, theme: Theme::Light, language: "fr" }).await
}
