//! The name under which a device's own web pages are reached through the cloud.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One DNS label (RFC 1035 section 2.3.1) of 3 to 40 characters, lower case: `villa-rosa`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, example = "villa-rosa"))]
pub struct WebAddress(String);

/// Why a text is no web address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebAddress {
    /// Too short or too long.
    #[error("a web address has 3 to 40 characters, this one has {0}")]
    Length(usize),
    /// A character that no host name contains.
    #[error("`{0}` cannot stand in a web address; use letters without accents, digits and dashes, like villa-rosa")]
    Character(char),
    /// A dash at an end, or two in a row at the place reserved for encoded names.
    #[error("a web address starts and ends with a letter or digit, like villa-rosa")]
    Dash,
    /// A name the portal keeps for itself.
    #[error("`{0}` is kept for the portal; choose another, like villa-rosa")]
    Reserved(String),
}

const RESERVED: &[&str] = &[
    "www",
    "api",
    "portal",
    "admin",
    "mail",
    "smtp",
    "mqtt",
    "relay",
    "device",
    "devices",
    "help",
    "status",
    "support",
    "static",
    "assets",
    "login",
    "sign-in",
    "localhost",
    "gatelodge",
    "enrol",
];

impl WebAddress {
    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebAddress {
    type Err = InvalidWebAddress;
    fn from_str(text: &str) -> Result<Self, InvalidWebAddress> {
        let name = text.trim().to_ascii_lowercase();
        if let Some(character) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
            return Err(InvalidWebAddress::Character(character));
        }
        if !(3..=40).contains(&name.len()) {
            return Err(InvalidWebAddress::Length(name.len()));
        }
        if name.starts_with('-') || name.ends_with('-') || name.get(2..4) == Some("--") {
            return Err(InvalidWebAddress::Dash);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(InvalidWebAddress::Reserved(name));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::canonical_text!(WebAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_labels() {
        assert_eq!(" Villa-Rosa ".parse::<WebAddress>().unwrap().as_str(), "villa-rosa");
        assert_eq!("villa rosa".parse::<WebAddress>(), Err(InvalidWebAddress::Character(' ')));
        assert_eq!("chaumière".parse::<WebAddress>(), Err(InvalidWebAddress::Character('è')));
        assert_eq!("ab".parse::<WebAddress>(), Err(InvalidWebAddress::Length(2)));
        assert_eq!("-villa".parse::<WebAddress>(), Err(InvalidWebAddress::Dash));
        assert_eq!("xn--villa".parse::<WebAddress>(), Err(InvalidWebAddress::Dash));
        assert_eq!("portal".parse::<WebAddress>(), Err(InvalidWebAddress::Reserved("portal".into())));
    }
}
