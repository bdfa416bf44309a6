//! One use of a passkey (WebAuthn level 3, section 7.2): what it says, read strictly.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Blob, Challenge, PinnedKey, Point};

/// Whether `signature` (ECDSA P-256 with SHA-256, ASN.1) over `message` is the key's.
pub type Verify = fn(key: &Point, message: &[u8], signature: &[u8]) -> bool;

/// Hash of the name, flags and counter (WebAuthn section 6.1); what follows is there when its flag says so.
const LEAST: usize = 37;
const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// The answer of an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// `authenticatorData`.
    pub authenticator: Blob<512>,
    /// `clientDataJSON`.
    pub client: Blob<1024>,
    /// `signature`.
    pub signature: Blob<80>,
}

/// What of `clientDataJSON` counts. Browsers add fields, and say so.
#[derive(Debug, Deserialize)]
struct Client {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<String>,
}

/// Why an assertion does not say that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// Its parts cannot be read.
    #[error("the passkey's answer cannot be read")]
    Shape,
    /// `webauthn.create`, or something else.
    #[error("the passkey was asked for something else than a signature")]
    Kind,
    /// For something else.
    #[error("the passkey has signed something else")]
    Challenge,
    /// On a page of another site, or within one.
    #[error("the passkey was used on a page of another site")]
    Origin,
    /// Made for another name.
    #[error("the passkey is for another site")]
    Rp,
    /// Nobody touched it.
    #[error("nobody was present when the passkey signed")]
    NotPresent,
    /// Nobody showed a PIN, finger or face.
    #[error("the passkey did not verify who was there")]
    NotVerified,
    /// Another key's, or altered.
    #[error("the signature is not the pinned key's")]
    Signature,
}

impl Assertion {
    /// Whether the key's owner has signed `challenge` with this.
    pub fn check(&self, challenge: &Challenge, key: &PinnedKey, verify: Verify) -> Result<(), NotSigned> {
        let client: Client = serde_json::from_slice(self.client.bytes()).map_err(|_| NotSigned::Shape)?;
        if client.kind != "webauthn.get" {
            return Err(NotSigned::Kind);
        }
        if client.challenge != BASE64.encode(challenge.bytes()) {
            return Err(NotSigned::Challenge);
        }
        if !key.rp.holds(&client.origin) || client.cross_origin || client.top_origin.is_some() {
            return Err(NotSigned::Origin);
        }
        let data = self.authenticator.bytes();
        let (Some(rp), Some(flags)) = (data.get(..32), data.get(32)) else { return Err(NotSigned::Shape) };
        let whole = if flags & EXTENSIONS == 0 { data.len() == LEAST } else { data.len() > LEAST };
        if !whole || flags & ATTESTED != 0 {
            return Err(NotSigned::Shape);
        }
        if *rp != Sha256::digest(key.rp.as_str())[..] {
            return Err(NotSigned::Rp);
        }
        if flags & USER_PRESENT == 0 {
            return Err(NotSigned::NotPresent);
        }
        if flags & USER_VERIFIED == 0 {
            return Err(NotSigned::NotVerified);
        }
        let message = [data, &Sha256::digest(self.client.bytes())[..]].concat();
        if verify(&key.point, &message, self.signature.bytes()) { Ok(()) } else { Err(NotSigned::Signature) }
    }
}
