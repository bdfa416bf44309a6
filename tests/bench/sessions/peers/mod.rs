//! Other people's tunnels over the same loopback, to the same far end, in the same run. What is not installed is left
//! out, and said.

mod openssh;
mod openvpn;
mod rathole;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use gatelodge_tests::wait::wait_until;

use super::tunnel::Tunnel;
use crate::output::progress;

/// Of a far end that has an address of its own.
pub(super) const LOAD_PORT: u16 = 7;
const UP_WITHIN: Duration = Duration::from_secs(30);

/// Every peer that can be had.
pub(super) async fn all(installed: Option<&Path>, load: SocketAddr) -> anyhow::Result<Vec<Tunnel>> {
    let mut peers = Vec::new();
    match find("rathole", installed) {
        Some(program) => {
            for transport in rathole::Transport::ALL {
                peers.push(rathole::open(&program, transport, load).await?);
            }
        }
        None => missing("rathole"),
    }
    match find("sshd", None) {
        Some(program) => peers.push(openssh::open(&program, load).await?),
        None => missing("OpenSSH's server"),
    }
    match find("openvpn", None).filter(|_| rustix::process::geteuid().is_root()) {
        Some(program) => peers.push(openvpn::open(&program).await?),
        None => missing("OpenVPN (or root, which it needs)"),
    }
    Ok(peers)
}

fn missing(name: &str) {
    progress(&format!("without {name}: it is not installed; `cargo xtask bench sessions --install-peers` gets it"));
}

fn find(name: &str, installed: Option<&Path>) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    installed
        .map(|folder| folder.join("bin"))
        .into_iter()
        .chain(folders)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A port on loopback.
pub(super) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Waits until the far end answers through a tunnel.
async fn answers(tunnel: Tunnel) -> anyhow::Result<Tunnel> {
    let reached = async || {
        let trips = tokio::time::timeout(Duration::from_secs(2), super::load::round_trips(tunnel.at, 1)).await;
        Ok(matches!(trips, Ok(Ok(_))).then_some(()))
    };
    wait_until(format!("the far end answers through {}", tunnel.name), UP_WITHIN, reached).await?;
    Ok(tunnel)
}

/// Runs a program to its end.
pub(super) fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {} failed: {told}", arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
