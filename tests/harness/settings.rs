//! Settings files of the programs, as TOML with dotted keys, readable by their owner alone.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::Context as _;

/// The lines for these keys and TOML values.
pub(crate) fn lines<K: AsRef<str>>(pairs: impl IntoIterator<Item = (K, String)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        text.extend([key.as_ref(), " = ", &value, "\n"]);
    }
    text
}

/// A TOML string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Secrets may be in it, and a file that others can read is refused.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
