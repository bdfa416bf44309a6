//! Files between a technician and the folders that a device names: what is asked in OPEN, and the frames on the stream.
//! Sans-IO; opens nothing.

use std::{fmt, str::FromStr};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::wire::{self, Fields, FrameError, SKIPPABLE};
use crate::{Timestamp, payload::ServiceName};

/// Most bytes of a file in one frame.
pub const PIECE: usize = 32 * 1024;
/// Most bytes of a path.
pub const MAX_PATH: usize = 1024;
/// Entries of a folder in one frame.
pub const ENTRIES: usize = 64;
const MAX_FRAME: usize = 128 * 1024;
const MAX_SENTENCE: usize = 512;
const MAX_NAME: usize = 255;

/// A place in one of the folders that a device names, like `logs/2026/panel.log`: the folder's name, then names that
/// lead down from it and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DevicePath {
    folder: ServiceName,
    below: Vec<String>,
}

/// The text is no place in a device's folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// No folder's name.
    #[error("`{0}` does not begin with the name of a folder; write it like logs/panel.log")]
    Folder(String),
    /// A name that would leave the folder or is none.
    #[error("`{0}` has `{1}` in it; write each name on the way down from the folder")]
    Name(String, String),
    /// Beyond what any system takes.
    #[error("a path has {MAX_PATH} bytes at most")]
    Long,
}

impl DevicePath {
    /// The folder.
    pub const fn folder(&self) -> &ServiceName {
        &self.folder
    }

    /// The names below it, none for the folder itself.
    pub fn below(&self) -> &[String] {
        &self.below
    }

    /// The same with one more name.
    pub fn join(&self, name: &str) -> Result<Self, InvalidPath> {
        format!("{self}/{name}").parse()
    }
}

impl FromStr for DevicePath {
    type Err = InvalidPath;
    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text.len() > MAX_PATH {
            return Err(InvalidPath::Long);
        }
        let shown = || text.to_owned();
        let mut names = text.strip_suffix('/').unwrap_or(text).split('/');
        let folder = names.next().and_then(|name| name.parse().ok()).ok_or_else(|| InvalidPath::Folder(shown()))?;
        let below = names.map(|name| {
            let sound =
                !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
            if sound { Ok(name.to_owned()) } else { Err(InvalidPath::Name(shown(), name.escape_debug().to_string())) }
        });
        Ok(Self { folder, below: below.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for DevicePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder)?;
        self.below.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

/// SHA-256 of a whole file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileDigest(pub [u8; 32]);

impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is to be done at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileAct {
    /// Tell what is there.
    List,
    /// Send the file.
    Get {
        /// Bytes that are there already,
        from: u64,
        /// of the file as it was changed then; of any other the device begins anew.
        modified: Option<Timestamp>,
    },
    /// Take a file.
    Put {
        /// Its length in bytes.
        size: u64,
        /// Of the whole of it: a transfer that was cut goes on with the same file alone.
        digest: FileDigest,
    },
}

/// What there is in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its length in bytes; 0 for what is no file.
    pub size: u64,
    /// When it was changed, by the device's clock.
    pub modified: Timestamp,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Can be fetched.
    File,
    /// Can be listed.
    Folder,
    /// A folder that the device names, and takes files in.
    Open,
    /// A link, a socket or a device; not followed.
    Other,
}

wire::codes!(kind_code, entry_kind, EntryKind, "kind of entry", {
    EntryKind::File = 1,
    EntryKind::Folder = 2,
    EntryKind::Open = 3,
    EntryKind::Other = 4,
});

/// One frame of the stream. A device answers OPEN with [`Meta`](Self::Meta), [`Ready`](Self::Ready),
/// [`Entries`](Self::Entries) or [`Refused`](Self::Refused); bytes follow, and [`Done`](Self::Done) from who sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFrame {
    /// Of the file that is sent.
    Meta {
        /// Its length in bytes.
        size: u64,
        /// When it was changed.
        modified: Timestamp,
        /// Where its bytes begin.
        from: u64,
    },
    /// So many bytes of the file that is taken are there already.
    Ready {
        /// Where the bytes are to begin.
        have: u64,
    },
    /// Some of what is in a folder.
    Entries(Vec<FileEntry>),
    /// Bytes of the file, [`PIECE`] at most.
    Data(Bytes),
    /// All were sent. Of a file, the digest of the whole of it.
    Done(Option<FileDigest>),
    /// The file is in its place, on disk.
    Kept,
    /// It cannot be done; why, in a sentence.
    Refused(String),
}

