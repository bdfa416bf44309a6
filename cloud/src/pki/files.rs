//! The folder with the keys: written so that a power cut leaves the old file or the new one, read only when nobody
//! else can read it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Why a key file was not used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others can read a private key.
    #[error("{} can be read by other users (mode {mode:o}), so its key may be known to them; if it is not, run: chmod {wanted:o} {}", path.display(), path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it must be.
        wanted: u32,
    },
    /// This user cannot read it.
    #[error("{} cannot be read by the user this program runs as; run: chown $(id -un) {}", path.display(), path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The file is no text.
    #[error("{} is not a PEM file; restore it from the backup", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{} cannot be {what}; check the disk and the rights of `data_dir`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `written`, `made`.
        what: &'static str,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

const FOLDER_MODE: u32 = 0o700;
const SECRET_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;
/// Group and others.
const OTHERS: u32 = 0o077;

/// `keys` in the data folder.
#[derive(Debug)]
pub(super) struct KeyFolder {
    dir: PathBuf,
}

impl KeyFolder {
    pub(super) fn open(data_dir: &Path) -> Result<Self, KeyFileError> {
        let folder = Self { dir: data_dir.join("keys") };
        make_private(&folder.dir)?;
        Ok(folder)
    }

    /// Makes a folder within, or refuses one that others can enter.
    pub(super) fn make(&self, name: &str) -> Result<(), KeyFileError> {
        make_private(&self.path(name))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// A private key; refused when another user could read it too.
    pub(super) fn read_secret(&self, name: &str) -> Result<Zeroizing<String>, KeyFileError> {
        let path = self.path(name);
        let file = File::open(&path).map_err(|source| failure(&path, "read", source))?;
        let mode = file.metadata().map_err(|source| failure(&path, "read", source))?.permissions().mode();
        refuse_exposed(&path, mode, SECRET_MODE)?;
        read(file, &path).map(Zeroizing::new)
    }

    pub(super) fn read_public(&self, name: &str) -> Result<String, KeyFileError> {
        let path = self.path(name);
        read(File::open(&path).map_err(|source| failure(&path, "read", source))?, &path)
    }

    pub(super) fn write_secret(&self, name: &str, bytes: &[u8]) -> Result<(), KeyFileError> {
        self.write(name, bytes, SECRET_MODE)
    }

    pub(super) fn write_public(&self, name: &str, bytes: &[u8]) -> Result<(), KeyFileError> {
        self.write(name, bytes, PUBLIC_MODE)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), KeyFileError> {
        let path = self.path(name);
        let passing = path.with_added_extension("tmp");
        let put = || -> io::Result<()> {
            // A left-over of a crash; its mode could be anything.
            match fs::remove_file(&passing) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&passing)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&passing, &path)?;
            File::open(path.parent().unwrap_or(&self.dir))?.sync_all()
        };
        put().map_err(|source| KeyFileError::Io { path: path.clone(), what: "written", source })
    }
}

/// A secret that the settings name, outside the key folder; refused when other users can read it.
pub(super) fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let file = File::open(path).map_err(|source| failure(path, "read", source))?;
    let mode = file.metadata().map_err(|source| failure(path, "read", source))?.permissions().mode();
    refuse_exposed(path, mode, SECRET_MODE)?;
    read(file, path).map(Zeroizing::new)
}

fn make_private(dir: &Path) -> Result<(), KeyFileError> {
    match fs::metadata(dir) {
        Ok(metadata) => refuse_exposed(dir, metadata.permissions().mode(), FOLDER_MODE),
        Err(error) if error.kind() == io::ErrorKind::NotFound => DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(dir)
            .map_err(|source| KeyFileError::Io { path: dir.to_owned(), what: "made", source }),
        Err(source) => Err(failure(dir, "read", source)),
    }
}

fn read(file: File, path: &Path) -> Result<String, KeyFileError> {
    io::read_to_string(file).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => KeyFileError::NoText { path: path.to_owned() },
        _ => failure(path, "read", source),
    })
}

fn refuse_exposed(path: &Path, mode: u32, wanted: u32) -> Result<(), KeyFileError> {
    let mode = mode & 0o777;
    if mode & OTHERS == 0 { Ok(()) } else { Err(KeyFileError::Exposed { path: path.to_owned(), mode, wanted }) }
}

fn failure(path: &Path, what: &'static str, source: io::Error) -> KeyFileError {
    if source.kind() == io::ErrorKind::PermissionDenied {
        KeyFileError::NotOurs { path: path.to_owned(), source }
    } else {
        KeyFileError::Io { path: path.to_owned(), what, source }
    }
}
