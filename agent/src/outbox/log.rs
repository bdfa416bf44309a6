//! The file behind the outbox: one JSON record a line, only ever appended to, each append on disk before it returns.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use gatelodge_proto::payload::Correlation;
use serde::{Deserialize, Serialize};

use super::Entry;
use crate::state::replace_file;

const NAME: &str = "outbox.log";

/// One line.
#[derive(Debug)]
pub(super) enum Record {
    Added(Entry),
    Done(Correlation),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Added(Entry),
    Done(String),
}

#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    /// Open while something waits: most of the time a device has nothing to say.
    file: Option<File>,
    records: usize,
}

impl Log {
    /// Opens or makes the file. A last line that a power cut tore off was never promised to anybody and is removed.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<Record>)> {
        let path = folder.join(NAME);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let records: Vec<Record> = text[..whole].split(|byte| *byte == b'\n').filter_map(read).collect();
        let file = open_file(&path)?;
        if whole < text.len() {
            tracing::warn!(bytes = text.len() - whole, "outbox ends in a torn record");
            file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
            file.sync_all()?;
        }
        // The file's name must survive a cut, too.
        File::open(folder)?.sync_all()?;
        Ok((Self { folder: folder.to_owned(), file: None, records: records.len() }, records))
    }

    /// Appends a record; it is on disk when this returns.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        self.append_all(std::slice::from_ref(record))
    }

    /// Appends records by one write and one sync; all are on disk when this returns.
    pub(super) fn append_all(&mut self, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend(write(record)?);
        }
        let file = match &mut self.file {
            Some(file) => file,
            closed @ None => closed.insert(open_file(&self.folder.join(NAME))?),
        };
        file.write_all(&bytes)?;
        file.sync_data()?;
        self.records += records.len();
        Ok(())
    }

    /// Starts the file anew with these entries only.
    pub(super) fn rewrite(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for entry in entries {
            bytes.extend(write(&Record::Added(entry.clone()))?);
        }
        replace_file(&self.folder, NAME, &bytes)?;
        self.file = None;
        self.records = entries.len();
        Ok(())
    }

    /// Nothing waits: the file is closed until there is something to say again.
    pub(super) fn rest(&mut self) {
        self.file = None;
    }

    pub(super) const fn records(&self) -> usize {
        self.records
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).mode(0o600).open(path)
}

fn read(line: &[u8]) -> Option<Record> {
    if line.is_empty() {
        return None;
    }
    match serde_json::from_slice(line) {
        Ok(Line::Added(entry)) => Some(Record::Added(entry)),
        Ok(Line::Done(correlation)) => correlation.parse().ok().map(Record::Done),
        Err(error) => {
            tracing::warn!(%error, "outbox has an unreadable record");
            None
        }
    }
}

fn write(record: &Record) -> io::Result<Vec<u8>> {
    let line = match record {
        Record::Added(entry) => Line::Added(entry.clone()),
        Record::Done(correlation) => Line::Done(correlation.to_string()),
    };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    Ok(bytes)
}
