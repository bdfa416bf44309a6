//! What the agent keeps on disk: key and certificate in one file, the registration, the boot counter. One agent at a
//! time, nobody else reads it, and a power cut leaves the old or the new, never half.

mod boot;
mod certificate;
mod file;
mod key;
mod registration;

pub use boot::Boot;
pub use certificate::{CertificateError, Leaf};
pub(crate) use file::replace as replace_file;
pub use key::{KeyError, PrivateKey};
pub use registration::Registration;

use std::{
    fs::File,
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use gatelodge_proto::{Timestamp, enrol::Credentials, payload::DeviceState};
use serde::{Deserialize, Serialize};

use crate::consent::{Book, Pin};

const HOLDING: &str = "credentials.json";
const REGISTRATION: &str = "registration.json";
const BOOT: &str = "boot.json";
const HOUR: &str = "hour.json";
const PIN: &str = "pinned_key.json";
const BOOK: &str = "consent.json";

/// The state folder, locked for this process.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

/// What this device holds of its enrolment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Holding {
    /// A key without a certificate yet.
    Key {
        /// Born here.
        key: PrivateKey,
    },
    /// Key and certificate.
    Enrolled {
        /// Born here.
        key: PrivateKey,
        /// What the cloud gave for it.
        credentials: Box<Credentials>,
    },
    /// Retired for good: there is nothing to try any more.
    Retired,
}

/// The state on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder or a file cannot be read or written.
    #[error("{path} cannot be {verb}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// `read`, `written` and so on.
        verb: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Others may read the private key.
    #[error("{path} can be read by other users of this machine (mode {mode:o}), and it holds the device's private key")]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another agent holds the lock.
    #[error("another agent is running on {0}")]
    InUse(PathBuf),
    /// The file was changed by something else.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// The key cannot be made or used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl StateError {
    /// What to do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Io { .. } => "check owner and space of the state folder, or set state_dir".into(),
            Self::Exposed { path, .. } => {
                format!("if nobody else was here: chmod 600 {}; otherwise: gatelodge-agent reset", path.display())
            }
            Self::InUse(_) => {
                "stop it first, as with systemctl stop gatelodge-agent; gatelodge-agent status asks it how it stands"
                    .into()
            }
            Self::Damaged { .. } | Self::Key(_) => "gatelodge-agent reset makes a new key and enrols anew".into(),
        }
    }
}

impl StateDir {
    /// Opens the folder, makes it when it is missing, and locks it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let io = |verb| move |source| StateError::Io { path: path.to_owned(), verb, source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("made"))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(io("locked"))?;
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::InUse(path.to_owned())),
            Err(errno) => Err(io("locked")(errno.into())),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the device holds; `None` before its first key.
    pub fn holding(&self) -> Result<Option<Holding>, StateError> {
        read_holding(&self.path)
    }

    /// Replaces what the device holds.
    pub fn hold(&self, holding: &Holding) -> Result<(), StateError> {
        file::write_json(&self.path, HOLDING, holding)
    }

    /// The registration as last told by the cloud.
    pub fn registration(&self) -> Result<Registration, StateError> {
        Ok(Registration::new(file::read_json::<DeviceState>(&self.path, REGISTRATION)?))
    }

    /// Keeps the registration.
    pub fn keep_registration(&self, state: &DeviceState) -> Result<(), StateError> {
        file::write_json(&self.path, REGISTRATION, state)
    }

    /// Forgets the owner; the boot counter stays, since it must never go back under one enrolment.
    pub fn forget_owner(&self) -> Result<(), StateError> {
        file::remove(&self.path, REGISTRATION)?;
        file::remove(&self.path, HOLDING)
    }

    /// The customer's key, where one is pinned. Forgetting the owner leaves it: a cloud could say that.
    pub fn pin(&self) -> Result<Option<Pin>, StateError> {
        read_pin(&self.path)
    }

    /// Keeps the customer's key, or takes it away.
    pub fn keep_pin(&self, pin: Option<&Pin>) -> Result<(), StateError> {
        match pin {
            Some(pin) => file::write_json(&self.path, PIN, pin),
            None => file::remove(&self.path, PIN),
        }
    }

    /// What is remembered about consent beside the key.
    pub fn book(&self) -> Result<Book, StateError> {
        Ok(file::read_json(&self.path, BOOK)?.unwrap_or_default())
    }

    /// Keeps what is remembered about consent.
    pub fn keep_book(&self, book: &Book) -> Result<(), StateError> {
        file::write_json(&self.path, BOOK, book)
    }

    /// For a reset at the device alone: whoever can do this could also exchange the disk.
    pub fn forget_consent(&self) -> Result<(), StateError> {
        file::remove(&self.path, PIN)?;
        file::remove(&self.path, BOOK)
    }

    /// Counts one start.
    pub fn count_boot(&self, random: &gatelodge_proto::Random) -> Result<Boot, StateError> {
        let last = file::read_json::<boot::Counter>(&self.path, BOOT)?.unwrap_or_default();
        let (counter, boot) = last.next(random);
        file::write_json(&self.path, BOOT, &counter)?;
        Ok(boot)
    }
}

/// What the device holds, read without the lock, as `status` and `doctor` do beside a running agent.
pub fn read_holding(folder: &Path) -> Result<Option<Holding>, StateError> {
    file::read_json(folder, HOLDING)
}

/// The last hour that the cloud said, if it is known.
pub fn last_hour(folder: &Path) -> Option<Timestamp> {
    file::read_json(folder, HOUR).ok().flatten()
}

/// Notes an hour that the cloud said.
pub fn note_hour(folder: &Path, heard: Timestamp) -> Result<(), StateError> {
    file::write_json(folder, HOUR, &heard)
}

/// The customer's key, read without the lock.
pub fn read_pin(folder: &Path) -> Result<Option<Pin>, StateError> {
    file::read_json(folder, PIN)
}

/// The registration, read without the lock.
pub fn read_registration(folder: &Path) -> Result<Option<DeviceState>, StateError> {
    file::read_json(folder, REGISTRATION)
}

#[cfg(test)]
mod tests;
