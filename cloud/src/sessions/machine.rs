//! A session's life, pure: `waiting -> open -> ended`, `waiting -> refused`, `waiting -> ended`. Each transition
//! consumes the state it leaves. The consent rule is applied here and nowhere else.

use std::time::Duration;

use gatelodge_proto::{
    Timestamp, UserId,
    api::SessionState,
    grant::SignedGrant,
    payload::{Consent, EndReason},
};

use super::model::{Ask, JOIN_PATIENCE};

/// A session in the state `S`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session<S> {
    /// Who asks for what.
    pub ask: Ask,
    /// What this state adds.
    pub state: S,
}

/// The customer has been asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting;

/// Allowed, not signed yet: the step between the decision and the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Who allowed it; nobody by name when the standing rule did.
    pub by: Option<UserId>,
    /// When.
    pub at: Timestamp,
    /// Until when it may last.
    pub until: Timestamp,
}

/// Both ends may join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What was allowed, signed.
    pub grant: SignedGrant,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// When an end first joined.
    pub joined_at: Option<Timestamp>,
    /// When both ends were first there.
    pub paired_at: Option<Timestamp>,
    /// Until when the relay's word holds.
    pub lease_until: Timestamp,
}

/// The customer said no, or the rule is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Who said it; nobody by name when the standing rule did.
    pub by: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

/// Over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// A session in whichever state it is, as the store finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The customer has been asked.
    Waiting(Session<Waiting>),
    /// Both ends may join.
    Open(Session<Open>),
    /// Not allowed.
    Refused(Session<Refused>),
    /// Over.
    Ended(Session<Ended>),
}

/// What the consent rule says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Ask the customer.
    Ask(Session<Waiting>),
    /// The customer has allowed this once and for all.
    Open(Session<Allowed>),
    /// The customer has refused this once and for all.
    Refuse(Session<Refused>),
}

/// Why a session does not change as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The customer has not answered yet.
    #[error("the customer has not allowed this session yet")]
    Waiting,
    /// Decided already.
    #[error("this session is open already")]
    AlreadyOpen,
    /// The customer said no.
    #[error("the customer has not allowed this session; agree with them and ask again")]
    Refused,
    /// Over.
    #[error("this session has ended; ask for another")]
    Ended,
}

/// Applies the customer's rule to a request.
pub fn answer(ask: Ask, consent: Consent, now: Timestamp) -> Answer {
    let waiting = Session { ask, state: Waiting };
    match consent {
        Consent::Ask => Answer::Ask(waiting),
        Consent::Always => Answer::Open(waiting.allow(None, now)),
        Consent::Never => Answer::Refuse(waiting.refuse(None, now)),
    }
}

impl Session<Waiting> {
    /// The customer allows it: from now on for the minutes asked for.
    pub fn allow(self, by: Option<UserId>, now: Timestamp) -> Session<Allowed> {
        let until = now + Duration::from_secs(u64::from(self.ask.minutes) * 60);
        Session { ask: self.ask, state: Allowed { by, at: now, until } }
    }

    /// The customer says no.
    pub fn refuse(self, by: Option<UserId>, now: Timestamp) -> Session<Refused> {
        Session { ask: self.ask, state: Refused { by, at: now } }
    }

    /// Nobody answered, the technician took it back, or a right fell away.
    pub fn end(self, reason: EndReason, now: Timestamp) -> Session<Ended> {
        Session { ask: self.ask, state: Ended { at: now, reason } }
    }

    /// Whether the time to answer is over.
    pub fn is_stale(&self, patience: Duration, now: Timestamp) -> bool {
        now >= self.ask.requested_at + patience
    }
}

impl Session<Allowed> {
    /// The grant is signed.
    pub fn open(self, grant: SignedGrant) -> Session<Open> {
        let Allowed { at, until, .. } = self.state;
        let lease_until = (at + JOIN_PATIENCE).min(until);
        Session {
            ask: self.ask,
            state: Open { grant, since: at, until, joined_at: None, paired_at: None, lease_until },
        }
    }
}

impl Session<Open> {
    /// It is over.
    pub fn end(self, reason: EndReason, now: Timestamp) -> Session<Ended> {
        Session { ask: self.ask, state: Ended { at: now, reason } }
    }

    /// Why time alone ends it now, if it does.
    pub fn lapsed(&self, now: Timestamp) -> Option<EndReason> {
        if now >= self.state.until {
            return Some(EndReason::Expired);
        }
        if now < self.state.lease_until {
            return None;
        }
        Some(if self.state.joined_at.is_some() { EndReason::RelayLost } else { EndReason::NeverJoined })
    }
}

impl Found {
    /// The waiting session, or why it is none.
    pub fn waiting(self) -> Result<Session<Waiting>, Refusal> {
        match self {
            Self::Waiting(waiting) => Ok(waiting),
            Self::Open(_) => Err(Refusal::AlreadyOpen),
            Self::Refused(_) => Err(Refusal::Refused),
            Self::Ended(_) => Err(Refusal::Ended),
        }
    }

    /// The open session, or why it is none.
    pub fn open(self) -> Result<Session<Open>, Refusal> {
        match self {
            Self::Open(open) => Ok(open),
            Self::Waiting(_) => Err(Refusal::Waiting),
            Self::Refused(_) => Err(Refusal::Refused),
            Self::Ended(_) => Err(Refusal::Ended),
        }
    }

