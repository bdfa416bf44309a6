//! One documented configuration file per program, with the environment on top.
//!
//! A program lists its [`Key`]s once; from that list come the defaults, the printed file with its comments, and the
//! refusal of anything else. Owns no key itself.

mod load;
mod print;

pub use load::{SettingsError, load};
pub use print::print_default;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted, like `http.listen`; `services[].name` for a field of an array of tables.
    pub path: &'static str,
    /// The default as a TOML value (`"127.0.0.1:8443"`, `true`, `15`), or `None` when unset means something.
    pub default: Option<&'static str>,
    /// What it is, in sentences without a line break.
    pub about: &'static str,
}

impl Key {
    /// The key `path` in a table of keys.
    pub const fn new(path: &'static str, default: Option<&'static str>, about: &'static str) -> Self {
        Self { path, default, about }
    }

    /// Whether this is a field of an array of tables.
    fn is_repeated(&self) -> bool {
        self.path.contains("[]")
    }
}

#[cfg(test)]
mod tests;
