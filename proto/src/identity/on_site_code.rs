//! The short code a device shows to whoever stands in front of it.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::crockford::{self, Fault};
use crate::Random;

/// Proof of being there: 40 random bits, shown as `XXXX-XXXX`, valid 15 minutes and five tries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String))]
pub struct OnSiteCode([u8; OnSiteCode::LENGTH]);

/// Why a text is no on-site code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOnSiteCode {
    /// Too few or too many characters.
    #[error(
        "an on-site code has 8 characters, this one has {0}; the device shows it on its local page, like 4F7K-92XQ"
    )]
    Length(usize),
    /// A character that no code contains.
    #[error("`{0}` does not occur in an on-site code; it has digits and letters without I, L, O and U")]
    Character(char),
}

impl OnSiteCode {
    const LENGTH: usize = 8;
    /// How long a code is good for.
    pub const VALID: Duration = Duration::from_secs(15 * 60);
    /// Wrong tries after which the device must show a new code.
    pub const TRIES: u32 = 5;

    /// A new random code.
    pub fn make(random: &Random) -> Self {
        let mut symbols = [0; Self::LENGTH];
        symbols.copy_from_slice(&crockford::random_symbols(random, Self::LENGTH));
        Self(symbols)
    }

    /// The code for the person in front of the device, and for hashing; the one way to see it.
    pub fn reveal(&self) -> String {
        crockford::grouped(&self.0)
    }
}

impl FromStr for OnSiteCode {
    type Err = InvalidOnSiteCode;
    fn from_str(text: &str) -> Result<Self, InvalidOnSiteCode> {
        let symbols = crockford::symbols(text, Self::LENGTH).map_err(|fault| match fault {
            Fault::Character(character) => InvalidOnSiteCode::Character(character),
            Fault::Length(length) => InvalidOnSiteCode::Length(length),
            Fault::Check => InvalidOnSiteCode::Length(Self::LENGTH),
        })?;
        symbols.try_into().map(Self).map_err(|rest: Vec<u8>| InvalidOnSiteCode::Length(rest.len()))
    }
}

impl TryFrom<String> for OnSiteCode {
    type Error = InvalidOnSiteCode;
    fn try_from(text: String) -> Result<Self, InvalidOnSiteCode> {
        text.parse()
    }
}

impl From<OnSiteCode> for String {
    fn from(code: OnSiteCode) -> String {
        code.reveal()
    }
}

impl fmt::Debug for OnSiteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnSiteCode(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_stays_out_of_logs() {
        let code = OnSiteCode::make(&Random::seeded(3));
        assert_eq!(code.reveal().to_lowercase().replace('-', " ").parse::<OnSiteCode>().unwrap(), code);
        assert_eq!(format!("{code:?}"), "OnSiteCode(hidden)");
        assert_eq!("4F7".parse::<OnSiteCode>(), Err(InvalidOnSiteCode::Length(3)));
    }
}
