//! Enrolment: how a key that was born on the device gets its certificate. HTTPS, `POST` only.
//!
//! Asking again with the same key is polling: every answer is idempotent on the key's thumbprint.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    DeviceId,
    identity::{ClaimSecret, IdCode, MacAddress, OnSiteCode, SerialNumber},
};

/// `POST`: asks for a certificate; [`Request`] -> [`Answer`].
pub const PATH: &str = "/enrol/v1";
/// `POST`: a [`Nonce`] for [`Proof::FactorySecret`].
pub const NONCE_PATH: &str = "/enrol/v1/nonce";
/// `POST`: what the cloud thinks of a key; [`StandingRequest`] -> [`Standing`].
pub const STANDING_PATH: &str = "/enrol/v1/standing";

/// The problem code (RFC 9457) of a key that will never be accepted again: the device makes a new one.
pub const KEY_OVER: &str = "key_over";
/// The problem code of a retired device: it stops asking.
pub const RETIRED: &str = "retired";

/// Asks for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EnrolmentRequest))]
pub struct Request {
    /// PKCS #10 in PEM. Its signature proves the key; its subject is ignored (CVE-2024-33897).
    pub csr: String,
    /// Names, not credentials.
    pub id_code: Option<IdCode>,
    /// Names, not credentials.
    pub mac: MacAddress,
    /// Names, not credentials.
    pub serial: SerialNumber,
    /// The model as the hardware names itself, for the vendor's quarantine list.
    pub model: String,
    /// The agent's version.
    pub agent_version: String,
    /// Why this key may have that identity.
    pub proof: Proof,
}

/// Why a key may have an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EnrolmentProof))]
pub enum Proof {
    /// The device knows the secret its factory gave it.
    FactorySecret {
        /// The nonce that the cloud handed out, in hex.
        nonce: String,
        /// [`factory_answer`] in hex.
        answer: String,
    },
    /// The device shows this code; an installer who stands before it will type it.
    OnSiteCode {
        /// The code; the cloud keeps only its hash.
        code: OnSiteCode,
    },
}

/// A nonce, good once and for two minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EnrolmentNonce))]
pub struct Nonce {
    /// 128 bits in hex.
    pub nonce: String,
}

/// What the cloud answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EnrolmentAnswer))]
pub enum Answer {
    /// Here is the certificate.
    Enrolled(Box<Credentials>),
    /// Not yet; ask again with the same key after `retry_after_s`. Unknown hardware may ask sooner at first, and takes it
    /// as the longest pause: an inventory is often imported late.
    Waiting {
        /// What for.
        wait: Wait,
        /// Seconds.
        retry_after_s: u32,
    },
}

/// What an enrolment waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EnrolmentWait))]
pub enum Wait {
    /// For an installer to type the on-site code.
    OnSiteCode,
    /// The code was tried wrongly too often or is too old: show a new one.
    NewOnSiteCode,
    /// The hardware is not in the inventory: the vendor has to look.
    UnknownHardware,
    /// Another key holds this identity: the vendor or the owner has to look.
    Conflict,
}

/// Everything an enrolled agent needs to connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Credentials {
    /// The device id; also the certificate's common name and the MQTT client id.
    pub device: DeviceId,
    /// Ownership epoch.
    pub epoch: u64,
    /// PEM chain, the device's own certificate first.
    pub chain: String,
    /// PEM of the CA that signs devices; the technician's side checks the device against it.
    pub device_ca: String,
    /// PEM of the CA that signs session keys.
    pub session_ca: String,
    /// Ed25519 key that signs grants, base64url.
    pub grant_key: String,
    /// `host:port` of the device endpoint.
    pub mqtt: String,
}

/// Asks what the cloud thinks of a key whose certificate was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StandingRequest {
    /// A CSR made with the key; its signature proves possession.
    pub csr: String,
}

/// What the cloud thinks of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Standing {
    /// The certificate is good: the refusal was a passing trouble.
    Current {
        /// The newest certificate chain for the key, in case the device lost it.
        chain: String,
    },
    /// The owner gave the device back: forget the owner, make a new key and enrol again.
    Released,
    /// The device is retired for good.
    Retired,
    /// The cloud does not know the key: enrol again.
    Unknown,
}

/// The secret of one device: `HMAC-SHA256(batch key, "ID code|serial|MAC")`, computed at the factory (RFC 2104).
pub fn factory_secret(batch_key: &[u8], id_code: IdCode, serial: &SerialNumber, mac: MacAddress) -> [u8; 32] {
    keyed(batch_key, format!("{id_code}|{}|{mac}", serial.folded()).as_bytes())
}

/// The secret in the label's QR of one device, from the same batch key: 75 bits of
/// `HMAC-SHA256(batch key, "label|ID code|serial|MAC")`.
pub fn label_secret(batch_key: &[u8], id_code: IdCode, serial: &SerialNumber, mac: MacAddress) -> ClaimSecret {
    ClaimSecret::from_bytes(&keyed(batch_key, format!("label|{id_code}|{}|{mac}", serial.folded()).as_bytes()))
}

/// The answer to a nonce: `HMAC-SHA256(factory secret, nonce | key thumbprint)`, so that it is good for one key only.
pub fn factory_answer(secret: &[u8; 32], nonce: &str, key_thumbprint: &[u8; 32]) -> [u8; 32] {
    keyed(secret, &[nonce.as_bytes(), key_thumbprint].concat())
}

/// The thumbprint of a public key: SHA-256 of its SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
pub fn key_thumbprint(spki_der: &[u8]) -> [u8; 32] {
    Sha256::digest(spki_der).into()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &[u8], data: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key).expect("any key length").chain_update(data).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> (IdCode, SerialNumber, MacAddress) {
        (IdCode::make(&crate::Random::seeded(1)), "AX-100".parse().unwrap(), "02:42:AC:11:00:02".parse().unwrap())
    }

    #[test]
    fn each_name_matters_and_case_of_the_serial_does_not() {
        let (id_code, serial, mac) = names();
        let base = factory_secret(b"batch", id_code, &serial, mac);
        assert_eq!(base, factory_secret(b"batch", id_code, &"ax-100".parse().unwrap(), mac));
        assert_ne!(base, factory_secret(b"other", id_code, &serial, mac));
        assert_ne!(base, factory_secret(b"batch", id_code, &"AX-101".parse().unwrap(), mac));
        assert_ne!(base, factory_secret(b"batch", IdCode::make(&crate::Random::seeded(2)), &serial, mac));
    }

    #[test]
    fn an_answer_is_good_for_one_nonce_and_one_key() {
        let secret = [7; 32];
        let answer = factory_answer(&secret, "aa", &[1; 32]);
        assert_ne!(answer, factory_answer(&secret, "ab", &[1; 32]));
        assert_ne!(answer, factory_answer(&secret, "aa", &[2; 32]));
    }

    #[test]
    fn the_label_secret_is_a_well_formed_code_of_its_own() {
        let (id_code, serial, mac) = names();
        let secret = label_secret(b"batch", id_code, &serial, mac);
        assert_eq!(secret.reveal().parse::<ClaimSecret>().unwrap(), secret);
        assert_ne!(secret, label_secret(b"other", id_code, &serial, mac));
    }
}
