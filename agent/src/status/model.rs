//! The picture itself; also the JSON of `/status.json` and `gatelodge-agent status --json`.

use std::num::NonZeroU64;

use gatelodge_proto::{
    DeviceId, SessionId, Timestamp,
    consent::{Challenge, ConsentKind, PinId},
    enrol::Wait,
    payload::{DeviceState, Life, Network, Service},
};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// Everything a person may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The agent's version.
    pub agent_version: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Who the device is.
    pub identity: IdentityShown,
    /// How far its enrolment is.
    #[serde(flatten)]
    pub stage: Stage,
    /// The code to type in the portal, while one is of use.
    pub on_site_code: Option<OnSiteCodeShown>,
    /// The cloud's last word on the registration.
    pub registration: Option<DeviceState>,
    /// The link to the device endpoint.
    pub link: LinkState,
    /// When the certificate ends.
    pub certificate_until: Option<Timestamp>,
    /// Messages without a receipt.
    pub waiting_messages: usize,
    /// The device's own switch.
    pub remote_access: bool,
    /// The device's own limits; an older agent does not say them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<SessionLimits>,
    /// What sessions may reach.
    pub services: Vec<Service>,
    /// What sessions may reach as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Live sessions.
    pub sessions: Vec<LiveSession>,
    /// The customer's hold over this device.
    #[serde(default)]
    pub consent: ConsentShown,
    /// What is wrong right now, and what to do about it.
    pub problem: Option<Problem>,
}

/// Who the device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityShown {
    /// ID code, grouped.
    pub id_code: Option<String>,
    /// MAC address.
    pub mac: String,
    /// Where it was read.
    pub mac_source: String,
    /// Serial number.
    pub serial: String,
    /// Where it was read.
    pub serial_source: String,
    /// Model.
    pub model: String,
    /// Firmware.
    pub firmware: String,
    /// What the label's QR says, without its secret.
    pub label: Option<String>,
}

impl From<&Identity> for IdentityShown {
    fn from(identity: &Identity) -> Self {
        Self {
            id_code: identity.id_code.map(|code| code.to_string()),
            mac: identity.mac.to_string(),
            mac_source: identity.mac_source.to_string(),
            serial: identity.serial.to_string(),
            serial_source: identity.serial_source.word().to_owned(),
            model: identity.model.clone(),
            firmware: identity.firmware.clone(),
            label: identity.label().map(|label| label.to_string()),
        }
    }
}

/// How far the enrolment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Asking for a certificate.
    Enrolling {
        /// What the cloud waits for, once it has said so.
        wait: Option<Wait>,
    },
    /// Has a certificate.
    Enrolled {
        /// The device id.
        device: DeviceId,
        /// The ownership epoch.
        epoch: u64,
    },
    /// Retired for good.
    Retired,
}

/// A shown code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnSiteCodeShown {
    /// Grouped for reading.
    pub code: String,
    /// Good until then, by the device's clock.
    pub valid_until: Timestamp,
}

/// The link to the device endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkState {
    /// Not tried yet.
    Idle,
    /// Connected.
    Online {
        /// Since when.
        since: Timestamp,
    },
    /// Not connected.
    Offline {
        /// Since when.
        since: Timestamp,
        /// Why, in a sentence.
        reason: String,
    },
}

/// What sessions are held to by the device's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimits {
    /// How long one lasts at most, in minutes.
    pub max_minutes: u32,
    /// How many there are at a time.
    pub at_once: usize,
    /// Bytes a second that one carries each way at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<NonZeroU64>,
}

/// A live session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// Its id, needed to stop it.
    pub session: SessionId,
    /// Who.
    pub technician: String,
    /// For which organisation.
    pub organisation: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when at most.
    pub until: Timestamp,
    /// Why, when the technician said so.
    pub reason: Option<String>,
    /// On whose consent it stands.
    #[serde(default)]
    pub consent_kind: ConsentKind,
    /// The targets that it opened last, as far as this agent has seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<String>,
    /// Whether nobody was asked, as the customer has agreed for emergencies.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// The customer's hold over this device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsentShown {
    /// The pinned key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<PinShown>,
    /// A key that waits to be pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<OfferShown>,
    /// Who wants to enter, or to stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<WantedShown>,
}

/// A pinned key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinShown {
    /// Needed to take it away.
    pub pin: PinId,
    /// By what people know it.
    pub fingerprint: String,
    /// For the site of this name.
    pub site: String,
    /// Since when.
    pub since: Timestamp,
}

/// A key that waits to be pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferShown {
    /// By what people know it.
    pub fingerprint: String,
    /// For the site of this name.
    pub site: String,
}

/// A request that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedShown {
    /// What a press allows, and nothing else.
    pub draft: Challenge,
    /// The session.
    pub session: SessionId,
    /// Who.
    pub technician: String,
    /// For which organisation.
    pub organisation: String,
    /// What would be reached: services, networks and calls.
    pub reaches: Vec<String>,
    /// Why, when the technician said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how long, in minutes.
    pub minutes: u64,
    /// Whether the technician is inside and wants to stay.
    #[serde(default)]
    pub longer: bool,
}

/// What is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What happened.
    pub what: String,
    /// What to do next.
    pub next: String,
}

/// The line a person can repeat on the phone.
pub fn sentence(status: &Status) -> String {
    let life = match &status.stage {
        Stage::Retired => return "Retired. This device does not connect any more.".into(),
        Stage::Enrolling { wait } => match wait {
            None => "Not enrolled yet.",
            Some(Wait::OnSiteCode | Wait::NewOnSiteCode) => {
                "Waiting for an installer to type the on-site code in the portal."
            }
            Some(Wait::UnknownHardware) => "Waiting for the vendor: this hardware is not in the inventory.",
            Some(Wait::Conflict) => "Waiting for the vendor: another device claims the same identity.",
        }
        .to_owned(),
        Stage::Enrolled { .. } => registration_sentence(status.registration.as_ref()),
    };
    match &status.link {
        LinkState::Idle => life,
        LinkState::Online { .. } => format!("{life} Online."),
        LinkState::Offline { .. } => format!("{life} Offline."),
    }
}

fn registration_sentence(state: Option<&DeviceState>) -> String {
    let Some(state) = state else { return "Enrolled, not registered yet.".into() };
    let installer = state.installer.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    match state.life {
        Life::Manufactured | Life::Enrolled => "Enrolled, not registered yet.".into(),
        Life::Registered => format!("Registered{installer}. Waiting for the customer to confirm."),
        Life::Active => {
            let customer = state.customer.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
            format!("Active{customer}, registered{installer}.").replace(", registered.", ".")
        }
        Life::Released => "Released by its owner. It can be registered again.".into(),
        Life::Retired => "Retired.".into(),
    }
}
