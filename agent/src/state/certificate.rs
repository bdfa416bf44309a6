//! What the agent reads from its own certificate.

use std::time::Duration;

use gatelodge_proto::{CertificateSerial, DeviceId, Timestamp, enrol};
use x509_parser::{parse_x509_certificate, pem::parse_x509_pem};

/// The device's own certificate, the first of its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its common name.
    pub device: DeviceId,
    /// Its serial number.
    pub serial: CertificateSerial,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// SHA-256 of the key it is for.
    pub key_thumbprint: [u8; 32],
}

/// The chain is none for this device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the device's certificate cannot be used: {0}")]
pub struct CertificateError(String);

impl Leaf {
    /// Reads the first certificate of a PEM chain.
    pub fn read(chain: &str) -> Result<Self, CertificateError> {
        let bad = |what: &str| CertificateError(what.to_owned());
        let (_, pem) = parse_x509_pem(chain.as_bytes()).map_err(|_| bad("it is not PEM"))?;
        let (_, certificate) = parse_x509_certificate(&pem.contents).map_err(|_| bad("it is not X.509"))?;
        let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let device = name.and_then(|name| name.parse().ok()).ok_or_else(|| bad("its name is no device id"))?;
        Ok(Self {
            device,
            serial: CertificateSerial::from_bytes(certificate.raw_serial()),
            not_before: Timestamp::from_seconds(certificate.validity().not_before.timestamp()),
            not_after: Timestamp::from_seconds(certificate.validity().not_after.timestamp()),
            key_thumbprint: enrol::key_thumbprint(certificate.public_key().raw),
        })
    }

    /// Reads a chain and makes sure that it is for this key and, when given, this device.
    pub fn for_key(chain: &str, thumbprint: &[u8; 32], device: Option<DeviceId>) -> Result<Self, CertificateError> {
        let leaf = Self::read(chain)?;
        if leaf.key_thumbprint != *thumbprint {
            return Err(CertificateError("it is for another key".into()));
        }
        if device.is_some_and(|device| device != leaf.device) {
            return Err(CertificateError("it is for another device".into()));
        }
        Ok(leaf)
    }

    /// How long it is good for in all.
    pub fn lifetime(&self) -> Duration {
        self.not_after.since(self.not_before)
    }
}
