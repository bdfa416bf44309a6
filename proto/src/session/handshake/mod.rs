//! Inner TLS 1.3 between technician and device, ALPN `gl-session/1`, certificates on both sides, no resumption.
//!
//! The device is the server with its device certificate, whose common name is the device id. The technician is the
//! client with a certificate for this session's key. Names in the DNS sense play no part.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::{
        NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{DeviceId, Timestamp, enrol::key_thumbprint, grant::Grant};

/// The application protocol of the inner TLS.
pub const ALPN: &[u8] = b"gl-session/1";

/// A certificate chain and its key.
pub struct Identity {
    /// Own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first.
    pub key: PrivateKeyDer<'static>,
}

/// Keys or certificates cannot be used for a handshake.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// No such PEM section, or broken.
    #[error("there is no {0} in the text")]
    Pem(&'static str),
    /// rustls refused the material.
    #[error("the session's certificates cannot be used")]
    Material(#[source] rustls::Error),
    /// The roots make no verifier.
    #[error("the session CA cannot be used")]
    Roots(#[source] rustls::server::VerifierBuilderError),
}

impl Identity {
    /// From PEM text that holds key and chain, as the agent's identity file does.
    pub fn from_pem(text: &str) -> Result<Self, HandshakeError> {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| HandshakeError::Pem("private key"))?;
        Ok(Self { chain: certificates(text)?, key })
    }
}

/// The certificates in a PEM text; at least one.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, HandshakeError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    found.ok().filter(|list| !list.is_empty()).ok_or(HandshakeError::Pem("certificate"))
}

/// The device's side: takes only the client whose key the grant names.
pub fn device_side(
    identity: Identity,
    session_ca: &str,
    grant: &Grant,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, HandshakeError> {
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(session_ca)?), provider.clone())
        .build()
        .map_err(HandshakeError::Roots)?;
    let verifier = Arc::new(SessionKey {
        chain,
        key_thumbprint: grant.key_thumbprint.clone(),
        from: grant.from,
        until: grant.until,
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(HandshakeError::Material)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)
        .map_err(HandshakeError::Material)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The technician's side: takes only the device with this id, certified by the vendor's device CA.
pub fn technician_side(
    identity: Identity,
    device_ca: &str,
    device: DeviceId,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<ClientConfig>, HandshakeError> {
    let verifier = Arc::new(ExpectedDevice { roots: roots(device_ca)?, device, provider: provider.clone() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(HandshakeError::Material)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(identity.chain, identity.key)
        .map_err(HandshakeError::Material)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// Runs the device's side over a carrier.
pub async fn accept<T>(carrier: T, config: Arc<ServerConfig>) -> io::Result<TlsStream<T>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    spoke_ours(TlsAcceptor::from(config).accept(carrier).await?.into())
}

/// Runs the technician's side over a carrier.
pub async fn connect<T>(carrier: T, config: Arc<ClientConfig>) -> io::Result<TlsStream<T>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    // Required by the API; the verifier looks at the device id and no name is sent.
    let name = ServerName::try_from("device.invalid").map_err(io::Error::other)?;
    spoke_ours(TlsConnector::from(config).connect(name, carrier).await?.into())
}

fn spoke_ours<T>(stream: TlsStream<T>) -> io::Result<TlsStream<T>> {
    if stream.get_ref().1.alpn_protocol() == Some(ALPN) {
        Ok(stream)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the other end did not speak gl-session/1"))
    }
}

fn roots(pem: &str) -> Result<RootCertStore, HandshakeError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(HandshakeError::Material)?;
    }
    Ok(roots)
}

/// Chain to the session CA, and the very key that the grant names.
#[derive(Debug)]
struct SessionKey {
    chain: Arc<dyn ClientCertVerifier>,
    key_thumbprint: String,
    from: Timestamp,
    until: Timestamp,
}

impl ClientCertVerifier for SessionKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let certificate = parse(end_entity)?;
        let thumbprint = key_thumbprint(certificate.public_key().raw);
        if !hex(&thumbprint).eq_ignore_ascii_case(&self.key_thumbprint) {
            return Err(rustls::CertificateError::ApplicationVerificationFailure.into());
        }
        // A device's clock may be a year off, and the grant's own end is counted from receipt. So the certificate has
        // to be good at some moment of the grant, which its signature fixes, not at what this clock believes.
        let begins = Timestamp::from_seconds(certificate.validity().not_before.timestamp()).max(self.from);
        if begins > self.until {
            return Err(rustls::CertificateError::NotValidYet.into());
        }
        let at = UnixTime::since_unix_epoch(begins.since(Timestamp::EPOCH));
        self.chain.verify_client_cert(end_entity, intermediates, at)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Chain to the device CA, and the common name is the device's id.
#[derive(Debug)]
struct ExpectedDevice {
    roots: RootCertStore,
    device: DeviceId,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ExpectedDevice {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        let certificate = parse(end_entity)?;
        let mut names = certificate.subject().iter_common_name().map(x509_parser::x509::AttributeTypeAndValue::as_str);
        match (names.next(), names.next()) {
            // One spelling: compared as text, so that nothing but the canonical id passes.
            (Some(Ok(name)), None) if name == self.device.to_string() => Ok(ServerCertVerified::assertion()),
            _ => Err(rustls::CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, rustls::Error> {
    X509Certificate::from_der(certificate)
        .map(|(_, certificate)| certificate)
        .map_err(|_| rustls::CertificateError::BadEncoding.into())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
