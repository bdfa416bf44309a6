//! What a device says about itself.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Feature, Listen, Network, Profile};
use crate::{
    Timestamp,
    identity::{IdCode, MacAddress, SerialNumber},
};

/// The device's identity and state, sent at each start, at each change and once a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The ID code from the factory data, when the device has one.
    pub id_code: Option<IdCode>,
    /// The MAC address of the interface with the default route, unless configured.
    pub mac: MacAddress,
    /// The serial number and with it, in `serial_source`, where it was read.
    pub serial: SerialNumber,
    /// `factory`, `dmi`, `device_tree`, `synology`, `qnap` or `machine_id`.
    pub serial_source: String,
    /// The model as the hardware names itself.
    pub model: String,
    /// The operating system or firmware and its version.
    pub firmware: String,
    /// The agent's version.
    pub agent_version: String,
    /// When this was read, by the device's clock.
    pub observed_at: Timestamp,
    /// The ownership epoch the agent believes in.
    pub epoch: u64,
    /// Physical network interfaces.
    pub interfaces: Vec<Interface>,
    /// What the device lets sessions reach.
    pub services: Vec<Service>,
    /// The networks the device lets sessions reach as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Where the installation calls a technician's computer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listens: Vec<Listen>,
    /// What the device lets sessions do beside that.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "Feature::known")]
    pub features: Vec<Feature>,
    /// What there is to know of its services beside where they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
}

impl Report {
    /// Where the installation calls a technician's computer, as people read it: `event-receiver (tcp 9000 from
    /// 192.168.1.0/24)`.
    pub fn calls(&self) -> Vec<String> {
        let one = |listen: &Listen| {
            format!("{} ({} {} from {})", listen.name, listen.protocol.word(), listen.port, listen.from)
        };
        self.listens.iter().map(one).collect()
    }
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's name, like `eth0`.
    pub name: String,
    /// Its hardware address, when it has one.
    pub mac: Option<MacAddress>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// Something reachable through a device, as the device sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Service {
    /// The name people use, like `panel-web`.
    pub name: ServiceName,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Host name or address on the device's network.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The transport of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Protocol {
    /// A byte stream.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A service's name: 1 to 40 lower-case letters, digits and dashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(example = "panel-web", pattern = "^[a-z0-9][a-z0-9-]{0,39}$"))]
pub struct ServiceName(String);

/// The text is no service name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a service name; it has 1 to 40 lower-case letters, digits and dashes, like panel-web")]
pub struct InvalidServiceName(String);

impl ServiceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = InvalidServiceName;
    fn from_str(text: &str) -> Result<Self, InvalidServiceName> {
        let sound = (1..=40).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.starts_with('-');
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidServiceName(text.chars().take(60).collect())) }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::canonical_text!(ServiceName);
