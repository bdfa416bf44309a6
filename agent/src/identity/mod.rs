//! Who this device is: factory data first, then what hardware and firmware say of themselves. Names only; nothing
//! here proves anything, except the factory secret, which never shows in `Debug`.

mod addresses;
mod device_tree;
mod dmi;
mod factory;
mod firmware;
mod interfaces;
mod mac;
mod machine_id;
mod model;
mod qnap;
pub(crate) mod rtnetlink;
mod synology;

pub use factory::{FactoryError, FactorySecret};
pub use interfaces::{NetworkInterface, interfaces};
pub use mac::MacSource;

use std::path::Path;

use gatelodge_proto::{
    Timestamp,
    identity::{IdCode, Label, MacAddress, SerialNumber},
    payload::{Feature, Interface, Listen, Network, Profile, Report, Service},
};

use crate::config;

/// What the device knows about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// From the factory data, when there are any.
    pub id_code: Option<IdCode>,
    /// The serial number.
    pub serial: SerialNumber,
    /// Which source answered.
    pub serial_source: SerialSource,
    /// The MAC address on the label, as far as one can tell.
    pub mac: MacAddress,
    /// Which source answered.
    pub mac_source: MacSource,
    /// The model as the hardware names itself.
    pub model: String,
    /// Operating system or firmware with its version.
    pub firmware: String,
    /// What the factory put in to prove the identity.
    pub factory_secret: Option<FactorySecret>,
}

/// Where the serial number was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialSource {
    /// The factory data.
    Factory,
    /// A Synology system's own file.
    Synology,
    /// A QNAP system's own tool.
    Qnap,
    /// The firmware tables of a PC or server.
    Dmi,
    /// The device tree of a board.
    DeviceTree,
    /// Derived from the system's machine id, the last resort.
    MachineId,
}

impl SerialSource {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Factory => "factory",
            Self::Synology => "synology",
            Self::Qnap => "qnap",
            Self::Dmi => "dmi",
            Self::DeviceTree => "device_tree",
            Self::MachineId => "machine_id",
        }
    }
}

/// The device cannot say who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The factory data are there and not usable.
    #[error(transparent)]
    Factory(#[from] FactoryError),
    /// No source has a serial number.
    #[error("no source knows a serial number: not the factory data, the firmware, the device tree or the machine id")]
    NoSerial,
    /// No interface has a MAC address.
    #[error("no network interface has a MAC address")]
    NoMac,
}

impl IdentityError {
    /// What to do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Factory(FactoryError::Exposed { path, .. }) => return format!("chmod 600 {}", path.display()),
            Self::Factory(_) => "correct the factory data, or the keys identity.factory_file and factory_command",
            Self::NoSerial => "write the serial number into a file and name it in identity.factory_file",
            Self::NoMac => "set identity.mac_address to the address on the label",
        }
        .into()
    }
}

/// Reads the identity as the settings say.
pub fn read(settings: &config::Identity) -> Result<Identity, IdentityError> {
    let root = settings.root.as_path();
    let factory = factory::read(settings)?.unwrap_or_default();
    let (serial, serial_source) = match factory.serial {
        Some(serial) => (serial, SerialSource::Factory),
        None => own_serial(root).ok_or(IdentityError::NoSerial)?,
    };
    let (mac, mac_source) = match (settings.mac_address, factory.mac) {
        (Some(mac), _) => (mac, MacSource::Configured),
        (None, Some(mac)) => (mac, MacSource::Factory),
        (None, None) => mac::choose(root, &interfaces(root)).ok_or(IdentityError::NoMac)?,
    };
    Ok(Identity {
        id_code: factory.id_code,
        serial,
        serial_source,
        mac,
        mac_source,
        model: model::read(root),
        firmware: firmware::read(root),
        factory_secret: factory.secret,
    })
}

/// What a device's settings let sessions reach and do.
#[derive(Debug, Default)]
pub struct Reach {
    /// Single services.
    pub services: Vec<Service>,
    /// Whole networks.
    pub networks: Vec<Network>,
    /// Where the installation calls the technician's computer.
    pub listens: Vec<Listen>,
    /// What beside that.
    pub features: Vec<Feature>,
    /// What there is to know of the services beside where they are.
    pub profiles: Vec<Profile>,
}

impl Identity {
    /// What the label's QR says, without its secret.
    pub fn label(&self) -> Option<Label> {
        Some(Label { id_code: self.id_code?, mac: self.mac, secret: None })
    }

    /// What this device reports, with what was read besides its identity.
    pub fn report(
        &self,
        interfaces: Vec<Interface>,
        Reach { services, networks, listens, features, profiles }: Reach,
        epoch: u64,
        now: Timestamp,
    ) -> Report {
        Report {
            id_code: self.id_code,
            mac: self.mac,
            serial: self.serial.clone(),
            serial_source: self.serial_source.word().into(),
            model: self.model.clone(),
            firmware: self.firmware.clone(),
            agent_version: env!("CARGO_PKG_VERSION").into(),
            observed_at: now,
            epoch,
            interfaces,
            services,
            networks,
            listens,
            features,
            profiles,
        }
    }
}

fn own_serial(root: &Path) -> Option<(SerialNumber, SerialSource)> {
    None.or_else(|| Some((synology::serial(root)?, SerialSource::Synology)))
        .or_else(|| Some((qnap::serial(root)?, SerialSource::Qnap)))
        .or_else(|| Some((dmi::serial(root)?, SerialSource::Dmi)))
        .or_else(|| Some((device_tree::serial(root)?, SerialSource::DeviceTree)))
        .or_else(|| Some((machine_id::serial(root)?, SerialSource::MachineId)))
}

/// The text of a file of the kernel or the firmware, without the padding they come with.
fn text_of(root: &Path, path: &str) -> Option<String> {
    let bytes = std::fs::read(root.join(path)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// A serial number as hardware writes it: spaces inside become dashes.
fn serial_from(text: &str) -> Option<SerialNumber> {
    text.split_whitespace().collect::<Vec<_>>().join("-").parse().ok()
}

#[cfg(test)]
mod tests;
