//! The same with real browsers: a technician at a desk and one with a phone, until the customer stops.

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    browser::{Browser, Screen, Setup, Theme, fantoccini::Locator},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self as play, Mails, Stage},
    wait::wait_until,
};
use serde_json::json;

use super::{SOON, with_terminal};
use crate::terminal::replay::{browser, opens_recording, replayed, sets_passphrase};

/// What the screen shows, without what is out of sight.
async fn screen(browser: &Browser) -> anyhow::Result<String> {
    let script = "return document.querySelector('.xterm-rows')?.textContent ?? ''";
    let text = browser.client.execute(script, Vec::new()).await?;
    Ok(text.as_str().unwrap_or_default().replace('\u{a0}', " "))
}

async fn shows(browser: &Browser, words: &str) -> anyhow::Result<()> {
    let mut last = String::new();
    let shown = wait_until(format!("the terminal shows `{words}`"), SOON, async || {
        last = screen(browser).await?;
        Ok(last.contains(words).then_some(()))
    });
    let shown = shown.await;
    shown.with_context(|| last)
}

async fn types(browser: &Browser, text: &str) -> anyhow::Result<()> {
    let area = browser.client.find(Locator::Css(".xterm-helper-textarea")).await?;
    Ok(area.send_keys(text).await?)
}

async fn pastes(browser: &Browser, text: &str) -> anyhow::Result<()> {
    let script = "const data = new DataTransfer(); data.setData('text/plain', arguments[0]);\
        document.querySelector('.xterm-helper-textarea').dispatchEvent(\
        new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))";
    browser.client.execute(script, vec![json!(text)]).await?;
    Ok(())
}

/// Rows and columns as the program has them.
async fn size(browser: &Browser, mark: &str) -> anyhow::Result<(u16, u16)> {
    types(browser, &format!("clear; echo {mark} $(stty size) $((40+2))\n")).await?;
    wait_until("the program tells its size", SOON, async || {
        let text = screen(browser).await?;
        let mut found = None;
        for part in text.split(&format!("{mark} ")).skip(1) {
            let mut words = part.split(' ');
            let numbers = (words.next().map(str::parse), words.next().map(str::parse));
            if let (Some(Ok(rows)), Some(Ok(columns))) = numbers {
                found = Some((rows, columns));
            }
        }
        Ok(found)
    })
    .await
}

async fn is_told(hands: &Hands, words: &str) -> anyhow::Result<()> {
    let script = "const said = document.querySelector('[data-said]'); return said.hidden ? '' : said.innerText";
    let shown = browser(hands)?;
    let mut last = String::new();
    let told = wait_until(format!("the page says `{words}`"), SOON, async || {
        let text = shown.client.execute(script, Vec::new()).await?;
        text.as_str().unwrap_or_default().clone_into(&mut last);
        Ok(last.contains(words).then_some(()))
    });
    let told = told.await;
    told.with_context(|| last)
}

async fn story_of(setup: Setup) -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), with_terminal("nobody")).await?;
    if !stage.with_browsers(setup).await? {
        return Ok(());
    }
    play::play_until(&mut stage, 4, |_| {}).await?;
    for hands in [&mut stage.customer, &mut stage.installer] {
        hands.open("/sessions/recordings").await?;
        sets_passphrase(hands).await?;
    }
    let device = stage.agent_status().await?.device().context("enrolled")?.to_owned();
    stage.installer.open(&format!("/devices/{device}")).await?;
    stage.installer.look("terminal-ask").await?;
    let fields = [("reason", "Zone 3 reports a fault"), ("minutes", "30")];
    stage.installer.submit(&format!("/devices/{device}/terminal"), &fields).await?;
    stage.installer.look("terminal-waits").await?;
    let session = play::allow(&mut stage).await?;

    // The page that waited goes on by itself.
    let technician = browser(&stage.installer)?;
    wait_until("the terminal can be opened", SOON, async || {
        let there = "return document.querySelector('[data-open]') !== null";
        Ok((technician.client.execute(there, Vec::new()).await? == true).then_some(()))
    })
    .await?;
    stage.installer.look("terminal-open").await?;
    technician.click("[data-open]").await?;
    let logs = || format!("{}\n{}", stage.agent.log(), stage.cloud.log());
    shows(technician, "$ ").await.with_context(logs)?;
    types(technician, "printf 'caf\\303\\251 \\342\\202\\254\\n'\n").await?;
    shows(technician, "café €").await?;
    pastes(technician, "echo pasted | tr a-z A-Z\r").await?;
    shows(technician, "PASTED").await?;

    // The window is as large as the page has room for.
    let before = size(technician, "one").await?;
    ensure!(before.1 > 30 && before.0 > 8, "{before:?}");
    let (width, height) = if setup.screen == Screen::Phone { (360, 420) } else { (900, 560) };
    let metrics =
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": setup.screen == Screen::Phone });
    technician.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
    let mut number = 0;
    wait_until("the program has the other size", SOON, async || {
        number += 1;
        let after = size(technician, &format!("two{number}")).await?;
        Ok((after.0 < before.0).then_some(()))
    })
    .await?;
    let mut last = "two";
    if setup.screen == Screen::Phone {
        keys(technician).await?;
        last = "OUT AGAIN";
    }
    stage.installer.look("terminal-inside").await?;
    technician.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await?;

    stage.customer.open(&format!("/sessions/{session}")).await?;
    stage.customer.reads("terminal as nobody").await?;
    stage.customer.look("terminal-customer").await?;
    stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    let english = setup.language == "en";
    let over = if english { "Reason: Stopped by the customer" } else { "Motif : Arrêtée par le client" };
    is_told(&stage.installer, over).await?;
    shows(browser(&stage.installer)?, last).await.context("what was shown stays")?;
    stage.installer.look("terminal-over").await?;

    for hands in [&mut stage.installer, &mut stage.customer] {
        opens_recording(hands).await?;
        replayed(hands, last).await?;
    }
    Ok(())
}

/// The keys that a phone has not.
async fn keys(technician: &Browser) -> anyhow::Result<()> {
    types(technician, "clear; cat -v\n").await?;
    technician.click("[data-key=A]").await?;
    technician.click("[data-key=escape]").await?;
    types(technician, "\n").await?;
    shows(technician, "^[[A^[").await?;
    technician.click("[data-key=control]").await?;
    types(technician, "c").await?;
    types(technician, "echo out again | tr a-z A-Z\n").await?;
    shows(technician, "OUT AGAIN").await
}

#[tokio::test]
async fn a_technician_is_at_a_terminal_from_a_desk_until_the_customer_stops() -> anyhow::Result<()> {
    story_of(Setup { screen: Screen::Desk, theme: Theme::Light, language: "en" }).await
}

#[tokio::test]
async fn a_technician_is_at_a_terminal_with_a_phone_in_french_in_the_dark() -> anyhow::Result<()> {
    story_of(Setup { screen: Screen::Phone, theme: Theme::Dark, language: "fr" }).await
}
