//! The words of recordings.

use gatelodge_proto::{FlowId, SessionId, Timestamp};

/// A recording as its readers see it before they replay it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its id: that of the terminal's flow.
    pub id: FlowId,
    /// Of which session.
    pub session: SessionId,
    /// On which device, by the name people use.
    pub device_name: String,
    /// Who was at the terminal.
    pub technician: String,
    /// For whom.
    pub organisation: String,
    /// When the terminal was opened.
    pub begun_at: Timestamp,
    /// When the cloud got it.
    pub taken_at: Timestamp,
    /// Encrypted.
    pub bytes: u64,
    /// Whether the device or its program stopped before the terminal's end.
    pub cut_short: bool,
}
