//! Small files that are either the old or the new, and that only their owner reads.

use std::{
    fs::{File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use super::StateError;

const OWNER_ONLY: u32 = 0o600;

pub(super) fn read_json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>, StateError> {
    let path = folder.join(name);
    let io = |source| StateError::Io { path: path.clone(), verb: "read", source };
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io)?,
    };
    let mode = std::fs::metadata(&path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StateError::Exposed { path, mode });
    }
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(StateError::Damaged { path, reason: error.to_string() }),
    }
}

pub(super) fn write_json<T: Serialize>(folder: &Path, name: &str, value: &T) -> Result<(), StateError> {
    let path = folder.join(name);
    let bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| StateError::Damaged { path: path.clone(), reason: error.to_string() })?;
    replace(folder, name, &bytes).map_err(|source| StateError::Io { path, verb: "written", source })
}

pub(super) fn remove(folder: &Path, name: &str) -> Result<(), StateError> {
    let path = folder.join(name);
    let gone = match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.and_then(|()| File::open(folder)?.sync_all()),
    };
    gone.map_err(|source| StateError::Io { path, verb: "removed", source })
}

/// Writes beside the old file and takes its place: after a power cut there is the old or the new one.
pub(crate) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.tmp"));
    // A leftover of an earlier cut may have any mode; it is never read, and never written into.
    if let Err(error) = std::fs::remove_file(&temporary)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = File::options().create_new(true).write(true).mode(OWNER_ONLY).open(&temporary)?;
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}
