//! The agent's settings: one TOML file, each key also settable from the environment, unknown keys refused by name.

mod keys;
mod read;

pub use gatelodge_proto::settings::SettingsError;
pub use read::{print_default, read};

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

use gatelodge_proto::{
    identity::MacAddress,
    payload::{Listen, Network, Protocol, Service, ServiceName},
    session::carrier::{InvalidProxy, Proxy},
};
use serde::Deserialize;
use url::Url;

/// Where the settings are read when nothing else is said.
pub const DEFAULT_FILE: &str = "/etc/gatelodge/agent.toml";

/// What to do about settings that were refused.
pub const NEXT_STEP: &str = "compare with `gatelodge-agent config --print-default`, or name another file with --config";

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where key, certificate, outbox and registration state are kept.
    pub state_dir: PathBuf,
    /// The vendor's cloud.
    pub cloud: Cloud,
    /// Where the identity is read.
    pub identity: Identity,
    /// How a new device proves itself.
    pub enrolment: Enrolment,
    /// The device's own page.
    pub local_page: LocalPage,
    /// The link to the device endpoint.
    pub link: Link,
    /// The report.
    pub report: Report,
    /// Remote sessions.
    pub remote_access: RemoteAccess,
    /// What sessions may reach; also the device's own allow-list.
    #[serde(default)]
    pub services: Vec<OwnService>,
    /// Networks that sessions may reach as a whole; also the device's own allow-list.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Where the installation calls a technician's computer; also the device's own allow-list.
    #[serde(default)]
    pub listens: Vec<Listen>,
}

impl Config {
    /// The services as others know them.
    pub fn offered(&self) -> Vec<Service> {
        self.services.iter().map(OwnService::offered).collect()
    }
}

/// Something reachable through this device, and how it is to be treated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnService {
    /// The name people use.
    pub name: ServiceName,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Host name or address as this device sees it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How many connections it takes at a time, all sessions together; as many as come when absent.
    pub connections: Option<NonZeroU16>,
}

impl OwnService {
    /// The service as others know it.
    pub fn offered(&self) -> Service {
        Service { name: self.name.clone(), protocol: self.protocol, host: self.host.clone(), port: self.port }
    }
}

/// The vendor's cloud.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// Base address, `https://...`.
    pub url: Url,
    /// PEM file of the CA that signs the cloud's certificates; public roots without it.
    pub ca_file: Option<PathBuf>,
    /// Where the relay is when it is not at `url`, `wss://...`.
    pub relay_url: Option<Url>,
    /// The way out of the site; what the environment says when absent.
    pub proxy: Option<Proxy>,
}

impl Cloud {
    /// Whether a session may be carried by a relay at `address`: one by TLS at the cloud's own host and port, or at
    /// those that the settings name. What an order names is not enough to dial anywhere else.
    pub fn is_relay(&self, address: &str) -> bool {
        let Ok(asked) = Url::parse(address) else { return false };
        let place = |url: &Url| (url.host().map(|host| host.to_owned()), url.port_or_known_default());
        let own = [Some(&self.url), self.relay_url.as_ref()];
        asked.scheme() == "wss" && own.into_iter().flatten().any(|own| place(own) == place(&asked))
    }
}

impl Cloud {
    /// The proxy on the way to that address: the one of the settings, else the environment's.
    pub fn proxy_to(
        &self,
        address: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, InvalidProxy> {
        match (&self.proxy, Url::parse(address)) {
            (Some(proxy), _) => Ok(Some(proxy.clone())),
            (None, Ok(address)) => Proxy::of_environment(&address, variable),
            (None, Err(_)) => Ok(None),
        }
    }
}

/// Where the identity is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// TOML or JSON file with the factory data.
    pub factory_file: Option<PathBuf>,
    /// Program and arguments that print the factory data.
    #[serde(default)]
    pub factory_command: Vec<String>,
    /// Instead of the address of the interface with the default route.
    pub mac_address: Option<MacAddress>,
    /// Root of the system that is read.
    pub root: PathBuf,
}

/// How a new device proves itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The proof.
    pub method: Method,
}

/// The proof of a new device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// An installer types the code that the device shows.
    OnSiteCode,
    /// The factory gave the device a secret.
    FactorySecret,
}

/// The device's own page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalPage {
    /// Address and port on this machine.
    pub listen: SocketAddr,
    /// Whether the page may listen on an address that others reach.
    pub lan: bool,
}

/// The link to the device endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The first retry comes within this many milliseconds.
    pub first_retry_ms: u64,
}

impl Link {
    /// The longest first wait.
    pub const fn first_retry(&self) -> Duration {
        Duration::from_millis(self.first_retry_ms)
    }
}

/// The report.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Seconds between reports when nothing changes.
    pub interval_s: u64,
}

/// Remote sessions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteAccess {
    /// The device's own switch: off means no session, whatever the cloud says.
    pub enabled: bool,
    /// Streams of one session at once.
    pub streams: NonZeroU16,
    /// Streams that one session opens a second.
    pub opens_per_second: NonZeroU32,
    /// How long one session lasts at most, in minutes.
    pub max_minutes: NonZeroU32,
    /// Bytes a second that one session carries each way at most.
    pub rate: Option<NonZeroU64>,
}

#[cfg(test)]
mod tests;
