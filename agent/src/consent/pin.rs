//! The customer's key as it is pinned. It has a file of its own, which nothing but a person at the device, the key itself
//! and `gatelodge-agent reset` takes away.

use gatelodge_proto::{
    DeviceId, Timestamp,
    consent::{Assertion, Challenge, NotCovered, NotSigned, PinId, PinnedKey, SignedRule, StandingRule},
};
use serde::{Deserialize, Serialize};

use super::{Unproven, is_signed};

/// A pinned key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// This pinning.
    pub id: PinId,
    /// The key.
    pub key: PinnedKey,
    /// Since when.
    pub since: Timestamp,
    /// Standing rules that were made before this are taken back.
    pub rules_since: Timestamp,
}

impl Pin {
    /// What a standing rule says, if it is signed, for this pinning, and not taken back.
    pub(super) fn rule(&self, signed: &SignedRule) -> Result<StandingRule, Unproven> {
        signed.assertion.check(&Challenge::of_rule(&signed.text), &self.key, is_signed)?;
        let rule = signed.read().map_err(|_| NotSigned::Shape)?;
        if rule.pin != self.id {
            return Err(NotCovered::Device.into());
        }
        if rule.made_at < self.rules_since {
            return Err(NotCovered::TakenBack.into());
        }
        Ok(rule)
    }

    /// Whether the key says that this device is to forget it.
    pub(super) fn released_by(&self, assertion: &Assertion, device: DeviceId) -> Result<(), NotSigned> {
        assertion.check(&Challenge::of_release(device, self.id), &self.key, is_signed)
    }
}
