//! The device's own record of who was let in and what they opened, on its disk and out of the cloud's reach: two hash
//! chains, one of sessions and rules, one of their targets. The customer reads it on the local page. Never decides anything.

mod chain;
mod hash;
mod model;
mod story;
mod verify;

pub use chain::{Line, Mark};
pub use hash::Hash;
pub use model::{Deed, TargetDeed, TargetRow, Visit};
pub use story::{Chapter, End, Stay, Target, story};
pub use verify::{Broken, Fault, Length, Unsound, verify};

use std::{
    io,
    path::{Path, PathBuf},
};

use gatelodge_proto::{Timestamp, payload::Happening};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::{
    chain::{Book, Chain},
    model::Told,
};
use crate::state::replace_file;

/// Sessions and rules: some thousand visits.
const DEEDS: Book = Book { name: "audit.log", older: "audit.older.log", most: 1024 * 1024 };
/// Their targets, apart, so that whoever opens many makes nobody's visit disappear.
const TARGETS: Book = Book { name: "targets.log", older: "targets.older.log", most: 4 * 1024 * 1024 };
/// How far the chain of deeds goes, apart from it: without it nobody would see that its end was cut off.
const HEAD: &str = "audit.head.json";

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The last line.
    end: Mark,
    /// What comes before the first line that is still kept.
    kept_after: Mark,
}

/// The record, written to. One at a time: the agent's.
#[derive(Debug)]
pub(crate) struct Audit {
    folder: PathBuf,
    deeds: Chain,
    targets: Chain,
    kept_after: Mark,
}

impl Audit {
    /// Opens the record in a state folder.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let head = read_head(folder)?;
        let known = head.map_or(Mark::START, |head| head.end);
        let deeds = Chain::open(folder, DEEDS, known)?;
        let ends = read_all::<Deed>(folder, DEEDS)?;
        let told = ends
            .iter()
            .rev()
            .find_map(|line| if let Deed::SessionEnded { targets, .. } = line.what { Some(targets) } else { None });
        let targets = Chain::open(folder, TARGETS, told.unwrap_or(Mark::START))?;
        let kept_after = head.map_or(Mark::START, |head| head.kept_after);
        let audit = Self { folder: folder.to_owned(), deeds, targets, kept_after };
        // The lines come before the head: after a power cut it may lack the last ones.
        audit.keep_head()?;
        Ok(audit)
    }

    /// Writes down one thing; it is on disk when this returns.
    pub(crate) fn note(&mut self, at: Timestamp, deed: Deed) -> io::Result<()> {
        if self.deeds.is_full() {
            // First what is promised, then what goes.
            self.kept_after = self.deeds.first_after_turning()?;
            self.keep_head()?;
            self.deeds.turn()?;
        }
        self.deeds.append(at, [deed])?;
        self.keep_head()
    }

    /// Writes down what sessions have told, in its order; it is on disk when this returns.
    pub(crate) fn told(&mut self, at: Timestamp, happened: impl IntoIterator<Item = Happening>) -> io::Result<()> {
        let mut rows = Vec::new();
        for told in happened.into_iter().map(Told::from) {
            match told {
                Told::Targets(more) => rows.extend(more),
                Told::Deed(deed) => self.note(at, deed)?,
                Told::End { session, reason, bytes_up, bytes_down } => {
                    self.opened(at, std::mem::take(&mut rows))?;
                    let targets = self.targets.end();
                    self.note(at, Deed::SessionEnded { session, reason, bytes_up, bytes_down, targets })?;
                }
                Told::Nothing => {}
            }
        }
        self.opened(at, rows)
    }

    fn opened(&mut self, at: Timestamp, rows: Vec<TargetRow>) -> io::Result<()> {
        if self.targets.is_full() {
            self.targets.turn()?;
        }
        self.targets.append(at, rows)
    }

    /// Erases what the owner before has no longer a say in. That something was there stays to be seen.
    pub(crate) fn forget(&mut self, at: Timestamp) -> io::Result<()> {
        self.kept_after = self.deeds.end();
        self.keep_head()?;
        self.deeds.forget()?;
        self.targets.forget()?;
        self.note(at, Deed::Erased)
    }

    fn keep_head(&self) -> io::Result<()> {
        let head = Head { end: self.deeds.end(), kept_after: self.kept_after };
        replace_file(&self.folder, HEAD, &serde_json::to_vec(&head)?)
    }
}

/// What is on record, oldest first; what cannot be read is left out, and [`verify`] names it. Beside a running agent, too.
pub fn deeds(folder: &Path) -> io::Result<Vec<Line<Deed>>> {
    read_all(folder, DEEDS)
}

/// Their targets, oldest first.
pub fn targets(folder: &Path) -> io::Result<Vec<Line<TargetRow>>> {
    read_all(folder, TARGETS)
}

fn read_all<T: DeserializeOwned>(folder: &Path, book: Book) -> io::Result<Vec<Line<T>>> {
    let bytes = chain::both(folder, book)?;
    Ok(chain::lines(&bytes).filter_map(chain::read_line).collect())
}

fn read_head(folder: &Path) -> io::Result<Option<Head>> {
    match std::fs::read(folder.join(HEAD)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // One that cannot be read says nothing; that it was there is for `verify` to tell.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
