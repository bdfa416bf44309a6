//! When the session ends, as the device tells it. Pure: a word that a lost carrier has held up counts from when it may
//! have been said, so that a late warning is no later end.

use std::time::Duration;

use gatelodge_proto::Timestamp;
use tokio::time::Instant;

/// An end that comes so much later has moved; less is what words and clocks differ by.
const MOVED: Duration = Duration::from_secs(10);
/// A carrier may be dead so long before it is known as lost.
const UNNOTICED: Duration = Duration::from_secs(30);
/// What was held up is here so soon after the line is back.
const CAUGHT_UP: Duration = Duration::from_secs(10);

/// Since when words may be held up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outage {
    /// Since when the way to the device is lost.
    away: Option<Instant>,
    /// The latest that is over: from when, until when.
    past: Option<(Instant, Instant)>,
}

impl Outage {
    /// The way is lost.
    pub(super) fn begins(&mut self, since: Instant) {
        self.away = Some(since);
    }

    /// It is back; gives since when it was lost.
    pub(super) fn ends(&mut self, now: Instant) -> Option<Instant> {
        let since = self.away.take()?;
        self.past = Some((since, now));
        Some(since)
    }

    /// Since when the way is lost now.
    pub(super) const fn away(&self) -> Option<Instant> {
        self.away
    }

    /// How long ago what is heard now may have been said.
    pub(super) fn held_up(&self, now: Instant) -> Duration {
        let past = self.past.filter(|(_, back)| now.saturating_duration_since(*back) <= CAUGHT_UP);
        let since = self.away.or(past.map(|(since, _)| since));
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since) + UNNOTICED)
    }
}

/// The end, when the device has said that so much time is left, and whether it has moved to later. `known` is the end
/// until now; the word may be as old as `held_up`.
pub(super) fn told_end(known: Timestamp, left: Duration, held_up: Duration, now: Timestamp) -> (Timestamp, bool) {
    let latest = now + left;
    let earliest = latest - held_up;
    (known.clamp(earliest, latest), earliest > known + MOVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_word_that_comes_at_once_is_the_end() {
        for (known, left, longer) in [(300, 300, false), (303, 300, false), (295, 300, false), (300, 2100, true)] {
            let told = told_end(NOW + seconds(known), seconds(left), Duration::ZERO, NOW);
            assert_eq!(told, (NOW + seconds(left), longer), "{known} {left}");
        }
        let cut = told_end(NOW + seconds(3600), seconds(300), Duration::ZERO, NOW);
        assert_eq!(cut, (NOW + seconds(300), false), "the device's count holds");
    }

    #[test]
    fn a_warning_that_a_lost_carrier_held_up_moves_nothing() {
        // Said with 300 s left, 80 s ago.
        let known = NOW + seconds(220);
        assert_eq!(told_end(known, seconds(300), seconds(80 + 30), NOW), (known, false));
        // More time that was said meanwhile is more time.
        let (until, longer) = told_end(known, seconds(2020), seconds(80 + 30), NOW);
        assert!(longer && until >= NOW + seconds(2020 - 110) && until <= NOW + seconds(2020), "{until}");
    }

    #[tokio::test(start_paused = true)]
    async fn words_are_held_up_while_the_way_is_lost_and_a_little_longer() {
        let mut outage = Outage::default();
        assert_eq!(outage.held_up(Instant::now()), Duration::ZERO);
        outage.begins(Instant::now());
        tokio::time::advance(seconds(40)).await;
        assert_eq!(outage.held_up(Instant::now()), seconds(70));
        assert!(outage.ends(Instant::now()).is_some() && outage.away().is_none());
        tokio::time::advance(seconds(5)).await;
        assert_eq!(outage.held_up(Instant::now()), seconds(75));
        tokio::time::advance(seconds(6)).await;
        assert_eq!(outage.held_up(Instant::now()), Duration::ZERO);
    }
}
