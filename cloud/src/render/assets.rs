//! The style sheet, the script and the mark, compiled in; in debug builds read from the source tree.

use std::{borrow::Cow, fmt::Write as _, sync::OnceLock};

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets"]
struct Assets;

/// One file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub media_type: String,
    /// The first 16 hex digits of its SHA-256.
    pub hash: String,
}

/// The file of this name.
pub fn asset(name: &str) -> Option<Asset> {
    let file = Assets::get(name)?;
    let mut hash = String::with_capacity(16);
    for byte in &file.metadata.sha256_hash()[..8] {
        let _ = write!(hash, "{byte:02x}");
    }
    Some(Asset { media_type: file.metadata.mimetype().to_owned(), bytes: file.data, hash })
}

/// Where pages find the file: its name carries its hash, so browsers may keep it for ever.
pub fn asset_path(name: &str) -> String {
    static PATHS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    if cfg!(debug_assertions) {
        return hashed(name);
    }
    let paths = PATHS.get_or_init(|| Assets::iter().map(|name| (name.to_string(), hashed(&name))).collect());
    paths.iter().find(|(known, _)| known == name).map(|(_, path)| path.clone()).unwrap_or_default()
}

fn hashed(name: &str) -> String {
    asset(name).map(|asset| format!("/assets/{}-{name}", asset.hash)).unwrap_or_default()
}
