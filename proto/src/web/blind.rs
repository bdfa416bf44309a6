//! A panel's pages that the gateway cannot read (decision 0024): what it and the device say on the stream of
//! [`Target::Certify`](crate::session::inner_frame::Target), for as long as the device answers browsers by itself.
//! The key stays on the device; what goes over is what the public may know, and hashes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{Panel, door::Hash};
use crate::{
    payload::ServiceName,
    session::{Arrival, Stream, inner_frame::ResetCode},
};

/// How the names of such pages begin; nothing else below the vendor's domain does.
pub const NAMES: &str = "b-";
/// The largest word, in bytes; a chain of certificates is the longest.
const MOST: usize = 32 * 1024;

/// One word on the stream: its length as 16 bits, and it as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlindWord {
    /// The gateway's first: which pages, and where.
    Begin(Begin),
    /// The device's answer: PKCS #10 in PEM, by a key that it has made for this alone.
    Csr(String),
    /// The gateway's: the chain in PEM.
    Certificate(String),
    /// The device's: browsers may come.
    Ready,
    /// The gateway's: whoever shows the ticket of this SHA-256 soon, comes in.
    Ticket(Hash),
    /// The device's: it will.
    Expected,
    /// The device's: it cannot be; why, in a sentence.
    Refused(String),
}

/// Which pages, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Host, and port where it is not that of HTTPS, under which browsers come.
    pub authority: String,
    /// The origin of the portal, from which alone they come in.
    pub portal: String,
    /// Which service of the session; without one, the address that `panel` names, in one of its networks.
    pub service: Option<ServiceName>,
    /// As its own network knows it.
    pub panel: Panel,
}

/// Why nothing is said any more.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// The stream is over.
    #[error("the other side ended it")]
    Over,
    /// It broke.
    #[error("the session broke it off")]
    Broken,
    /// What came is no word of this version.
    #[error("what the other side says cannot be read; one of the two programs is too old")]
    Unreadable,
}

impl From<ResetCode> for Silence {
    fn from(_: ResetCode) -> Self {
        Self::Broken
    }
}

impl BlindWord {
    fn encode(&self) -> Bytes {
        let json = crate::payload::encode(self);
        let mut bytes = BytesMut::with_capacity(2 + json.len());
        bytes.put_u16(u16::try_from(json.len()).unwrap_or(u16::MAX));
        bytes.put_slice(&json);
        bytes.freeze()
    }

    /// The next whole word at the front of `buffer`, which loses its bytes; `None` until there is one.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, Silence> {
        let Some((&[high, low], rest)) = buffer.split_first_chunk::<2>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MOST {
            return Err(Silence::Unreadable);
        }
        if rest.len() < length {
            return Ok(None);
        }
        buffer.advance(2);
        let json = buffer.split_to(length);
        serde_json::from_slice(&json).map(Some).map_err(|_| Silence::Unreadable)
    }
}

/// One side of the talk.
pub struct Talk {
    stream: Stream,
    heard: BytesMut,
}

impl Talk {
    /// On this stream.
    pub fn new(stream: Stream) -> Self {
        Self { stream, heard: BytesMut::new() }
    }

    /// Says a word.
    pub async fn say(&mut self, word: &BlindWord) -> Result<(), Silence> {
        let mut bytes = word.encode();
        while !bytes.is_empty() {
            let room = self.stream.room().await?;
            self.stream.send(bytes.split_to(room.min(bytes.len()))).await?;
        }
        Ok(())
    }

    /// The next word of the other side. Waiting can be broken off: nothing that was heard is lost.
    pub async fn hear(&mut self) -> Result<BlindWord, Silence> {
        loop {
            if let Some(word) = BlindWord::take(&mut self.heard)? {
                return Ok(word);
            }
            match self.stream.next().await? {
                Arrival::Data(bytes) => {
                    self.heard.extend_from_slice(&bytes);
                    self.stream.consumed(bytes.len()).await?;
                }
                Arrival::End => return Err(Silence::Over),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn begin() -> BlindWord {
        let panel = Panel { scheme: super::super::Scheme::Http, host: "192.168.1.50".into(), found_at: None, port: 80 };
        let (authority, portal) = ("b-x.web.example".into(), "https://portal.example".into());
        BlindWord::Begin(Begin { authority, portal, service: Some("panel-web".parse().unwrap()), panel })
    }

    #[test]
    fn words_come_out_as_they_went_in_however_they_are_cut() {
        let words = [begin(), BlindWord::Csr("pem".into()), BlindWord::Ready, BlindWord::Ticket([7; 32])];
        let bytes: Vec<u8> = words.iter().flat_map(BlindWord::encode).collect();
        for step in [1, 2, 7, bytes.len()] {
            let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
            for piece in bytes.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(word) = BlindWord::take(&mut buffer).unwrap() {
                    got.push(word);
                }
            }
            assert_eq!(got, words, "{step}");
        }
        let mut long = BytesMut::from(&[0xff, 0xff][..]);
        assert!(matches!(BlindWord::take(&mut long), Err(Silence::Unreadable)), "before any of it is held");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes: Vec<u8>) {
            let mut buffer = BytesMut::from(bytes.as_slice());
            while let Ok(Some(_)) = BlindWord::take(&mut buffer) {}
        }
    }
}
