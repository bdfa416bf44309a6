//! A grant: the cloud's signed word that one technician's key may reach these services of one device until then.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{
    DeviceId, OrganisationId, SessionId, Timestamp, UserId,
    payload::{Consent, Feature, Listen, Network, Service, TicketNumber},
    recording::RecordingKey,
};

/// The largest signed grant, in bytes of text.
pub const MAX_BYTES: usize = 4096;

const CONTEXT: &[u8] = b"gatelodge grant 1\0";

/// What was allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The session.
    pub session: SessionId,
    /// The device, whose certificate has this id as its common name.
    pub device: DeviceId,
    /// Its ownership epoch when the grant was made.
    pub epoch: u64,
    /// Who asked.
    pub technician: Technician,
    /// SHA-256 of the technician's session key (SubjectPublicKeyInfo), hex.
    pub key_thumbprint: String,
    /// What may be reached.
    pub services: Vec<Service>,
    /// Which networks may be reached as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Where the installation may call the technician's computer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listens: Vec<Listen>,
    /// What the session may do beside that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Who can read what is recorded of terminals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recording: Vec<RecordingKey>,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// `until - from` in seconds, counted by the device from receipt, for devices whose clock is wrong.
    pub lifetime_s: u32,
    /// Ends after this many seconds without a byte.
    pub idle_s: u32,
    /// The customer's rule at that moment.
    pub consent: Consent,
    /// Why the technician comes, when they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Under which number the installer keeps the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_number: Option<TicketNumber>,
    /// Whether nobody was asked, as the customer has agreed for emergencies.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// Who asked for a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Technician {
    /// The user.
    pub user: UserId,
    /// The name to show.
    pub name: String,
    /// The organisation.
    pub organisation: OrganisationId,
    /// Its name.
    pub organisation_name: String,
}

/// A grant with its signature: `base64url(JSON).base64url(Ed25519)` (RFC 8032), at most [`MAX_BYTES`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignedGrant(String);

/// Why a signed grant was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    /// Not two base64url parts, or too long.
    #[error("the grant cannot be read")]
    Shape,
    /// Not signed by this cloud.
    #[error("the grant is not signed by the vendor's cloud")]
    Signature,
    /// The public key itself cannot be read.
    #[error("the vendor's grant key cannot be read")]
    Key,
}

impl SignedGrant {
    /// Signs a grant.
    pub fn sign(grant: &Grant, key: &SigningKey) -> Self {
        let payload = BASE64.encode(crate::payload::encode(grant));
        let signature = key.sign(&[CONTEXT, payload.as_bytes()].concat());
        Self(format!("{payload}.{}", BASE64.encode(signature.to_bytes())))
    }

    /// The grant, if `key` signed it. Times are not looked at.
    pub fn verify(&self, key: &GrantKey) -> Result<Grant, InvalidGrant> {
        let (payload, signature) = self.0.split_once('.').ok_or(InvalidGrant::Shape)?;
        let signature = BASE64.decode(signature).map_err(|_| InvalidGrant::Shape)?;
        let signature = Signature::from_slice(&signature).map_err(|_| InvalidGrant::Shape)?;
        key.0.verify(&[CONTEXT, payload.as_bytes()].concat(), &signature).map_err(|_| InvalidGrant::Signature)?;
        let json = BASE64.decode(payload).map_err(|_| InvalidGrant::Shape)?;
        serde_json::from_slice(&json).map_err(|_| InvalidGrant::Shape)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part that is signed, to the byte.
    pub fn payload(&self) -> &str {
        self.0.split_once('.').map_or(self.0.as_str(), |(payload, _)| payload)
    }
}

impl FromStr for SignedGrant {
    type Err = InvalidGrant;
    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let sound = text.len() <= MAX_BYTES
            && text.split('.').count() == 2
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidGrant::Shape) }
    }
}

impl TryFrom<String> for SignedGrant {
    type Error = InvalidGrant;
    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        text.parse()
    }
}

impl From<SignedGrant> for String {
    fn from(grant: SignedGrant) -> String {
        grant.0
    }
}

impl fmt::Debug for SignedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedGrant({} bytes)", self.0.len())
    }
}

/// The public half of the key that signs grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantKey(VerifyingKey);

impl GrantKey {
    /// The public half of a signing key.
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key())
    }
}

impl FromStr for GrantKey {
    type Err = InvalidGrant;
    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let bytes: [u8; 32] =
            BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(InvalidGrant::Key)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| InvalidGrant::Key)
    }
}

impl fmt::Display for GrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    fn grant() -> Grant {
        let (random, now) = (Random::seeded(9), Timestamp::from_seconds(1_800_000_000));
        Grant {
            session: SessionId::make(now, &random),
            device: DeviceId::make(now, &random),
            epoch: 3,
            technician: Technician {
                user: UserId::make(now, &random),
                name: "Marc Petit".into(),
                organisation: OrganisationId::make(now, &random),
                organisation_name: "Petit Alarmes".into(),
            },
            key_thumbprint: "00".repeat(32),
            services: vec![Service {
                name: "panel-web".parse().unwrap(),
                protocol: crate::payload::Protocol::Tcp,
                host: "192.168.1.50".into(),
                port: 80,
            }],
            networks: Vec::new(),
            listens: Vec::new(),
            features: vec![Feature::Web],
            recording: Vec::new(),
            from: now,
            until: now + std::time::Duration::from_secs(3600),
            lifetime_s: 3600,
            idle_s: 900,
            consent: Consent::Ask,
            reason: Some("yearly check".into()),
            ticket_number: Some("2026-0417".parse().unwrap()),
            break_glass: false,
        }
    }

    #[test]
    fn only_the_signing_key_and_the_exact_text_verify() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let signed = SignedGrant::sign(&grant(), &key);
        assert_eq!(signed.verify(&GrantKey::of(&key)).unwrap(), grant());
        assert_eq!(signed.verify(&GrantKey::of(&SigningKey::from_bytes(&[6; 32]))), Err(InvalidGrant::Signature));

        let mut text = signed.as_str().to_owned();
        let swapped = if text.starts_with('e') { "f" } else { "e" };
        text.replace_range(0..1, swapped);
        let forged: SignedGrant = text.parse().unwrap();
        assert_eq!(forged.verify(&GrantKey::of(&key)), Err(InvalidGrant::Signature));
    }

    #[test]
    fn the_key_travels_as_text() {
        let key = GrantKey::of(&SigningKey::from_bytes(&[5; 32]));
        assert_eq!(key.to_string().parse::<GrantKey>().unwrap(), key);
        assert_eq!("short".parse::<GrantKey>(), Err(InvalidGrant::Key));
    }

    #[test]
    fn oversized_or_odd_texts_are_refused_before_any_work() {
        assert_eq!("a".repeat(MAX_BYTES + 1).parse::<SignedGrant>(), Err(InvalidGrant::Shape));
        assert_eq!("no dot here".parse::<SignedGrant>(), Err(InvalidGrant::Shape));
    }
}
