//! The words of recording keys.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use gatelodge_proto::recording::PublicKey;
use serde::{Deserialize, Serialize};

/// Rounds of PBKDF2-HMAC-SHA-256 at least (OWASP, Password Storage Cheat Sheet).
pub const FEWEST_ROUNDS: u32 = 600_000;
/// More only keeps a browser busy.
const MOST_ROUNDS: u32 = 20_000_000;
const NONCE: usize = 12;

/// A key pair as a browser hands it over. The private half is PKCS #8, encrypted by AES-256-GCM with a key that
/// PBKDF2-HMAC-SHA-256 derives from the passphrase; binary fields are base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// The public half.
    pub public_key: PublicKey,
    /// For PBKDF2.
    pub salt: String,
    /// For PBKDF2.
    pub rounds: u32,
    /// For AES-GCM.
    pub nonce: String,
    /// The private half.
    pub wrapped: String,
}

/// The key pair is not what a browser of this portal makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {0} of the recording key is not as the portal makes it")]
pub struct InvalidWrappedKey(&'static str);

impl WrappedKey {
    /// The same, when its fields can be what they say.
    pub fn checked(self) -> Result<Self, InvalidWrappedKey> {
        let length = |text: &str| BASE64.decode(text).map_or(0, |bytes| bytes.len());
        if !(16..=64).contains(&length(&self.salt)) {
            Err(InvalidWrappedKey("salt"))
        } else if !(FEWEST_ROUNDS..=MOST_ROUNDS).contains(&self.rounds) {
            Err(InvalidWrappedKey("number of rounds"))
        } else if length(&self.nonce) != NONCE {
            Err(InvalidWrappedKey("nonce"))
        } else if !(100..=1024).contains(&length(&self.wrapped)) {
            Err(InvalidWrappedKey("private half"))
        } else {
            Ok(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> WrappedKey {
        let text = |length: usize| BASE64.encode(vec![4; length]);
        WrappedKey {
            public_key: text(65).parse().unwrap(),
            salt: text(16),
            rounds: FEWEST_ROUNDS,
            nonce: text(12),
            wrapped: text(154),
        }
    }

    #[test]
    fn what_no_browser_of_ours_makes_is_refused() {
        assert_eq!(key().checked(), Ok(key()));
        let text = |length: usize| BASE64.encode(vec![4; length]);
        for (weak, field) in [
            (WrappedKey { rounds: FEWEST_ROUNDS - 1, ..key() }, "number of rounds"),
            (WrappedKey { rounds: u32::MAX, ..key() }, "number of rounds"),
            (WrappedKey { salt: text(8), ..key() }, "salt"),
            (WrappedKey { nonce: text(16), ..key() }, "nonce"),
            (WrappedKey { wrapped: text(32), ..key() }, "private half"),
            (WrappedKey { wrapped: "not base64".into(), ..key() }, "private half"),
        ] {
            assert_eq!(weak.checked(), Err(InvalidWrappedKey(field)));
        }
    }
}
