//! The file of a terminal's recording, as `docs/RECORDING.md` writes it down: what is in the open, and where its chunks
//! end. Encrypts and decrypts nothing.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{FlowId, OrganisationId, SessionId, canonical_text};

/// The first bytes: `gl-rec`, a zero, and the version of the format.
pub const MAGIC: &[u8; 8] = b"gl-rec\0\x01";
/// Bytes of a public key: a point of P-256, uncompressed (SEC 1).
pub const PUBLIC_KEY: usize = 65;
/// Bytes of a file key that is wrapped: 32, and the tag of AES-256-GCM.
pub const WRAPPED_KEY: usize = 48;
/// Bytes of the tag of AES-256-GCM.
pub const TAG: usize = 16;
/// Most bytes of asciicast in one chunk.
pub const MAX_CHUNK: usize = 16 * 1024;
/// Whom a recording may be for at most.
pub const MAX_RECIPIENTS: usize = 8;

const FIXED: usize = MAGIC.len() + 16 + 16 + 1;
const RECIPIENT: usize = 16 + PUBLIC_KEY + WRAPPED_KEY;
const LAST: u32 = 1 << 31;

/// An organisation's public key for recordings; in text base64url.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; PUBLIC_KEY]);

/// The text is no public key for recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recording key is 65 bytes in base64url, of which the first is 4")]
pub struct InvalidPublicKey;

impl PublicKey {
    /// The point.
    pub const fn bytes(&self) -> &[u8; PUBLIC_KEY] {
        &self.0
    }

    /// Its name in the head of a recording.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 16];
        id.copy_from_slice(&Sha256::digest(self.0)[..16]);
        KeyId(id)
    }
}

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;
    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        let bytes: [u8; PUBLIC_KEY] =
            BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(InvalidPublicKey)?;
        // Whether it is on the curve is for whoever calculates with it.
        if bytes[0] == 4 { Ok(Self(bytes)) } else { Err(InvalidPublicKey) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

canonical_text!(PublicKey);

/// The first 16 bytes of the SHA-256 of a [`PublicKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

/// Who can read what is recorded, in a grant: the consent that is signed covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingKey {
    /// Whose.
    pub organisation: OrganisationId,
    /// Encrypts to it.
    pub key: PublicKey,
}

/// How much of a recording the cloud has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Received {
    /// So many bytes from its beginning.
    pub bytes: u64,
    /// It has all of it and keeps it: the device need not any more.
    pub taken: bool,
}

/// The whole of a recording, said after its last byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Whole {
    /// So many bytes.
    pub bytes: u64,
    /// Their SHA-256, hex.
    pub sha256: String,
}

/// Where a device brings recordings: `GET` says how much is there, `PUT` with `?at=` brings the bytes that follow,
/// `POST` with the [`Whole`] has it taken. Each answers [`Received`].
pub const PATH: &str = "/record/v1/";
/// Most bytes of one `PUT`.
pub const MAX_PIECE: usize = 256 * 1024;
/// The stable code of a recording that the cloud will never take.
pub const NEVER: &str = "recording_refused";

/// What stands in the open at the front of a recording. Every chunk is bound to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The session.
    pub session: SessionId,
    /// The terminal, by the id of its flow; it names the recording too.
    pub recording: FlowId,
    /// Who can read it; at most [`MAX_RECIPIENTS`].
    pub recipients: Vec<Recipient>,
}

/// One who can read a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// By which key.
    pub key: KeyId,
    /// The other half of the agreement (ECDH).
    pub ephemeral: [u8; PUBLIC_KEY],
    /// The file's key.
    pub wrapped: [u8; WRAPPED_KEY],
}

impl Head {
    /// What the wrapped key of a recipient is bound to.
    pub fn binding(session: SessionId, recording: FlowId, key: KeyId) -> Vec<u8> {
        [&MAGIC[..], session.uuid().as_bytes(), recording.uuid().as_bytes(), &key.0].concat()
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let recipients = &self.recipients[..self.recipients.len().min(MAX_RECIPIENTS)];
        let mut bytes = [&MAGIC[..], self.session.uuid().as_bytes(), self.recording.uuid().as_bytes()].concat();
        bytes.push(u8::try_from(recipients.len()).unwrap_or(0));
        for recipient in recipients {
            bytes.extend_from_slice(&recipient.key.0);
            bytes.extend_from_slice(&recipient.ephemeral);
            bytes.extend_from_slice(&recipient.wrapped);
        }
        bytes
    }

