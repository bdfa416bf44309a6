//! Serial numbers as vendors print them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A unit's serial number: 1 to 64 letters, digits and `. _ - /`, kept as printed, compared without case.
#[derive(Clone, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, example = "AX-100"))]
pub struct SerialNumber(String);

/// Why a text is no serial number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSerialNumber {
    /// Empty or longer than 64 characters.
    #[error("a serial number has 1 to 64 characters, this one has {0}")]
    Length(usize),
    /// A character outside the set.
    #[error("`{0}` does not occur in a serial number; it has letters, digits and . _ - /")]
    Character(char),
}

impl SerialNumber {
    /// The text as printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The spelling that equal serials share, for look-up and uniqueness.
    pub fn folded(&self) -> String {
        self.0.to_ascii_uppercase()
    }
}

impl FromStr for SerialNumber {
    type Err = InvalidSerialNumber;
    fn from_str(text: &str) -> Result<Self, InvalidSerialNumber> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > 64 {
            return Err(InvalidSerialNumber::Length(length));
        }
        match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))) {
            Some(character) => Err(InvalidSerialNumber::Character(character)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl PartialEq for SerialNumber {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for SerialNumber {}

impl std::hash::Hash for SerialNumber {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::canonical_text!(SerialNumber);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_as_printed_and_compared_without_case() {
        let serial: SerialNumber = " ax-100/7 ".parse().unwrap();
        assert_eq!(serial.to_string(), "ax-100/7");
        assert_eq!(serial, "AX-100/7".parse().unwrap());
    }

    #[test]
    fn strange_characters_are_named() {
        assert_eq!("AX 100".parse::<SerialNumber>(), Err(InvalidSerialNumber::Character(' ')));
        assert_eq!("<b>".parse::<SerialNumber>(), Err(InvalidSerialNumber::Character('<')));
        assert_eq!("".parse::<SerialNumber>(), Err(InvalidSerialNumber::Length(0)));
        assert_eq!("A".repeat(65).parse::<SerialNumber>(), Err(InvalidSerialNumber::Length(65)));
    }
}
