//! The ID code on a device's label.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::crockford::{self, Fault};
use crate::Random;

/// A device's public ID code: 55 bits and a check character in Crockford base32, shown as `XXXX-XXXX-XXXX`.
///
/// It is a name, never a secret: knowing it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String))]
pub struct IdCode([u8; IdCode::LENGTH]);

/// Why a text is no ID code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdCode {
    /// Too few or too many characters.
    #[error("an ID code has 12 characters, this one has {0}; type it as on the label, like 7K3M-9QWX-22FP")]
    Length(usize),
    /// A character that no code contains.
    #[error("`{0}` does not occur in an ID code; it has digits and letters without I, L, O and U")]
    Character(char),
    /// The check character does not fit: a character is wrong or two are swapped.
    #[error("the check character does not fit: compare the ID code with the label once more")]
    Check,
}

impl IdCode {
    const LENGTH: usize = 12;

    /// A new random code.
    pub fn make(random: &Random) -> Self {
        let mut symbols = [0; Self::LENGTH];
        symbols[..Self::LENGTH - 1].copy_from_slice(&crockford::random_symbols(random, Self::LENGTH - 1));
        symbols[Self::LENGTH - 1] = crockford::check_symbol(&symbols[..Self::LENGTH - 1]);
        Self(symbols)
    }

    /// The 12 characters without dashes, as in the label's QR and the database.
    pub fn compact(&self) -> String {
        self.to_string().replace('-', "")
    }
}

impl FromStr for IdCode {
    type Err = InvalidIdCode;
    /// Forgives case, spaces, dashes and the look-alikes `I L O`.
    fn from_str(text: &str) -> Result<Self, InvalidIdCode> {
        let symbols = crockford::checked(text, Self::LENGTH).map_err(|fault| match fault {
            Fault::Length(length) => InvalidIdCode::Length(length),
            Fault::Character(character) => InvalidIdCode::Character(character),
            Fault::Check => InvalidIdCode::Check,
        })?;
        symbols.try_into().map(Self).map_err(|rest: Vec<u8>| InvalidIdCode::Length(rest.len()))
    }
}

impl fmt::Display for IdCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crockford::grouped(&self.0))
    }
}

crate::canonical_text!(IdCode);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_spellings_round_trip(seed: u64) {
            let code = IdCode::make(&Random::seeded(seed));
            prop_assert_eq!(code.to_string().parse::<IdCode>().unwrap(), code);
            prop_assert_eq!(code.compact().to_lowercase().parse::<IdCode>().unwrap(), code);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<IdCode>();
        }
    }

    #[test]
    fn golden() {
        assert_eq!(IdCode::make(&Random::seeded(1)).to_string(), "RR52-AFY2-T1GJ");
    }

    #[test]
    fn the_refusal_says_what_to_do() {
        let message = |text: &str| text.parse::<IdCode>().unwrap_err().to_string();
        assert!(message("7K3M").contains("12 characters, this one has 4"));
        assert!(message("7K3M-9QWX-22U!").contains('U'));
        assert!(message("0000-0000-0001").contains("label once more"));
    }
}
