//! Recordings of terminals: the list with the organisation's passphrase, and the replay.

use askama::Template;
use gatelodge_proto::Timestamp;

use crate::render::Page;

/// A recording in the list.
#[derive(Debug, Clone)]
pub struct RecordingRow {
    /// Its id, as in its address.
    pub id: String,
    /// On which device.
    pub device_name: String,
    /// Who was at the terminal.
    pub technician: String,
    /// For whom.
    pub organisation: String,
    /// When.
    pub begun_at: Timestamp,
    /// How large.
    pub bytes: u64,
    /// Whether its end is missing.
    pub cut_short: bool,
}

/// [`RECORDINGS`](crate::render::paths::RECORDINGS).
#[derive(Debug, Template)]
#[template(path = "recordings/list.html")]
pub struct Recordings {
    /// The frame.
    pub page: Page,
    /// The newest first.
    pub recordings: Vec<RecordingRow>,
    /// Where older ones begin.
    pub next_cursor: Option<String>,
    /// Whether the organisation has a passphrase.
    pub has_key: bool,
    /// Whether the reader may set it.
    pub may_set: bool,
}

/// [`RECORDING`](crate::render::paths::RECORDING).
#[derive(Debug, Template)]
#[template(path = "recordings/replay.html")]
pub struct Replay {
    /// The frame.
    pub page: Page,
    /// What is replayed.
    pub recording: RecordingRow,
    /// The organisation's wrapped keys, JSON.
    pub keys: String,
}
