//! One file in which each line holds the hash of the line before. Only appended to, each append on disk before it
//! returns; when it grows too long its older half goes, and the chain goes on. Knows nothing of what the lines say.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use gatelodge_proto::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::hash::Hash;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<T> {
    /// Counts from 1, also over lines that are no longer kept.
    pub number: u64,
    /// When, by the device's clock.
    pub at: Timestamp,
    /// Of the line before; zeros before the first.
    pub before: Hash,
    /// What.
    #[serde(flatten)]
    pub what: T,
}

/// How far a chain goes: its last line and that line's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The line's number; 0 before the first.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Mark {
    /// Before the first line.
    pub const START: Self = Self { number: 0, hash: Hash::START };
}

/// Which file, and how long it may grow before its older half goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Book {
    pub(super) name: &'static str,
    pub(super) older: &'static str,
    /// Bytes of each of the two files.
    pub(super) most: u64,
}

/// A chain that is written to.
#[derive(Debug)]
pub(super) struct Chain {
    folder: PathBuf,
    book: Book,
    end: Mark,
    size: u64,
}

impl Chain {
    /// Goes on where the file ends, or after `known` where that is further: the file may have been removed. A last line
    /// that a power cut tore off was never promised to anybody and goes.
    pub(super) fn open(folder: &Path, book: Book, known: Mark) -> io::Result<Self> {
        let path = folder.join(book.name);
        let mut bytes = read(&path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            let file = File::options().write(true).open(&path)?;
            file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
            file.sync_all()?;
            bytes.truncate(whole);
        }
        let last = match lines(&bytes).last() {
            Some(line) => mark(line),
            None => lines(&read(&folder.join(book.older))?).last().map_or(Mark::START, mark),
        };
        // What was held of the last line stands above what is found there: a change of it stays to be seen.
        let end = if last.number > known.number { last } else { known };
        Ok(Self { folder: folder.to_owned(), book, end, size: u64::try_from(whole).unwrap_or(u64::MAX) })
    }

    /// Where it ends.
    pub(super) const fn end(&self) -> Mark {
        self.end
    }

    /// Whether so many bytes more are too many for one file, so that its older half goes first.
    pub(super) const fn is_full(&self) -> bool {
        self.size >= self.book.most
    }

    /// The first line that is kept once the older half has gone.
    pub(super) fn first_after_turning(&self) -> io::Result<Mark> {
        Ok(begins(&read(&self.folder.join(self.book.name))?).unwrap_or(self.end))
    }

    /// Lets the older half go.
    pub(super) fn turn(&mut self) -> io::Result<()> {
        std::fs::rename(self.folder.join(self.book.name), self.folder.join(self.book.older))?;
        self.size = 0;
        File::open(&self.folder)?.sync_all()
    }

    /// Appends lines by one write and one sync.
    pub(super) fn append<T: Serialize>(&mut self, at: Timestamp, whats: impl IntoIterator<Item = T>) -> io::Result<()> {
        let (mut bytes, mut end) = (Vec::new(), self.end);
        for what in whats {
            let number = end.number + 1;
            let line = serde_json::to_vec(&Line { number, at, before: end.hash, what })?;
            end = Mark { number, hash: Hash::of(&line) };
            bytes.extend(line);
            bytes.push(b'\n');
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let path = self.folder.join(self.book.name);
        let made = self.size == 0;
        let mut file = File::options().create(true).append(true).mode(0o600).open(path)?;
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            // Half a line must not stand before the next one.
            let _ = file.set_len(self.size);
            return Err(error);
        }
        if made {
            File::open(&self.folder)?.sync_all()?;
        }
        self.size += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.end = end;
        Ok(())
    }

    /// Removes every line; the next one goes on from the last.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        for name in [self.book.older, self.book.name] {
            match std::fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.size = 0;
        File::open(&self.folder)?.sync_all()
    }
}

/// The bytes of both halves, the older first.
pub(super) fn both(folder: &Path, book: Book) -> io::Result<Vec<u8>> {
    let mut bytes = read(&folder.join(book.older))?;
    bytes.extend(read(&folder.join(book.name))?);
    Ok(bytes)
}

/// The lines, without what a power cut tore off.
pub(super) fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// What a line says, if it can be read.
pub(super) fn read_line<T: DeserializeOwned>(line: &[u8]) -> Option<Line<T>> {
    serde_json::from_slice(line).ok()
}

/// What comes before the first line of a file.
fn begins(bytes: &[u8]) -> Option<Mark> {
    let first = read_line::<Nothing>(lines(bytes).next()?)?;
    Some(Mark { number: first.number.saturating_sub(1), hash: first.before })
}

/// A line that cannot be read is held by the next one all the same: what was done to it stays to be seen.
fn mark(line: &[u8]) -> Mark {
    Mark { number: read_line::<Nothing>(line).map_or(0, |line| line.number), hash: Hash::of(line) }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Nothing {}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}
