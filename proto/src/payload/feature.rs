//! What a session may do on a device beside reaching its services, and the number an installer keeps its work under.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

/// Something a device does for a session itself. Off unless the device's own settings, the grant and with it the
/// customer's consent all say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Feature {
    /// A shell on the device itself, recorded.
    Terminal,
    /// Files to and from the folders that the device names.
    Files,
    /// Tells what there is on the device's network.
    Discovery,
    /// Its services by a browser, through the cloud's gateway, which can read what passes.
    Web,
    /// The same, and the gateway cannot: the device itself speaks TLS with the browser. Nothing else is let in beside it.
    WebBlind,
}

impl Feature {
    /// All features.
    pub const ALL: [Self; 5] = [Self::Terminal, Self::Files, Self::Discovery, Self::Web, Self::WebBlind];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Files => "files",
            Self::Discovery => "discovery",
            Self::Web => "web",
            Self::WebBlind => "web_blind",
        }
    }

    /// Whether it is a way by which a browser comes to what the session reaches, and nothing to do by itself.
    pub const fn is_for_browsers(self) -> bool {
        matches!(self, Self::Web | Self::WebBlind)
    }

    /// The feature with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.word() == word)
    }

    /// Those of a list that this version knows; a neighbouring version may know more.
    pub fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Self>, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        Ok(words.iter().filter_map(|word| Self::from_word(word)).collect())
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The number under which the installer keeps this piece of work: one line of 1 to 60 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(example = "2026-0417", min_length = 1, max_length = 60))]
pub struct TicketNumber(String);

/// The text is no ticket number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a ticket number is one line of 1 to 60 characters")]
pub struct InvalidTicketNumber;

impl TicketNumber {
    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TicketNumber {
    type Err = InvalidTicketNumber;
    fn from_str(text: &str) -> Result<Self, InvalidTicketNumber> {
        let text = text.trim();
        let sound = (1..=60).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidTicketNumber) }
    }
}

impl TryFrom<String> for TicketNumber {
    type Error = InvalidTicketNumber;
    fn try_from(text: String) -> Result<Self, InvalidTicketNumber> {
        text.parse()
    }
}

impl From<TicketNumber> for String {
    fn from(number: TicketNumber) -> Self {
        number.0
    }
}

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_a_later_version_is_read_without_what_is_not_known() {
        #[derive(Deserialize)]
        struct Told {
            #[serde(deserialize_with = "Feature::known")]
            features: Vec<Feature>,
        }
        let told: Told = serde_json::from_str(r#"{"features":["web","teleport","terminal"]}"#).unwrap();
        assert_eq!(told.features, [Feature::Web, Feature::Terminal]);
        for feature in Feature::ALL {
            assert_eq!(Feature::from_word(feature.word()), Some(feature));
            assert_eq!(serde_json::to_value(feature).unwrap(), feature.word());
        }
    }

    #[test]
    fn a_ticket_number_is_one_short_line() {
        assert_eq!(" 2026-0417 ".parse::<TicketNumber>().unwrap().as_str(), "2026-0417");
        assert!("é".repeat(60).parse::<TicketNumber>().is_ok());
        for bad in ["", "  ", "a\nb", &"é".repeat(61)] {
            assert_eq!(bad.parse::<TicketNumber>(), Err(InvalidTicketNumber), "{bad:?}");
        }
    }
}
