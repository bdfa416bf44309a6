//! The device's private key: P-256, born here, never leaving the device.

use std::fmt;

use gatelodge_proto::enrol;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls_pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize};

/// A private key, in PEM (PKCS #8) on disk.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateKey(String);

/// The key cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
#[error("the device's private key cannot be used: {0}")]
pub struct KeyError(#[from] rcgen::Error);

impl PrivateKey {
    /// A new key.
    pub fn make() -> Result<Self, KeyError> {
        Ok(Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.serialize_pem()))
    }

    /// A certificate request (PKCS #10) in PEM that proves the key. It names nothing: the cloud decides the name.
    pub fn request(&self) -> Result<String, KeyError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        Ok(params.serialize_request(&self.pair()?)?.pem()?)
    }

    /// SHA-256 of the public key.
    pub fn thumbprint(&self) -> Result<[u8; 32], KeyError> {
        Ok(enrol::key_thumbprint(&self.pair()?.subject_public_key_info()))
    }

    /// For the TLS stack.
    pub fn der(&self) -> Result<PrivateKeyDer<'static>, KeyError> {
        Ok(PrivateKeyDer::Pkcs8(self.pair()?.serialize_der().into()))
    }

    fn pair(&self) -> Result<KeyPair, KeyError> {
        Ok(KeyPair::from_pem(&self.0)?)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(hidden)")
    }
}
