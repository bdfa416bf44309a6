//! A real Chromium, driven by chromedriver (WebDriver): a phone or a desk, in one language, light or dark.

mod authenticator;
mod axe;
mod driver;

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

pub use authenticator::Authenticator;
pub use axe::Violation;
pub use fantoccini;

use crate::{ports::free_port, process::Process, programs, skip, wait::wait_until};

/// How wide the page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// 360 x 740 with touch: one hand, on a ladder.
    Phone,
    /// 1280 x 800 with a keyboard.
    Desk,
}

/// The colours that the system prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Ink on paper.
    Light,
    /// Paper on ink.
    Dark,
}

/// What a browser is started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Its width.
    pub screen: Screen,
    /// Its colours.
    pub theme: Theme,
    /// Its language, like `fr`.
    pub language: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self { screen: Screen::Desk, theme: Theme::Light, language: "en" }
    }
}

/// A running browser with a profile of its own; dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    /// The WebDriver client, for what this type has no word for.
    pub client: Client,
    setup: Setup,
    _driver: Process,
    _profile: Profile,
}

/// The folder of one browser, and whatever runs in it: Chromium outlives the chromedriver that started it.
#[derive(Debug)]
struct Profile(tempfile::TempDir);

/// The programs that were started with these words among their arguments.
fn programs_with(words: &[u8]) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            line.windows(words.len()).any(|part| part == words).then_some(pid)
        })
        .collect()
}

impl Drop for Profile {
    fn drop(&mut self) {
        for program in programs_with(self.0.path().as_os_str().as_encoded_bytes()) {
            // It may have ended already; there is nobody to tell.
            let _ = kill_process(program, Signal::KILL);
        }
    }
}

impl Browser {
    /// Starts Chromium; `None` when this machine has none (noted, and refused in CI).
    pub async fn start(setup: Setup) -> anyhow::Result<Option<Self>> {
        let without = "what needs a browser";
        let Some(chromium) = skip::find_or_skip("chromium", without)? else { return Ok(None) };
        let Some(chromedriver) = skip::find_or_skip("chromedriver", without)? else { return Ok(None) };
        let profile = Profile(tempfile::tempdir().context("cannot make a profile folder")?);
        let folder = profile.0.path();
        let mut command = Command::new(chromedriver);
        // With port 0 it takes one of IPv6's that somebody may have at IPv4.
        command.arg(format!("--port={}", free_port()?)).env("HOME", folder).env("XDG_CONFIG_HOME", folder);
        let mut driver = Process::start("chromedriver", &mut command)?;
        let line = driver.wait_for_line("successfully on port ", Duration::from_secs(90)).await?;
        let port = line.rsplit_once("on port ").map_or("", |(_, port)| port.trim_end_matches('.'));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(driver::capabilities(setup, &chromium, folder)?);
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.context("cannot open a browser")?;
        let browser = Self { client, setup, _driver: driver, _profile: profile };
        let scheme = if setup.theme == Theme::Dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
        Ok(Some(browser))
    }

    /// What it was started as.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// Opens an address and waits until it has loaded.
    pub async fn open(&self, address: &str) -> anyhow::Result<()> {
        self.client.goto(address).await.with_context(|| format!("cannot open {address}"))
    }

    /// Everything a person can read on the page.
    pub async fn text(&self) -> anyhow::Result<String> {
        Ok(self.client.find(Locator::Css("body")).await.context("the page has no body")?.text().await?)
    }

    /// Waits until the page says `words`, wherever.
    pub async fn wait_for_words(&self, words: &str) -> anyhow::Result<()> {
        let found = wait_until(format!("the page says `{words}`"), Duration::from_secs(90), async || {
            Ok(self.text().await?.contains(words).then_some(()))
        });
        match found.await {
            Ok(()) => Ok(()),
            Err(error) => {
                let (at, text) = (self.client.current_url().await?, self.text().await.unwrap_or_default());
                Err(error.context(format!("{at} says:\n{text}")))
            }
        }
    }

    /// Types into the field with that `name`, replacing what is there.
    pub async fn fill(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let field = self.client.find(Locator::Css(&format!("[name=\"{name}\"]"))).await;
        let field = field.with_context(|| format!("the page has no field `{name}`"))?;
        field.clear().await.with_context(|| format!("cannot clear `{name}`"))?;
        field.send_keys(text).await.with_context(|| format!("cannot type into `{name}`"))
    }

