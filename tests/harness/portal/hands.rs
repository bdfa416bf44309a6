//! What a person does at the portal, whichever way.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use fantoccini::{Locator, elements::Element};
use serde_json::json;

use super::Visitor;
use crate::{
    browser::{Browser, Setup},
    wait::wait_until,
};

/// How somebody uses the portal.
#[derive(Debug)]
pub enum Hands {
    /// Plain HTTP.
    Plain(Visitor),
    /// A real browser at that portal.
    Browser(Box<Browser>, String),
}

impl Hands {
    /// Plain HTTP in that language.
    pub fn plain(portal: &str, language: &str) -> anyhow::Result<Self> {
        Visitor::at(portal, language).map(Self::Plain)
    }

    /// A real browser; `None` when this machine has none.
    pub async fn browser(portal: &str, setup: Setup) -> anyhow::Result<Option<Self>> {
        let browser = Browser::start(setup).await?;
        Ok(browser.map(|browser| Self::Browser(Box::new(browser), portal.trim_end_matches('/').to_owned())))
    }

    /// Opens an address: a path of the portal, or whole.
    pub async fn open(&mut self, address: &str) -> anyhow::Result<()> {
        match self {
            Self::Plain(visitor) => visitor.open(address).await.map(drop),
            Self::Browser(browser, portal) if address.starts_with('/') => {
                browser.open(&format!("{portal}{address}")).await
            }
            Self::Browser(browser, _) => browser.open(address).await,
        }
    }

    /// What a download gives, over plain HTTP.
    pub async fn file(&mut self, path: &str) -> anyhow::Result<String> {
        let Self::Plain(visitor) = self else { bail!("a browser keeps its downloads to itself") };
        Ok(visitor.open(path).await?.html.clone())
    }

    /// Follows a link out of a mail, whose fragment holds a token, and presses what sends the token to `action`.
    pub async fn follow(&mut self, link: &str, action: &str, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        let (_, token) = link.split_once('#').with_context(|| format!("`{link}` has no token"))?;
        match self {
            Self::Plain(visitor) => {
                visitor.open(link).await?;
                let mut all = vec![("token", token)];
                all.extend(fields);
                visitor.submit(action, &all).await.map(drop)
            }
            Self::Browser(browser, _) => {
                // A page that is open already would only change its fragment.
                browser.open("about:blank").await?;
                browser.open(link).await?;
                self.submit(action, fields).await
            }
        }
    }

    /// Fills these fields of the form that goes to `action`, and sends it.
    pub async fn submit(&mut self, action: &str, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        match self {
            Self::Plain(visitor) => visitor.submit(action, fields).await.map(drop),
            Self::Browser(browser, _) => submit(browser, action, fields).await,
        }
    }

    /// Everything a person can read on the page.
    pub async fn text(&self) -> anyhow::Result<String> {
        match self {
            Self::Plain(visitor) => Ok(visitor.page()?.text()),
            Self::Browser(browser, _) => Ok(browser.text().await?.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }

    /// The path of the page that is open.
    pub async fn path(&self) -> anyhow::Result<String> {
        let address = match self {
            Self::Plain(visitor) => visitor.page()?.address.parse()?,
            Self::Browser(browser, _) => browser.client.current_url().await?,
        };
        Ok(address.path().to_owned())
    }

    /// All links of the page, as they stand in it.
    pub async fn links(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Plain(visitor) => Ok(visitor.page()?.links()),
            Self::Browser(browser, _) => {
                let script = "return [...document.querySelectorAll('a[href]')].map((a) => a.getAttribute('href'))";
                Ok(serde_json::from_value(browser.client.execute(script, Vec::new()).await?)?)
            }
        }
    }

    /// Where the forms of the page go.
    pub async fn actions(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Plain(visitor) => Ok(visitor.page()?.forms().into_iter().map(|form| form.action).collect()),
            Self::Browser(browser, _) => {
                let script = "return [...document.forms].map((form) => form.getAttribute('action') ?? '')";
                Ok(serde_json::from_value(browser.client.execute(script, Vec::new()).await?)?)
            }
        }
    }

    /// The number at the bell; empty when nothing waits.
    pub async fn bell(&self) -> anyhow::Result<String> {
        match self {
            Self::Plain(visitor) => {
                let (_, bell) = visitor.page()?.html.split_once("class=\"bell\"").context("no bell on the page")?;
                let (bell, _) = bell.split_once("</a>").context("the bell has no end")?;
                let count = bell.split_once("class=\"count\">").and_then(|(_, rest)| rest.split_once('<'));
                Ok(count.map_or("", |(count, _)| count).to_owned())
            }
            Self::Browser(browser, _) => {
                let script = "return document.querySelector('a.bell .count')?.textContent ?? ''";
                Ok(serde_json::from_value(browser.client.execute(script, Vec::new()).await?)?)
            }
        }
    }

