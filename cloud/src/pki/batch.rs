//! Keys of factory batches: one per production run, from which the secret of each unit and of its label follows.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use gatelodge_proto::{
    Random, enrol,
    identity::{ClaimSecret, IdCode, MacAddress, SerialNumber},
};
use zeroize::Zeroizing;

use super::{PkiError, files::KeyFolder};

/// The key of one batch.
pub struct BatchKey(Zeroizing<Vec<u8>>);

/// The text cannot name a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a batch; use 1 to 40 lower-case letters, digits and dashes, like 2026-05-a")]
pub struct InvalidBatchName(String);

impl BatchKey {
    /// The secret that the factory puts into one unit.
    pub fn factory_secret(&self, id_code: IdCode, serial: &SerialNumber, mac: MacAddress) -> [u8; 32] {
        enrol::factory_secret(&self.0, id_code, serial, mac)
    }

    /// The secret in the QR of one unit's label.
    pub fn label_secret(&self, id_code: IdCode, serial: &SerialNumber, mac: MacAddress) -> ClaimSecret {
        enrol::label_secret(&self.0, id_code, serial, mac)
    }
}

impl std::fmt::Debug for BatchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BatchKey(hidden)")
    }
}

fn file(name: &str) -> Result<String, InvalidBatchName> {
    let sound = (1..=40).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-');
    if sound { Ok(format!("batches/{name}.key")) } else { Err(InvalidBatchName(name.chars().take(60).collect())) }
}

pub(super) fn make(folder: &KeyFolder, name: &str, random: &Random) -> Result<PathBuf, PkiError> {
    let file = file(name)?;
    if !folder.exists(&file) {
        folder.make("batches")?;
        folder.write_secret(&file, format!("{}\n", BASE64.encode(random.bytes::<32>())).as_bytes())?;
    }
    Ok(folder.path(&file))
}

pub(super) fn read(folder: &KeyFolder, name: &str) -> Result<Option<BatchKey>, PkiError> {
    let Ok(file) = file(name) else { return Ok(None) };
    if !folder.exists(&file) {
        return Ok(None);
    }
    let text = folder.read_secret(&file)?;
    match BASE64.decode(text.trim()) {
        Ok(key) if key.len() >= 32 => Ok(Some(BatchKey(Zeroizing::new(key)))),
        _ => Err(PkiError::Broken { path: folder.path(&file), reason: "it is not 32 bytes in base64".into() }),
    }
}
