//! What the customer's passkey signs in a browser. The device holds a signature against the key by itself; it is held
//! against the same key here first, so that a person who took another passkey hears of it on the page.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use gatelodge_proto::consent::{Assertion, Challenge, NotSigned, PinnedKey, Point};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    accounts::second_factor::{FactorRefusal, RelyingParty},
    config::Config,
};

/// What the browser is to ask the passkey.
pub fn options(config: &Config, challenge: &Challenge, key: &PinnedKey) -> Result<Value, FactorRefusal> {
    Ok(RelyingParty::of(config)?.signature_over(challenge.bytes(), &[key.credential.bytes().to_vec()]))
}

/// `PublicKeyCredential` with an `AuthenticatorAssertionResponse` (WebAuthn section 5.2.2), as `passkey.js` writes it.
#[derive(Deserialize)]
struct Credential {
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    authenticator_data: String,
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    signature: String,
}

/// What the browser brought, if the key has signed `challenge` with it.
pub fn signed(credential: &str, challenge: &Challenge, key: &PinnedKey) -> Result<Assertion, NotSigned> {
    let Credential { response } = serde_json::from_str(credential).map_err(|_| NotSigned::Shape)?;
    let assertion = Assertion {
        authenticator: response.authenticator_data.parse().map_err(|_| NotSigned::Shape)?,
        client: response.client_data_json.parse().map_err(|_| NotSigned::Shape)?,
        signature: response.signature.parse().map_err(|_| NotSigned::Shape)?,
    };
    assertion.check(challenge, key, is_signed)?;
    Ok(assertion)
}

fn is_signed(key: &Point, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.bytes()).verify(message, signature).is_ok()
}
