//! A passkey in software, as a browser answers for it.

use gatelodge_proto::consent::{Assertion, Blob, Challenge, PinnedKey, Point, SignedRule, StandingRule};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use sha2::{Digest as _, Sha256};

pub(crate) struct Passkey {
    pair: EcdsaKeyPair,
    rp: String,
}

impl Passkey {
    pub(crate) fn make(rp: &str) -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self { pair: EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap(), rp: rp.into() }
    }

    pub(crate) fn public(&self) -> PinnedKey {
        PinnedKey {
            credential: Blob::new(vec![1; 16]).unwrap(),
            point: Point::from_bytes(self.pair.public_key().as_ref()).unwrap(),
            rp: self.rp.parse().unwrap(),
        }
    }

    /// With user presence and verification.
    pub(crate) fn sign(&self, challenge: &Challenge) -> Assertion {
        self.answer(&self.rp, 0x05, challenge)
    }

    /// On a page of another site, whose authenticator data says so.
    pub(crate) fn sign_for(&self, rp: &str, challenge: &Challenge) -> Assertion {
        self.answer(rp, 0x05, challenge)
    }

    pub(crate) fn sign_with(&self, flags: u8, challenge: &Challenge) -> Assertion {
        self.answer(&self.rp, flags, challenge)
    }

    pub(crate) fn rule(&self, rule: &StandingRule) -> SignedRule {
        let text = rule.text();
        SignedRule { assertion: self.sign(&Challenge::of_rule(&text)), text }
    }

    fn answer(&self, rp: &str, flags: u8, challenge: &Challenge) -> Assertion {
        let challenge = Blob::<32>::new(challenge.bytes().to_vec()).unwrap();
        let client = format!(
            r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"https://{rp}","crossOrigin":false}}"#
        );
        let data = [&Sha256::digest(rp.as_bytes())[..], &[flags], &[0; 4]].concat();
        let message = [&data[..], &Sha256::digest(client.as_bytes())[..]].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        Assertion {
            authenticator: Blob::new(data).unwrap(),
            client: Blob::new(client.into_bytes()).unwrap(),
            signature: Blob::new(signature.as_ref().to_vec()).unwrap(),
        }
    }
}
