//! Bytes in JSON: base64url without padding, and never more than they may be.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};

/// At most `MAX` bytes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blob<const MAX: usize>(Vec<u8>);

/// Too long, or no base64url.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these are not {0} bytes at most in base64url")]
pub struct InvalidBlob(usize);

impl<const MAX: usize> Blob<MAX> {
    /// From bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, InvalidBlob> {
        if bytes.len() <= MAX { Ok(Self(bytes)) } else { Err(InvalidBlob(MAX)) }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Blob<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl<const MAX: usize> fmt::Debug for Blob<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl<const MAX: usize> FromStr for Blob<MAX> {
    type Err = InvalidBlob;
    fn from_str(text: &str) -> Result<Self, InvalidBlob> {
        // Not decoded when it could not fit anyway.
        if text.len() > MAX.div_ceil(3) * 4 {
            return Err(InvalidBlob(MAX));
        }
        BASE64.decode(text).map_err(|_| InvalidBlob(MAX)).and_then(Self::new)
    }
}

impl<const MAX: usize> TryFrom<String> for Blob<MAX> {
    type Error = InvalidBlob;
    fn try_from(text: String) -> Result<Self, InvalidBlob> {
        text.parse()
    }
}

impl<const MAX: usize> From<Blob<MAX>> for String {
    fn from(blob: Blob<MAX>) -> String {
        blob.to_string()
    }
}
