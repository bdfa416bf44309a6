//! Every wrong certificate against a real handshake in memory.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::*;
use crate::{OrganisationId, Random, SessionId, UserId, grant::Technician, payload::Consent};

const NOW: i64 = 1_800_000_000;

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn ca(name: &str) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Ca { issuer: Issuer::new(params, key), pem }
}

struct Leaf {
    ca: &'static str,
    names: Vec<String>,
    purposes: Vec<ExtendedKeyUsagePurpose>,
    valid: (OffsetDateTime, OffsetDateTime),
}

impl Leaf {
    fn device(name: &impl ToString) -> Self {
        let day = time::Duration::days(1);
        // The technician's clock is the real one here.
        let now = OffsetDateTime::from(UnixTimeNow::now());
        Self {
            ca: "devices",
            names: vec![name.to_string()],
            purposes: vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
            valid: (now - day, now + day),
        }
    }

    fn technician() -> Self {
        let issued = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
        Self {
            ca: "sessions",
            names: vec!["technician".into()],
            purposes: vec![ExtendedKeyUsagePurpose::ClientAuth],
            valid: (issued, issued + time::Duration::minutes(15)),
        }
    }

    fn sign(&self, cas: &[(&'static str, Ca)], key: &KeyPair) -> Identity {
        let (_, ca) = cas.iter().find(|(name, _)| *name == self.ca).unwrap();
        let mut params = CertificateParams::default();
        for name in &self.names {
            params.distinguished_name.push(DnType::CommonName, name.as_str());
        }
        params.extended_key_usages.clone_from(&self.purposes);
        (params.not_before, params.not_after) = self.valid;
        let certificate = params.signed_by(key, &ca.issuer).unwrap();
        Identity::from_pem(&format!("{}{}", key.serialize_pem(), certificate.pem())).unwrap()
    }
}

/// The system's clock, for certificates that rustls itself checks against it.
struct UnixTimeNow;
impl UnixTimeNow {
    fn now() -> std::time::SystemTime {
        std::time::UNIX_EPOCH + Duration::from_secs(UnixTime::now().as_secs())
    }
}

fn id() -> DeviceId {
    DeviceId::make(Timestamp::from_seconds(NOW), &Random::seeded(3))
}

fn grant(key: &KeyPair) -> Grant {
    let (from, random) = (Timestamp::from_seconds(NOW), Random::seeded(5));
    Grant {
        session: SessionId::make(from, &random),
        device: id(),
        epoch: 1,
        technician: Technician {
            user: UserId::make(from, &random),
            name: "Marc Petit".into(),
            organisation: OrganisationId::make(from, &random),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: hex(&key_thumbprint(&rcgen::PublicKeyData::subject_public_key_info(key))),
        services: vec![],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        recording: Vec::new(),
        from,
        until: from + Duration::from_secs(3600),
        lifetime_s: 3600,
        idle_s: 900,
        consent: Consent::Ask,
        reason: Some("yearly check".into()),
        ticket_number: None,
        break_glass: false,
    }
}

/// Runs a handshake and one word each way; gives whether both ends were content.
async fn meets(device: Leaf, technician: Leaf, change: impl FnOnce(&mut Grant, &mut ClientConfig)) -> bool {
    let cas = [("devices", ca("devices")), ("sessions", ca("sessions")), ("others", ca("others"))];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (device_key, session_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let technician_identity = technician.sign(&cas, &session_key);
    let mut client =
        technician_side(technician_identity, &cas[0].1.pem, id(), provider.clone()).unwrap().as_ref().clone();
    let mut grant = grant(&session_key);
    change(&mut grant, &mut client);
    let server = device_side(device.sign(&cas, &device_key), &cas[1].1.pem, &grant, provider).unwrap();

    let (near, far) = duplex(64 * 1024);
    let technician = async {
        let mut tls = connect(near, Arc::new(client)).await?;
        tls.write_all(b"hello").await?;
        let mut answer = [0; 2];
        tls.read_exact(&mut answer).await
    };
    let device = async {
        let mut tls = accept(far, server).await?;
        let mut word = [0; 5];
        tls.read_exact(&mut word).await?;
        tls.write_all(b"ok").await?;
        tls.flush().await
    };
    let (technician, device) = tokio::join!(technician, device);
    technician.is_ok() && device.is_ok()
}

fn unchanged(_: &mut Grant, _: &mut ClientConfig) {}

#[tokio::test]
async fn the_right_two_meet_whatever_the_devices_clock_says() {
    // The session certificate was issued in 2027 for 15 minutes: the real clock of this machine is elsewhere.
    assert!(meets(Leaf::device(&id()), Leaf::technician(), unchanged).await);
}

#[tokio::test]
async fn a_device_must_be_the_expected_one_of_the_vendor() {
    let other = DeviceId::make(Timestamp::from_seconds(NOW), &Random::seeded(4));
    let past = OffsetDateTime::from_unix_timestamp(1_000_000_000).unwrap();
    let wrong = [
        ("another device", Leaf::device(&other)),
        ("another spelling", Leaf::device(&id().to_string().to_uppercase())),
        ("two names", Leaf { names: vec![id().to_string(), other.to_string()], ..Leaf::device(&id()) }),
        ("no name", Leaf { names: vec![], ..Leaf::device(&id()) }),
        ("another CA", Leaf { ca: "others", ..Leaf::device(&id()) }),
        ("the session CA", Leaf { ca: "sessions", ..Leaf::device(&id()) }),
        ("no server", Leaf { purposes: vec![ExtendedKeyUsagePurpose::ClientAuth], ..Leaf::device(&id()) }),
        ("expired", Leaf { valid: (past, past + time::Duration::days(90)), ..Leaf::device(&id()) }),
    ];
    for (what, device) in wrong {
        assert!(!meets(device, Leaf::technician(), unchanged).await, "{what}");
    }
}

#[tokio::test]
async fn a_technician_must_hold_the_key_of_the_grant_certified_for_its_time() {
    let issued = |at: i64| {
        let at = OffsetDateTime::from_unix_timestamp(at).unwrap();
        (at, at + time::Duration::minutes(15))
    };
    let wrong = [
        ("another CA", Leaf { ca: "others", ..Leaf::technician() }),
        ("a device's certificate", Leaf { ca: "devices", ..Leaf::technician() }),
        ("no client", Leaf { purposes: vec![ExtendedKeyUsagePurpose::ServerAuth], ..Leaf::technician() }),
        ("over before the grant", Leaf { valid: issued(NOW - 1000), ..Leaf::technician() }),
        ("begins after the grant", Leaf { valid: issued(NOW + 3601), ..Leaf::technician() }),
    ];
    for (what, technician) in wrong {
        assert!(!meets(Leaf::device(&id()), technician, unchanged).await, "{what}");
    }
    let other_key = |grant: &mut Grant, _: &mut ClientConfig| grant.key_thumbprint = "00".repeat(32);
    assert!(!meets(Leaf::device(&id()), Leaf::technician(), other_key).await, "another key");
}

#[tokio::test]
async fn another_protocol_is_refused() {
    for alpn in [vec![b"h2".to_vec()], vec![]] {
        let other = |_: &mut Grant, client: &mut ClientConfig| client.alpn_protocols = alpn;
        assert!(!meets(Leaf::device(&id()), Leaf::technician(), other).await);
    }
}

#[test]
fn a_text_without_certificates_says_so() {
    assert!(matches!(certificates("nothing"), Err(HandshakeError::Pem("certificate"))));
    assert!(matches!(Identity::from_pem("nothing"), Err(HandshakeError::Pem("private key"))));
}
