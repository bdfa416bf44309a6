//! `run`: until SIGTERM or SIGINT.

use std::{process::ExitCode, time::Duration};

use gatelodge_proto::Random;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{log_to_stderr, runtime, term::Failure};
use crate::{clock::Clock, config::Config, run};

pub(super) fn run(config: Config) -> Result<ExitCode, Failure> {
    log_to_stderr();
    let place = config.state_dir.display().to_string();
    runtime()?.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        let ready = || {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
            tokio::spawn(feed_watchdog());
        };
        let outcome = run::run(config, Clock::corrected_by(0), Random::system(), stop, ready).await;
        outcome.map_err(|error| Failure::new(error.to_string(), error.next_step()).at(place))?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
}

/// Tells systemd that the runtime still turns, twice as often as it wants to hear it.
async fn feed_watchdog() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut pulse = tokio::time::interval((patience / 2).max(Duration::from_millis(100)));
    loop {
        pulse.tick().await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
}
