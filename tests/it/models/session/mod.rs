//! Sessions on one device: asked for, decided, joined, carried and ended, while the rights they stand on come and go, in
//! any order.
//!
//! Seen to fail, each by one line of the product changed: `fallen` without the consent ("0 ended, expected 2");
//! `take_ticket` without `expires_at > $1` (a ticket of 41 seconds lets in); `approve` without the look at the hour.

mod scene;

use std::time::Duration;

use gatelodge_cloud::sessions::model::Ticket;
use gatelodge_proto::{
    SessionId, Timestamp,
    api::SessionState,
    payload::{Consent, EndReason},
};
use gatelodge_tests::database::Kind;
use proptest::prelude::*;

use self::scene::go;
use super::{Paths, play};
use crate::cast::Cast;

const MINUTE: Duration = Duration::from_secs(60);
/// How long a customer has to answer, a session to be joined, a relay to speak and a ticket to be used.
const ANSWER: Duration = Duration::from_secs(30 * 60);
const JOINING: Duration = Duration::from_secs(10 * 60);
const LEASE: Duration = Duration::from_secs(100);
const TICKET: Duration = Duration::from_secs(30);
const MOST: usize = 4;

/// Sessions and tickets are counted from the newest.
#[derive(Debug, Clone)]
enum Act {
    /// Whatever brings the newest session on its way.
    On,
    Request {
        by: usize,
        minutes: u32,
    },
    Approve {
        session: usize,
    },
    Refuse {
        session: usize,
    },
    Join {
        by: usize,
        session: usize,
    },
    /// An end shows its ticket to the relay.
    Admit {
        ticket: usize,
        swapped: bool,
    },
    /// Both ends are there.
    Pair {
        session: usize,
    },
    /// The relay looks after what it carries.
    Look {
        session: usize,
    },
    /// The relay lets go.
    Drop {
        session: usize,
    },
    StopByCustomer {
        session: usize,
    },
    StopByTechnician {
        by: usize,
        session: usize,
    },
    SetConsent {
        consent: Consent,
    },
    Demote {
        whom: usize,
    },
    Disable {
        whom: usize,
    },
    Revoke,
    Release,
    Sweep,
    Pass {
        seconds: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let session = || prop_oneof![3 => Just(0), 1 => 1..3_usize];
    let by = || prop::bool::weighted(0.2).prop_map(usize::from);
    prop_oneof![
        40 => Just(Act::On),
        8 => (by(), prop::sample::select(vec![5_u32, 60])).prop_map(|(by, minutes)| Act::Request { by, minutes }),
        6 => session().prop_map(|session| Act::Approve { session }),
        2 => session().prop_map(|session| Act::Refuse { session }),
        6 => (by(), session()).prop_map(|(by, session)| Act::Join { by, session }),
        9 => (session(), prop::bool::weighted(0.1)).prop_map(|(ticket, swapped)|Act::Admit { ticket, swapped }),
        5 => session().prop_map(|session| Act::Pair { session }),
        3 => session().prop_map(|session| Act::Look { session }),
        2 => session().prop_map(|session| Act::Drop { session }),
        2 => session().prop_map(|session| Act::StopByCustomer { session }),
        2 => (by(), session()).prop_map(|(by, session)| Act::StopByTechnician { by, session }),
        3 => prop::sample::select(Consent::ALL.to_vec()).prop_map(|consent| Act::SetConsent { consent }),
        1 => by().prop_map(|whom| Act::Demote { whom }),
        1 => by().prop_map(|whom| Act::Disable { whom }),
        1 => Just(Act::Revoke),
        1 => Just(Act::Release),
        6 => Just(Act::Sweep),
        6 => prop::sample::select(vec![5_u64, 20, 40, 40, 2 * 60, 11 * 60, 31 * 60])
            .prop_map(|seconds| Act::Pass { seconds }),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Open { since: Timestamp, until: Timestamp, lease: Timestamp, joined: bool, asked: bool },
    Refused,
    Ended(EndReason),
}

impl State {
    const fn word(self) -> (SessionState, Option<EndReason>) {
        match self {
            Self::Waiting => (SessionState::Waiting, None),
            Self::Open { .. } => (SessionState::Open, None),
            Self::Refused => (SessionState::Refused, None),
            Self::Ended(reason) => (SessionState::Ended, Some(reason)),
        }
    }

    const fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Open { .. })
    }

