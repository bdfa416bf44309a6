//! Ports for programs that must be told one. Whoever can, binds port 0 instead and says what it got.

use std::{collections::BTreeSet, net::TcpListener, sync::Mutex};

use anyhow::Context as _;

/// Where the ports that are given out lie: below those that systems give out themselves to whoever connects or
/// listens anywhere (from 32768 on Linux, from 49152 by RFC 6335), so nobody else takes one of them between its
/// choice and its use.
const GIVEN_OUT: std::ops::Range<u16> = 15_000..32_000;

/// A port of loopback that nobody listens on and that was not given out before in this process.
///
/// # Errors
/// No port of that range is free.
pub fn free_port() -> anyhow::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().map_err(|_| anyhow::anyhow!("a test that took a port has failed"))?;
    // Processes that run beside each other begin far from each other.
    let size = u32::from(GIVEN_OUT.end - GIVEN_OUT.start);
    let begin = std::process::id().wrapping_mul(1_237) % size;
    let all = (0..size).filter_map(|step| u16::try_from((begin + step) % size).ok());
    let port = all
        .map(|offset| GIVEN_OUT.start + offset)
        .find(|port| !given.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port is free on loopback")?;
    given.insert(port);
    Ok(port)
}
