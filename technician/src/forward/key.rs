//! The key of one session: made here, used once, never written down.

use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A session's own key.
#[derive(Clone)]
pub struct SessionKey(std::sync::Arc<KeyPair>);

/// The key could not be made or used.
#[derive(Debug, thiserror::Error)]
#[error("a key for the session could not be made: {0}")]
pub struct KeyError(#[from] rcgen::Error);

impl SessionKey {
    /// A new P-256 key.
    pub fn make() -> Result<Self, KeyError> {
        Ok(Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.into()))
    }

    /// The request for its certificate, PKCS #10 in PEM. The cloud takes the key from it and nothing else.
    pub fn csr(&self) -> Result<String, KeyError> {
        Ok(CertificateParams::default().serialize_request(&*self.0)?.pem()?)
    }

    pub(super) fn der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey")
    }
}
