//! What a device knows about its own registration.

use serde::{Deserialize, Serialize};

use crate::opening::Opening;

/// A device's life, PRODUCT.md's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Life {
    /// In the inventory.
    Manufactured,
    /// Its agent has a certificate.
    Enrolled,
    /// An installer has tied it to a customer's e-mail address.
    Registered,
    /// The customer has confirmed.
    Active,
    /// Given back by its owner.
    Released,
    /// Revoked for good.
    Retired,
}

impl Life {
    /// All states in their usual order.
    pub const ALL: [Self; 6] =
        [Self::Manufactured, Self::Enrolled, Self::Registered, Self::Active, Self::Released, Self::Retired];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manufactured => "manufactured",
            Self::Enrolled => "enrolled",
            Self::Registered => "registered",
            Self::Active => "active",
            Self::Released => "released",
            Self::Retired => "retired",
        }
    }

    /// The state with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|life| life.word() == word)
    }
}

/// The customer's rule for remote access to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Consent {
    /// Each session is asked for.
    Ask,
    /// The installer's technicians may enter at any time.
    Always,
    /// Nobody may enter.
    Never,
}

impl Consent {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::Ask, Self::Always, Self::Never];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// The rule with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|consent| consent.word() == word)
    }
}

/// The registrar's word on a device, sent whole at each change; the highest `(epoch, version)` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceState {
    /// Ownership epoch: grows with each release and transfer.
    pub epoch: u64,
    /// Grows with each change within an epoch.
    pub version: u64,
    /// Where the device stands.
    pub life: Life,
    /// For whom it is active.
    pub customer: Option<String>,
    /// By which installer it was registered.
    pub installer: Option<String>,
    /// Its web address.
    pub web_address: Option<String>,
    /// The consent in force; [`Consent::Never`] before activation.
    pub consent: Consent,
    /// What the customer's rule says beside that, for whoever reads it at the device: the cloud keeps to it. An opening
    /// that this version does not know is none here.
    #[serde(default, skip_serializing_if = "Opening::is_empty", deserialize_with = "known")]
    pub opening: Opening,
}

fn known<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Opening, D::Error> {
    let opening = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(opening).unwrap_or_default())
}
