//! The secret in the label's QR.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::crockford::{self, Fault};
use crate::Random;

/// Proof of holding the label: 75 random bits and a check character, shown as four groups of four.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String))]
pub struct ClaimSecret([u8; ClaimSecret::LENGTH]);

/// Why a text is no label secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaimSecret {
    /// Too few or too many characters.
    #[error("a label secret has 16 characters, this one has {0}; scan the label's QR or type all four groups")]
    Length(usize),
    /// A character that no secret contains.
    #[error("`{0}` does not occur in a label secret; it has digits and letters without I, L, O and U")]
    Character(char),
    /// The check character does not fit.
    #[error("the check character does not fit: compare the label secret with the label once more")]
    Check,
}

impl ClaimSecret {
    const LENGTH: usize = 16;

    /// A new random secret.
    pub fn make(random: &Random) -> Self {
        Self::from_bytes(&random.bytes())
    }

    /// The secret that 15 bytes of key material give, five bits each.
    pub fn from_bytes(material: &[u8; 32]) -> Self {
        let mut symbols = [0; Self::LENGTH];
        for (symbol, byte) in symbols.iter_mut().zip(material).take(Self::LENGTH - 1) {
            *symbol = byte & 0x1f;
        }
        symbols[Self::LENGTH - 1] = crockford::check_symbol(&symbols[..Self::LENGTH - 1]);
        Self(symbols)
    }

    /// The secret for printing and hashing; the one way to see it.
    pub fn reveal(&self) -> String {
        crockford::grouped(&self.0)
    }
}

impl FromStr for ClaimSecret {
    type Err = InvalidClaimSecret;
    fn from_str(text: &str) -> Result<Self, InvalidClaimSecret> {
        let symbols = crockford::checked(text, Self::LENGTH).map_err(|fault| match fault {
            Fault::Length(length) => InvalidClaimSecret::Length(length),
            Fault::Character(character) => InvalidClaimSecret::Character(character),
            Fault::Check => InvalidClaimSecret::Check,
        })?;
        symbols.try_into().map(Self).map_err(|rest: Vec<u8>| InvalidClaimSecret::Length(rest.len()))
    }
}

impl TryFrom<String> for ClaimSecret {
    type Error = InvalidClaimSecret;
    fn try_from(text: String) -> Result<Self, InvalidClaimSecret> {
        text.parse()
    }
}

impl From<ClaimSecret> for String {
    fn from(secret: ClaimSecret) -> String {
        secret.reveal()
    }
}

impl fmt::Debug for ClaimSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimSecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_stays_out_of_logs() {
        let secret = ClaimSecret::make(&Random::seeded(3));
        assert_eq!(secret.reveal().parse::<ClaimSecret>().unwrap(), secret);
        assert_eq!(format!("{secret:?}"), "ClaimSecret(hidden)");
        assert_eq!("AAAA-AAAA-AAAA-AAA0".parse::<ClaimSecret>(), Err(InvalidClaimSecret::Check));
    }
}
