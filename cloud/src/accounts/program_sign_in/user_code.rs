//! The short code a person compares or types.

use std::{fmt, str::FromStr};

use gatelodge_proto::Random;

/// No vowels, so no words; nothing that looks like a digit (RFC 8628 section 6.1). 20^8 codes are 34 bits, for ten
/// minutes, behind a limit on tries.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// Eight letters, shown as `WDJB-MJHT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

/// The text is no such code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not such a code: it has eight letters, like WDJB-MJHT, and the program shows it")]
pub struct InvalidUserCode;

impl UserCode {
    /// A new one.
    pub fn make(random: &Random) -> Self {
        let letter = || {
            let place = usize::try_from(random.below(LETTERS.len() as u64)).unwrap_or(0);
            char::from(LETTERS[place])
        };
        Self((0..LENGTH).map(|_| letter()).collect())
    }

    /// As kept in the row: without the dash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserCode {
    type Err = InvalidUserCode;
    /// Small letters, blanks and dashes are forgiven.
    fn from_str(text: &str) -> Result<Self, InvalidUserCode> {
        let letters: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase())
            .take(LENGTH + 1)
            .collect();
        let sound = letters.len() == LENGTH && letters.bytes().all(|letter| LETTERS.contains(&letter));
        if sound { Ok(Self(letters)) } else { Err(InvalidUserCode) }
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_typing_is_forgiven() {
        let random = Random::seeded(1);
        for _ in 0..50 {
            let code = UserCode::make(&random);
            let shown = code.to_string();
            assert_eq!(shown.len(), 9);
            assert_eq!(shown.parse(), Ok(code.clone()));
            assert_eq!(format!(" {} ", shown.to_lowercase().replace('-', " ")).parse(), Ok(code));
        }
        for bad in ["", "WDJB", "WDJB-MJHTX", "AEIO-UAEI", "WDJB-MJH1", "ÄDJB-MJHT"] {
            assert_eq!(bad.parse::<UserCode>(), Err(InvalidUserCode), "{bad}");
        }
    }
}