    /// Refuses with the whole page when it does not say `words`.
    pub async fn reads(&self, words: &str) -> anyhow::Result<()> {
        let text = self.text().await?;
        ensure!(text.contains(words), "{} does not say `{words}`:\n{text}", self.path().await?);
        Ok(())
    }

    /// Opens the page until it says `words`.
    pub async fn wait_for(&mut self, path: &str, words: &str, within: Duration) -> anyhow::Result<()> {
        let found = wait_until(format!("{path} says `{words}`"), within, async || {
            self.open(path).await?;
            Ok(self.text().await?.contains(words).then_some(()))
        });
        if let Err(error) = found.await {
            return Err(error.context(format!("{path} says:\n{}", self.text().await?)));
        }
        Ok(())
    }

    /// With a browser: keeps a picture of the page, and refuses what the accessibility check finds or what sticks out.
    pub async fn look(&self, name: &str) -> anyhow::Result<()> {
        let Self::Browser(browser, _) = self else { return Ok(()) };
        browser.screenshot(name).await?;
        let path = self.path().await?;
        let violations: Vec<String> = browser.violations().await?.iter().map(ToString::to_string).collect();
        ensure!(violations.is_empty(), "{name} ({path}) is not accessible:\n  {}", violations.join("\n  "));
        let overflow = browser.overflow().await?;
        ensure!(overflow <= 0, "{name} ({path}) is {overflow} px wider than the screen");
        Ok(())
    }
}

async fn submit(browser: &Browser, action: &str, fields: &[(&str, &str)]) -> anyhow::Result<()> {
    let form = format!("form[action=\"{action}\"]");
    let found = browser.client.find(Locator::Css(&form)).await;
    let Ok(element) = found else {
        let (at, text) = (browser.client.current_url().await?, browser.text().await?);
        bail!("{at} has no form that goes to {action}:\n{text}");
    };
    let mut button = None;
    for (name, text) in fields {
        let field = element.find(Locator::Css(&format!("[name=\"{name}\"]"))).await;
        let field = field.with_context(|| format!("the form to {action} has no field `{name}`"))?;
        if let Some(pressed) = fill(browser, &element, &field, name, text).await? {
            button = Some(pressed);
        }
    }
    let button = match button {
        Some(named) => named,
        None => element
            .find(Locator::Css("button:not([type=button]), input[type=submit]"))
            .await
            .with_context(|| format!("the form to {action} has no button"))?,
    };
    // Marked, so that the page after it is told from this one.
    browser.client.execute("window.gatelodgeOld = true", Vec::new()).await?;
    browser.client.execute("arguments[0].scrollIntoView({ block: 'center' })", vec![json!(button)]).await?;
    button.click().await.with_context(|| format!("cannot press the button of the form to {action}"))?;
    wait_until(format!("the form to {action} is answered"), Duration::from_secs(90), async || {
        let script = "return document.readyState === 'complete' && !window.gatelodgeOld";
        Ok((browser.client.execute(script, Vec::new()).await? == json!(true)).then_some(()))
    })
    .await
}

/// Sets one field as a person would; gives the button when the field is one.
async fn fill(
    browser: &Browser,
    form: &Element,
    field: &Element,
    name: &str,
    text: &str,
) -> anyhow::Result<Option<Element>> {
    let (tag, kind) = (field.tag_name().await?, field.attr("type").await?.unwrap_or_default());
    let of_value = format!("[name=\"{name}\"][value=\"{text}\"]");
    match (tag.as_str(), kind.as_str()) {
        ("button", _) => {
            let button = form.find(Locator::Css(&of_value)).await;
            return Ok(Some(button.with_context(|| format!("no button `{name}` with `{text}`"))?));
        }
        ("input", "radio" | "checkbox") => {
            let choice = form.find(Locator::Css(&of_value)).await;
            let choice = choice.with_context(|| format!("no choice `{name}` with `{text}`"))?;
            // The visible part of a choice is its label.
            browser.client.execute("arguments[0].checked = true", vec![json!(choice)]).await?;
        }
        ("input", "hidden") => {
            browser.client.execute("arguments[0].value = arguments[1]", vec![json!(field), json!(text)]).await?;
        }
        ("select", _) => field.select_by_value(text).await.with_context(|| format!("cannot choose {text}"))?,
        _ => {
            field.clear().await.with_context(|| format!("cannot clear `{name}`"))?;
            field.send_keys(text).await.with_context(|| format!("cannot type into `{name}`"))?;
        }
    }
    Ok(None)
}