const META: u8 = 1;
const READY: u8 = 2;
const LISTED: u8 = 3;
const DATA: u8 = 4;
const DONE: u8 = 5;
const KEPT: u8 = 6;
const REFUSED: u8 = 7;

impl FileFrame {
    /// Its bytes: type, length of the rest as 32 bits, the rest.
    pub fn encode(&self) -> Bytes {
        let mut body = BytesMut::new();
        let kind = match self {
            Self::Meta { size, modified, from } => {
                body.put_u64(*size);
                body.put_i64(modified.micros());
                body.put_u64(*from);
                META
            }
            Self::Ready { have } => {
                body.put_u64(*have);
                READY
            }
            Self::Entries(entries) => {
                let entries = &entries[..entries.len().min(ENTRIES)];
                body.put_u16(u16::try_from(entries.len()).unwrap_or(0));
                for entry in entries {
                    body.put_u8(kind_code(entry.kind));
                    body.put_u64(entry.size);
                    body.put_i64(entry.modified.micros());
                    wire::put_bytes(&mut body, entry.name.as_bytes());
                }
                LISTED
            }
            Self::Data(bytes) => {
                body.put_slice(&bytes[..bytes.len().min(PIECE)]);
                DATA
            }
            Self::Done(digest) => {
                body.put_slice(digest.as_ref().map_or(&[], |digest| &digest.0));
                DONE
            }
            Self::Kept => KEPT,
            Self::Refused(sentence) => {
                wire::put_bytes(&mut body, &sentence.as_bytes()[..sentence.floor_char_boundary(MAX_SENTENCE)]);
                REFUSED
            }
        };
        let mut frame = BytesMut::with_capacity(5 + body.len());
        frame.put_u8(kind);
        frame.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        frame.put_slice(&body);
        frame.freeze()
    }

    /// The next whole frame at the front of `buffer`, which loses its bytes; `None` until there is one.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        loop {
            let Some((&[kind, a, b, c, d], _)) = buffer.split_first_chunk::<5>() else { return Ok(None) };
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            if length > MAX_FRAME {
                return Err(FrameError::TooLong(length));
            }
            if buffer.len() < 5 + length {
                return Ok(None);
            }
            buffer.advance(5);
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
            META => Self::Meta { size: fields.u64()?, modified: moment(&mut fields)?, from: fields.u64()? },
            READY => Self::Ready { have: fields.u64()? },
            LISTED => {
                let count = usize::from(fields.u16()?);
                if count > ENTRIES {
                    return Err(FrameError::Field("list of entries"));
                }
                Self::Entries((0..count).map(|_| entry(&mut fields)).collect::<Result<_, _>>()?)
            }
            DATA => {
                let bytes = fields.rest();
                if bytes.is_empty() || bytes.len() > PIECE {
                    return Err(FrameError::Field("piece of a file"));
                }
                Self::Data(bytes)
            }
            DONE if fields.is_empty() => Self::Done(None),
            DONE => Self::Done(Some(FileDigest(fields.array()?))),
            KEPT => Self::Kept,
            REFUSED => Self::Refused(fields.text(MAX_SENTENCE, "sentence")?),
            SKIPPABLE.. => return Ok(None),
            unknown => return Err(FrameError::UnknownType(unknown)),
        }))
    }
}

fn entry(fields: &mut Fields) -> Result<FileEntry, FrameError> {
    let kind = entry_kind(fields.u8()?)?;
    Ok(FileEntry {
        kind,
        size: fields.u64()?,
        modified: moment(fields)?,
        name: fields.text(MAX_NAME, "name of an entry")?,
    })
}

fn moment(fields: &mut Fields) -> Result<Timestamp, FrameError> {
    Ok(Timestamp::from_micros(fields.u64()?.cast_signed()))
}

pub(super) fn path(fields: &mut Fields) -> Result<DevicePath, FrameError> {
    fields.text(MAX_PATH, "path")?.parse().map_err(|_| FrameError::Field("path"))
}

const LIST: u8 = 1;
const GET: u8 = 2;
const GET_ON: u8 = 3;
const PUT: u8 = 4;

pub(super) fn act(fields: &mut Fields) -> Result<FileAct, FrameError> {
    Ok(match fields.u8()? {
        LIST => FileAct::List,
        GET => FileAct::Get { from: 0, modified: None },
        GET_ON => FileAct::Get { from: fields.u64()?, modified: Some(moment(fields)?) },
        PUT => FileAct::Put { size: fields.u64()?, digest: FileDigest(fields.array()?) },
        _ => return Err(FrameError::Field("act")),
    })
}