    /// Why time alone ends it.
    fn lapsed(self, requested: Timestamp, now: Timestamp) -> Option<EndReason> {
        match self {
            Self::Waiting if now >= requested + ANSWER => Some(EndReason::Expired),
            Self::Open { until, .. } if now >= until => Some(EndReason::Expired),
            Self::Open { lease, joined, .. } if now >= lease => {
                Some(if joined { EndReason::RelayLost } else { EndReason::NeverJoined })
            }
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    by: usize,
    minutes: u32,
    requested: Timestamp,
    state: State,
}

#[derive(Debug)]
struct Shown {
    ticket: Ticket,
    session: usize,
    made: Timestamp,
    used: bool,
}

#[derive(Debug)]
struct Model {
    sessions: Vec<Session>,
    /// The newest first.
    tickets: Vec<Shown>,
    consent: Consent,
    /// Whether the registration is in force.
    owned: bool,
    /// Whether the device has a key that lets it in.
    keyed: bool,
    /// Whether each of the two technicians may enter.
    may: [bool; 2],
}

impl Model {
    /// What comes next for the newest session when all goes well.
    fn next(&self) -> Act {
        let Some(Session { state, by, .. }) = self.sessions.last() else { return Act::Request { by: 0, minutes: 60 } };
        let ticket = self.tickets.first().filter(|shown| shown.session + 1 == self.sessions.len() && !shown.used);
        match (state, ticket) {
            (State::Waiting, _) => Act::Approve { session: 0 },
            (State::Open { joined: false, .. }, None) => Act::Join { by: *by, session: 0 },
            (State::Open { joined: false, .. }, Some(_)) => Act::Admit { ticket: 0, swapped: false },
            (State::Open { joined: true, lease, since, .. }, _) if *lease == *since + LEASE => Act::Pair { session: 0 },
            (State::Open { joined: true, .. }, _) => Act::Look { session: 0 },
            (State::Refused | State::Ended(_), _) => Act::Request { by: 0, minutes: 60 },
        }
    }

    /// The place of a sessionthat is counted from the newest.
    fn place(&self, session: usize) -> Option<usize> {
        self.sessions.len().checked_sub(session + 1)
    }

    /// Opens a session; `asked`when a person said yes to it.
    fn open(&mut self, session: usize, asked: bool, now: Timestamp) {
        let session = &mut self.sessions[session];
        let until = now + MINUTE * session.minutes;
        let lease = (now + JOINING).min(until);
        session.state = State::Open { since: now, until, lease, joined: false, asked };
    }

    /// Whether a live session has lost something it stands on.
    fn has_fallen(&self, session: &Session) -> bool {
        let unasked = matches!(session.state, State::Open { asked: false, .. }) && self.consent == Consent::Ask;
        !self.may[session.by] || !self.owned || self.consent == Consent::Never || unasked || !self.keyed
    }

    /// What a look at every live session ends.
    fn sweep(&mut self, now: Timestamp) -> usize {
        let mut ended = 0;
        for place in 0..self.sessions.len() {
            let session = &self.sessions[place];
            if !session.state.is_live() {
                continue;
            }
            let fallen = self.has_fallen(session).then_some(EndReason::Revoked);
            if let Some(reason) = fallen.or_else(|| session.state.lapsed(session.requested, now)) {
                self.sessions[place].state = State::Ended(reason);
                ended += 1;
            }
        }
        ended
    }
}

/// Where the sequences together must lead.
const PATHS: [&str; 19] = [
    "admitted",
    "already open",
    "approved",
    "ended customer",
    "ended expired",
    "ended never_joined",
    "ended relay_lost",
    "ended revoked",
    "ended technician",
    "gone",
    "joined",
    "lease renewed",
    "not joined",
    "paired",
    "somebody else's",
    "swapped",
    "ticket too late",
    "ticket used",
    "was over",
];

fn sessions_go(kind: Kind) {
    let rule = prop::sample::select(vec![Consent::Ask, Consent::Always]);
    let acts = (rule, prop::collection::vec(act(), 10..24));
    play(
        "proptest-regressions/models-session.txt",
        kind,
        1,
        acts,
        &PATHS,
        &async |cast: &Cast, acts: &_, paths: &Paths| go(cast, acts, paths).await,
    );
}

#[test]
fn sessions_go_as_the_model_says() {
    sessions_go(Kind::Sqlite);
}

#[test]
fn sessions_go_as_the_model_says_on_postgresql() {
    sessions_go(Kind::Postgres);
}
