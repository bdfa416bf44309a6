//! Secrets that the database keeps without being able to read them: sealed with a key of the data folder, each for its
//! owner alone. A copy of the database shows nothing, and a row moved to another owner does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use gatelodge_proto::Random;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{PkiError, files::KeyFolder};

const FILE: &str = "seal.key";

/// Seals and opens.
pub struct Seal(LessSafeKey);

/// What was sealed does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret does not open with keys/{FILE}; restore that file from the backup the database is from")]
pub struct DoesNotOpen;

impl Seal {
    /// Opens the key, or makes it.
    pub(super) fn open_or_make(folder: &KeyFolder, random: &Random) -> Result<Self, PkiError> {
        let broken = |reason: &str| PkiError::Broken { path: folder.path(FILE), reason: reason.into() };
        if !folder.exists(FILE) {
            let key = Zeroizing::new(random.bytes::<32>());
            folder.write_secret(FILE, format!("{}\n", BASE64.encode(*key)).as_bytes())?;
        }
        let text = folder.read_secret(FILE)?;
        let bytes = BASE64.decode(text.trim()).map(Zeroizing::new).map_err(|_| broken("it is not base64"))?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| broken("it is not 32 bytes"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals a secret for `owner`: the nonce, then what AES-256-GCM makes of it.
    pub fn seal(&self, random: &Random, owner: Uuid, secret: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
        let nonce = random.bytes::<NONCE_LEN>();
        let mut sealed = secret.to_vec();
        let aad = Aad::from(owner.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| DoesNotOpen)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for `owner`.
    pub fn open(&self, owner: Uuid, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(DoesNotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let length =
            self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut bytes).map_err(|_| DoesNotOpen)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_owner_with_its_key_alone() {
        let (random, here, elsewhere) = (Random::seeded(1), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = KeyFolder::open(here.path()).unwrap();
        let seal = Seal::open_or_make(&folder, &random).unwrap();
        let (owner, stranger) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = seal.seal(&random, owner, b"a secret of twenty b").unwrap();
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
        let again = Seal::open_or_make(&folder, &random).unwrap();
        assert_eq!(again.open(owner, &sealed).unwrap().as_slice(), b"a secret of twenty b");
        assert_eq!(again.open(stranger, &sealed), Err(DoesNotOpen), "it is bound to its owner");
        let other = Seal::open_or_make(&KeyFolder::open(elsewhere.path()).unwrap(), &random).unwrap();
        assert_eq!(other.open(owner, &sealed), Err(DoesNotOpen), "it is bound to its key");
        assert_eq!(seal.open(owner, &sealed[..5]), Err(DoesNotOpen));
        assert_ne!(seal.seal(&random, owner, b"x").unwrap(), seal.seal(&random, owner, b"x").unwrap());
    }
}
