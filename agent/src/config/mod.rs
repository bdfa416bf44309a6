//! The agent's settings: one TOML file, each key also settable from the environment, unknown keys refused by name.

mod keys;
mod read;

pub use gatelodge_proto::settings::SettingsError;
pub use read::{print_default, read};

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
    time::Duration,
};

use gatelodge_proto::{
    identity::MacAddress,
    payload::{Feature, Host, Listen, Network, Profile, Protocol, Scheme, Service, ServiceKind, ServiceName, Title},
    session::carrier::{InvalidProxy, Proxy},
};
use serde::Deserialize;
use url::Url;

use crate::{
    recordings,
    session::{Known, Looks, OwnFolder, OwnTerminal, Room},
};

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
    /// Folders that files are sent from and taken in.
    #[serde(default)]
    pub folders: Vec<OwnFolder>,
    /// A shell on the device.
    pub terminal: Terminal,
    /// What there is on the network.
    pub discovery: Discovery,
    /// Browsers through the cloud's gateway.
    pub web: Web,
}

impl Config {
    /// What sessions may do beside reaching something; also the device's own allow-list.
    pub fn features(&self) -> Vec<Feature> {
        let own = |feature: &Feature| match feature {
            Feature::Terminal => self.terminal.enabled,
            Feature::Files => !self.folders.is_empty(),
            Feature::Discovery => self.discovery.enabled,
            Feature::Web | Feature::WebBlind => self.web.enabled,
        };
        Feature::ALL.into_iter().filter(own).collect()
    }

    /// The services as others know them.
    pub fn offered(&self) -> Vec<Service> {
        self.services.iter().map(OwnService::offered).collect()
    }

    /// How the device looks around on its networks.
    pub fn looks(&self) -> Looks {
        let known = |service: &OwnService| {
            // A name's address is found when it is opened; who it is now is nothing to tell.
            let at = SocketAddr::new(service.host.parse().ok()?, service.port);
            let kind = service.kind.map(|kind| kind.title().to_owned());
            let name = service.title.as_ref().map(ToString::to_string).or(kind);
            let name = name.unwrap_or_else(|| service.name.to_string());
            Some(Known { at, protocol: service.protocol, name })
        };
        Looks { ports: self.discovery.ports.clone(), known: self.services.iter().filter_map(known).collect() }
    }

    /// What there is to know of them beside where they are.
    pub fn profiles(&self) -> Vec<Profile> {
        self.services.iter().map(OwnService::profile).filter(Profile::says_something).collect()
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
    /// What people call it.
    pub title: Option<Title>,
    /// What it is for.
    pub kind: Option<ServiceKind>,
    /// How its web pages are spoken to.
    pub scheme: Option<Scheme>,
    /// Under which name its web pages are asked for.
    pub web_host: Option<Host>,
}

impl OwnService {
    /// The service as others know it.
    pub fn offered(&self) -> Service {
        Service { name: self.name.clone(), protocol: self.protocol, host: self.host.clone(), port: self.port }
    }

    /// What there is to know of it beside where it is.
    pub fn profile(&self) -> Profile {
        Profile {
            service: self.name.clone(),
            title: self.title.clone(),
            kind: self.kind,
            scheme: self.scheme,
            web_host: self.web_host.clone(),
        }
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

/// A shell on the device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// Whether a session may have one.
    pub enabled: bool,
    /// Whose programs run in it.
    pub user: Option<String>,
    /// Instead of that user's shell.
    pub shell: Option<PathBuf>,
    /// Program and arguments that run in every terminal instead of a shell.
    #[serde(default)]
    pub command: Vec<String>,
    /// Whether what is typed is recorded, too.
    pub record_input: bool,
    /// Largest size of one recording, in MiB.
    pub max_recording: NonZeroU32,
    /// Largest size of all recordings that wait for the cloud, in MiB.
    pub max_waiting: NonZeroU32,
}

impl Terminal {
    /// What a session needs to know of it, with the state folder; nothing when it is switched off.
    pub fn own(&self, state: &Path) -> Option<OwnTerminal> {
        let bytes = |mebibytes: NonZeroU32| u64::from(mebibytes.get()) << 20;
        self.enabled.then(|| OwnTerminal {
            user: self.user.clone(),
            shell: self.shell.clone(),
            command: self.command.clone(),
            record_input: self.record_input,
            room: Room { recording: bytes(self.max_recording), waiting: bytes(self.max_waiting) },
            folder: state.join(recordings::FOLDER),
        })
    }
}

/// What there is on the network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// Whether a session may be told.
    pub enabled: bool,
    /// TCP ports that are tried.
    #[serde(default)]
    pub ports: Vec<u16>,
}

/// Browsers through the cloud's gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Whether a session may come from there.
    pub enabled: bool,
}

#[cfg(test)]
mod tests;
