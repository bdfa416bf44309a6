//! Reads the file and the environment, and says which line is wrong and what was probably meant.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use toml_edit::{Document, DocumentMut, Item, Table, TableLike, Value};

use super::{
    Config,
    keys::{KEYS, Key, Kind, SERVICE_KEYS, SERVICES_WORDS},
};

/// `GATELODGE_AGENT__CLOUD__URL` sets `cloud.url`.
const ENV_PREFIX: &str = "GATELODGE_AGENT__";

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("the settings file {path} cannot be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML.
    #[error("{place}: this is not TOML: {reason}")]
    Syntax {
        /// File and line.
        place: String,
        /// What the parser says.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{place}: there is no key `{key}`{}", nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownKey {
        /// File and line, or the variable.
        place: String,
        /// As written.
        key: String,
        /// The most similar key.
        nearest: Option<String>,
    },
    /// A value that does not fit.
    #[error("{place}: {reason}")]
    Value {
        /// File and line, or the file.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "write one with `gatelodge-agent config --print-default`, or name another with --config"
            }
            Self::Syntax { .. } | Self::UnknownKey { .. } | Self::Value { .. } => {
                "compare with `gatelodge-agent config --print-default`"
            }
        }
    }
}

/// Reads `file`, when given, under the variables in `environment`.
pub fn read(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let mut settings = match file {
        Some(path) => read_file(path)?,
        None => DocumentMut::new(),
    };
    for (name, text) in environment {
        if let Some(path) = name.strip_prefix(ENV_PREFIX) {
            overlay(&mut settings, &name, &path.to_lowercase().replace("__", "."), &text)?;
        }
    }
    for key in KEYS {
        if let Some(default) = key.default {
            fill_in(&mut settings, key, default)?;
        }
    }
    for section in ["cloud", "identity", "enrolment"] {
        settings.entry(section).or_insert_with(toml_edit::table);
    }
    let place = || file.map_or_else(|| "the environment".to_owned(), |path| path.display().to_string());
    let config: Config = toml_edit::de::from_document(settings).map_err(|error| {
        let reason = error.message().trim().to_owned();
        ConfigError::Value { place: place(), reason: missing_url(&reason).unwrap_or(reason) }
    })?;
    check(&config).map_err(|reason| ConfigError::Value { place: place(), reason })?;
    Ok(config)
}

fn missing_url(reason: &str) -> Option<String> {
    reason
        .contains("missing field `url`")
        .then(|| "cloud.url is not set: the agent does not know which cloud it belongs to".to_owned())
}

fn check(config: &Config) -> Result<(), String> {
    if config.cloud.url.scheme() != "https" {
        return Err(format!("cloud.url must start with https://, not {}", config.cloud.url.scheme()));
    }
    if !config.local_page.lan && !config.local_page.listen.ip().is_loopback() {
        return Err(format!(
            "local_page.listen is {}, which others on the network reach; set local_page.lan = true to allow that",
            config.local_page.listen
        ));
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<DocumentMut, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let place = |offset: Option<usize>| match offset {
        Some(offset) => format!("{}:{}", path.display(), line(&text, offset)),
        None => path.display().to_string(),
    };
    let document = Document::parse(text.as_str()).map_err(|error| ConfigError::Syntax {
        place: place(error.span().map(|span| span.start)),
        reason: error.message().trim().to_owned(),
    })?;
    refuse_unknown(document.as_table(), "", &place)?;
    Ok(document.into_mut())
}

fn line(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1)
}

fn refuse_unknown(table: &Table, prefix: &str, place: &dyn Fn(Option<usize>) -> String) -> Result<(), ConfigError> {
    for (name, item) in table {
        let at = || place(table.key(name).and_then(toml_edit::Key::span).map(|span| span.start));
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        if path == "services" {
            refuse_unknown_of_services(item, place)?;
        } else if KEYS.iter().any(|key| key.path == path) {
        } else if KEYS.iter().any(|key| key.path.starts_with(&format!("{path}."))) {
            match item {
                Item::Table(inner) => refuse_unknown(inner, &path, place)?,
                Item::Value(Value::InlineTable(inner)) => refuse_unknown(&inner.clone().into_table(), &path, place)?,
                _ => {
                    return Err(ConfigError::Value {
                        place: at(),
                        reason: format!("`{path}` is a section, write it as [{path}]"),
                    });
                }
            }
        } else {
            return Err(ConfigError::UnknownKey { place: at(), nearest: nearest(&path), key: path });
        }
    }
    Ok(())
}

