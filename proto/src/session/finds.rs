//! What a device finds on the networks of a session: the frames on the stream of
//! [`Target::Discover`](super::inner_frame::Target). Whoever is on those networks says what it likes: a name comes in by
//! [`Said`] alone, on the device and again wherever it is read. Sans-IO.

use std::{fmt, net::IpAddr};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::wire::{self, Fields, FrameError, SKIPPABLE};
use crate::{
    identity::MacAddress,
    payload::{Protocol, is_hidden},
};

/// Most finds of one look around.
pub const MOST_FINDS: usize = 512;
/// Longest text that something says of itself, in characters.
pub const LONGEST_SAID: usize = 64;
const MAX_FRAME: usize = 4 * 1024;
const MAX_SAID: usize = LONGEST_SAID * 4;
const MAX_ADDRESS: usize = 64;
const MAX_SENTENCE: usize = 512;

/// What something on a network says of itself: one line of at most [`LONGEST_SAID`] characters that are all seen, in the
/// order in which they are read, and none that begins or ends markup.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Said(String);

impl Said {
    /// What is left of any bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(16 * MAX_SAID)];
        let text = String::from_utf8_lossy(bytes);
        let mut kept = String::new();
        let mut count = 0;
        for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
            let mut seen = word.chars().filter(|c| !is_hidden(*c)).peekable();
            if seen.peek().is_some() && count > 0 && count < LONGEST_SAID {
                kept.push(' ');
                count += 1;
            }
            for c in seen.take(LONGEST_SAID - count) {
                kept.push(match c {
                    '<' => '‹',
                    '>' => '›',
                    c => c,
                });
                count += 1;
            }
        }
        kept.truncate(kept.trim_end().len());
        Self(kept)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was said that can be read.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Said({:?})", self.0)
    }
}

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoundBy {
    /// The device's own settings name it as a service.
    Settings,
    /// It answered a question to all (RFC 6762, RFC 6763).
    Mdns,
    /// It answered a search by UPnP.
    Ssdp,
    /// A port that the device's settings declare is open there.
    Port,
    /// The device's system has spoken with it.
    Neighbour,
}

impl FoundBy {
    /// The stable word for programs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Mdns => "mdns",
            Self::Ssdp => "ssdp",
            Self::Port => "port",
            Self::Neighbour => "neighbour",
        }
    }
}

wire::codes!(by_code, by, FoundBy, "way of finding", {
    FoundBy::Settings = 1,
    FoundBy::Mdns = 2,
    FoundBy::Ssdp = 3,
    FoundBy::Port = 4,
    FoundBy::Neighbour = 5,
});

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Where it is; always in a network of the session.
    pub address: IpAddr,
    /// What can be opened there, where that is known.
    pub port: Option<(Protocol, u16)>,
    /// How it was found.
    pub by: FoundBy,
    /// What it calls itself.
    pub name: Said,
    /// What it says it is, like `_http._tcp`.
    pub what: Said,
    /// Its hardware address, where the device's system knows it.
    pub mac: Option<MacAddress>,
}

impl Find {
    /// Whether a browser can be a client of it: it says so, or it is a port that pages are at.
    pub fn is_page(&self) -> bool {
        let named = ["_http._tcp", "_https._tcp", "http", "https", "web"].contains(&self.what.as_str());
        matches!(self.port, Some((Protocol::Tcp, port)) if named || [80, 443, 8080, 8443, 4443, 8000].contains(&port))
    }
}

/// One frame of the stream, from the device alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindFrame {
    /// One more. What comes again at the same place with another name replaces what was there.
    Found(Find),
    /// How far it is.
    Progress {
        /// Steps that were taken,
        done: u32,
        /// of so many that are known so far.
        of: u32,
    },
    /// That is all.
    Done {
        /// There was more than is told.
        cut: bool,
    },
    /// It cannot be done; why, in a sentence.
    Refused(String),
}

const FOUND: u8 = 1;
const PROGRESS: u8 = 2;
const DONE: u8 = 3;
const REFUSED: u8 = 4;

const NO_PORT: u8 = 0;
const TCP: u8 = 1;
const UDP: u8 = 2;

impl FindFrame {
    /// Its bytes: type, length of the rest as 16 bits, the rest.
    pub fn encode(&self) -> Bytes {
        let mut body = BytesMut::new();
        let kind = match self {
            Self::Found(find) => {
                put_find(&mut body, find);
                FOUND
            }
            Self::Progress { done, of } => {
                body.put_u32(*done);
                body.put_u32(*of);
                PROGRESS
            }
            Self::Done { cut } => {
                body.put_u8(u8::from(*cut));
                DONE
            }
            Self::Refused(sentence) => {
                wire::put_bytes(&mut body, &sentence.as_bytes()[..sentence.floor_char_boundary(MAX_SENTENCE)]);
                REFUSED
            }
        };
        let mut frame = BytesMut::with_capacity(3 + body.len());
        frame.put_u8(kind);
        frame.put_u16(u16::try_from(body.len()).unwrap_or(u16::MAX));
        frame.put_slice(&body);
        frame.freeze()
    }

