//! A part that this machine does not have: noted for `cargo xtask test`, which lists it; a failure where `CI=true`.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

/// A program's path, or a note that what `without` names cannot be tested.
///
/// Gives `Ok(None)` when a test should end early; refuses where nothing may be skipped.
pub fn find_or_skip(program: &str, without: &str) -> anyhow::Result<Option<PathBuf>> {
    match find(program) {
        Some(path) => Ok(Some(path)),
        None => skip(&format!("`{program}` is not installed: {without} did not run")).map(|()| None),
    }
}

/// Notes that something was skipped, in the file that `GATELODGE_SKIPPED` names; refuses where `CI=true`.
pub fn skip(why: &str) -> anyhow::Result<()> {
    let in_ci = std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0");
    anyhow::ensure!(!in_ci, "{why}, and nothing may be skipped here");
    if let Some(notes) = std::env::var_os("GATELODGE_SKIPPED") {
        let mut notes = OpenOptions::new().append(true).create(true).open(notes)?;
        writeln!(notes, "{why}")?;
    }
    Ok(())
}

/// The first executable of that name in `PATH`, or where Debian hides it.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let mut versions: Vec<PathBuf> = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    versions.sort();
    // Before `PATH`: a wrapper there may add options of its own.
    versions.into_iter().rev().chain(folders).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
