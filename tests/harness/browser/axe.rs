//! The accessibility checker axe-core, loaded into the page under test.

use std::{fmt, path::PathBuf};

use anyhow::Context as _;
use fantoccini::Client;
use serde::Deserialize;
use serde_json::json;

use crate::{programs, skip};

/// One rule that the page breaks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Violation {
    /// The rule, like `color-contrast`.
    #[serde(rename = "id")]
    pub rule: String,
    /// What it asks for.
    pub help: String,
    /// Where it is broken, as CSS selectors.
    pub places: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) at {}", self.help, self.rule, self.places.join(", "))
    }
}

const RUN: &str = "
const done = arguments[arguments.length - 1];
axe.run(document, { runOnly: arguments[0], resultTypes: ['violations'] }).then(
  ({ violations }) => done({ found: violations.map(({ id, help, nodes }) =>
    ({ id, help, places: nodes.map(({ target }) => target.join(' ')) })) }),
  (error) => done({ error: String(error) }),
);";

/// Whether pages can be checked here; notes it when they cannot.
pub(super) fn is_there() -> anyhow::Result<bool> {
    let source = source()?;
    if !source.is_file() {
        skip::skip(&format!(
            "axe-core is not at {}: pages were not checked for accessibility (cargo xtask test installs it)",
            source.display()
        ))?;
        return Ok(false);
    }
    Ok(true)
}

fn source() -> anyhow::Result<PathBuf> {
    Ok(programs::target()?.join("browser/node_modules/axe-core/axe.min.js"))
}

/// Checks the open page; finds nothing (and notes it) where axe-core was not installed.
pub(super) async fn check(client: &Client) -> anyhow::Result<Vec<Violation>> {
    if !is_there()? {
        return Ok(Vec::new());
    }
    let axe = std::fs::read_to_string(source()?).context("axe-core cannot be read")?;
    client.execute(&axe, Vec::new()).await.context("cannot load axe-core into the page")?;
    let tags = json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
    let mut answer = client.execute_async(RUN, vec![tags]).await.context("axe-core did not answer")?;
    if let Some(error) = answer.get("error") {
        anyhow::bail!("axe-core could not check the page: {error}");
    }
    serde_json::from_value(answer["found"].take()).context("axe-core's answer is unreadable")
}
