//! The arithmetic of the customer's passkey.

use gatelodge_proto::consent::Point;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

/// Whether the key has signed this.
pub fn is_signed(key: &Point, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.bytes()).verify(message, signature).is_ok()
}
