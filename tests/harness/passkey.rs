//! A passkey in software: a real key, and the words a browser and an authenticator put around its signature.

use anyhow::anyhow;
use gatelodge_proto::consent::{Assertion, Blob, Challenge, PinnedKey, Point, Proof, SignedRule, StandingRule};
use gatelodge_proto::grant::SignedGrant;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use sha2::{Digest as _, Sha256};

/// User present, user verified.
pub const VERIFIED: u8 = 0x05;
/// User present.
pub const PRESENT: u8 = 0x01;

/// A passkey for one site.
#[derive(Debug)]
pub struct Passkey {
    pair: EcdsaKeyPair,
    site: String,
    origin: String,
}

impl Passkey {
    /// A new one for the site of this name, used on its page.
    pub fn make(site: &str, origin: &str) -> anyhow::Result<Self> {
        let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).map_err(|error| anyhow!("{error}"))?;
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).map_err(|error| anyhow!("{error}"))?;
        Ok(Self { pair, site: site.to_owned(), origin: origin.to_owned() })
    }

    /// The same key, as a page of another site would use it if a browser let it.
    #[must_use]
    pub fn at(mut self, site: &str, origin: &str) -> Self {
        (self.site, self.origin) = (site.to_owned(), origin.to_owned());
        self
    }

    /// Its public half.
    pub fn public(&self) -> anyhow::Result<PinnedKey> {
        Ok(PinnedKey {
            credential: Blob::new(vec![1; 16])?,
            point: Point::from_bytes(self.pair.public_key().as_ref())?,
            rp: self.site.parse()?,
        })
    }

    /// Its owner signs a grant.
    pub fn proof(&self, grant: &SignedGrant) -> anyhow::Result<Proof> {
        Ok(Proof::Passkey { assertion: self.sign(&Challenge::of_grant(grant), VERIFIED)? })
    }

    /// Its owner signs a standing rule.
    pub fn rule(&self, rule: &StandingRule) -> anyhow::Result<SignedRule> {
        let text = rule.text();
        Ok(SignedRule { assertion: self.sign(&Challenge::of_rule(&text), VERIFIED)?, text })
    }

    /// An answer with these flags.
    pub fn sign(&self, challenge: &Challenge, flags: u8) -> anyhow::Result<Assertion> {
        let challenge = Blob::<32>::new(challenge.bytes().to_vec())?;
        let origin = &self.origin;
        let client =
            format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#);
        let data = [&Sha256::digest(self.site.as_bytes())[..], &[flags], &[0; 4]].concat();
        let message = [&data[..], &Sha256::digest(client.as_bytes())[..]].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &message).map_err(|error| anyhow!("{error}"))?;
        Ok(Assertion {
            authenticator: Blob::new(data)?,
            client: Blob::new(client.into_bytes())?,
            signature: Blob::new(signature.as_ref().to_vec())?,
        })
    }
}
