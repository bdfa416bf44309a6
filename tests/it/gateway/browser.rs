//! The same with real browsers: a technician at a desk, a customer with a phone, and the customer's own page.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    awkward::WORDS,
    browser::{Authenticator, Browser, Screen, Setup, Theme, fantoccini::Locator},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self, Mails, Person},
    wait::wait_until,
};

use super::Site;
use crate::sessions::key_story;

/// Opens the portal in a real browser and signs in; `None` without one.
pub(crate) async fn signed_in(portal: &str, setup: Setup, person: Person) -> anyhow::Result<Option<Hands>> {
    let Some(mut hands) = Hands::browser(portal, setup).await? else { return Ok(None) };
    hands.open("/sign-in").await?;
    hands.submit("/sign-in", &[("email", person.email), ("password", person.password)]).await?;
    Ok(Some(hands))
}

pub(crate) fn browser(hands: &Hands) -> anyhow::Result<&Browser> {
    let Hands::Browser(browser, _) = hands else { anyhow::bail!("a real browser only") };
    Ok(browser)
}

/// Presses what may be under the bar at a phone's foot.
pub(crate) async fn press_at(browser: &Browser, css: &str) -> anyhow::Result<()> {
    let into_view = format!("document.querySelector(\"{css}\").scrollIntoView({{ block: 'center' }})");
    browser.client.execute(&into_view, Vec::new()).await?;
    browser.click(css).await
}

/// Presses a button that opens another tab, and goes there.
pub(crate) async fn press_into_new_tab(hands: &Hands, css: &str) -> anyhow::Result<()> {
    let browser = browser(hands)?;
    let before = browser.client.windows().await?;
    press_at(browser, css).await?;
    let tab = wait_until("another tab opens", Duration::from_secs(90), async || {
        Ok(browser.client.windows().await?.into_iter().find(|window| !before.contains(window)))
    });
    Ok(browser.client.switch_to_window(tab.await?).await?)
}

async fn element_says(browser: &Browser, css: &str, words: &str) -> anyhow::Result<()> {
    let mut last = String::new();
    let said = wait_until(format!("{css} says `{words}`"), Duration::from_secs(90), async || {
        let found = browser.client.find(Locator::Css(css)).await;
        if let Ok(element) = found {
            last = element.text().await.unwrap_or_default();
        }
        Ok(last.contains(words).then_some(()))
    });
    let at = browser.client.current_url().await?;
    said.await.with_context(|| format!("{at}: {last}"))
}

#[tokio::test]
async fn a_technician_uses_a_panels_page_from_the_portal_until_the_customer_stops() -> anyhow::Result<()> {
    let mut site = Site::open(68).await?;
    let portal = site.stage.cloud.portal();
    let desk = Setup { screen: Screen::Desk, theme: Theme::Light, language: "en" };
    let phone = Setup { screen: Screen::Phone, theme: Theme::Dark, language: "fr" };
    let Some(installer) = signed_in(&portal, desk, story::INSTALLER.person).await? else { return Ok(()) };
    let Some(customer) = signed_in(&portal, phone, story::CUSTOMER).await? else { return Ok(()) };
    (site.stage.installer, site.stage.customer, site.stage.english) = (installer, customer, false);
    site.stage.installer.open(&format!("/devices/{}", site.device)).await?;
    site.stage.installer.look("web-page-ask").await?;
    let session = site.ask("awkward-web").await?;
    site.stage.installer.look("web-page-waits").await?;
    story::allow(&mut site.stage).await?;

    let technician = &site.stage.installer;
    browser(technician)?.wait_for_words("The page can be opened").await?;
    technician.look("web-page-open").await?;
    press_into_new_tab(technician, &format!("form[action='/web-pages/{session}/enter'] button")).await?;
    let tab = browser(technician)?;
    tab.wait_for_words(WORDS).await?;
    let origin = tab.client.current_url().await?;
    ensure!(origin.host_str().is_some_and(|host| host.starts_with("s-")), "the page is at {origin}");

    // An absolute link of the panel, a web socket, events, a download.
    tab.press("Live").await?;
    element_says(tab, "#said", "socket: heard zone 3").await?;
    element_says(tab, "#told", "event: listening").await?;
    site.panel.events.send("alarm in zone 3".to_owned())?;
    element_says(tab, "#told", "event: alarm in zone 3").await?;
    let script = "const done = arguments[arguments.length - 1];\
        fetch(document.getElementById('file').href).then((a) => a.arrayBuffer()).then((b) => done(b.byteLength), (e) => done(String(e)))";
    let bytes = tab.client.execute_async(script, Vec::new()).await?;
    ensure!(bytes == 100_000, "the download gave {bytes}");

    // Neither read nor framed.
    let spy = origin.join(&format!("/spy?portal={portal}"))?;
    tab.open(spy.as_str()).await?;
    element_says(tab, "#fetched", "fetched: refused").await?;
    element_says(tab, "#framed", "framed: closed").await?;

    // Stop: a page that polls shows the end.
    tab.open(origin.join("/live")?.as_str()).await?;
    element_says(tab, "#said", "socket: heard zone 3").await?;
    site.stage.customer.open("/sessions").await?;
    site.stage.customer.look("web-page-inside").await?;
    site.stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    tab.wait_for_words("The session is over").await?;
    site.stage.installer.look("gate-over").await
}

