//! The format of `docs/RECORDING.md` read by another implementation than the device's and the browser's.

use anyhow::{Context as _, anyhow, bail};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree},
    digest::{SHA256, digest},
    hkdf::{HKDF_SHA256, Salt},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::Value;

/// An organisation's key pair.
pub(super) struct Key(PrivateKey);

/// A recording that could be read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) events: Vec<Value>,
    pub(super) header: Value,
    /// Whether its end is there.
    pub(super) ended: bool,
}

impl Key {
    pub(super) fn make() -> anyhow::Result<Self> {
        Ok(Self(PrivateKey::generate(&ECDH_P256)?))
    }

    fn point(&self) -> anyhow::Result<Vec<u8>> {
        Ok(self.0.compute_public_key()?.as_ref().to_vec())
    }

    pub(super) fn public(&self) -> String {
        BASE64.encode(self.point().expect("a public key"))
    }

    pub(super) fn open(&self, file: &[u8]) -> anyhow::Result<Opened> {
        let (point, count) = (self.point()?, usize::from(*file.get(40).context("no head")?));
        let head = file.get(..41 + 129 * count).context("no head")?;
        let named = digest(&SHA256, &point);
        let id = &named.as_ref()[..16];
        let recipient = head[41..].chunks(129).find(|part| &part[..16] == id).context("not for this key")?;
        let (ephemeral, wrapped) = (&recipient[16..81], &recipient[81..]);
        let salt = [ephemeral, &point].concat();
        let peer = UnparsedPublicKey::new(&ECDH_P256, ephemeral);
        let wrapping = agree(&self.0, peer, anyhow!("no agreement"), |shared| {
            let secret = Salt::new(HKDF_SHA256, &salt).extract(shared);
            let key = secret.expand(&[b"gatelodge recording key 1"], &AES_256_GCM)?;
            Ok(LessSafeKey::new(UnboundKey::from(key)))
        })?;
        let binding = [&head[..40], id].concat();
        let mut key = wrapped.to_vec();
        let zero = Nonce::assume_unique_for_key([0; 12]);
        let key = wrapping.open_in_place(zero, Aad::from(&binding), &mut key).context("another file's key")?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?);
        let (mut rest, mut text, mut ended) = (&file[head.len()..], Vec::new(), false);
        let bound = digest(&SHA256, head);
        for number in 0u32.. {
            if rest.is_empty() {
                break;
            }
            if ended {
                bail!("something follows the end");
            }
            let (word, after) = rest.split_first_chunk::<4>().context("half a chunk")?;
            let word = u32::from_be_bytes(*word);
            let (length, last) = ((word & 0x7fff_ffff) as usize, word >> 31);
            let (chunk, after) = after.split_at_checked(length).context("half a chunk")?;
            let mut nonce = [0; 12];
            nonce[7..11].copy_from_slice(&number.to_be_bytes());
            nonce[11] = u8::try_from(last)?;
            let mut chunk = chunk.to_vec();
            let opened = key
                .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(bound.as_ref()), &mut chunk)
                .with_context(|| format!("chunk {number} is not what it was"))?;
            text.extend_from_slice(opened);
            (rest, ended) = (after, last == 1);
        }
        let mut lines = std::str::from_utf8(&text)?.lines().map(serde_json::from_str::<Value>);
        let header = lines.next().context("no header")??;
        Ok(Opened { header, events: lines.collect::<Result<_, _>>()?, ended })
    }
}

impl Opened {
    /// All that went one way.
    pub(super) fn text(&self, kind: &str) -> String {
        self.events.iter().filter(|event| event[1] == kind).filter_map(|event| event[2].as_str()).collect()
    }
}
