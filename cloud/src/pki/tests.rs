//! Keys on disk and what is signed with them.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P384_SHA384};
use x509_parser::prelude::FromDer as _;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn names() -> Names {
    Names { server: vec!["127.0.0.1".into(), "localhost".into()], node: "a".into() }
}

fn open(dir: &Path) -> Result<Pki, PkiError> {
    Pki::open(dir, &Clock::set_to(now()), &Random::seeded(1), &names())
}

fn request(common_name: &str, key: &KeyPair) -> String {
    let mut params = CertificateParams::new(vec!["victim.example.com".into()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn with_certificate(chain: &str, check: impl FnOnce(&x509_parser::certificate::X509Certificate<'_>)) {
    let der = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    check(&x509_parser::certificate::X509Certificate::from_der(&der).unwrap().1);
}

#[test]
fn the_identity_is_the_callers_word_and_never_the_requests() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let device = DeviceId::make(now(), &Random::seeded(2));
    let key = KeyPair::generate().unwrap();
    let csr = Csr::parse(&request("svc-registrar-a", &key)).unwrap();
    let issued = pki.sign_device(device, &csr, now()).unwrap();
    with_certificate(&issued.chain, |certificate| {
        let subject = certificate.subject().to_string();
        assert_eq!(subject, format!("CN={device}"));
        assert_eq!(CertificateSerial::from_bytes(certificate.raw_serial()), issued.serial);
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && usage.server_auth);
        assert!(!certificate.is_ca());
        assert!(!certificate.subject_alternative_name().unwrap().unwrap().value.general_names.iter().any(
            |name| matches!(name, x509_parser::extensions::GeneralName::DNSName(name) if name.contains("victim"))
        ));
        assert_eq!(certificate.validity().not_before.timestamp(), now().seconds() - 3600);
        assert_eq!(certificate.validity().not_after.timestamp(), (now() + DEVICE_LIFE).seconds());
    });
}

#[test]
fn only_a_p256_key_that_signed_its_request_passes() {
    let key = KeyPair::generate().unwrap();
    let good = request("x", &key);
    assert_eq!(Csr::parse(&good).unwrap().spki(), {
        use rcgen::PublicKeyData as _;
        key.subject_public_key_info()
    });
    let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    assert_eq!(Csr::parse(&request("x", &other)), Err(InvalidCsr::Algorithm));
    assert_eq!(Csr::parse("nonsense"), Err(InvalidCsr::Shape));
    assert_eq!(Csr::parse(&"x".repeat(10_000)), Err(InvalidCsr::Shape));

    let mut der = rustls_pki_types::CertificateSigningRequestDer::from_pem_slice(good.as_bytes()).unwrap().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let forged = {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n")
    };
    assert_eq!(Csr::parse(&forged), Err(InvalidCsr::Signature));
}

#[test]
fn a_session_key_lives_a_quarter_of_an_hour_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let csr = Csr::parse(&request("x", &KeyPair::generate().unwrap())).unwrap();
    let session = SessionId::make(now(), &Random::seeded(3));
    let sign = |minutes: u64| pki.sign_session_key(&csr, session, now(), now() + Duration::from_secs(minutes * 60));
    assert_eq!(sign(240).unwrap().not_after, now() + SESSION_LIFE);
    assert_eq!(sign(5).unwrap().not_after, now() + Duration::from_secs(300));
    with_certificate(&sign(5).unwrap().chain, |certificate| {
        assert!(!certificate.extended_key_usage().unwrap().unwrap().value.server_auth);
    });
}

#[test]
fn keys_survive_a_restart_and_stay_private() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    first.make_batch("2026-a").unwrap();
    let second = open(dir.path()).unwrap();
    assert_eq!(first.device_ca(), second.device_ca());
    assert_eq!(first.grant_public_key(), second.grant_public_key());
    assert_eq!(first.server_identity().unwrap().chain, second.server_identity().unwrap().chain);
    assert!(first.registrar_serial() != second.registrar_serial());
    let mode = |name: &str| fs::metadata(dir.path().join("keys").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["device-ca.key", "session-ca.key", "server-ca.key", "server.key", "grant.key", "batches/2026-a.key"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(mode("server-ca.pem"), 0o644);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    let file = dir.path().join("keys/grant.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let message = open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("can be read by other users (mode 644)"), "{message}");
    assert!(message.ends_with(&format!("chmod 600 {}", file.display())), "{message}");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(dir.path().join("keys"), fs::Permissions::from_mode(0o755)).unwrap();
    let message = open(dir.path()).unwrap_err().to_string();
    assert!(message.ends_with(&format!("chmod 700 {}", dir.path().join("keys").display())), "{message}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    let keys = dir.path().join("keys");
    fs::copy(keys.join("session-ca.key"), keys.join("device-ca.key")).unwrap();
    let message = open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("it is not the key of device-ca.pem"), "{message}");
    fs::write(keys.join("device-ca.key"), "rubbish").unwrap();
    let message = open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("restore it from the backup"), "{message}");
}

#[test]
fn the_servers_certificate_is_renewed_near_its_end_and_for_new_names() {
    let dir = tempfile::tempdir().unwrap();
    let chain = |at: Timestamp, names: &Names| {
        Pki::open(dir.path(), &Clock::set_to(at), &Random::seeded(1), names).unwrap().server_identity().unwrap().chain
    };
    let first = chain(now(), &names());
    assert_eq!(first, chain(now() + Duration::from_secs(300 * 86_400), &names()));
    let renewed = chain(now() + Duration::from_secs(380 * 86_400), &names());
    assert_ne!(first, renewed);
    let mut more = names();
    more.server.push("portal.example.com".into());
    assert_ne!(renewed, chain(now() + Duration::from_secs(380 * 86_400), &more));
}

#[test]
fn a_batch_is_made_once_and_named_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let unit = || ("RR52-AFY2-T1GJ".parse().unwrap(), "AX-1".parse().unwrap(), "02:42:AC:11:00:02".parse().unwrap());
    let secret = |pki: &Pki| {
        let (id_code, serial, mac) = unit();
        pki.batch("a").unwrap().unwrap().factory_secret(id_code, &serial, mac)
    };
    pki.make_batch("a").unwrap();
    let before = secret(&pki);
    pki.make_batch("a").unwrap();
    assert_eq!(before, secret(&open(dir.path()).unwrap()));
    assert!(pki.batch("b").unwrap().is_none());
    for bad in ["../a", "", "A", "a/b"] {
        assert!(pki.make_batch(bad).is_err(), "{bad}");
        assert!(pki.batch(bad).unwrap().is_none(), "{bad}");
    }
}