#[tokio::test]
async fn a_customer_opens_the_devices_own_page_by_its_web_address() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let mut site = Site::around(cloud, mails, 69).await?;
    let portal = site.stage.cloud.portal();
    let phone = Setup { screen: Screen::Phone, theme: Theme::Light, language: "en" };
    let Some(mut customer) = Hands::browser(&portal, phone).await? else { return Ok(()) };
    // By the address itself, signed out: the portal asks who it is, and leads back.
    let own = portal.replace("localhost", "villa-rosa.localhost");
    customer.open(&own).await?;
    browser(&customer)?.wait_for_words("Sign in").await?;
    let Person { email, password, .. } = story::CUSTOMER;
    customer.submit("/sign-in", &[("email", email), ("password", password)]).await?;
    customer.reads("Open the device’s page").await?;
    customer.look("own-page").await?;
    browser(&customer)?.press("Open the device’s page").await?;
    browser(&customer)?.wait_for_words(WORDS).await?;
    let at = browser(&customer)?.client.current_url().await?;
    ensure!(at.as_str().starts_with(&own), "the page is at {at}");

    // It is a session in the customer's own name: shown, and ended by a press.
    site.stage.customer.open("/sessions").await?;
    site.stage.customer.reads(story::CUSTOMER.name).await?;
    let actions = site.stage.customer.actions().await?;
    let stop = actions.into_iter().find(|action| action.ends_with("/stop")).context("nothing to stop")?;
    site.stage.customer.submit(&stop, &[]).await?;
    let over = wait_until("the page says that it is over", Duration::from_secs(90), async || {
        browser(&customer)?.open(&own).await?;
        Ok(browser(&customer)?.text().await?.contains("The session is over").then_some(()))
    });
    over.await?;
    customer.look("gate-over-own").await?;
    // The installer has seen nothing of it.
    site.stage.installer.open("/sessions").await?;
    let read = site.stage.installer.text().await?;
    ensure!(!read.contains(story::CUSTOMER.name), "the installer reads of the customer's own session:\n{read}");
    Ok(())
}

#[tokio::test]
async fn a_customer_whose_passkey_is_pinned_signs_to_open_the_devices_own_page() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let mut site = Site::around(cloud, mails, 71).await?;
    let portal = site.stage.cloud.portal();
    let phone = Setup { screen: Screen::Phone, theme: Theme::Dark, language: "en" };
    let Some(mut customer) = signed_in(&portal, phone, story::CUSTOMER).await? else { return Ok(()) };
    Authenticator::of(browser(&customer)?).await?;
    let (at_home, own) = (format!("/devices/{}", site.device), format!("/devices/{}/own-page", site.device));
    key_story::pin(&mut customer, &site.stage, &site.device, "Now at the device", "Pinned on the device.").await?;

    // Without the signature there is none, and nothing is left behind.
    site.stage.customer.open(&at_home).await?;
    site.stage.customer.submit(&own, &[]).await?;
    site.stage.customer.reads("your passkey is pinned on this device and signs first").await?;

    customer.open(&at_home).await?;
    customer.look("own-page-signs").await?;
    key_story::press(&customer, &own).await?;
    browser(&customer)?.wait_for_words(WORDS).await.with_context(|| site.stage.agent.log())?;
    let told = site.stage.agent_status().await?.0["sessions"].clone();
    ensure!(told.as_array().is_some_and(|open| open.len() == 1) && told[0]["consent_kind"] == "passkey", "{told}");

    // By the web address, too.
    let address = portal.replace("localhost", "villa-rosa.localhost");
    customer.open(&address).await?;
    if browser(&customer)?.text().await?.contains("Open the device’s page") {
        key_story::press(&customer, &own).await?;
    }
    browser(&customer)?.wait_for_words(WORDS).await
}