    /// Clicks what `css` selects.
    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        let element = self.client.find(Locator::Css(css)).await.with_context(|| format!("the page has no `{css}`"))?;
        element.click().await.with_context(|| format!("cannot click `{css}`"))
    }

    /// Presses the button or follows the link with these words, as a person finds it.
    pub async fn press(&self, words: &str) -> anyhow::Result<()> {
        anyhow::ensure!(!words.contains('"'), "words with quotes cannot be looked for");
        let path = format!(
            "//*[self::button or self::a or self::summary or @role='button' or @type='submit']\
             [contains(normalize-space(.), \"{words}\") or @value=\"{words}\" or @aria-label=\"{words}\"]"
        );
        let found = self.client.find(Locator::XPath(&path)).await;
        let found = found.with_context(|| format!("the page has no button or link `{words}`"))?;
        found.click().await.with_context(|| format!("cannot press `{words}`"))
    }

    /// Keeps a picture of the page under `target/screenshots/` and gives its path.
    pub async fn screenshot(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = programs::target()?.join("screenshots");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let Setup { screen, theme, language } = self.setup;
        let path = folder.join(format!("{name}-{screen:?}-{theme:?}-{language}.png").to_lowercase());
        let options = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.devtools("Page.captureScreenshot", options).await?;
        let picture =
            STANDARD.decode(taken["data"].as_str().unwrap_or_default()).context("the picture is unreadable")?;
        std::fs::write(&path, picture).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// How far the page reaches beyond the screen's right edge, in CSS pixels; a good page gives 0.
    pub async fn overflow(&self) -> anyhow::Result<i64> {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        Ok(self.client.execute(script, Vec::new()).await?.as_i64().unwrap_or_default())
    }

    /// What an accessibility check (axe, WCAG 2.2 A and AA) finds wrong with the page.
    pub async fn violations(&self) -> anyhow::Result<Vec<Violation>> {
        axe::check(&self.client).await
    }

    /// Sends one command of the Chrome DevTools protocol.
    pub async fn devtools(&self, command: &'static str, parameters: Value) -> anyhow::Result<Value> {
        let sent = self.client.issue_cmd(driver::DevTools { command, parameters }).await;
        sent.with_context(|| format!("the browser refused {command}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_is_read_filled_pressed_and_checked() -> anyhow::Result<()> {
        let page = "data:text/html,<!doctype html><html lang=en><meta name=viewport content=width=device-width><title>T</title><main><h1>Hello</h1>\
            <form onsubmit=\"document.querySelector('h1').textContent='Hello '%2Bthis.who.value;return false\">\
            <input name=who><button>Greet</button></form></main>";
        let setup = Setup { screen: Screen::Phone, theme: Theme::Dark, language: "fr" };
        let Some(browser) = Browser::start(setup).await? else { return Ok(()) };
        browser.open(page).await?;
        browser.fill("who", "Anna").await?;
        browser.press("Greet").await?;
        browser.wait_for_words("Hello Anna").await?;

        // The field has no label: the checker must find that, and nothing must stick out.
        let violations = browser.violations().await?;
        let found = violations.iter().any(|found| found.rule == "label");
        assert!(found || !axe::is_there()?, "{violations:?}");
        assert_eq!(browser.overflow().await?, 0);

        let script = "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches, navigator.language]";
        assert_eq!(browser.client.execute(script, Vec::new()).await?, json!([360, true, "fr"]));
        assert!(browser.screenshot("harness").await?.metadata()?.len() > 1_000);
        Ok(())
    }
    #[test]
    fn what_runs_in_a_profile_goes_with_it_and_nothing_else() {
        let (ours, theirs) = (Profile(tempfile::tempdir().unwrap()), Profile(tempfile::tempdir().unwrap()));
        let run = |profile: &Profile| {
            let mut command = Command::new("sh");
            command.args(["-c", "read line"]).arg(profile.0.path()).stdin(std::process::Stdio::piped());
            command.spawn().unwrap()
        };
        let (mut mine, mut other) = (run(&ours), run(&theirs));
        drop(ours);
        assert!(!mine.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none(), "another browser's goes on");
        drop(theirs);
        assert!(!other.wait().unwrap().success());
    }
}
