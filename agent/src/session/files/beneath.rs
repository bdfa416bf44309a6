//! Places below a folder, found name by name and never through a link: whatever somebody else puts there meanwhile, the
//! way down stays below.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, fstat, openat, renameat, statat, unlinkat},
    io::Errno,
};

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Below(OwnedFd);

/// Why there is no way to a place, or nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::session) enum NoPlace {
    #[error("there is no `{0}`")]
    Missing(String),
    #[error("`{0}` is a link, and links are not followed")]
    Link(String),
    #[error("`{0}` is a folder; name a file in it")]
    IsFolder(String),
    #[error("`{0}` is no folder")]
    NoFolder(String),
    #[error("`{0}` is neither a file nor a folder")]
    Special(String),
    #[error("the agent's user may not use `{0}`")]
    Denied(String),
    #[error("`{name}` cannot be used: {source}")]
    Io { name: String, source: io::Error },
}

impl NoPlace {
    fn of(name: &str, errno: Errno) -> Self {
        let name = name.to_owned();
        match errno {
            Errno::NOENT => Self::Missing(name),
            Errno::LOOP | Errno::MLINK => Self::Link(name),
            Errno::NOTDIR => Self::NoFolder(name),
            Errno::ISDIR => Self::IsFolder(name),
            Errno::ACCESS | Errno::PERM => Self::Denied(name),
            Errno::NXIO => Self::Special(name),
            other => Self::Io { name, source: other.into() },
        }
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Without waiting for whoever may be at the other end of a pipe.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Below {
    /// The folder itself; where it is is the device's own settings' word, links and all.
    pub(super) fn root(path: &Path) -> Result<Self, NoPlace> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map(Self).map_err(|errno| NoPlace::of("this folder", errno))
    }

    /// Down by these names.
    pub(super) fn down(mut self, names: &[String]) -> Result<Self, NoPlace> {
        for name in names {
            let next = openat(&self.0, name, FOLDER, Mode::empty());
            self = Self(next.map_err(|errno| self.refused(name, errno))?);
        }
        Ok(self)
    }

    /// A link is told from a file in the way of a folder.
    fn refused(&self, name: &str, errno: Errno) -> NoPlace {
        let is_link =
            || statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| kind(&stat) == FileType::Symlink);
        if errno == Errno::NOTDIR && is_link() { NoPlace::Link(name.to_owned()) } else { NoPlace::of(name, errno) }
    }

    /// A regular file, to read.
    pub(super) fn read(&self, name: &str) -> Result<File, NoPlace> {
        let file = openat(&self.0, name, FILE | OFlags::RDONLY, Mode::empty());
        let file = file.map_err(|errno| NoPlace::of(name, errno))?;
        match kind(&fstat(&file).map_err(|errno| NoPlace::of(name, errno))?) {
            FileType::RegularFile => Ok(file.into()),
            FileType::Directory => Err(NoPlace::IsFolder(name.to_owned())),
            _ => Err(NoPlace::Special(name.to_owned())),
        }
    }

    /// A file that is made or gone on with, to append to.
    pub(super) fn append(&self, name: &str) -> Result<File, NoPlace> {
        let flags = FILE | OFlags::RDWR | OFlags::CREATE | OFlags::APPEND;
        let file =
            openat(&self.0, name, flags, Mode::from_raw_mode(0o600)).map_err(|errno| NoPlace::of(name, errno))?;
        match kind(&fstat(&file).map_err(|errno| NoPlace::of(name, errno))?) {
            FileType::RegularFile => Ok(file.into()),
            _ => Err(NoPlace::Special(name.to_owned())),
        }
    }

    /// What may be written over: nothing there, or a regular file, whose mode the next one takes.
    pub(super) fn place(&self, name: &str) -> Result<Option<Mode>, NoPlace> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(NoPlace::of(name, errno)),
            Ok(stat) => match kind(&stat) {
                FileType::RegularFile => Ok(Some(Mode::from_raw_mode(stat.st_mode))),
                FileType::Directory => Err(NoPlace::IsFolder(name.to_owned())),
                FileType::Symlink => Err(NoPlace::Link(name.to_owned())),
                _ => Err(NoPlace::Special(name.to_owned())),
            },
        }
    }

    /// Gives a file its name, and has that on disk.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), NoPlace> {
        renameat(&self.0, from, &self.0, to).map_err(|errno| NoPlace::of(to, errno))?;
        rustix::fs::fsync(&self.0).map_err(|errno| NoPlace::of(to, errno))
    }

    pub(super) fn remove(&self, name: &str) {
        let _ = unlinkat(&self.0, name, AtFlags::empty());
    }

    /// What is in it, by name.
    pub(super) fn entries(&self) -> Result<Vec<(String, Stat)>, NoPlace> {
        let refused = |errno| NoPlace::of("this folder", errno);
        let again = openat(&self.0, ".", FOLDER, Mode::empty()).map_err(refused)?;
        let mut buffer = Vec::with_capacity(16 * 1024);
        let mut names = RawDir::new(again.as_fd(), buffer.spare_capacity_mut());
        let mut entries = Vec::new();
        while let Some(entry) = names.next() {
            let entry = entry.map_err(refused)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if matches!(name, "." | "..") || name.chars().any(char::is_control) {
                continue;
            }
            // It may have gone meanwhile.
            let Ok(stat) = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            entries.push((name.to_owned(), stat));
        }
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(entries)
    }
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}