    /// The head at the front of `bytes` with its length; `None` when more bytes are needed.
    fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Unreadable> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(Unreadable::Magic);
        }
        let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else { return Ok(None) };
        let count = usize::from(fixed[FIXED - 1]);
        if !(1..=MAX_RECIPIENTS).contains(&count) {
            return Err(Unreadable::Head);
        }
        let Some(rest) = rest.get(..count * RECIPIENT) else { return Ok(None) };
        let id = |at: usize| fixed[at..at + 16].try_into().map(Uuid::from_bytes).map_err(|_| Unreadable::Head);
        let (session, recording) = (SessionId::from_uuid(id(8)?), FlowId::from_uuid(id(24)?));
        let recipients = rest.chunks_exact(RECIPIENT).map(Recipient::decode).collect::<Result<_, _>>()?;
        Ok(Some((Self { session, recording, recipients }, FIXED + count * RECIPIENT)))
    }
}

impl Recipient {
    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (key, rest) = bytes.split_first_chunk().ok_or(Unreadable::Head)?;
        let (ephemeral, rest) = rest.split_first_chunk().ok_or(Unreadable::Head)?;
        let wrapped = rest.try_into().map_err(|_| Unreadable::Head)?;
        Ok(Self { key: KeyId(*key), ephemeral: *ephemeral, wrapped })
    }
}

/// What stands before a chunk of so many encrypted bytes, its tag included.
pub fn chunk_head(length: usize, last: bool) -> [u8; 4] {
    let length = u32::try_from(length).unwrap_or(u32::MAX) & !LAST;
    (if last { length | LAST } else { length }).to_be_bytes()
}

/// The nonce of a chunk: seven zeros, its number, and whether it is the last (the STREAM construction). The file's key
/// is used for nothing else.
pub fn chunk_nonce(number: u32, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// The bytes are no recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Another kind of file.
    #[error("this is no recording of a terminal, or one of a later version")]
    Magic,
    /// A head that makes no sense.
    #[error("the recording's head is damaged")]
    Head,
    /// A chunk of impossible size.
    #[error("the recording is damaged at byte {0}")]
    Chunk(u64),
    /// Bytes after the last chunk.
    #[error("something follows the end of the recording, at byte {0}")]
    Trailing(u64),
}

/// Goes through a recording as it comes, in pieces of any size, and holds no more than its head.
#[derive(Debug, Default)]
pub struct Scan {
    head: Option<Head>,
    /// Of the head, or of a chunk's length.
    held: Vec<u8>,
    /// Bytes of the chunk that have not come yet, and whether it is the last.
    chunk: Option<(u64, bool)>,
    seen: u64,
    whole: u64,
    ended: bool,
}

