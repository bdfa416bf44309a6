//! Reads the settings and checks what no single value shows.

use std::path::Path;

use gatelodge_proto::settings::{self, SettingsError};

use super::{Config, keys::KEYS};

/// `GATELODGE_AGENT__CLOUD__URL` sets `cloud.url`.
const ENVIRONMENT: &str = "GATELODGE_AGENT";

/// Reads `file`, when given, under the variables in `environment`.
pub fn read(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, SettingsError> {
    let config: Config = settings::load(ENVIRONMENT, KEYS, file, environment).map_err(|error| match error {
        SettingsError::Value(reason) if reason.contains("missing configuration field \"cloud") => {
            SettingsError::Value("cloud.url is not set, so the agent does not know which cloud it belongs to".into())
        }
        other => other,
    })?;
    if config.cloud.url.scheme() != "https" {
        return Err(SettingsError::Value(format!(
            "cloud.url must start with https://, not {}://",
            config.cloud.url.scheme()
        )));
    }
    if let Some(relay) = config.cloud.relay_url.as_ref().filter(|relay| relay.scheme() != "wss") {
        return Err(SettingsError::Value(format!("cloud.relay_url must start with wss://, not {}://", relay.scheme())));
    }
    if !config.local_page.lan && !config.local_page.listen.ip().is_loopback() {
        return Err(SettingsError::Value(format!(
            "local_page.listen is {}, which others on the network reach; set local_page.lan = true to allow that",
            config.local_page.listen
        )));
    }
    Ok(config)
}

/// The whole file with its comments.
pub fn print_default() -> String {
    settings::print_default(
        "Gatelodge agent. Every value shown is the default; a line that starts with # is not set.",
        ENVIRONMENT,
        KEYS,
    )
}
