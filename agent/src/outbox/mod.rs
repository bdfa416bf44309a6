//! Messages that wait for the registrar's receipt, on disk. PUBACK does not count: brokers lose acknowledged messages.
//! What was added is there after kill -9 or a power cut; what has its receipt does not come back.

mod log;

use std::{collections::VecDeque, io, path::Path};

use gatelodge_proto::{
    payload::{Correlation, Position},
    topics::{Topic, Up},
};
use serde::{Deserialize, Serialize};

use log::{Log, Record};

/// Results and events kept at most; the oldest go first.
pub const HISTORY: usize = 1000;

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where to, as text.
    topic: String,
    /// Its place in the device's history.
    pub position: Position,
    /// JSON.
    pub payload: String,
}

impl Entry {
    /// Where to.
    pub fn topic(&self) -> Option<Topic> {
        self.topic.parse().ok()
    }

    /// What the receipt will repeat.
    pub fn correlation(&self) -> Correlation {
        self.position.into()
    }

    fn kind(&self) -> Option<Up> {
        match self.topic() {
            Some(Topic::Up(_, kind)) => Some(kind),
            Some(Topic::Down(..)) | None => None,
        }
    }
}

/// The waiting messages, in their order.
#[derive(Debug)]
pub struct Outbox {
    log: Log,
    entries: VecDeque<Entry>,
}

impl Outbox {
    /// Opens the outbox in a state folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let (log, records) = Log::open(folder)?;
        let mut entries = VecDeque::new();
        for record in records {
            match record {
                Record::Added(entry) => entries.push_back(entry),
                Record::Done(correlation) => entries.retain(|entry: &Entry| entry.correlation() != correlation),
            }
        }
        let mut outbox = Self { log, entries };
        outbox.tidy()?;
        Ok(outbox)
    }

    /// Adds a message; when this returns it is on disk. A newer report or renewal takes the place of the older one.
    pub fn add(&mut self, topic: Topic, position: Position, payload: Vec<u8>) -> io::Result<()> {
        self.add_all(vec![(topic, position, payload)])
    }

    /// Adds messages by one sync; when this returns they are all on disk.
    pub fn add_all(&mut self, messages: Vec<(Topic, Position, Vec<u8>)>) -> io::Result<()> {
        let mut records = Vec::with_capacity(messages.len());
        for (topic, position, payload) in messages {
            let payload =
                String::from_utf8(payload).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            records.push(Record::Added(Entry { topic: topic.to_string(), position, payload }));
        }
        self.log.append_all(&records)?;
        for record in records {
            let Record::Added(entry) = record else { continue };
            if let Some(kind @ (Up::Report | Up::Renew)) = entry.kind() {
                self.drop_where(|older| older.kind() == Some(kind))?;
            }
            self.entries.push_back(entry);
        }
        while self.entries.len() > HISTORY + 2 {
            let oldest = self.entries.iter().position(|entry| matches!(entry.kind(), Some(Up::Result | Up::Event)));
            let Some(oldest) = oldest.and_then(|place| self.entries.remove(place)) else { break };
            self.log.append(&Record::Done(oldest.correlation()))?;
        }
        self.tidy()
    }

    /// The registrar has it; whether it waited at all.
    pub fn receipt(&mut self, correlation: Correlation) -> io::Result<bool> {
        let before = self.entries.len();
        self.drop_where(|entry| entry.correlation() == correlation)?;
        self.tidy()?;
        Ok(self.entries.len() < before)
    }

    /// Everything that waits, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes of messages wait.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.payload.len()).sum()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets everything, as when the owner changes.
    pub fn clear(&mut self) -> io::Result<()> {
        self.entries.clear();
        self.log.rewrite(&[])
    }

    fn drop_where(&mut self, unwanted: impl Fn(&Entry) -> bool) -> io::Result<()> {
        let gone: Vec<Correlation> =
            self.entries.iter().filter(|entry| unwanted(entry)).map(Entry::correlation).collect();
        self.entries.retain(|entry| !unwanted(entry));
        gone.into_iter().try_for_each(|correlation| self.log.append(&Record::Done(correlation)))
    }

    /// Writes the file anew once most of it is history.
    fn tidy(&mut self) -> io::Result<()> {
        if self.log.records() > 2 * self.entries.len() + 64 {
            self.log.rewrite(self.entries.make_contiguous())?;
        }
        if self.entries.is_empty() {
            self.log.rest();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
