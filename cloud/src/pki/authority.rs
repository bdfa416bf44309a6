//! One CA: its key, its certificate, and signing with it.

use std::time::Duration;

use gatelodge_proto::{CertificateSerial, DeviceId, Random, SessionId, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    RevokedCertParams, SerialNumber, SubjectPublicKeyInfo,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};
use zeroize::Zeroizing;

use super::{PkiError, files::KeyFolder};

/// Certificates begin this much before now, for devices whose clock is behind.
pub(super) const BACK_DATED: Duration = Duration::from_secs(3600);
const CA_LIFE: Duration = Duration::from_secs(20 * 365 * 86_400);

/// A certificate that was just signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// PEM chain, the certificate itself first. Roots are not in it.
    pub chain: String,
    /// Its serial number, random.
    pub serial: CertificateSerial,
    /// Good from then.
    pub not_before: Timestamp,
    /// Good until then.
    pub not_after: Timestamp,
}

/// Whom a certificate is for.
pub(super) enum Usage {
    /// A device: MQTT client, and TLS server of its sessions.
    Device(DeviceId),
    /// A technician's side of one session.
    Session(SessionId),
    /// A client of the device endpoint that is no device.
    Service(String),
    /// Portal and device endpoint, under these names.
    Server(Vec<String>),
}

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// Opens `<name>.key` and `<name>.pem`, or makes them.
    pub(super) fn open(
        folder: &KeyFolder,
        name: &str,
        common_name: &str,
        now: Timestamp,
        random: &Random,
    ) -> Result<Self, PkiError> {
        let (key_file, certificate_file) = (format!("{name}.key"), format!("{name}.pem"));
        if folder.exists(&certificate_file) {
            let broken = |file: &str, reason: String| PkiError::Broken { path: folder.path(file), reason };
            let key = folder.read_secret(&key_file)?;
            let key = KeyPair::from_pem(&key).map_err(|error| broken(&key_file, error.to_string()))?;
            let certificate = folder.read_public(&certificate_file)?;
            if !fits(&certificate, &key) {
                return Err(broken(&key_file, format!("it is not the key of {certificate_file}")));
            }
            let issuer = Issuer::from_ca_cert_pem(&certificate, key)
                .map_err(|error| broken(&certificate_file, error.to_string()))?;
            return Ok(Self { issuer, certificate });
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = base(common_name, now, now + CA_LIFE, random);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        // The certificate last: without it the next start begins again, and nothing was signed yet.
        folder.write_secret(&key_file, Zeroizing::new(key.serialize_pem()).as_bytes())?;
        folder.write_public(&certificate_file, certificate.as_bytes())?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn sign(
        &self,
        spki: &[u8],
        usage: &Usage,
        now: Timestamp,
        not_after: Timestamp,
        random: &Random,
    ) -> Result<Issued, PkiError> {
        let mut params = match usage {
            Usage::Device(device) => base(&device.to_string(), now, not_after, random),
            Usage::Session(session) => base(&session.to_string(), now, not_after, random),
            Usage::Service(name) => base(name, now, not_after, random),
            Usage::Server(names) => {
                let mut params = base("Gatelodge", now, not_after, random);
                params.subject_alt_names = CertificateParams::new(names.clone())?.subject_alt_names;
                params
            }
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match usage {
            Usage::Device(device) => {
                // TLS peers look for a name among the alternatives only (RFC 6125 section 6.4.4).
                params.subject_alt_names = CertificateParams::new(vec![device.to_string()])?.subject_alt_names;
                vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth]
            }
            Usage::Session(_) | Usage::Service(_) => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Usage::Server(_) => vec![ExtendedKeyUsagePurpose::ServerAuth],
        };
        params.use_authority_key_identifier_extension = true;
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let key = SubjectPublicKeyInfo::from_der(spki)?;
        Ok(Issued {
            chain: params.signed_by(&key, &self.issuer)?.pem(),
            serial: CertificateSerial::from_bytes(&serial),
            not_before: Timestamp::from_seconds((now - BACK_DATED).seconds()),
            not_after: Timestamp::from_seconds(not_after.seconds()),
        })
    }

    /// PEM of a revocation list (RFC 5280 section 5): serials and since when they are bad.
    pub(super) fn revocation_list(
        &self,
        revoked: &[(CertificateSerial, Timestamp)],
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Result<String, PkiError> {
        let entry = |(serial, since): &(CertificateSerial, Timestamp)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial.to_bytes()),
            revocation_time: since.date_time(),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: this_update.date_time(),
            next_update: next_update.date_time(),
            crl_number: SerialNumber::from(u64::try_from(this_update.seconds()).unwrap_or(0)),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    /// Whether a server's chain and key fit, come from this CA, carry exactly `names` and last beyond `until`.
    pub(super) fn is_good_server(&self, chain: &str, key: &str, names: &[String], until: Timestamp) -> bool {
        let Ok(key) = KeyPair::from_pem(key) else { return false };
        let (Ok(der), Ok(ca)) = (
            CertificateDer::from_pem_slice(chain.as_bytes()),
            CertificateDer::from_pem_slice(self.certificate.as_bytes()),
        ) else {
            return false;
        };
        let (Ok((_, certificate)), Ok((_, ca))) = (
            x509_parser::certificate::X509Certificate::from_der(&der),
            x509_parser::certificate::X509Certificate::from_der(&ca),
        ) else {
            return false;
        };
        fits(chain, &key)
            && certificate.verify_signature(Some(ca.public_key())).is_ok()
            && certificate.validity().not_after.timestamp() > until.seconds()
            && alternative_names(&certificate) == names
    }
}

/// A new P-256 key: PEM and SubjectPublicKeyInfo.
pub(super) fn generate_key() -> Result<(Zeroizing<String>, Vec<u8>), PkiError> {
    use rcgen::PublicKeyData as _;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok((Zeroizing::new(key.serialize_pem()), key.subject_public_key_info()))
}

pub(super) fn base(common_name: &str, now: Timestamp, not_after: Timestamp, random: &Random) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = (now - BACK_DATED).date_time();
    params.not_after = not_after.date_time();
    let mut serial = random.bytes::<16>();
    // Positive, and of one length (RFC 5280 section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params
}

/// Whether `key` is the key of the first certificate in `pem`.
pub(super) fn fits(pem: &str, key: &KeyPair) -> bool {
    use rcgen::PublicKeyData as _;
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    x509_parser::certificate::X509Certificate::from_der(&der)
        .is_ok_and(|(_, certificate)| certificate.public_key().raw == key.subject_public_key_info())
}

fn alternative_names(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let mut names: Vec<String> = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(|b| std::net::Ipv4Addr::from(b).to_string()),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(|b| std::net::Ipv6Addr::from(b).to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names
}
