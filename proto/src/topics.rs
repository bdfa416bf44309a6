//! MQTT topics, built and parsed here only: `gl/1/d/{device}/up/{kind}` and `gl/1/d/{device}/down/{kind}`.

use std::{fmt, str::FromStr};

use crate::DeviceId;

/// What a device sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Up {
    /// Identity and state, see [`crate::payload::Report`].
    Report,
    /// Presence, also the last will.
    Status,
    /// A CSR for the next certificate.
    Renew,
    /// The outcome of a command.
    Result,
    /// Something that happened on the device.
    Event,
}

/// What a device is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Down {
    /// The message is committed; the device may forget it.
    Receipt,
    /// Something to carry out.
    Command,
    /// The renewed certificate.
    Certificate,
}

/// A parsed topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// From the device.
    Up(DeviceId, Up),
    /// To the device.
    Down(DeviceId, Down),
}

/// The topic is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a topic of gl/1")]
pub struct UnknownTopic(String);

/// Every message of every device, shared among the registrar's connections (MQTT 5 section 4.8.2).
pub const REGISTRAR_FILTER: &str = "$share/registrar/gl/1/d/+/up/#";

/// The prefix of service accounts' client ids and common names; no device id starts like this.
pub const SERVICE_PREFIX: &str = "svc-";

impl Up {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Report, Self::Status, Self::Renew, Self::Result, Self::Event];

    /// The last word of its topics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Status => "status",
            Self::Renew => "renew",
            Self::Result => "result",
            Self::Event => "event",
        }
    }
}

impl Down {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Receipt, Self::Command, Self::Certificate];

    const fn word(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Command => "command",
            Self::Certificate => "certificate",
        }
    }
}

/// [`REGISTRAR_FILTER`] in a share of another name, for brokers that let any client name any share: whoever is in the
/// registrar's share takes messages from it, even those the broker then does not hand over.
pub fn registrar_filter(share: &str) -> String {
    format!("$share/{share}/gl/1/d/+/up/#")
}

/// The filter under which one device hears everything meant for it.
pub fn down_filter(device: DeviceId) -> String {
    format!("gl/1/d/{device}/down/#")
}

/// Whether `device` may publish to `topic`: its own `up` topics, spelled canonically, nothing else.
pub fn may_publish(device: DeviceId, topic: &str) -> bool {
    matches!(topic.parse(), Ok(Topic::Up(owner, _)) if owner == device)
}

/// Whether `device` may subscribe to `filter`: its own `down` filter or one of its topics; no wildcard, no `$share`, no `$SYS`.
pub fn may_subscribe(device: DeviceId, filter: &str) -> bool {
    filter == down_filter(device) || matches!(filter.parse(), Ok(Topic::Down(owner, _)) if owner == device)
}

impl FromStr for Topic {
    type Err = UnknownTopic;
    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        let unknown = || UnknownTopic(text.chars().take(120).collect());
        let rest = text.strip_prefix("gl/1/d/").ok_or_else(unknown)?;
        let mut parts = rest.split('/');
        let (Some(device), Some(direction), Some(kind), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(unknown());
        };
        let id: DeviceId = device.parse().map_err(|_| unknown())?;
        // One spelling per device: an access rule compares text, so upper case or braces must not pass as the same id.
        if id.to_string() != device {
            return Err(unknown());
        }
        match direction {
            "up" => Up::ALL.into_iter().find(|k| k.word() == kind).map(|k| Self::Up(id, k)).ok_or_else(unknown),
            "down" => Down::ALL.into_iter().find(|k| k.word() == kind).map(|k| Self::Down(id, k)).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(device, kind) => write!(f, "gl/1/d/{device}/up/{}", kind.word()),
            Self::Down(device, kind) => write!(f, "gl/1/d/{device}/down/{}", kind.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Random, Timestamp};

    fn device(seed: u64) -> DeviceId {
        DeviceId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(seed))
    }

    #[test]
    fn every_topic_round_trips() {
        let id = device(1);
        let topics = Up::ALL.map(|k| Topic::Up(id, k)).into_iter().chain(Down::ALL.map(|k| Topic::Down(id, k)));
        for topic in topics {
            assert_eq!(topic.to_string().parse::<Topic>().unwrap(), topic);
        }
    }

    #[test]
    fn golden() {
        let id: DeviceId = "018bcfe5-6800-7000-8000-000000000001".parse().unwrap();
        assert_eq!(Topic::Up(id, Up::Report).to_string(), "gl/1/d/018bcfe5-6800-7000-8000-000000000001/up/report");
        assert_eq!(
            Topic::Down(id, Down::Receipt).to_string(),
            "gl/1/d/018bcfe5-6800-7000-8000-000000000001/down/receipt"
        );
    }

    #[test]
    fn a_device_has_its_own_prefix_and_nothing_else() {
        let (own, other) = (device(1), device(2));
        assert!(may_publish(own, &Topic::Up(own, Up::Event).to_string()));
        assert!(may_subscribe(own, &down_filter(own)));
        assert!(may_subscribe(own, &Topic::Down(own, Down::Command).to_string()));
        for topic in [
            Topic::Up(other, Up::Report).to_string(),
            Topic::Down(own, Down::Command).to_string(),
            format!("gl/1/d/{own}/up/unknown"),
            format!("gl/1/d/{own}/up/report/more"),
            format!("gl/1/d/{}/up/report", own.to_string().to_uppercase()),
            format!("gl/1/d/{{{own}}}/up/report"),
            "$SYS/broker".into(),
            String::new(),
        ] {
            assert!(!may_publish(own, &topic), "{topic}");
        }
        for filter in [
            down_filter(other),
            "#".into(),
            "gl/1/d/+/down/#".into(),
            format!("gl/1/d/{own}/#"),
            format!("gl/1/d/{own}/up/report"),
            format!("$share/registrar/gl/1/d/{own}/down/#"),
            REGISTRAR_FILTER.into(),
            "$SYS/#".into(),
        ] {
            assert!(!may_subscribe(own, &filter), "{filter}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_is_canonical(text in "gl/1/d/[-0-9a-fA-F{}]{32,38}/(up|down)/[a-z]{1,12}|\\PC*") {
            if let Ok(topic) = text.parse::<Topic>() {
                prop_assert_eq!(topic.to_string(), text);
            }
        }
    }
}