    /// The next whole frame at the front of `buffer`, which loses its bytes; `None` until there is one.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        loop {
            let Some((&[kind, high, low], _)) = buffer.split_first_chunk::<3>() else { return Ok(None) };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length > MAX_FRAME {
                return Err(FrameError::TooLong(length));
            }
            if buffer.len() < 3 + length {
                return Ok(None);
            }
            buffer.advance(3);
            let body = buffer.split_to(length).freeze();
            if let Some(frame) = Self::parse(kind, body)? {
                return Ok(Some(frame));
            }
        }
    }

    /// `None` for a hint of a later version.
    fn parse(kind: u8, body: Bytes) -> Result<Option<Self>, FrameError> {
        let mut fields = Fields::new(body);
        Ok(Some(match kind {
            FOUND => Self::Found(find(&mut fields)?),
            PROGRESS => Self::Progress { done: fields.u32()?, of: fields.u32()? },
            DONE => Self::Done { cut: fields.u8()? != 0 },
            REFUSED => Self::Refused(fields.text(MAX_SENTENCE, "sentence")?),
            SKIPPABLE.. => return Ok(None),
            unknown => return Err(FrameError::UnknownType(unknown)),
        }))
    }
}

fn put_find(out: &mut BytesMut, find: &Find) {
    out.put_u8(by_code(find.by));
    let (protocol, port) = match find.port {
        None => (NO_PORT, 0),
        Some((Protocol::Tcp, port)) => (TCP, port),
        Some((Protocol::Udp, port)) => (UDP, port),
    };
    out.put_u8(protocol);
    out.put_u16(port);
    wire::put_bytes(out, find.address.to_string().as_bytes());
    wire::put_bytes(out, find.name.as_str().as_bytes());
    wire::put_bytes(out, find.what.as_str().as_bytes());
    wire::put_bytes(out, find.mac.map(|mac| mac.to_string()).unwrap_or_default().as_bytes());
}

fn find(fields: &mut Fields) -> Result<Find, FrameError> {
    let by = by(fields.u8()?)?;
    let (protocol, port) = (fields.u8()?, fields.u16()?);
    let port = match (protocol, port) {
        (NO_PORT, _) => None,
        (_, 0) => return Err(FrameError::Field("port of a find")),
        (TCP, port) => Some((Protocol::Tcp, port)),
        (UDP, port) => Some((Protocol::Udp, port)),
        _ => return Err(FrameError::Field("protocol of a find")),
    };
    let address = fields.text(MAX_ADDRESS, "address of a find")?;
    let address = address.parse().map_err(|_| FrameError::Field("address of a find"))?;
    // Who reads does not take the sender's word for it that this is fit to be shown.
    let name = Said::of(&fields.bytes(MAX_SAID, "name of a find")?);
    let what = Said::of(&fields.bytes(MAX_SAID, "kind of a find")?);
    let mac = fields.text(MAX_ADDRESS, "hardware address of a find")?;
    let mac = if mac.is_empty() { None } else { Some(mac.parse().map_err(|_| FrameError::Field("hardware address"))?) };
    Ok(Find { address, port, by, name, what, mac })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_said_is_seen_as_it_is_read() {
        for (said, kept) in [
            ("Panel of  the\tvilla", "Panel of the villa"),
            ("Vidéo 報告", "Vidéo 報告"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("\u{200b}\u{feff}", ""),
            ("line\r\nGET / HTTP/1.1", "line GET / HTTP/1.1"),
            ("<script>alert(1)</script>", "‹script›alert(1)‹/script›"),
            ("\x1b[31mred\x07", "[31mred"),
            ("  ", ""),
        ] {
            assert_eq!(Said::of(said.as_bytes()).as_str(), kept, "{said:?}");
        }
        assert_eq!(Said::of(&[0xff, b'a', 0xc3]).as_str(), "\u{fffd}a\u{fffd}");
        assert_eq!(Said::of("é".repeat(9_000).as_bytes()).as_str(), "é".repeat(LONGEST_SAID));
    }

    #[test]
    fn the_bytes_of_a_find_are_pinned() {
        let find = Find {
            address: "192.168.1.50".parse().unwrap(),
            port: Some((Protocol::Tcp, 80)),
            by: FoundBy::Mdns,
            name: Said::of(b"Panel"),
            what: Said::of(b"_http._tcp"),
            mac: Some("00:1B:44:11:3A:B7".parse().unwrap()),
        };
        let bare = Find {
            address: "2001:db8:7::50".parse().unwrap(),
            port: None,
            by: FoundBy::Neighbour,
            name: Said::default(),
            what: Said::default(),
            mac: None,
        };
        assert!(find.is_page() && !bare.is_page());
        wire::golden(
            "find_frames.hex",
            &[
                ("found", FindFrame::Found(find).encode()),
                ("found_bare", FindFrame::Found(bare).encode()),
                ("progress", FindFrame::Progress { done: 3, of: 40 }.encode()),
                ("done", FindFrame::Done { cut: true }.encode()),
                ("refused", FindFrame::Refused("the session has no network".into()).encode()),
            ],
        );
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_kept_within_bounds_and_stays_what_it_is(bytes: Vec<u8>) {
            let said = Said::of(&bytes);
            prop_assert!(said.as_str().chars().count() <= LONGEST_SAID);
            prop_assert!(!said.as_str().chars().any(|c| is_hidden(c) || matches!(c, '<' | '>')));
            prop_assert_eq!(Said::of(said.as_str().as_bytes()), said);
        }

        #[test]
        fn a_frame_comes_out_as_it_went_in(name in "\\PC{0,80}", port in 1u16.., bits: u32, done: u32) {
            let find = Find {
                address: std::net::Ipv4Addr::from_bits(bits).into(),
                port: Some((Protocol::Udp, port)),
                by: FoundBy::Ssdp,
                name: Said::of(name.as_bytes()),
                what: Said::of(b"upnp"),
                mac: None,
            };
            for frame in [FindFrame::Found(find), FindFrame::Progress { done, of: done }] {
                let mut bytes = BytesMut::from(&frame.encode()[..]);
                prop_assert_eq!(FindFrame::take(&mut bytes).unwrap(), Some(frame));
                prop_assert!(bytes.is_empty());
            }
        }
    }
}
