//! The replay in real browsers: a passphrase is set there, a terminal is recorded, and both read it again.

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    agent::AgentSetup,
    browser::{Browser, Screen, Setup, Theme},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self, Mails, Stage},
    wait::wait_until,
};

use super::{DEVICE, SOON, with_terminal};

const PASSPHRASE: &str = "orchard copper lantern tide";

pub(super) fn browser(hands: &Hands) -> anyhow::Result<&Browser> {
    match hands {
        Hands::Browser(browser, _) => Ok(browser),
        Hands::Plain(_) => anyhow::bail!("plain hands"),
    }
}

/// Sets the organisation's passphrase on the page that is open.
pub(super) async fn sets_passphrase(hands: &Hands) -> anyhow::Result<()> {
    let shown = browser(hands)?;
    shown.fill("passphrase", PASSPHRASE).await?;
    shown.fill("repeated", "something else entirely").await?;
    shown.click("form[data-recording-key] button").await?;
    let alert = "return document.querySelector('[data-recording-key] [role=alert]').textContent";
    wait_until("the two are compared", SOON, async || {
        let text = shown.client.execute(alert, Vec::new()).await?;
        Ok(text.as_str().is_some_and(|text| !text.is_empty()).then_some(()))
    })
    .await?;
    shown.fill("repeated", PASSPHRASE).await?;
    shown.click("form[data-recording-key] button").await?;
    wait_until("the passphrase is set", SOON, async || {
        let done = "return document.querySelector('#key .state.done') !== null";
        Ok((shown.client.execute(done, Vec::new()).await? == true).then_some(()))
    })
    .await
}

/// Waits for the one recording in the list and opens its page.
pub(super) async fn opens_recording(hands: &mut Hands) -> anyhow::Result<()> {
    let link = wait_until("the recording is listed", SOON, async || {
        hands.open("/sessions/recordings").await?;
        let links = hands.links().await?;
        Ok(links
            .into_iter()
            .find(|link| link.len() > "/sessions/recordings/".len() && link.starts_with("/sessions/recordings/")))
    })
    .await?;
    hands.look("recordings").await?;
    hands.open(&link).await
}

/// Replays the recording whose page is open to its end, which says `words`; gives all that is shown.
pub(super) async fn replayed(hands: &Hands, words: &str) -> anyhow::Result<String> {
    let shown = browser(hands)?;
    shown.fill("passphrase", PASSPHRASE).await?;
    shown.click("[data-replay] form button").await?;
    let all = "return window.replayed ? window.replayed() : ''";
    let at_end = "const seek = document.querySelector('[data-seek]'); seek.value = seek.max; \
                  seek.dispatchEvent(new Event('input'))";
    wait_until("the recording is shown", SOON, async || {
        shown.client.execute(at_end, Vec::new()).await?;
        let text = shown.client.execute(all, Vec::new()).await?;
        Ok(text.as_str().filter(|text| text.contains(words)).map(str::to_owned))
    })
    .await
}

async fn story_of(setup: Setup) -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let agent: AgentSetup = with_terminal("nobody");
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), agent).await?;
    if !stage.with_browsers(setup).await? {
        return Ok(());
    }
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    for hands in [&mut stage.customer, &mut stage.installer] {
        hands.open("/sessions/recordings").await?;
        hands.look("recordings-none").await?;
        sets_passphrase(hands).await?;
    }
    let line =
        "stty cols 90 rows 20; printf '\\033[38;2;200;120;10mcaf\\303\\251\\033[0m done\\n'; sleep 1; echo later";
    let mut process = stage.technician.start(["shell", DEVICE, "--reason", "log files", "--", line])?;
    story::allow(&mut stage).await?;
    process.wait(SOON).await.with_context(|| format!("{}\n{}", process.log(), stage.agent.log()))?;
    for hands in [&mut stage.customer, &mut stage.installer] {
        opens_recording(hands).await?;
        hands.look("replay-locked").await?;
        let shown = browser(hands)?;
        shown.fill("passphrase", "not this one at all").await?;
        shown.click("[data-replay] form button").await?;
        let says = "return document.querySelector('[data-replay] [role=alert]').textContent \
                    === document.querySelector('[data-replay]').dataset.saidpassphrase";
        wait_until("a wrong passphrase opens nothing", SOON, async || {
            Ok((shown.client.execute(says, Vec::new()).await? == true).then_some(()))
        })
        .await?;
        let read = replayed(hands, "later").await.with_context(|| format!("{setup:?}"))?;
        ensure!(read.contains("café done"), "{read}");
        let blocked =
            "return performance.getEntriesByType('resource').filter((r) => !r.name.startsWith(location.origin)).length";
        ensure!(shown.client.execute(blocked, Vec::new()).await? == 0, "the page loads from its own origin alone");
        hands.look("replay").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_terminal_is_replayed_on_a_phone_in_english() -> anyhow::Result<()> {
    story_of(Setup { screen: Screen::Phone, theme: Theme::Light, language: "en" }).await
}

#[tokio::test]
async fn a_terminal_is_replayed_at_a_desk_in_french_in_the_dark() -> anyhow::Result<()> {
    story_of(Setup { screen: Screen::Desk, theme: Theme::Dark, language: "fr" }).await
}
