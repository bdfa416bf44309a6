//! Recovery codes: ten at a time, 80 bits each, used once. Pure.

use std::{fmt, str::FromStr};

use gatelodge_proto::Random;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How many are made at a time.
pub(super) const AT_A_TIME: usize = 10;
/// No letter that looks like a digit.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 16;

/// Sixteen letters and digits, shown as `7K3M-9QXF-V2TD-H0RW`.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<String>);

/// The text is no recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recovery code has sixteen letters and digits, like 7K3M-9QXF-V2TD-H0RW")]
pub struct InvalidRecoveryCode;

impl RecoveryCode {
    fn make(random: &Random) -> Self {
        let letters = random.bytes::<LENGTH>().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        Self(Zeroizing::new(letters.iter().collect()))
    }

    /// Ten new ones.
    pub(super) fn make_all(random: &Random) -> Vec<Self> {
        (0..AT_A_TIME).map(|_| Self::make(random)).collect()
    }

    /// What is stored; 80 random bits need no slow hash.
    pub(super) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }
}

impl FromStr for RecoveryCode {
    type Err = InvalidRecoveryCode;
    /// Small letters, blanks and dashes are forgiven, and letters that look like digits.
    fn from_str(text: &str) -> Result<Self, InvalidRecoveryCode> {
        let letters: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .map(|c| match c.to_ascii_uppercase() {
                    'O' => '0',
                    'I' | 'L' => '1',
                    other => other,
                })
                .take(LENGTH + 1)
                .collect(),
        );
        let sound = letters.len() == LENGTH && letters.bytes().all(|letter| LETTERS.contains(&letter));
        if sound { Ok(Self(letters)) } else { Err(InvalidRecoveryCode) }
    }
}

impl fmt::Display for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, letter) in self.0.chars().enumerate() {
            if place > 0 && place % 4 == 0 {
                f.write_str("-")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_typing_is_forgiven() {
        let codes = RecoveryCode::make_all(&Random::seeded(1));
        assert_eq!(codes.len(), 10);
        for code in &codes {
            let shown = code.to_string();
            assert_eq!(shown.len(), 19);
            assert_eq!(shown.parse().as_ref(), Ok(code));
            let typed = format!(" {} ", shown.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l"));
            assert_eq!(typed.parse().as_ref(), Ok(code));
        }
        for bad in ["", "123456", "7K3M-9QXF-V2TD-H0R", "7K3M-9QXF-V2TD-H0RWW", "7K3M-9QXF-V2TD-H0RÜ"] {
            assert_eq!(bad.parse::<RecoveryCode>(), Err(InvalidRecoveryCode), "{bad}");
        }
        assert_eq!(format!("{:?}", codes[0]), "RecoveryCode(hidden)");
    }
}