    /// Ends a live session, whichever of the two live states it is in.
    pub fn end(self, reason: EndReason, now: Timestamp) -> Result<Session<Ended>, Refusal> {
        match self {
            Self::Waiting(waiting) => Ok(waiting.end(reason, now)),
            Self::Open(open) => Ok(open.end(reason, now)),
            Self::Refused(_) => Err(Refusal::Refused),
            Self::Ended(_) => Err(Refusal::Ended),
        }
    }

    /// Who asks for what.
    pub const fn ask(&self) -> &Ask {
        match self {
            Self::Waiting(session) => &session.ask,
            Self::Open(session) => &session.ask,
            Self::Refused(session) => &session.ask,
            Self::Ended(session) => &session.ask,
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> SessionState {
        match self {
            Self::Waiting(_) => SessionState::Waiting,
            Self::Open(_) => SessionState::Open,
            Self::Refused(_) => SessionState::Refused,
            Self::Ended(_) => SessionState::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{DeviceId, OrganisationId, Random, RegistrationId, SessionId};
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn ask() -> Ask {
        let random = Random::seeded(5);
        Ask {
            id: SessionId::make(START, &random),
            device: DeviceId::make(START, &random),
            registration: RegistrationId::make(START, &random),
            epoch: 1,
            technician: UserId::make(START, &random),
            installer: OrganisationId::make(START, &random),
            customer: OrganisationId::make(START, &random),
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            reason: Some("yearly check".into()),
            minutes: 60,
            csr: String::new(),
            key_thumbprint: "00".repeat(32),
            requested_at: START,
        }
    }

    fn grant() -> SignedGrant {
        "e30.AA".parse().unwrap()
    }

    #[derive(Debug, Clone, Copy)]
    enum Act {
        Allow,
        Refuse,
        End(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![Just(Act::Allow), Just(Act::Refuse), (0..EndReason::ALL.len()).prop_map(Act::End)]
    }

    fn begin(consent: Consent) -> Found {
        match answer(ask(), consent, START) {
            Answer::Ask(waiting) => Found::Waiting(waiting),
            Answer::Open(allowed) => Found::Open(allowed.open(grant())),
            Answer::Refuse(refused) => Found::Refused(refused),
        }
    }

    fn step(found: Found, act: Act) -> Result<Found, Refusal> {
        Ok(match act {
            Act::Allow => Found::Open(found.waiting()?.allow(None, START).open(grant())),
            Act::Refuse => Found::Refused(found.waiting()?.refuse(None, START)),
            Act::End(reason) => Found::Ended(found.end(EndReason::ALL[reason], START)?),
        })
    }

    /// The small model: which act leads from which word to which.
    const fn model(state: SessionState, act: Act) -> Option<SessionState> {
        match (state, act) {
            (SessionState::Waiting, Act::Allow) => Some(SessionState::Open),
            (SessionState::Waiting, Act::Refuse) => Some(SessionState::Refused),
            (SessionState::Waiting | SessionState::Open, Act::End(_)) => Some(SessionState::Ended),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn the_machine_walks_as_the_small_model_does(
            consent in 0usize..3,
            acts in proptest::collection::vec(act(), 0..8),
        ) {
            let consent = Consent::ALL[consent];
            let mut found = begin(consent);
            prop_assert_eq!(found.state(), match consent {
                Consent::Ask => SessionState::Waiting,
                Consent::Always => SessionState::Open,
                Consent::Never => SessionState::Refused,
            });
            for act in acts {
                let before = found.state();
                match (step(found.clone(), act), model(before, act)) {
                    (Ok(next), Some(state)) => {
                        prop_assert_eq!(next.state(), state);
                        found = next;
                    }
                    (Err(_), None) => {}
                    (outcome, expected) => prop_assert!(false, "{before:?} {act:?}: {outcome:?}, not {expected:?}"),
                }
                prop_assert_eq!(found.ask(), &ask());
            }
        }
    }

    #[test]
    fn time_ends_a_session_for_the_reason_that_holds() {
        let Found::Open(open) = begin(Consent::Always) else { panic!("not open") };
        assert_eq!(open.lapsed(START), None);
        assert_eq!(open.lapsed(START + JOIN_PATIENCE), Some(EndReason::NeverJoined));
        let mut joined = open.clone();
        joined.state.joined_at = Some(START);
        assert_eq!(joined.lapsed(START + JOIN_PATIENCE), Some(EndReason::RelayLost));
        joined.state.lease_until = START + Duration::from_secs(7200);
        assert_eq!(joined.lapsed(START + Duration::from_secs(3599)), None);
        assert_eq!(joined.lapsed(START + Duration::from_secs(3600)), Some(EndReason::Expired));
    }

    #[test]
    fn an_unanswered_request_lapses() {
        let Found::Waiting(waiting) = begin(Consent::Ask) else { panic!("not waiting") };
        let patience = Duration::from_secs(1800);
        assert!(!waiting.is_stale(patience, START + Duration::from_secs(1799)));
        assert!(waiting.is_stale(patience, START + patience));
    }
}
