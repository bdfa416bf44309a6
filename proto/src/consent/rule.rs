//! A standing rule: what the customer has signed once for all sessions that fit.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};

use super::{Assertion, PinId};
use crate::{
    DeviceId, OrganisationId, Timestamp,
    grant::Grant,
    payload::{Feature, ServiceName},
};

const LONGEST_TEXT: usize = 1536;

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
    /// When a session may begin; at any time when empty.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// The IANA zone of the windows.
    pub zone: String,
    /// How long one lasts at most, with all its extensions.
    pub longest_minutes: u32,
    /// Until when all of them are over.
    pub valid_until: Timestamp,
    /// Whether it is meant for emergencies.
    #[serde(default)]
    pub break_glass: bool,
}

/// Hours of some days of the week. One that ends before it begins goes on past midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// On these days; the day on which it begins counts.
    pub days: Vec<Day>,
    /// From then.
    pub from: TimeOfDay,
    /// Until before then.
    pub until: TimeOfDay,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "days name themselves")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    /// From Monday on.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The day before.
    fn before(self) -> Self {
        let place = Self::ALL.iter().position(|day| *day == self).unwrap_or_default();
        Self::ALL[(place + 6) % 7]
    }
}

/// A time of day as `HH:MM`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay {
    minutes: u16,
}

crate::canonical_text!(TimeOfDay);

impl TimeOfDay {
    /// Of hour and minute; `None` when there is no such time.
    pub fn of(hour: u8, minute: u8) -> Option<Self> {
        (hour < 24 && minute < 60).then(|| Self { minutes: u16::from(hour) * 60 + u16::from(minute) })
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = InvalidRule;
    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let number = |part: &str| -> Option<u8> {
            (part.len() == 2 && part.bytes().all(|c| c.is_ascii_digit())).then(|| part.parse().ok())?
        };
        let read = text.split_once(':').and_then(|(hour, minute)| Self::of(number(hour)?, number(minute)?));
        read.ok_or(InvalidRule)
    }
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
    /// Not at this hour.
    #[error("the standing rule does not allow it at this hour")]
    Hour,
    /// Its zone is not known here.
    #[error("the device does not know the zone of the standing rule")]
    Zone,
    /// A newer one has taken its place, or it was taken back on the device.
    #[error("the standing rule was taken back")]
    TakenBack,
}

impl StandingRule {
    /// As it is to be signed.
    pub fn text(&self) -> String {
        BASE64.encode(crate::payload::encode(self))
    }

    /// Whether it covers what a grant allows, at a moment that the zone's clock shows as `local`.
    pub fn covers(&self, grant: &Grant, now: Timestamp, local: (Day, TimeOfDay)) -> Result<(), NotCovered> {
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
        if self.windows.is_empty() || self.windows.iter().any(|window| window.holds(local)) {
            Ok(())
        } else {
            Err(NotCovered::Hour)
        }
    }
}

impl Window {
    fn holds(&self, (day, clock): (Day, TimeOfDay)) -> bool {
        if self.from < self.until {
            return self.days.contains(&day) && (self.from..self.until).contains(&clock);
        }
        (self.days.contains(&day) && clock >= self.from) || (self.days.contains(&day.before()) && clock < self.until)
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