impl Scan {
    /// The next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Unreadable> {
        while !bytes.is_empty() {
            if self.ended {
                return Err(Unreadable::Trailing(self.seen));
            }
            if let Some((left, last)) = self.chunk {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.seen += taken as u64;
                bytes = &bytes[taken..];
                self.chunk = Some((left - taken as u64, last));
                if left == taken as u64 {
                    (self.chunk, self.whole, self.ended) = (None, self.seen, last);
                }
                continue;
            }
            let (first, rest) = (bytes[0], &bytes[1..]);
            self.held.push(first);
            self.seen += 1;
            bytes = rest;
            self.judge()?;
        }
        Ok(())
    }

    fn judge(&mut self) -> Result<(), Unreadable> {
        if self.head.is_none() {
            if let Some((head, _)) = Head::decode(&self.held)? {
                (self.head, self.whole) = (Some(head), self.seen);
                self.held.clear();
            }
        } else if let Ok(word) = <[u8; 4]>::try_from(&self.held[..]) {
            let word = u32::from_be_bytes(word);
            let length = word & !LAST;
            if !(TAG..=MAX_CHUNK + TAG).contains(&(length as usize)) {
                return Err(Unreadable::Chunk(self.seen - 4));
            }
            self.chunk = Some((length.into(), word & LAST != 0));
            self.held.clear();
        }
        Ok(())
    }

    /// The head, once it has come.
    pub const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// How many bytes end with a whole chunk; what follows is half of one.
    pub const fn whole(&self) -> u64 {
        self.whole
    }

    /// Whether the last chunk has come: without it the recording was cut short.
    pub const fn ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{Random, Timestamp};

    fn head(recipients: usize) -> Head {
        let (now, random) = (Timestamp::from_seconds(1_800_000_000), Random::seeded(4));
        let recipient = |number: usize| Recipient {
            key: KeyId([u8::try_from(number).unwrap(); 16]),
            ephemeral: [4; PUBLIC_KEY],
            wrapped: [7; WRAPPED_KEY],
        };
        Head {
            session: SessionId::make(now, &random),
            recording: FlowId::make(now, &random),
            recipients: (0..recipients).map(recipient).collect(),
        }
    }

    fn file(recipients: usize, chunks: &[usize]) -> Vec<u8> {
        let mut bytes = head(recipients).encode();
        for (number, length) in chunks.iter().enumerate() {
            bytes.extend_from_slice(&chunk_head(TAG + length, number + 1 == chunks.len()));
            bytes.resize(bytes.len() + TAG + length, 9);
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_recording_is_followed_in_pieces_of_any_size(
            recipients in 1..=MAX_RECIPIENTS, chunks in vec(0..=MAX_CHUNK, 1..5), cut in 1usize..5000, kept: prop::sample::Index,
        ) {
            let bytes = file(recipients, &chunks);
            let mut scan = Scan::default();
            for piece in bytes.chunks(cut) {
                scan.feed(piece).unwrap();
            }
            prop_assert_eq!(scan.head(), Some(&head(recipients)));
            prop_assert!(scan.ended() && scan.whole() == bytes.len() as u64);
            prop_assert_eq!(scan.feed(&[0]), Err(Unreadable::Trailing(bytes.len() as u64)));

            let kept = kept.index(bytes.len());
            let mut short = Scan::default();
            short.feed(&bytes[..kept]).unwrap();
            prop_assert!(!short.ended() && short.whole() <= kept as u64);
            let mut whole = Scan::default();
            whole.feed(&bytes[..usize::try_from(short.whole()).unwrap()]).unwrap();
            prop_assert_eq!(whole.whole(), short.whole());
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow(bytes in vec(any::<u8>(), 0..4000)) {
            let mut scan = Scan::default();
            let _ = scan.feed(&[MAGIC, &bytes[..]].concat());
            prop_assert!(scan.held.len() <= FIXED + MAX_RECIPIENTS * RECIPIENT);
        }
    }

    #[test]
    fn other_files_and_damage_are_named() {
        let fed = |bytes: &[u8]| Scan::default().feed(bytes);
        assert_eq!(fed(b"{\"version\": 2}"), Err(Unreadable::Magic));
        assert_eq!(fed(b"gl-rec\0\x02"), Err(Unreadable::Magic));
        let mut nobody = file(1, &[3]);
        nobody[FIXED - 1] = 0;
        assert_eq!(fed(&nobody), Err(Unreadable::Head));
        let mut long = file(1, &[3]);
        long[FIXED + RECIPIENT + 1] = 1;
        assert_eq!(fed(&long), Err(Unreadable::Chunk((FIXED + RECIPIENT) as u64)));
    }

    #[test]
    fn a_nonce_says_which_chunk_and_whether_it_is_the_last() {
        assert_eq!(chunk_nonce(0x0102_0304, false), [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0]);
        assert_eq!(chunk_nonce(1, true), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn a_public_key_travels_as_text() {
        let text = BASE64.encode([&[4; 1][..], &[1; 64]].concat());
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        for wrong in ["", "AAAA", &BASE64.encode([3; 65]), &BASE64.encode([4; 64])] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(InvalidPublicKey));
        }
    }
}
