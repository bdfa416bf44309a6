//! Encrypts a recording while it is made, to those who may read it and to nobody else: this device forgets the key with
//! the [`Sealer`]. The format is that of `docs/RECORDING.md`.

use gatelodge_proto::{
    FlowId, SessionId,
    recording::{Head, MAX_CHUNK, PUBLIC_KEY, PublicKey, Recipient, TAG, WRAPPED_KEY, chunk_head, chunk_nonce},
};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    digest::{SHA256, digest},
    hkdf::{HKDF_SHA256, Salt},
    rand::{SecureRandom, SystemRandom},
};

/// What a wrapping key is derived for (HKDF's info).
const INFO: &[u8] = b"gatelodge recording key 1";

/// No key could be made, or a recipient's is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording cannot be encrypted: one of the organisations' recording keys is damaged")]
pub(in crate::session) struct NoSeal;

/// Encrypts the chunks of one recording, in their order.
pub(super) struct Sealer {
    key: LessSafeKey,
    number: u32,
    head: Vec<u8>,
}

impl Sealer {
    /// With a new key, wrapped for each recipient; the head comes first in the file.
    pub(super) fn new(session: SessionId, recording: FlowId, recipients: &[PublicKey]) -> Result<(Head, Self), NoSeal> {
        let random = SystemRandom::new();
        let mut key = [0; 32];
        random.fill(&mut key).map_err(|_| NoSeal)?;
        let wrapped = |public: &PublicKey| wrap(&key, public, &Head::binding(session, recording, public.id()), &random);
        let recipients = recipients.iter().map(wrapped).collect::<Result<Vec<_>, _>>()?;
        if recipients.is_empty() {
            return Err(NoSeal);
        }
        let head = Head { session, recording, recipients };
        let sealer = Self::with_key(&key, &head)?;
        Ok((head, sealer))
    }

