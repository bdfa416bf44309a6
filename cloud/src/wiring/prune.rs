//! Once a day, each feature forgets what has served its time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{devices, kits::Kits, recordings, sessions};

const DAY: Duration = Duration::from_secs(86_400);

/// Prunes at the start and then daily, until told to stop.
pub(super) async fn daily(kits: Kits, stop: CancellationToken) {
    let mut days = tokio::time::interval(DAY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = days.tick() => {}
        }
        for (what, pruned) in [
            ("devices", devices::prune::prune(&kits).await),
            ("sessions", sessions::prune::prune(&kits).await),
            ("recordings", recordings::prune::prune(&kits).await),
        ] {
            if let Err(error) = pruned {
                tracing::warn!(
                    what,
                    error = &error as &dyn std::error::Error,
                    "what has served its time is still kept"
                );
            }
        }
    }
}
