//! The states of one request, and what a poll and a decision do in each. Pure.

use std::time::Duration;

use gatelodge_proto::Timestamp;

/// How long a person has.
pub const LIFE: Duration = Duration::from_secs(600);
/// The pause a program keeps between polls.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How much earlier a poll may come because the one before was slow on its way.
const JITTER: Duration = Duration::from_millis(500);

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has decided.
    Waiting,
    /// Somebody said yes; no poll has come since.
    Approved,
    /// Somebody said no.
    Refused,
    /// The token is out.
    Used,
}

impl State {
    const ALL: [Self; 4] = [Self::Waiting, Self::Approved, Self::Refused, Self::Used];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Used => "used",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes, this is my program.
    Approve,
    /// No.
    Refuse,
}

impl Decision {
    pub(super) const fn leads_to(self) -> State {
        match self {
            Self::Approve => State::Approved,
            Self::Refuse => State::Refused,
        }
    }
}

/// Why a poll gives no token (RFC 8628 section 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PollRefusal {
    /// Nobody has decided.
    #[error("nobody has approved this sign-in yet")]
    Pending,
    /// The poll came too early.
    #[error("this program asks too often: wait five seconds longer between two questions")]
    SlowDown,
    /// Somebody said no, or may not any more.
    #[error("this sign-in was refused in the portal")]
    Denied,
    /// Too late, used, or never asked.
    #[error("this sign-in has expired or was used already: begin again")]
    Expired,
}

/// What a poll finds; `Ok` when the token may go out.
pub(super) fn poll(
    state: State,
    expires_at: Timestamp,
    polled_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), PollRefusal> {
    if now >= expires_at {
        return Err(PollRefusal::Expired);
    }
    match state {
        State::Used => Err(PollRefusal::Expired),
        State::Refused => Err(PollRefusal::Denied),
        State::Waiting | State::Approved if polled_at.is_some_and(|before| now.since(before) + JITTER < INTERVAL) => {
            Err(PollRefusal::SlowDown)
        }
        State::Waiting => Err(PollRefusal::Pending),
        State::Approved => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(i64) -> Timestamp = Timestamp::from_seconds;

    #[test]
    fn each_state_has_its_answer() {
        let answer = |state| poll(state, AT(600), None, AT(10));
        assert_eq!(answer(State::Waiting), Err(PollRefusal::Pending));
        assert_eq!(answer(State::Approved), Ok(()));
        assert_eq!(answer(State::Refused), Err(PollRefusal::Denied));
        assert_eq!(answer(State::Used), Err(PollRefusal::Expired));
        for state in State::ALL {
            assert_eq!(poll(state, AT(600), None, AT(600)), Err(PollRefusal::Expired));
            assert_eq!(State::from_word(state.word()), Some(state));
        }
    }

    #[test]
    fn polls_keep_their_distance() {
        let again = |later_ms: i64| {
            let now = Timestamp::from_micros(AT(10).micros() + later_ms * 1_000);
            poll(State::Approved, AT(600), Some(AT(10)), now)
        };
        assert_eq!(again(1_000), Err(PollRefusal::SlowDown));
        assert_eq!(again(4_499), Err(PollRefusal::SlowDown));
        assert_eq!(again(4_500), Ok(()));
        assert_eq!(again(5_000), Ok(()));
    }
}
