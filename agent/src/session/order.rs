//! What the session process is told: its order, and later when to stop.

use std::path::PathBuf;

use gatelodge_proto::{
    Timestamp,
    enrol::Credentials,
    grant::Grant,
    payload::{EndReason, Network, Service, SessionOrder},
    session::{
        carrier::Proxy,
        handshake::{HandshakeError, Identity, certificates},
        mux::Settings,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    admit::{Denied, Here, admit},
    places::Places,
};
use crate::state::PrivateKey;

/// The first line of the process's input.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// What the cloud asks.
    pub order: SessionOrder,
    /// The device's key.
    pub key: PrivateKey,
    /// Its certificate, and whom to trust.
    pub credentials: Credentials,
    /// The ownership epoch the agent is in.
    pub epoch: u64,
    /// The device's own allow-list.
    pub services: Vec<Service>,
    /// What one session may cost.
    pub limits: Limits,
    /// Its networks that may be reached as a whole.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Which of its services take few connections.
    #[serde(default)]
    pub places: Places,
    /// The way out of the site.
    #[serde(default)]
    pub proxy: Option<Proxy>,
    /// Roots for the cloud's HTTPS certificate; public ones when absent.
    pub ca_file: Option<PathBuf>,
    /// What the system's clock lacks, in microseconds.
    pub clock_lacks_us: i64,
}

/// What one session may cost, by the device's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Streams at once.
    pub streams: u16,
    /// Streams opened a second.
    pub opens_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { streams: 64, opens_per_second: 50 }
    }
}

impl Limits {
    /// The mux that keeps to them.
    pub(super) fn settings(self) -> Settings {
        Settings { max_streams: usize::from(self.streams), opens_per_second: self.opens_per_second, ..Settings::DEVICE }
    }
}

/// A later line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// End the session.
    Stop(EndReason),
}

impl Start {
    /// The grant of the order, if it is good for this device now.
    pub(crate) fn grant(&self, now: Timestamp) -> Result<Grant, Denied> {
        admit(&self.order.grant, &Here::of(self), now).map(|terms| terms.grant)
    }

    /// Certificate chain and key for the inner TLS.
    pub(super) fn identity(&self) -> Result<Identity, Unusable> {
        Ok(Identity { chain: certificates(&self.credentials.chain)?, key: self.key.der()? })
    }
}

/// Key or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Certificate(#[from] HandshakeError),
    #[error(transparent)]
    Key(#[from] crate::state::KeyError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_names_its_reason() {
        let stop: Control = serde_json::from_str(r#"{"stop":"device"}"#).unwrap();
        assert_eq!(stop, Control::Stop(EndReason::Device));
        assert!(serde_json::from_str::<Control>(r#"{"go":"on"}"#).is_err());
    }
}
