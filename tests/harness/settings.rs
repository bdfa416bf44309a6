//! Settings files of the programs, as TOML with dotted keys.

/// The lines for these keys and TOML values.
pub(crate) fn lines<K: AsRef<str>>(pairs: impl IntoIterator<Item = (K, String)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        text.extend([key.as_ref(), " = ", &value, "\n"]);
    }
    text
}

/// A TOML string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
