//! Where the built programs are: next to the running test binary, built from the same sources.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, bail};

/// The path of a program of this workspace, like `gatelodge-cloud`.
///
/// A plain `cargo test` builds no programs, so the first caller has cargo build them; `cargo xtask test` has done so
/// and says it with `GATELODGE_PROGRAMS_BUILT`.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let folder = folder()?;
    if let Err(trouble) = BUILT.get_or_init(|| build(&folder)) {
        bail!("{trouble}");
    }
    let path = folder.join(name);
    if !path.is_file() {
        bail!("{} is not built; build it with: cargo build --workspace --all-targets", path.display());
    }
    Ok(path)
}

/// The folder of this build: `target/debug` or `target/release`.
fn folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let folder = own.parent().context("this program has no folder")?;
    Ok(if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

/// The repository's `target` folder, where screenshots and logs are kept.
pub fn target() -> anyhow::Result<PathBuf> {
    let folder = folder()?;
    Ok(folder.parent().unwrap_or(&folder).to_owned())
}

/// The repository's root.
pub fn repository() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

fn build(folder: &Path) -> Result<(), String> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    if std::env::var_os("GATELODGE_PROGRAMS_BUILT").is_some() || !folder.ends_with("debug") {
        return Ok(());
    }
    // With `--bins` alone the dependencies would have other features than the tests have, and be compiled once more.
    let mut command = Command::new(cargo);
    command.current_dir(repository()).args(["build", "--workspace", "--all-targets", "--quiet"]);
    // What cargo tells a test of its package, some build scripts look at, and would run again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("the programs do not build:\n{}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("cannot start cargo to build the programs: {error}")),
    }
}
