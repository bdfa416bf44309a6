//! When a session's time is over, and when that is said before. Pure: the end moves by what a newer grant adds, and by
//! nothing that a clock of this device says.

use std::time::Duration;

use tokio::time::Instant;

/// The technician is warned this long before the end.
const WARNINGS: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(60)];

/// Less more time than this is none: orders and words take as long on their way.
const LEAST: Duration = Duration::from_secs(10);

/// What is due now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// To say that the end is so near.
    Warning(Duration),
    /// The end.
    End,
}

/// The time that a session has left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Countdown {
    ends_at: Instant,
    /// The device's own limit, which no grant moves.
    latest: Instant,
    /// How many of [`WARNINGS`] are behind.
    said: usize,
}

impl Countdown {
    /// To that end, and never beyond `latest`.
    pub(super) fn new(ends_at: Instant, latest: Instant, now: Instant) -> Self {
        Self { ends_at: ends_at.min(latest), latest, said: 0 }.passing(now)
    }

    /// When something is due next.
    pub(super) fn next_at(&self) -> Instant {
        let warning = WARNINGS.get(self.said).and_then(|before| self.ends_at.checked_sub(*before));
        warning.unwrap_or(self.ends_at)
    }

    /// What is due, each warning once.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if now >= self.ends_at {
            return Some(Due::End);
        }
        let before = *WARNINGS.get(self.said)?;
        let is_due = self.ends_at.saturating_duration_since(now) <= before;
        is_due.then(|| {
            self.said += 1;
            Due::Warning(before)
        })
    }

    /// Moves the end, as far as the device's own limit goes, and says by how much; `None` when it stays where it is.
    /// Warnings that are ahead again come again.
    pub(super) fn lengthen(&mut self, by: Duration, now: Instant) -> Option<Duration> {
        let moved = (self.ends_at + by).min(self.latest).saturating_duration_since(self.ends_at);
        if moved < LEAST {
            return None;
        }
        *self = Self { ends_at: self.ends_at + moved, ..*self }.passing(now);
        Some(moved)
    }

    /// The time that is left.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.ends_at.saturating_duration_since(now)
    }

    /// Passes over the warnings whose moment is gone.
    fn passing(self, now: Instant) -> Self {
        let left = self.left(now);
        Self { said: WARNINGS.iter().filter(|before| **before > left).count(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// What is said from `from` on until the end, as (seconds since the beginning, seconds left when warned).
    fn told(countdown: &mut Countdown, begun: Instant, until: u64) -> Vec<(u64, Option<u64>)> {
        let mut told = Vec::new();
        while countdown.next_at() <= begun + seconds(until) {
            let at = countdown.next_at();
            let due = countdown.due(at);
            let since = (at - begun).as_secs();
            match due {
                Some(Due::Warning(left)) => told.push((since, Some(left.as_secs()))),
                Some(Due::End) => {
                    told.push((since, None));
                    break;
                }
                None => panic!("nothing is due when something should be"),
            }
        }
        told
    }

    #[test]
    fn each_warning_comes_once_and_then_the_end() {
        let begun = Instant::now();
        let countdown = |lasts| Countdown::new(begun + seconds(lasts), begun + seconds(86_400), begun);
        assert_eq!(told(&mut countdown(3600), begun, 9999), [(3300, Some(300)), (3540, Some(60)), (3600, None)]);
        assert_eq!(told(&mut countdown(120), begun, 9999), [(60, Some(60)), (120, None)]);
        assert_eq!(told(&mut countdown(30), begun, 9999), [(30, None)]);
        assert_eq!(countdown(3600).due(begun + seconds(10)), None);
        assert_eq!(countdown(3600).due(begun + seconds(3600)), Some(Due::End), "a late look sees the end alone");
    }

    #[test]
    fn a_moved_end_has_its_warnings_anew() {
        let begun = Instant::now();
        let mut countdown = Countdown::new(begun + seconds(600), begun + seconds(86_400), begun);
        assert_eq!(told(&mut countdown, begun, 545), [(300, Some(300)), (540, Some(60))]);
        assert_eq!(countdown.lengthen(seconds(1800), begun + seconds(550)), Some(seconds(1800)));
        assert_eq!(countdown.left(begun + seconds(550)), seconds(1850));
        assert_eq!(told(&mut countdown, begun, 9999), [(2100, Some(300)), (2340, Some(60)), (2400, None)]);
    }

    #[test]
    fn a_little_more_time_repeats_only_the_warnings_that_are_ahead() {
        let begun = Instant::now();
        let mut countdown = Countdown::new(begun + seconds(600), begun + seconds(86_400), begun);
        assert_eq!(told(&mut countdown, begun, 545).len(), 2);
        assert_eq!(countdown.lengthen(seconds(100), begun + seconds(550)), Some(seconds(100)));
        assert_eq!(told(&mut countdown, begun, 9999), [(640, Some(60)), (700, None)]);
    }

    #[test]
    fn nothing_moves_the_end_beyond_the_devices_own_limit() {
        let begun = Instant::now();
        let mut countdown = Countdown::new(begun + seconds(600), begun + seconds(1000), begun);
        assert_eq!(countdown.lengthen(seconds(1800), begun + seconds(100)), Some(seconds(400)), "as far as it goes");
        assert_eq!(countdown.lengthen(seconds(1800), begun + seconds(200)), None);
        let mut nearly = Countdown::new(begun + seconds(995), begun + seconds(1000), begun);
        assert_eq!(nearly.lengthen(seconds(1800), begun), None, "nobody is told of five seconds");
        assert_eq!(told(&mut countdown, begun, 9999).last(), Some(&(1000, None)));
        let mut longer = Countdown::new(begun + seconds(5000), begun + seconds(1000), begun);
        assert_eq!(told(&mut longer, begun, 9999).last(), Some(&(1000, None)), "nor is it there from the beginning");
    }
}
