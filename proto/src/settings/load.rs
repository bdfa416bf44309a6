//! Reads file and environment over the defaults, and refuses what no key names.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{Key, print_default};

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: check that it is there and that this user may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("the configuration {path} is not TOML: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// With line and column.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{place} sets `{key}`, which does not exist{}", near(.nearest.as_ref()))]
    UnknownKey {
        /// File and line, or the environment variable.
        place: String,
        /// The key.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A value of the wrong kind.
    #[error("the configuration does not fit: {0}")]
    Value(String),
}

fn near(nearest: Option<&String>) -> String {
    nearest.map_or_else(|| "; remove it".to_owned(), |key| format!("; did you mean `{key}`?"))
}

/// Reads the settings: defaults, then `file` when given, then variables that start with `prefix__`.
///
/// `environment` is a parameter so that tests need not change the process.
pub fn load<T: DeserializeOwned>(
    prefix: &str,
    keys: &[Key],
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, SettingsError> {
    let mut builder = config::Config::builder()
        .add_source(config::File::from_str(&print_default("", prefix, keys), config::FileFormat::Toml));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
        check_file(path, &text, keys)?;
        builder = builder.add_source(config::File::from_str(&text, config::FileFormat::Toml));
    }
    let start = format!("{prefix}__");
    for (name, value) in environment {
        let Some(rest) = name.strip_prefix(&start) else { continue };
        let path = rest.to_ascii_lowercase().replace("__", ".");
        if !keys.iter().any(|key| key.path == path && !key.is_repeated()) {
            return Err(SettingsError::UnknownKey {
                place: format!("the environment variable {name}"),
                nearest: nearest(&path, keys),
                key: path,
            });
        }
        builder =
            builder.set_override(&path, parsed(&value)).map_err(|error| SettingsError::Value(error.to_string()))?;
    }
    builder.build().and_then(config::Config::try_deserialize).map_err(|error| SettingsError::Value(error.to_string()))
}

/// A variable's text as the TOML value it spells, else as text.
fn parsed(value: &str) -> config::Value {
    if let Ok(flag) = value.parse::<bool>() {
        return flag.into();
    }
    value.parse::<i64>().map_or_else(|_| value.to_owned().into(), Into::into)
}

fn check_file(path: &Path, text: &str, keys: &[Key]) -> Result<(), SettingsError> {
    let document = toml_edit::Document::parse(text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        reason: error.to_string().trim().to_owned(),
    })?;
    let mut found = Vec::new();
    collect(document.as_table(), "", &mut found);
    for (key, at) in found {
        if keys.iter().any(|known| known.path == key) {
            continue;
        }
        let line = at.map_or(1, |at| text.get(..at).unwrap_or_default().matches('\n').count() + 1);
        return Err(SettingsError::UnknownKey {
            place: format!("{} line {line}", path.display()),
            nearest: nearest(&key, keys),
            key,
        });
    }
    Ok(())
}

/// Every leaf key under `table`, dotted, with the byte where it stands.
fn collect(table: &dyn toml_edit::TableLike, prefix: &str, found: &mut Vec<(String, Option<usize>)>) {
    for (name, item) in table.iter() {
        let at = table.get_key_value(name).and_then(|(key, _)| key.span()).map(|span| span.start);
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        if let Some(inner) = item.as_table_like() {
            if inner.is_empty() {
                continue;
            }
            collect(inner, &path, found);
        } else if let Some(array) = item.as_array_of_tables() {
            for inner in array {
                collect(inner, &format!("{path}[]"), found);
            }
        } else {
            found.push((path, at));
        }
    }
}

fn nearest(key: &str, keys: &[Key]) -> Option<String> {
    keys.iter()
        .map(|known| (strsim::damerau_levenshtein(key, known.path), known.path))
        .filter(|(distance, known)| *distance <= known.len().max(key.len()) / 2)
        .min()
        .map(|(_, known)| known.to_owned())
}
