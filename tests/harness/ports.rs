//! Ports for programs that must be told one. Whoever can, binds port 0 instead and says what it got.

use std::{collections::BTreeSet, net::TcpListener, sync::Mutex};

use anyhow::Context as _;

/// A loopback port that was free a moment ago, and that this process hands out only once.
pub fn free_port() -> anyhow::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    for _ in 0..100 {
        let probe = TcpListener::bind(("127.0.0.1", 0)).context("no port is free on loopback")?;
        let port = probe.local_addr()?.port();
        if GIVEN.lock().is_ok_and(|mut given| given.insert(port)) {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free on loopback")
}
