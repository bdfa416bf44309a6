//! How Chromium is started, and DevTools commands through chromedriver.

use std::path::Path;

use anyhow::Context as _;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use serde_json::{Value, json};

use super::{Screen, Setup};

/// Quiet, headless, with nothing that calls home.
const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--metrics-recording-only",
    "--force-device-scale-factor=1",
];

pub(super) fn capabilities(setup: Setup, chromium: &Path, profile: &Path) -> anyhow::Result<Capabilities> {
    let mut flags: Vec<String> = FLAGS.map(str::to_owned).into();
    flags.push(format!("--user-data-dir={}", profile.display()));
    flags.push(format!("--lang={}", setup.language));
    flags.push("--window-size=1280,800".into());
    let mut options = json!({
        "binary": chromium,
        "args": flags,
        "prefs": { "intl.accept_languages": setup.language, "credentials_enable_service": false },
    });
    if setup.screen == Screen::Phone {
        let metrics = json!({ "width": 360, "height": 740, "pixelRatio": 2.0, "touch": true });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    let capabilities = json!({
        "browserName": "chrome",
        "acceptInsecureCerts": true,
        "goog:chromeOptions": options,
    });
    capabilities.as_object().cloned().context("capabilities are an object")
}

/// One command of the Chrome DevTools protocol, through chromedriver's own endpoint.
#[derive(Debug)]
pub(super) struct DevTools {
    pub(super) command: &'static str,
    pub(super) parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (http::Method::POST, Some(body.to_string()))
    }
}