pub(super) fn put_act(out: &mut BytesMut, act: FileAct) {
    match act {
        FileAct::List => out.put_u8(LIST),
        FileAct::Get { from, modified: Some(modified) } => {
            out.put_u8(GET_ON);
            out.put_u64(from);
            out.put_i64(modified.micros());
        }
        FileAct::Get { modified: None, .. } => out.put_u8(GET),
        FileAct::Put { size, digest } => {
            out.put_u8(PUT);
            out.put_u64(size);
            out.put_slice(&digest.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn any_entry() -> impl Strategy<Value = FileEntry> {
        (1u8..=4, any::<u64>(), -1_000_000i64..4_000_000_000_000_000, "[^\\pC]{1,60}").prop_map(
            |(kind, size, micros, name)| FileEntry {
                name,
                kind: entry_kind(kind).unwrap(),
                size,
                modified: Timestamp::from_micros(micros),
            },
        )
    }

    fn any_frame() -> impl Strategy<Value = FileFrame> {
        let modified = || (0i64..4_000_000_000_000_000).prop_map(Timestamp::from_micros);
        prop_oneof![
            (any::<u64>(), modified(), any::<u64>()).prop_map(|(size, modified, from)| FileFrame::Meta {
                size,
                modified,
                from
            }),
            any::<u64>().prop_map(|have| FileFrame::Ready { have }),
            vec(any_entry(), 0..5).prop_map(FileFrame::Entries),
            vec(any::<u8>(), 1..200).prop_map(|bytes| FileFrame::Data(bytes.into())),
            proptest::option::of(any::<[u8; 32]>()).prop_map(|digest| FileFrame::Done(digest.map(FileDigest))),
            Just(FileFrame::Kept),
            "\\PC{0,60}".prop_map(FileFrame::Refused),
        ]
    }

    proptest! {
        #[test]
        fn frames_come_back_however_they_are_cut(frames in vec(any_frame(), 0..6), step in 1usize..40) {
            let wire: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().to_vec()).collect();
            let (mut buffer, mut seen) = (BytesMut::new(), Vec::new());
            for piece in wire.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = FileFrame::take(&mut buffer).unwrap() {
                    seen.push(frame);
                }
            }
            prop_assert_eq!(seen, frames);
        }

        #[test]
        fn no_bytes_panic_and_no_text_leaves_its_folder(bytes in vec(any::<u8>(), 0..300), text in "\\PC{0,40}") {
            let _ = FileFrame::take(&mut BytesMut::from(bytes.as_slice()));
            if let Ok(path) = text.parse::<DevicePath>() {
                prop_assert!(path.below().iter().all(|name| !name.contains('/') && name != ".." && !name.is_empty()));
                prop_assert_eq!(path.to_string().parse::<DevicePath>().unwrap(), path);
            }
        }
    }

    #[test]
    fn a_path_leads_down_from_its_folder_and_nowhere_else() {
        let path: DevicePath = "logs/2026/panel.log".parse().unwrap();
        assert_eq!((path.folder().as_str(), path.below().len()), ("logs", 2));
        assert_eq!("logs/".parse::<DevicePath>().unwrap().to_string(), "logs");
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "../logs",
            "logs/..",
            "logs/../../etc",
            "logs//a",
            "logs/./a",
            "logs/a\0b",
            "Logs/a",
            "logs/a\nb",
            "..",
        ] {
            assert!(bad.parse::<DevicePath>().is_err(), "{bad:?}");
        }
        assert_eq!(format!("logs/{}", "a/".repeat(600)).parse::<DevicePath>(), Err(InvalidPath::Long));
        assert!(path.join("..").is_err() && path.join("a/b").is_ok());
    }

    #[test]
    fn golden_bytes() {
        let modified = Timestamp::from_seconds(1_800_000_000);
        let entry = FileEntry { name: "panel.log".into(), kind: EntryKind::File, size: 7, modified };
        let frames = [
            ("meta", FileFrame::Meta { size: 7, modified, from: 3 }),
            ("ready", FileFrame::Ready { have: 3 }),
            ("entries", FileFrame::Entries(vec![entry])),
            ("data", FileFrame::Data(Bytes::from_static(b"zone 4"))),
            ("done", FileFrame::Done(Some(FileDigest([7; 32])))),
            ("done_listing", FileFrame::Done(None)),
            ("kept", FileFrame::Kept),
            ("refused", FileFrame::Refused("there is no such file".into())),
        ];
        let frames: Vec<_> = frames.iter().map(|(name, frame)| (*name, frame.encode())).collect();
        wire::golden("file_frames.hex", &frames);
    }
}
