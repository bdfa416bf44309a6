//! What each running session has changed on this computer, in a file that its process keeps locked: a file that nobody
//! locks is of a process that was killed, and what it left is taken back before anything else.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use gatelodge_proto::payload::Subnet;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// One session's changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The process, for a person who looks.
    pub(super) pid: u32,
    /// Its interface; also the mark of its block in the hosts file.
    pub(super) interface: String,
    /// Its label in names.
    pub(super) label: String,
    /// Addresses that are its own here.
    pub(super) blocks: Vec<Subnet>,
}

/// A state file that is this process's own until it ends.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    _locked: File,
}

impl Kept {
    /// The session is over and has left nothing.
    pub(super) fn forget(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Held while somebody looks around and takes something, so that two do not take the same.
pub(super) struct Turn(#[expect(dead_code, reason = "closing it lets the next one in")] File);

/// Where all sessions of this computer keep their state.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o755).create(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Waits until nobody else looks around.
    pub(super) fn turn(&self) -> io::Result<Turn> {
        let file = open(&self.0.join("lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(Turn(file))
    }

    /// The sessions that run, after `clean` has taken back what each of the others left. One that cannot be cleaned
    /// stays for the next start.
    pub(super) fn sweep(&self, _: &Turn, mut clean: impl FnMut(&State) -> io::Result<()>) -> io::Result<Vec<State>> {
        let mut live = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let Ok(file) = File::open(&path) else { continue };
            let is_stale = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            let Some(state) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok())
            else {
                // Half of one: its process was killed before it changed anything.
                if is_stale {
                    let _ = fs::remove_file(&path);
                }
                continue;
            };
            if !is_stale {
                live.push(state);
            } else if let Err(error) = clean(&state) {
                tracing::warn!(%error, interface = state.interface, "what a killed session left could not be taken back");
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(live)
    }

    /// Writes down what this process is about to change.
    pub(super) fn keep(&self, _: &Turn, state: &State) -> io::Result<Kept> {
        let path = self.0.join(format!("{}.json", state.interface));
        let mut file = open(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        Ok(Kept { path, _locked: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(interface: &str) -> State {
        let blocks = vec!["198.18.1.0/24".parse().unwrap()];
        State { pid: 7, interface: interface.into(), label: "villa-rosa".into(), blocks }
    }

    #[test]
    fn only_what_nobody_holds_any_more_is_taken_back() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::at(&place.path().join("run/gatelodge")).unwrap();
        let turn = folder.turn().unwrap();
        let live = folder.keep(&turn, &state("gatelodge0")).unwrap();
        drop(folder.keep(&turn, &state("gatelodge1")).unwrap());
        fs::write(place.path().join("run/gatelodge/gatelodge2.json"), "{\"pid\"").unwrap();

        let mut cleaned = Vec::new();
        let refusing = folder.sweep(&turn, |_| Err(io::ErrorKind::PermissionDenied.into())).unwrap();
        assert_eq!(refusing, [state("gatelodge0")]);
        let found = folder.sweep(&turn, |stale| {
            cleaned.push(stale.interface.clone());
            Ok(())
        });
        assert_eq!((found.unwrap(), cleaned), (vec![state("gatelodge0")], vec!["gatelodge1".to_owned()]));
        assert_eq!(folder.sweep(&turn, |_| unreachable!()).unwrap().len(), 1);
        live.forget().unwrap();
        drop(live);
        assert_eq!(folder.sweep(&turn, |_| unreachable!()).unwrap(), []);
    }
}
