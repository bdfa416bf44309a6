//! Reads the settings and checks what no single value shows.

use std::{net::IpAddr, path::Path};

use gatelodge_proto::{
    payload::Subnet,
    settings::{self, SettingsError},
};

use super::{Config, keys::KEYS};
use crate::session::forbidden;

/// `GATELODGE_AGENT__CLOUD__URL` sets `cloud.url`.
const ENVIRONMENT: &str = "GATELODGE_AGENT";

/// Ports that are tried when a device looks around: those of some products, and no scan.
const MOST_PORTS: usize = 16;

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
    if config.discovery.ports.len() > MOST_PORTS || config.discovery.ports.contains(&0) {
        return Err(SettingsError::Value(format!(
            "discovery.ports has {}; write at most {MOST_PORTS} ports from 1 to 65535, those of the products you look for",
            if config.discovery.ports.contains(&0) {
                "port 0".to_owned()
            } else {
                format!("{} ports", config.discovery.ports.len())
            }
        )));
    }
    for network in &config.networks {
        let refused = |why| {
            SettingsError::Value(format!(
                "networks \"{}\" has the subnet {}, which {why}",
                network.name, network.subnet
            ))
        };
        unfit(network.subnet).map_or(Ok(()), |why| Err(refused(why)))?;
    }
    for listen in &config.listens {
        let refused = |why: &str| SettingsError::Value(format!("listens \"{}\" has {why}", listen.name));
        if listen.port == 0 {
            return Err(refused("port 0, which nobody can call; write the port that the panel calls"));
        }
        unfit(listen.from).map_or(Ok(()), |why| Err(refused(&format!("from = {}, which {why}", listen.from))))?;
    }
    let mut ports: Vec<_> = config.listens.iter().map(|one| (one.protocol.word(), one.port, &one.name)).collect();
    ports.sort();
    if let Some([(protocol, port, one), (_, _, other)]) =
        ports.array_windows().find(|[one, next]| (one.0, one.1) == (next.0, next.1))
    {
        return Err(SettingsError::Value(format!(
            "listens \"{one}\" and \"{other}\" both have {protocol} port {port}; give each a port of its own"
        )));
    }
    let mut names: Vec<_> = config.services.iter().map(|service| &service.name).collect();
    names.extend(config.networks.iter().map(|network| &network.name));
    for folder in &config.folders {
        let refused = |why: &str| {
            let (name, path) = (&folder.name, folder.path.display());
            Err(SettingsError::Value(format!("folders \"{name}\" has the path {path}, which {why}")))
        };
        if !folder.path.is_absolute() {
            return refused("does not begin with /; write the whole path");
        }
        // As links lead; where nothing is yet, as it is written.
        let plain = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (theirs, ours) = (plain(&folder.path), plain(&config.state_dir));
        if ours.starts_with(&theirs) || theirs.starts_with(&ours) {
            return refused(
                "holds the agent's own state folder or lies in it: the device's key is there; name another",
            );
        }
    }
    names.extend(config.folders.iter().map(|folder| &folder.name));
    names.extend(config.listens.iter().map(|listen| &listen.name));
    names.sort();
    if let Some([name, _]) = names.array_windows().find(|[one, next]| one == next) {
        return Err(SettingsError::Value(format!(
            "two of services, networks, listens and folders are named \"{name}\"; give each its own name"
        )));
    }
    Ok(config)
}

/// Why no session may be offered this network as a whole.
fn unfit(subnet: Subnet) -> Option<&'static str> {
    let least = match subnet.first() {
        IpAddr::V4(_) => 8,
        IpAddr::V6(_) => 32,
    };
    if subnet.prefix() < least {
        return Some("is more than a site has; write the site's own network, like 192.168.1.0/24 or fd00:1:2:3::/64");
    }
    forbidden(subnet.first()).map(|_| "holds addresses that no session may reach; write the site's own network")
}

/// The whole file with its comments.
pub fn print_default() -> String {
    settings::print_default(
        "Gatelodge agent. Every value shown is the default; a line that starts with # is not set.",
        ENVIRONMENT,
        KEYS,
    )
}