    fn with_key(key: &[u8; 32], head: &Head) -> Result<Self, NoSeal> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| NoSeal)?;
        let head = digest(&SHA256, &head.encode()).as_ref().to_vec();
        Ok(Self { key: LessSafeKey::new(key), number: 0, head })
    }

    /// How many bytes so much text comes to in the file.
    pub(super) const fn sealed(length: usize) -> usize {
        length + length.div_ceil(MAX_CHUNK) * (TAG + 4)
    }

    /// The chunks of a text.
    pub(super) fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, NoSeal> {
        let mut out = Vec::with_capacity(Self::sealed(text.len()));
        for piece in text.chunks(MAX_CHUNK) {
            self.chunk(piece, false, &mut out)?;
        }
        Ok(out)
    }

    /// The last chunk, which holds nothing and says that nothing is missing.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, NoSeal> {
        let mut out = Vec::new();
        self.chunk(&[], true, &mut out)?;
        Ok(out)
    }

    fn chunk(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), NoSeal> {
        let nonce = Nonce::assume_unique_for_key(chunk_nonce(self.number, last));
        self.number = self.number.checked_add(1).ok_or(NoSeal)?;
        out.extend_from_slice(&chunk_head(piece.len() + TAG, last));
        let start = out.len();
        out.extend_from_slice(piece);
        let tag =
            self.key.seal_in_place_separate_tag(nonce, Aad::from(&self.head), &mut out[start..]).map_err(|_| NoSeal)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

/// ECDH with a key of this moment, HKDF-SHA256 with both public keys as salt, AES-256-GCM. The wrapping key is used
/// once, so its nonce is zero.
fn wrap(key: &[u8; 32], public: &PublicKey, binding: &[u8], random: &SystemRandom) -> Result<Recipient, NoSeal> {
    let own = EphemeralPrivateKey::generate(&ECDH_P256, random).map_err(|_| NoSeal)?;
    let ephemeral: [u8; PUBLIC_KEY] =
        own.compute_public_key().map_err(|_| NoSeal)?.as_ref().try_into().map_err(|_| NoSeal)?;
    let salt = [&ephemeral[..], public.bytes()].concat();
    let wrapping = agree_ephemeral(own, &UnparsedPublicKey::new(&ECDH_P256, public.bytes()), |shared| {
        let derived = Salt::new(HKDF_SHA256, &salt).extract(shared);
        derived.expand(&[INFO], &AES_256_GCM).map(|bytes| LessSafeKey::new(UnboundKey::from(bytes)))
    });
    let wrapping = wrapping.and_then(|derived| derived).map_err(|_| NoSeal)?;
    let mut wrapped = key.to_vec();
    wrapping
        .seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::from(binding), &mut wrapped)
        .map_err(|_| NoSeal)?;
    let wrapped: [u8; WRAPPED_KEY] = wrapped.try_into().map_err(|_| NoSeal)?;
    Ok(Recipient { key: public.id(), ephemeral, wrapped })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use gatelodge_proto::{Random, Timestamp, recording::Scan};

    use super::*;

    fn ids() -> (SessionId, FlowId) {
        let (now, random) = (Timestamp::from_seconds(1_800_000_000), Random::seeded(4));
        (SessionId::make(now, &random), FlowId::make(now, &random))
    }

    #[test]
    fn the_chunks_of_a_known_key_are_pinned() {
        let (session, recording) = ids();
        let recipient = Recipient {
            key: gatelodge_proto::recording::KeyId([1; 16]),
            ephemeral: [4; PUBLIC_KEY],
            wrapped: [2; WRAPPED_KEY],
        };
        let head = Head { session, recording, recipients: vec![recipient] };
        let mut sealer = Sealer::with_key(&[7; 32], &head).unwrap();
        let mut file = head.encode();
        file.extend(sealer.seal(b"{\"version\":2}\n").unwrap());
        file.extend(sealer.seal("[0.5,\"o\",\"é\"]\n".as_bytes()).unwrap());
        file.extend(sealer.finish().unwrap());
        let hex = file.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        assert_eq!(hex, include_str!("../../../golden/recording.hex").trim());
        let mut scan = Scan::default();
        scan.feed(&file).unwrap();
        assert!(scan.ended());
    }

    #[test]
    fn a_long_text_becomes_chunks_of_bounded_size_and_the_announced_length() {
        let (session, recording) = ids();
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
        let mut point = [0; PUBLIC_KEY];
        point.copy_from_slice(own.compute_public_key().unwrap().as_ref());
        let public: PublicKey = base64_of(&point).parse().unwrap();
        let (head, mut sealer) = Sealer::new(session, recording, &[public.clone(), public]).unwrap();
        for length in [1, MAX_CHUNK, MAX_CHUNK + 1, 3 * MAX_CHUNK] {
            assert_eq!(sealer.seal(&vec![b'x'; length]).unwrap().len(), Sealer::sealed(length));
        }
        let mut scan = Scan::default();
        scan.feed(&head.encode()).unwrap();
        scan.feed(&sealer.seal(&vec![b'x'; 2 * MAX_CHUNK]).unwrap()).unwrap();
        scan.feed(&sealer.finish().unwrap()).unwrap();
        assert!(scan.ended());
    }

    #[test]
    fn nobody_and_a_point_that_is_on_no_curve_are_no_recipients() {
        let (session, recording) = ids();
        assert!(Sealer::new(session, recording, &[]).is_err());
        let mut nowhere = [1; PUBLIC_KEY];
        nowhere[0] = 4;
        assert!(Sealer::new(session, recording, &[base64_of(&nowhere).parse().unwrap()]).is_err());
    }

    fn base64_of(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for piece in bytes.chunks(3) {
            let word = piece.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - piece.len()));
            for number in 0..=piece.len() {
                text.push(char::from(LETTERS[(word >> (18 - 6 * number) & 63) as usize]));
            }
        }
        text
    }
}
