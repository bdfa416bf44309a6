//! The receipts of a simulated fleet, one JSON line each, written after the receipt has arrived: what a cloud has
//! promised to have, to be held against its database. Several processes may write to one file.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use anyhow::Context as _;
use gatelodge_proto::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kind of a second receipt: a message that was offered twice has two.
pub const AGAIN: &str = "again";

/// One receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipted {
    /// Whose.
    pub device: DeviceId,
    /// The start of the agent that sent the message.
    pub boot: Uuid,
    /// The message's number within that start.
    pub seq: u64,
    /// The last word of the message's topic, like `report`; [`AGAIN`] for a receipt that came before.
    pub kind: String,
    /// When the receipt arrived.
    pub when: Timestamp,
    /// Why the registrar could not use the message, when it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<String>,
}

/// The file, open for more.
#[derive(Debug)]
pub struct Ledger(File);

impl Ledger {
    /// Opens or makes it; what is in it stays.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::options().create(true).append(true).open(path).map(Self)
    }

    /// Writes one line, in one piece.
    pub fn note(&self, receipt: &Receipted) -> io::Result<()> {
        let mut line = serde_json::to_vec(receipt)?;
        line.push(b'\n');
        (&self.0).write_all(&line)
    }
}

/// Every line of a ledger.
pub fn read(path: &Path) -> anyhow::Result<Vec<Receipted>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
    };
    text.lines().enumerate().map(line).collect()
}
