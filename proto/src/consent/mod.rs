//! Consent that a device checks by itself: the customer's passkey, pinned on the device, signs a grant or a standing rule.
//!
//! What is signed is a hash with a purpose of its own, so that no signature stands for anything else. Parsing and every
//! rule but the arithmetic are here; who checks brings the arithmetic (ECDSA P-256) of its own TLS provider.

mod assertion;
mod blob;
mod key;
mod rule;

pub use assertion::{Assertion, NotSigned, Verify};
pub use blob::{Blob, InvalidBlob};
pub use key::{InvalidKey, PinId, PinnedKey, Point, RpId};
pub use rule::{InvalidRule, LONGEST_TEXT, NotCovered, SignedRule, StandingRule};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{DeviceId, grant::SignedGrant};

/// The largest proof, in bytes of JSON.
pub const MAX_BYTES: usize = 6 * 1024;

const OF_A_GRANT: &[u8] = b"gatelodge consent 1\0";
const OF_A_RULE: &[u8] = b"gatelodge rule 1\0";
const OF_A_RELEASE: &[u8] = b"gatelodge release 1\0";

/// What the customer's key signs, or what was pressed on the device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Challenge([u8; 32]);

crate::canonical_text!(Challenge);

/// The text is no such hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub struct InvalidChallenge;

impl Challenge {
    /// Of a grant: its payload as it is signed, to the byte.
    pub fn of_grant(grant: &SignedGrant) -> Self {
        Self::of(OF_A_GRANT, grant.payload().as_bytes())
    }

    /// Of a standing rule.
    pub fn of_rule(text: &str) -> Self {
        Self::of(OF_A_RULE, text.as_bytes())
    }

    /// Of the word that a device forgets this key, said of one pinning alone.
    pub fn of_release(device: DeviceId, pin: PinId) -> Self {
        Self::of(OF_A_RELEASE, format!("{device} {pin}").as_bytes())
    }

    fn of(purpose: &[u8], what: &[u8]) -> Self {
        Self(Sha256::new().chain_update(purpose).chain_update(what).finalize().into())
    }

    /// The bytes that a passkey is given.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for Challenge {
    type Err = InvalidChallenge;
    fn from_str(text: &str) -> Result<Self, InvalidChallenge> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(InvalidChallenge);
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(place * 2..place * 2 + 2).ok_or(InvalidChallenge)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidChallenge)?;
        }
        Ok(Self(bytes))
    }
}

/// What the customer's key has signed for a session; goes beside its grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// This grant.
    Passkey {
        /// The signature.
        assertion: Assertion,
    },
    /// A rule that covers it.
    Standing {
        /// The rule with its signature.
        rule: SignedRule,
    },
}

/// On what a session's consent rests, as a device knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ConsentKind {
    /// The cloud's word and the device's own switch: no key is pinned.
    #[default]
    Cloud,
    /// The customer's passkey has signed this very grant.
    Passkey,
    /// The customer's passkey has signed a rule that covers it.
    StandingRule,
    /// The same, in an emergency to which that rule agrees.
    BreakGlass,
    /// Somebody pressed Allow on the device.
    Pressed,
}

impl ConsentKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Cloud, Self::Passkey, Self::StandingRule, Self::BreakGlass, Self::Pressed];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Passkey => "passkey",
            Self::StandingRule => "standing_rule",
            Self::BreakGlass => "break_glass",
            Self::Pressed => "pressed",
        }
    }

    /// The kind with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests;
