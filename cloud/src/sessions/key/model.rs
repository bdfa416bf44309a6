//! The customer's key as the portal knows it, and why nothing was done with it.

use gatelodge_proto::{
    Timestamp, UserId,
    consent::{NotSigned, PinId, PinnedKey, SignedRule, StandingRule},
};
use serde::Serialize;
use serde_json::Value;

use crate::{accounts::second_factor::FactorRefusal, db::DbError};

/// How it stands with the key of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Shown on the device, where somebody has yet to compare its digits.
    pub offered: Option<Offered>,
    /// Pinned, as the device has told.
    pub pinned: Option<Pinned>,
    /// The rule that it has signed last.
    pub rule: Option<Ruled>,
}

/// A rule that the pinned key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruled {
    /// As a device checks it.
    pub signed: SignedRule,
    /// What it says.
    pub said: StandingRule,
}

/// A key that waits for somebody at the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The key.
    pub key: PinnedKey,
    /// Who offered it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// A key that a device holds its sessions against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// This pinning.
    pub pin: PinId,
    /// The key.
    pub key: PinnedKey,
    /// Since when.
    pub since: Timestamp,
}

/// Why nothing was done with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyRefusal {
    /// No such device, or it is another customer's: both look the same.
    #[error("there is no such device among yours")]
    Unknown,
    /// One is pinned.
    #[error("a key is pinned on this device already: remove it first, by the key itself or at the device")]
    Pinned,
    /// None is pinned.
    #[error("no key is pinned on this device")]
    NoKey,
    /// A browser's answer that makes no passkey, or too late.
    #[error(transparent)]
    Factor(#[from] FactorRefusal),
    /// A passkey of a kind that devices cannot check.
    #[error("devices check passkeys of the kind ES256 alone, and this one is of another: use another authenticator")]
    Kind,
    /// Not signed by the pinned key.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// Signed too long after it was shown, or something has changed since.
    #[error("the rule was changed meanwhile, or shown too long ago: look at it once more, then sign it")]
    Late,
    /// More than fits into a signed rule.
    #[error("this device offers more services than a signed rule can name: each session is asked for")]
    TooLong,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// What a browser is to have the passkey sign; without options nothing is.
#[derive(Debug, Default, Serialize)]
pub struct ToSign {
    /// What the form brings back with the signature.
    pub ceremony: String,
    /// For `navigator.credentials.get`.
    pub options: Option<Value>,
}
