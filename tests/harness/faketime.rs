//! Another time for one program (libfaketime): its calendar is shifted, its monotonic clock is not.

use std::{path::PathBuf, process::Command};

use crate::skip;

/// The library, found.
#[derive(Debug, Clone)]
pub struct Faketime(PathBuf);

impl Faketime {
    /// Where Debian puts it; `None` when this machine has none (noted, and refused in CI).
    pub fn find(without: &str) -> anyhow::Result<Option<Self>> {
        let found = std::fs::read_dir("/usr/lib")?
            .flatten()
            .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
            .find(|library| library.is_file());
        if found.is_none() {
            skip::skip(&format!("libfaketime is not installed: {without} did not run"))?;
        }
        Ok(found.map(Self))
    }

    /// Has `command` live at that distance, like `-56y` or `+70d`.
    pub fn dress(&self, command: &mut Command, shift: &str) {
        command.env("LD_PRELOAD", &self.0).env("FAKETIME", shift).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
