//! A program in a mount namespace of its own: it mounts what it likes, and nobody else sees it.

use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::skip;

const INSIDE: &str = "GATELODGE_INSIDE";

/// Whether the caller is inside. Outside, runs this very program again with those arguments, inside, fails with it, and
/// wants to read `proof` of it; where namespaces are not allowed, notes that `without` did not run.
pub fn enter(arguments: &[&str], proof: &str, without: &str) -> anyhow::Result<bool> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(true);
    }
    let Some(unshare) = skip::find_or_skip("unshare", without)? else { return Ok(false) };
    let mut kinds = vec!["--mount", "--propagation", "private"];
    if !rustix::process::geteuid().is_root() {
        kinds.extend(["--user", "--map-root-user"]);
    }
    let allowed = Command::new(&unshare).args(&kinds).arg("true").output().context("cannot start unshare")?;
    if !allowed.status.success() {
        skip::skip(&format!("this user may not make namespaces: {without} did not run"))?;
        return Ok(false);
    }
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let mut command = Command::new(unshare);
    command.args(kinds).arg(own).args(arguments).env(INSIDE, "1");
    let output = command.output().context("cannot start it again inside")?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "inside its namespace it failed:\n{out}{err}");
    ensure!(out.contains(proof), "inside its namespace it did not say `{proof}`:\n{out}{err}");
    Ok(false)
}
