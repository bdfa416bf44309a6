//! The public half of a customer's passkey, and by what people know it again.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::blob::Blob;
use crate::Random;

const FINGERPRINT: &[u8] = b"gatelodge key 1\0";

/// A key that may be pinned, or is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedKey {
    /// By what a browser finds the passkey again. Nothing rests on it.
    pub credential: Blob<1023>,
    /// The key.
    pub point: Point,
    /// For which name the passkey was made.
    pub rp: RpId,
}

impl PinnedKey {
    /// Six groups of five digits, the same in the portal and on the device: some hundred bits of key and name.
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::new()
            .chain_update(FINGERPRINT)
            .chain_update(self.rp.as_str())
            .chain_update([0])
            .chain_update(self.point.0)
            .finalize();
        let group = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) % 100_000;
        hash.chunks_exact(5).take(6).map(|bytes| format!("{:05}", group(bytes))).collect::<Vec<_>>().join(" ")
    }
}

/// A point of P-256, uncompressed (SEC 1 section 2.3.3). Whether it is on the curve, the arithmetic says.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Point([u8; 65]);

/// The name of a relying party (WebAuthn section 4): a host name in lower case.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RpId(String);

/// One pinning of a key; the same key pinned again has another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PinId([u8; 16]);

crate::canonical_text!(Point);
crate::canonical_text!(RpId);
crate::canonical_text!(PinId);

/// The text is no such part of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not {0}")]
pub struct InvalidKey(&'static str);

impl Point {
    /// From its 65 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        match <[u8; 65]>::try_from(bytes) {
            Ok(point) if point[0] == 4 => Ok(Self(point)),
            Ok(_) | Err(_) => Err(InvalidKey("an uncompressed point of P-256")),
        }
    }

    /// Its 65 bytes.
    pub const fn bytes(&self) -> &[u8; 65] {
        &self.0
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl FromStr for Point {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        BASE64
            .decode(text)
            .map_err(|_| InvalidKey("an uncompressed point of P-256"))
            .and_then(|bytes| Self::from_bytes(&bytes))
    }
}

impl RpId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a page of this origin may use the passkey. Browsers take `http` from the machine itself alone.
    pub(super) fn holds(&self, origin: &str) -> bool {
        let host = match origin.split_once("://") {
            Some(("https", host)) => host,
            Some(("http", host)) if self.0 == "localhost" => host,
            Some(_) | None => return false,
        };
        let name = match host.split_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() && port.bytes().all(|c| c.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        };
        let within = name.strip_suffix(self.0.as_str());
        // What stands before it is whole labels, else another's name would pass for ours.
        is_name(name) && within.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // An address has no names under it.
    let number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|c| c.is_ascii_digit()));
    text.len() <= 253 && !number && text.split('.').all(label)
}

impl fmt::Display for RpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RpId {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidKey("a host name in lower case")) }
    }
}

impl PinId {
    /// A new one.
    pub fn make(random: &Random) -> Self {
        Self(random.bytes())
    }
}

impl fmt::Display for PinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for PinId {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bad = || InvalidKey("32 hexadecimal digits");
        let mut bytes = [0; 16];
        if text.len() != 32 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad());
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2).ok_or_else(bad)?, 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}
