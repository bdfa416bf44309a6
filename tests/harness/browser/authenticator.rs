//! A passkey authenticator that needs no hand: Chromium's own, within the browser.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Browser;

/// The authenticator of one browser; its passkeys live as long as the page's target.
#[derive(Debug)]
pub struct Authenticator(String);

impl Authenticator {
    /// Gives the browser an authenticator that finds its passkeys by itself and knows its user.
    pub async fn of(browser: &Browser) -> anyhow::Result<Self> {
        browser.devtools("WebAuthn.enable", json!({})).await?;
        let options = json!({
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserVerified": true,
            "automaticPresenceSimulation": true,
        });
        let added = browser.devtools("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await?;
        added["authenticatorId"].as_str().map(|id| Self(id.to_owned())).context("the authenticator has no id")
    }

    /// The passkeys it holds.
    pub async fn passkeys(&self, browser: &Browser) -> anyhow::Result<Vec<Value>> {
        let said = browser.devtools("WebAuthn.getCredentials", json!({ "authenticatorId": self.0 })).await?;
        Ok(said["credentials"].as_array().cloned().unwrap_or_default())
    }

    /// Its user does (not) show a finger any more.
    pub async fn knows_its_user(&self, browser: &Browser, known: bool) -> anyhow::Result<()> {
        let options = json!({ "authenticatorId": self.0, "isUserVerified": known });
        browser.devtools("WebAuthn.setUserVerified", options).await.map(drop)
    }
}