fn refuse_unknown_of_services(item: &Item, place: &dyn Fn(Option<usize>) -> String) -> Result<(), ConfigError> {
    let Item::ArrayOfTables(entries) = item else { return Ok(()) };
    for entry in entries {
        for (name, _) in entry {
            if !SERVICE_KEYS.contains(&name) {
                return Err(ConfigError::UnknownKey {
                    place: place(entry.key(name).and_then(toml_edit::Key::span).map(|span| span.start)),
                    key: format!("services.{name}"),
                    nearest: closest(name, SERVICE_KEYS.iter().copied()).map(|near| format!("services.{near}")),
                });
            }
        }
    }
    Ok(())
}

fn nearest(path: &str) -> Option<String> {
    closest(path, KEYS.iter().map(|key| key.path).chain(["services"]))
}

fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7)
        .map(|(_, candidate)| candidate.to_owned())
}

/// Puts one variable in.
fn overlay(settings: &mut DocumentMut, variable: &str, path: &str, text: &str) -> Result<(), ConfigError> {
    let Some(key) = KEYS.iter().find(|key| key.path == path) else {
        return Err(ConfigError::UnknownKey {
            place: format!("the variable {variable}"),
            key: path.to_owned(),
            nearest: nearest(path).map(|near| format!("{ENV_PREFIX}{}", near.to_uppercase().replace('.', "__"))),
        });
    };
    let bad = |wanted: &str| ConfigError::Value {
        place: format!("the variable {variable}"),
        reason: format!("`{text}` is not {wanted}"),
    };
    let value: Value = match key.kind {
        Kind::Text => text.into(),
        Kind::Number => text.parse::<i64>().map_err(|_| bad("a number"))?.into(),
        Kind::Flag => text.parse::<bool>().map_err(|_| bad("true or false"))?.into(),
        Kind::List => text.parse::<Value>().ok().filter(Value::is_array).ok_or_else(|| bad("a list like [\"a\"]"))?,
    };
    put(settings, path, value);
    Ok(())
}

fn fill_in(settings: &mut DocumentMut, key: &Key, default: &str) -> Result<(), ConfigError> {
    let present = match key.path.split_once('.') {
        Some((section, name)) => {
            settings.get(section).and_then(Item::as_table_like).is_some_and(|table| table.contains_key(name))
        }
        None => settings.contains_key(key.path),
    };
    if !present {
        let value = default.parse::<Value>().map_err(|error| ConfigError::Value {
            place: "the built-in defaults".into(),
            reason: error.message().to_owned(),
        })?;
        put(settings, key.path, value);
    }
    Ok(())
}

fn put(settings: &mut DocumentMut, path: &str, value: Value) {
    let Some((section, name)) = path.split_once('.') else {
        settings.insert(path, Item::Value(value));
        return;
    };
    let entry = settings.entry(section).or_insert_with(toml_edit::table);
    if let Some(table) = entry.as_table_like_mut() {
        let table: &mut dyn TableLike = table;
        table.insert(name, Item::Value(value));
    }
}

/// The whole file with its defaults, as comments where there is none.
pub fn print_default() -> String {
    let mut out = String::from(
        "# Settings of gatelodge-agent. Every key can also be set from the environment:\n\
         # GATELODGE_AGENT__CLOUD__URL sets cloud.url.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (group, name) = key.path.split_once('.').unwrap_or(("", key.path));
        if group != section {
            let _ = write!(out, "\n[{group}]\n");
            section = group;
        }
        let _ = writeln!(out, "# {}", key.words);
        let _ = match key.default {
            Some(default) => writeln!(out, "{name} = {default}"),
            None => writeln!(out, "# {name} = {}", key.example),
        };
    }
    out.push('\n');
    out.push_str(SERVICES_WORDS);
    out
}
