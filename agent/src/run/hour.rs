//! Keeps the clock near the cloud's: a device without a battery wakes up in 1970, one with a bad one years ahead, and
//! by such a clock every certificate is out of its time. Asks the cloud for the hour and never goes back before one
//! that it has heard already.

use std::{path::Path, time::Duration};

use gatelodge_proto::Timestamp;

use crate::{clock::Clock, cloud::CloudClient, state};

/// No agent of this version ran before: 2026-11-01.
const BUILT: Timestamp = Timestamp::from_seconds(1_793_491_200);
/// The system's time service does better than this; its clock is left alone.
const TOLERANCE: Duration = Duration::from_secs(120);
/// A later hour is noted when it is so much later, to spare the flash.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);
const ASKED_EVERY: Duration = Duration::from_secs(24 * 3600);
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Runs until it is dropped.
pub(super) async fn keep(cloud: CloudClient, clock: Clock, folder: std::path::PathBuf) {
    let mut retry = FIRST_RETRY;
    loop {
        let pause = match cloud.hour().await {
            Ok(heard) => {
                retry = FIRST_RETRY;
                take(&clock, heard, &folder);
                ASKED_EVERY
            }
            Err(error) => {
                tracing::debug!(%error, "the cloud did not say the hour");
                let pause = retry;
                retry = (retry * 2).min(LONGEST_PAUSE);
                pause
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn take(clock: &Clock, heard: Timestamp, folder: &Path) {
    let floor = state::last_hour(folder).unwrap_or(BUILT).max(BUILT);
    let lacks = clock.correction();
    let system = Timestamp::from_micros(clock.now().micros().saturating_sub(lacks));
    let Some(correction) = correction(system, heard, floor) else {
        tracing::warn!("the cloud's certificate speaks for an hour that is over: the clock is left as it is");
        return;
    };
    if correction != lacks {
        tracing::info!(seconds = correction / 1_000_000, "the system's clock is corrected by what the cloud says");
        clock.correct(correction);
    }
    if heard >= floor + NOTED_EVERY
        && let Err(error) = state::note_hour(folder, heard)
    {
        tracing::warn!(%error, "the last hour could not be noted");
    }
}

/// What the system's clock lacks, in microseconds; `None` for an hour before the last that was known.
fn correction(system: Timestamp, heard: Timestamp, floor: Timestamp) -> Option<i64> {
    if heard < floor {
        return None;
    }
    let apart = heard.since(system).max(system.since(heard));
    Some(if apart <= TOLERANCE { 0 } else { heard.micros() - system.micros() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_clock_that_is_far_off_is_corrected_and_a_good_one_is_left_alone() {
        let heard = BUILT + HOUR * 24 * 365;
        for system in [Timestamp::from_seconds(60), BUILT, heard + HOUR * 24 * 3650] {
            let lacks = correction(system, heard, BUILT).unwrap();
            assert_eq!(Timestamp::from_micros(system.micros() + lacks), heard);
        }
        assert_eq!(correction(heard + TOLERANCE, heard, BUILT), Some(0));
        assert_eq!(correction(heard - TOLERANCE, heard, BUILT), Some(0));
    }

    #[test]
    fn nobody_turns_the_clock_back_before_an_hour_that_was_heard() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::corrected_by(0);
        let known = BUILT + HOUR * 24 * 30;
        take(&clock, known, folder.path());
        assert_eq!(state::last_hour(folder.path()), Some(known));
        let before = clock.correction();
        take(&clock, known - HOUR, folder.path());
        assert_eq!(clock.correction(), before);
        take(&Clock::corrected_by(0), BUILT - HOUR, folder.path());
        assert_eq!(state::last_hour(folder.path()), Some(known));
    }
}
