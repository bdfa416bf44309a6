//! What a CSR proves: that whoever sent it holds a P-256 key. Its subject and wishes are never looked at.

use std::fmt::Write as _;

use gatelodge_proto::enrol;
use rustls_pki_types::{CertificateSigningRequestDer, pem::PemObject as _};
use x509_parser::{
    certification_request::X509CertificationRequest,
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY},
    prelude::FromDer as _,
    x509::SubjectPublicKeyInfo,
};

/// The largest CSR that is read, in bytes of PEM.
const MAX_BYTES: usize = 8 * 1024;

/// A key whose holder has signed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csr {
    spki: Vec<u8>,
    pem: String,
}

/// Why a CSR was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCsr {
    /// No PKCS #10 in PEM.
    #[error("the certificate request cannot be read; it must be PKCS #10 in PEM (RFC 2986)")]
    Shape,
    /// Another kind of key.
    #[error("the certificate request is for another kind of key; make an ECDSA key on the curve P-256")]
    Algorithm,
    /// Not signed by its own key.
    #[error("the certificate request is not signed by its own key")]
    Signature,
}

impl Csr {
    /// Reads a CSR and checks that its key signed it.
    pub fn parse(pem: &str) -> Result<Self, InvalidCsr> {
        if pem.len() > MAX_BYTES {
            return Err(InvalidCsr::Shape);
        }
        let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).map_err(|_| InvalidCsr::Shape)?;
        let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| InvalidCsr::Shape)?;
        if !rest.is_empty() {
            return Err(InvalidCsr::Shape);
        }
        let key = &request.certification_request_info.subject_pki;
        if !is_p256(key) {
            return Err(InvalidCsr::Algorithm);
        }
        request.verify_signature().map_err(|_| InvalidCsr::Signature)?;
        Ok(Self { spki: key.raw.to_vec(), pem: pem.to_owned() })
    }

    /// The public key as SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The request as it came.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of the key.
    pub fn thumbprint(&self) -> [u8; 32] {
        enrol::key_thumbprint(&self.spki)
    }

    /// SHA-256 of the key in hex, as rows and grants name it.
    pub fn thumbprint_hex(&self) -> String {
        self.thumbprint().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

fn is_p256(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve.is_some_and(|curve| curve == OID_EC_P256)
}
