//! `serve`: one node from its start to a signal.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use gatelodge_proto::Random;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{DataDir, term};
use crate::{
    clock::Clock,
    config::Config,
    wiring::{self, Node},
};

pub(super) async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,rmqtt=warn,sqlx=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    raise_open_files();
    let data_dir = DataDir::hold(&config.data_dir)?;
    let portal = config.public_url.clone();
    let kits = wiring::open_kits(config, Clock::system(), Random::system()).await?;
    let node = Node::start(kits).await?;
    data_dir.announce(node.addresses())?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    tracing::info!(%portal, addresses = ?node.addresses(), "gatelodge-cloud is ready");
    term::say(&format!("The portal is at {portal}"));
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let watchdog = tokio::spawn(watchdog());

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("gatelodge-cloud stops");
    node.stop().await;
    watchdog.abort();
    Ok(ExitCode::SUCCESS)
}

/// A device takes an open file, and the soft limit of most systems, 1,024, is made for programs that still use `select`.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(?maximum, "limit of open files is raised"),
        Err(error) => tracing::warn!(%error, ?current, "limit of open files cannot be raised"),
    }
}

/// Tells systemd twice per interval that this process still turns.
async fn watchdog() {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut beat = tokio::time::interval((interval / 2).max(Duration::from_secs(1)));
    loop {
        beat.tick().await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
}
