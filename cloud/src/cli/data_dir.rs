//! The data folder: made private, held by one process, with the addresses this process listens on.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::wiring::Addresses;

/// What could be wrong with the data folder.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be made or written.
    #[error(
        "the data folder {path} cannot be used: make it and give it to the user this program runs as, or set `data_dir`"
    )]
    Unusable {
        /// Which folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// Another process holds it.
    #[error("another gatelodge-cloud runs on the data folder {0}: stop it first, or set another `data_dir`")]
    Held(PathBuf),
}

/// A data folder held by this process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _held: File,
}

impl DataDir {
    /// Makes the folder (0700) if need be and holds it until this is dropped.
    pub fn hold(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: path.to_owned(), source };
        Self::make(path)?;
        let held = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        rustix::fs::flock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            if error == rustix::io::Errno::WOULDBLOCK {
                DataDirError::Held(path.to_owned())
            } else {
                unusable(error.into())
            }
        })?;
        let dir = Self { path: path.to_owned(), _held: held };
        // Addresses of a process that is gone would lead astray.
        match std::fs::remove_file(dir.addresses()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(error)),
            _ => Ok(dir),
        }
    }

    /// Makes the folder (0700) if need be, for verbs that run beside a serving process.
    pub fn make(path: &Path) -> Result<(), DataDirError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| DataDirError::Unusable { path: path.to_owned(), source })
    }

    fn addresses(&self) -> PathBuf {
        self.path.join("addresses.json")
    }

    /// Tells programs on this machine where this process listens; whole or not at all.
    pub fn announce(&self, addresses: &Addresses) -> Result<(), DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: self.path.clone(), source };
        let partial = self.path.join("addresses.json.new");
        let mut file = File::create(&partial).map_err(unusable)?;
        file.write_all(&gatelodge_proto::payload::encode(addresses)).map_err(unusable)?;
        drop(file);
        std::fs::rename(&partial, self.addresses()).map_err(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_holds_it_and_old_addresses_are_gone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = DataDir::hold(&path).unwrap();
        let addresses = Addresses { https: "127.0.0.1:1".parse().unwrap(), loopback: None, mqtt: None };
        first.announce(&addresses).unwrap();
        assert!(matches!(DataDir::hold(&path), Err(DataDirError::Held(_))));
        assert!(path.join("addresses.json").exists());
        drop(first);
        let _second = DataDir::hold(&path).unwrap();
        assert!(!path.join("addresses.json").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = DataDir::hold(Path::new("/proc/gatelodge")).unwrap_err();
        assert!(error.to_string().starts_with("the data folder /proc/gatelodge cannot be used"), "{error}");
    }
}
