//! A standing rule: what the customer has signed once for all sessions that fit.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};

use super::{Assertion, PinId};
use crate::{
    DeviceId, OrganisationId, Timestamp,
    grant::Grant,
    opening::{BREAK_GLASS, Opening, Standing},
    payload::{Consent, Feature, ServiceName},
};

/// Its text in base64: three dozen services with a week of hours.
pub const LONGEST_TEXT: usize = 3_072;
/// No rule is good for longer; afterwards it has to be signed again.
const LONGEST_RULE: Duration = Duration::from_secs(366 * 86_400);
/// Clocks differ, but not by more.
const SKEW: Duration = Duration::from_secs(86_400);

/// Who may enter without being asked for each time, where to and when. A field that a device does not know is a bound
/// that it would not keep: such a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingRule {
    /// On this device.
    pub device: DeviceId,
    /// In this ownership.
    pub epoch: u64,
    /// Under this pinning of the key.
    pub pin: PinId,
    /// When it was made: a newer one takes its place.
    pub made_at: Timestamp,
    /// Technicians of this organisation.
    pub installer: OrganisationId,
    /// These services, by the device's own list.
    #[serde(default)]
    pub services: Vec<ServiceName>,
    /// These networks as a whole, by the device's own list.
    #[serde(default)]
    pub networks: Vec<ServiceName>,
    /// These ports for calls, by the device's own list.
    #[serde(default)]
    pub listens: Vec<ServiceName>,
    /// What a session may do beside that.
    #[serde(default)]
    pub features: Vec<Feature>,
    /// The rule itself: under *ask* nobody enters by it.
    pub consent: Consent,
    /// Its hours, an opening from now on, and emergencies.
    #[serde(default, skip_serializing_if = "Opening::is_empty")]
    pub opening: Opening,
    /// How long one lasts at most, with all its extensions.
    pub longest_minutes: u32,
    /// Until when all of them are over.
    pub valid_until: Timestamp,
}

/// The text is no standing rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the standing rule cannot be read")]
pub struct InvalidRule;

/// A rule as it was signed, to the byte: base64url of its JSON, and the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRule {
    /// What was signed.
    pub text: String,
    /// By what.
    pub assertion: Assertion,
}

/// Why a rule does not cover a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCovered {
    /// Another device, ownership or pinning.
    #[error("the standing rule is for another device, ownership or key")]
    Device,
    /// Another installer.
    #[error("the standing rule is for another installer")]
    Installer,
    /// More than it names.
    #[error("the session asks for more than the standing rule names")]
    Wider,
    /// Longer than it lets one last.
    #[error("the session lasts longer than the standing rule allows")]
    Longer,
    /// It is over, or would be before the session.
    #[error("the standing rule is over")]
    Over,
    /// It bears a date to come, under which it could not be taken back, or is good for too long.
    #[error("the standing rule bears dates that no rule has")]
    Dates,
    /// Not at this hour, or beyond its end.
    #[error("the standing rule does not allow it at this hour")]
    Hour,
    /// Nobody may enter in an emergency.
    #[error("the standing rule agrees to no emergencies")]
    Emergency,
    /// A newer one has taken its place, or it was taken back on the device.
    #[error("the standing rule was taken back")]
    TakenBack,
}

impl StandingRule {
    /// As it is to be signed.
    pub fn text(&self) -> String {
        BASE64.encode(crate::payload::encode(self))
    }

    /// Whether its dates are those of a rule that was made until now.
    pub fn is_dated(&self, now: Timestamp) -> Result<(), NotCovered> {
        let good_for = self.valid_until.since(self.made_at);
        if self.made_at > now + SKEW || good_for > LONGEST_RULE { Err(NotCovered::Dates) } else { Ok(()) }
    }

    /// Whether it covers what a grant allows, at that moment. In an emergency the hours do not count, and an hour is the
    /// longest.
    pub fn covers(&self, grant: &Grant, now: Timestamp) -> Result<(), NotCovered> {
        if grant.device != self.device || grant.epoch != self.epoch {
            return Err(NotCovered::Device);
        }
        if grant.technician.organisation != self.installer {
            return Err(NotCovered::Installer);
        }
        let within = grant.services.iter().all(|service| self.services.contains(&service.name))
            && grant.networks.iter().all(|network| self.networks.contains(&network.name))
            && grant.listens.iter().all(|listen| self.listens.contains(&listen.name))
            && grant.features.iter().all(|feature| self.features.contains(feature));
        if !within {
            return Err(NotCovered::Wider);
        }
        let longest = Duration::from_secs(u64::from(self.longest_minutes) * 60);
        if grant.until.since(grant.from) > longest || Duration::from_secs(u64::from(grant.lifetime_s)) > longest {
            return Err(NotCovered::Longer);
        }
        if now >= self.valid_until || grant.until > self.valid_until {
            return Err(NotCovered::Over);
        }
        if grant.break_glass {
            let agreed = self.consent != Consent::Never && self.opening.break_glass.is_some();
            return match agreed {
                true if grant.until.since(grant.from) > BREAK_GLASS => Err(NotCovered::Longer),
                true => Ok(()),
                false => Err(NotCovered::Emergency),
            };
        }
        match self.opening.at(self.consent, now) {
            Standing::Open(None) => Ok(()),
            Standing::Open(Some(end)) if grant.until <= end => Ok(()),
            Standing::Open(Some(_)) | Standing::Ask | Standing::Never => Err(NotCovered::Hour),
        }
    }
}

impl SignedRule {
    /// What it says; whether it is signed is another question.
    pub fn read(&self) -> Result<StandingRule, InvalidRule> {
        if self.text.len() > LONGEST_TEXT {
            return Err(InvalidRule);
        }
        let json = BASE64.decode(&self.text).map_err(|_| InvalidRule)?;
        serde_json::from_slice(&json).map_err(|_| InvalidRule)
    }
}
