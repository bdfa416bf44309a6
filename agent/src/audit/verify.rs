//! Reads the record back and says where its chains are broken. Changes nothing.

use std::{collections::BTreeMap, io, path::Path};

use gatelodge_proto::Timestamp;

use super::{
    DEEDS, Deed, HEAD, TARGETS,
    chain::{self, Book, Line, Mark, Nothing},
    hash::Hash,
    read_head,
};

/// How much is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Lines about sessions and rules.
    pub deeds: usize,
    /// Lines about targets.
    pub targets: usize,
    /// How far the first goes.
    pub end: Mark,
}

/// The first broken link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, {place}: {fault}", place = place(*line, *at))]
pub struct Broken {
    /// In which file.
    pub file: &'static str,
    /// Which line of the chain; the last one there is when the end is missing.
    pub line: Option<u64>,
    /// When that line was written.
    pub at: Option<Timestamp>,
    /// What is wrong.
    pub fault: Fault,
}

fn place(line: Option<u64>, at: Option<Timestamp>) -> String {
    match (line, at) {
        (Some(line), Some(at)) => format!("entry {line} of {at}"),
        (Some(line), None) => format!("entry {line}"),
        (None, _) => "the whole file".to_owned(),
    }
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The line and the hash that is held of it do not fit.
    #[error("this entry was changed after it was written, or the one after it was")]
    Changed,
    /// It is no line of ours.
    #[error("this entry cannot be read; it was written over")]
    Unreadable,
    /// A number is left out.
    #[error("entries were removed before this one")]
    Gap,
    /// The head, or the end of a session, tells of more.
    #[error("entries were removed after this one")]
    Cut,
    /// The head, or the end of a session, holds another hash.
    #[error("this entry was written over")]
    OtherEnd,
    /// The head is gone or cannot be read, though there are lines.
    #[error("the note that says how far the record goes was removed or written over")]
    NoHead,
}

/// The record cannot be verified, or is broken.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// It cannot be read.
    #[error("the record in the state folder cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first broken link.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Goes along both chains from the first line that is kept to the last.
pub fn verify(folder: &Path) -> Result<Length, Unsound> {
    let bytes = chain::both(folder, DEEDS)?;
    let head = read_head(folder)?;
    let Some(head) = head else {
        return match chain::lines(&bytes).next() {
            None if !folder.join(HEAD).exists() => Ok(Length { deeds: 0, targets: 0, end: Mark::START }),
            _ => Err(Broken { file: HEAD, line: None, at: None, fault: Fault::NoHead }.into()),
        };
    };
    let walked = walk(DEEDS, &bytes, Some(head.kept_after))?;
    let last = walked.last.as_ref();
    let broken =
        |fault| Broken { file: DEEDS.name, line: last.map(|line| line.number), at: last.map(|line| line.at), fault };
    // Lines beyond the head are those that came just before a power cut.
    match walked.hashes.get(&head.end.number) {
        _ if walked.end.number < head.end.number => return Err(broken(Fault::Cut).into()),
        Some(hash) if *hash != head.end.hash => return Err(broken(Fault::OtherEnd).into()),
        Some(_) | None => {}
    }
    let targets = walk(TARGETS, &chain::both(folder, TARGETS)?, None)?;
    for line in chain::lines(&bytes).filter_map(chain::read_line::<Deed>) {
        let Deed::SessionEnded { targets: told, .. } = line.what else { continue };
        let last = targets.last.as_ref();
        let broken = |line, at, fault| Broken { file: TARGETS.name, line, at, fault };
        if told.number > targets.end.number {
            return Err(broken(last.map(|line| line.number), last.map(|line| line.at), Fault::Cut).into());
        }
        if targets.hashes.get(&told.number).is_some_and(|hash| *hash != told.hash) {
            return Err(broken(Some(told.number), None, Fault::OtherEnd).into());
        }
    }
    Ok(Length { deeds: walked.hashes.len(), targets: targets.hashes.len(), end: walked.end })
}

struct Walked {
    hashes: BTreeMap<u64, Hash>,
    end: Mark,
    last: Option<Line<Nothing>>,
}

/// Along one chain. Where nothing says what comes before its first line, that line is taken at its word.
fn walk(book: Book, bytes: &[u8], kept_after: Option<Mark>) -> Result<Walked, Broken> {
    let mut walked = Walked { hashes: BTreeMap::new(), end: kept_after.unwrap_or(Mark::START), last: None };
    for bytes in chain::lines(bytes) {
        let next = walked.end.number + 1;
        let broken = |line: u64, at, fault| Broken { file: book.name, line: Some(line), at, fault };
        let Some(line) = chain::read_line::<Nothing>(bytes) else {
            return Err(broken(next, None, Fault::Unreadable));
        };
        let begins = walked.last.is_none();
        // What was to go when the power was cut may still be there.
        if begins && kept_after.is_some_and(|mark| line.number <= mark.number) {
            continue;
        }
        let before = match (begins, kept_after) {
            (true, None) => Mark { number: line.number.saturating_sub(1), hash: line.before },
            (true, Some(_)) | (false, _) => walked.end,
        };
        if line.number != before.number + 1 {
            return Err(broken(line.number, Some(line.at), Fault::Gap));
        }
        if line.before != before.hash {
            let last = walked.last.as_ref();
            return Err(broken(last.map_or(line.number, |last| last.number), last.map(|last| last.at), Fault::Changed));
        }
        walked.end = Mark { number: line.number, hash: Hash::of(bytes) };
        walked.hashes.insert(line.number, walked.end.hash);
        walked.last = Some(line);
    }
    Ok(walked)
}
