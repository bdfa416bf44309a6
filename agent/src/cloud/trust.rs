//! TLS settings: which roots hold for the cloud, and a client certificate that can be renewed under a running link.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use gatelodge_proto::Timestamp;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    sign::CertifiedKey,
    time_provider::TimeProvider,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use x509_parser::parse_x509_certificate;

use crate::{
    clock::Clock,
    state::{KeyError, PrivateKey},
};

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The CA file of the settings.
    #[error("the CA file {path} of the setting cloud.ca_file cannot be read: {reason}")]
    CaFile {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The device's own certificate.
    #[error("the device's certificate cannot be used: {0}")]
    Certificate(String),
    /// The device's own key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// rustls refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// For HTTPS to the cloud.
pub fn https_tls(ca_file: Option<&Path>, clock: &Clock) -> Result<ClientConfig, TrustError> {
    Ok(ClientConfig::builder_with_details(provider(), judged_by(clock))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_file)?)
        .with_no_client_auth())
}

/// For asking the cloud what time it is, and for nothing else: everything about its certificate must be right but the
/// hour, since this device's own may be wrong.
pub(super) fn https_tls_whenever(ca_file: Option<&Path>, clock: &Clock) -> Result<ClientConfig, TrustError> {
    let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca_file)?), provider())
        .build()
        .map_err(|error| TrustError::Tls(rustls::Error::General(error.to_string())))?;
    Ok(ClientConfig::builder_with_details(provider(), judged_by(clock))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Whenever(strict)))
        .with_no_client_auth())
}

/// Certificates are judged by the agent's own clock, corrected as it may be.
#[derive(Debug)]
struct ByClock(Clock);

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.now().since(Timestamp::EPOCH)))
    }
}

fn judged_by(clock: &Clock) -> Arc<dyn TimeProvider> {
    Arc::new(ByClock(clock.clone()))
}

/// Judges a certificate as of a moment within its own life.
#[derive(Debug)]
struct Whenever(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Whenever {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let now = within_its_life(end_entity, now);
        self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn within_its_life(certificate: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return now };
    let life = certificate.validity();
    let seconds = |at: x509_parser::time::ASN1Time| u64::try_from(at.timestamp()).unwrap_or(0);
    let (from, until) = (seconds(life.not_before), seconds(life.not_after));
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().max(from).min(until)))
}

/// For the device endpoint, with a certificate that may be swapped between two connections.
pub fn endpoint_tls(
    ca_file: Option<&Path>,
    certificate: Arc<SwappableCertificate>,
    clock: &Clock,
) -> Result<Arc<ClientConfig>, TrustError> {
    let mut config = ClientConfig::builder_with_details(provider(), judged_by(clock))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_file)?)
        .with_client_cert_resolver(certificate);
    // A resumed handshake would show the endpoint the certificate of the first one.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The provider that `main` installed, else ring: several may be linked, and rustls will not choose.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let Some(path) = ca_file else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let bad = |reason: String| TrustError::CaFile { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error: io::Error| bad(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("it holds no certificate".into())) } else { Ok(roots) }
}

/// The device's certificate as the TLS stack asks for it at each handshake.
pub struct SwappableCertificate(RwLock<Arc<CertifiedKey>>);

impl SwappableCertificate {
    /// With a first certificate.
    pub fn new(chain: &str, key: &PrivateKey) -> Result<Arc<Self>, TrustError> {
        Ok(Arc::new(Self(RwLock::new(certified(chain, key)?))))
    }

    /// From the next handshake on, this one.
    pub fn swap(&self, chain: &str, key: &PrivateKey) -> Result<(), TrustError> {
        let next = certified(chain, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

fn certified(chain: &str, key: &PrivateKey) -> Result<Arc<CertifiedKey>, TrustError> {
    let certificates = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TrustError::Certificate(error.to_string()))?;
    Ok(Arc::new(CertifiedKey::from_der(certificates, key.der()?, &provider())?))
}

impl ResolvesClientCert for SwappableCertificate {
    fn resolve(&self, _roots: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for SwappableCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SwappableCertificate")
    }
}
