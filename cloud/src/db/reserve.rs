//! Room kept on the disk for the day when there is none: a file beside the SQLite file, removed when a change no longer
//! fits. What remains is for signing in, stopping, revoking and withdrawing consent; everything else waits until there
//! is room to make the file again. Never looks into the database.

use std::{
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use rustix::fs::FallocateFlags;

const MIB: u64 = 1 << 20;
/// A change that may use the reserve wants at least this much room before it begins.
const ELBOW_ROOM: u64 = 4 * MIB;

/// The reserve of one SQLite file.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    /// Zero: none is kept, and ordinary changes are never refused for it.
    bytes: AtomicU64,
    given_up: AtomicBool,
}

impl Reserve {
    /// None yet.
    pub(super) fn beside(database: &std::path::Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".reserve");
        Self { path: name.into(), bytes: AtomicU64::new(0), given_up: AtomicBool::new(false) }
    }

    /// Keeps so much from now on, as soon as there is room for it.
    pub(super) fn keep(&self, mib: u32) {
        self.bytes.store(u64::from(mib) * MIB, Ordering::Relaxed);
        if mib > 0 && !self.path.exists() {
            self.given_up.store(true, Ordering::Relaxed);
            self.is_kept();
        }
    }

    /// Whether ordinary changes may be made: nothing was given up, or there is room for it again.
    pub(super) fn is_kept(&self) -> bool {
        let bytes = self.bytes.load(Ordering::Relaxed);
        if bytes == 0 || !self.given_up.load(Ordering::Relaxed) {
            return true;
        }
        // Half as much again: else the room that was just given up would be taken back.
        if self.room() < bytes + bytes / 2 {
            return false;
        }
        match self.make(bytes) {
            Ok(()) => {
                tracing::info!(mib = bytes / MIB, "there is room on the disk, and the reserve is kept again");
                self.given_up.store(false, Ordering::Relaxed);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the reserve on the disk cannot be made");
                let _ = std::fs::remove_file(&self.path);
                false
            }
        }
    }

    /// Makes room for a change that must not wait.
    pub(super) fn make_room(&self) {
        if self.room() < ELBOW_ROOM {
            self.give_up();
        }
    }

    /// A change did not fit: from now on only what must not wait is taken.
    pub(super) fn give_up(&self) {
        if self.bytes.load(Ordering::Relaxed) == 0 || self.given_up.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!("the disk is full: the reserve is given up, and most changes are refused until there is room");
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%error, "the reserve on the disk cannot be removed");
        }
    }

    /// What this user may still write where the file is, in bytes; plenty when nobody says.
    fn room(&self) -> u64 {
        let folder = self.path.parent().unwrap_or(&self.path);
        rustix::fs::statvfs(folder).map_or(u64::MAX, |told| told.f_bavail.saturating_mul(told.f_frsize))
    }

    fn make(&self, bytes: u64) -> io::Result<()> {
        let file = File::create(&self.path)?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => return file.sync_all(),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let zeros = vec![0; 64 * 1024];
        for _ in 0..bytes / zeros.len() as u64 {
            (&file).write_all(&zeros)?;
        }
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserve() -> (tempfile::TempDir, Reserve) {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&folder.path().join("gatelodge.db"));
        (folder, reserve)
    }

    #[test]
    fn it_is_kept_given_up_and_kept_again() {
        let (folder, reserve) = reserve();
        let file = folder.path().join("gatelodge.db.reserve");
        assert!(reserve.is_kept() && !file.exists());
        reserve.keep(1);
        assert_eq!(file.metadata().unwrap().len(), MIB);
        reserve.give_up();
        assert!(!file.exists());
        // There is room on the disk of whoever builds this.
        assert!(reserve.is_kept() && file.exists());
    }

    #[test]
    fn what_nobody_wants_kept_refuses_nothing() {
        let (folder, reserve) = reserve();
        reserve.keep(0);
        reserve.give_up();
        assert!(reserve.is_kept() && std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn without_half_as_much_again_it_is_not_made() {
        let (folder, reserve) = reserve();
        reserve.keep(1);
        reserve.give_up();
        // More than any disk has.
        reserve.bytes.store(1 << 60, Ordering::Relaxed);
        assert!(!reserve.is_kept() && std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}
