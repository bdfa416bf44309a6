//! A session's life, pure: `waiting -> open -> ended`, `waiting -> refused`, `waiting -> ended`. Each transition
//! consumes the state it leaves. The consent rule is applied here and nowhere else.

use std::time::Duration;

use gatelodge_proto::{
    Timestamp, UserId,
    api::{ExtensionState, ExtensionView, SessionState},
    consent::{ConsentKind, Proof},
    grant::SignedGrant,
    opening::{BREAK_GLASS, Standing},
    payload::{EndReason, KeptEnd, NotLonger},
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

/// On what consent a session stands, and what is carried to the device as its proof.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// By what the customer has said it.
    pub kind: ConsentKind,
    /// What the customer's key has signed; of a press on the device nothing is carried.
    pub proof: Option<Box<Proof>>,
}

/// Whose word a device takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The cloud's: no key is pinned there.
    Cloud,
    /// The customer's key's: each session is asked for.
    Key,
}

impl Hold {
    /// What of a rule that the cloud knows holds there: no rule of the cloud's speaks for the key.
    pub fn leaves(self, rule: Standing) -> Standing {
        match (self, rule) {
            (Self::Key, Standing::Open(_)) => Standing::Ask,
            (Self::Cloud | Self::Key, rule) => rule,
        }
    }
}

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
    /// On what consent it stands, and what the customer's key has signed for it.
    pub word: Word,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether the device's own settings end it then, whatever was granted.
    pub longest: bool,
    /// When an end first joined.
    pub joined_at: Option<Timestamp>,
    /// When both ends were first there.
    pub paired_at: Option<Timestamp>,
    /// Until when the relay's word holds.
    pub lease_until: Timestamp,
    /// The latest wish that it may last longer, and what became of it.
    pub extension: Option<Extension>,
}

/// A wish that a session may last longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// By how much, in minutes.
    pub minutes: u32,
    /// When it was said.
    pub at: Timestamp,
    /// Where it stands.
    pub state: ExtensionState,
    /// Why the device refused.
    pub refusal: Option<NotLonger>,
}

impl From<Extension> for ExtensionView {
    fn from(Extension { minutes, at, state, refusal }: Extension) -> Self {
        Self { minutes, at, state, refusal }
    }
}

/// What the consent rule says to a technician who asks for more time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoreTime {
    /// Ask the customer.
    Ask(Session<Open>),
    /// The customer has been asked already.
    Asked,
    /// The customer has allowed it once and for all.
    Give(Session<Open>),
}

/// Why a session does not last longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMoreTime {
    /// Beyond the longest.
    #[error("with this the session would last longer than {0} minutes in all, which is the longest here")]
    TooLong(u32),
    /// Nothing is asked for.
    #[error("nobody waits for more time in this session")]
    NotAsked,
    /// Its end is not the one that the reader saw.
    #[error("somebody has already extended this session; look at its new end first")]
    Moved,
    /// Beyond what the device has said that it allows.
    #[error("the device's own settings let this session last no longer")]
    Device,
    /// Not open any more.
    #[error("this session has ended; ask for another")]
    Over,
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
pub fn answer(ask: Ask, rule: impl Into<Standing>, now: Timestamp) -> Answer {
    let waiting = Session { ask, state: Waiting };
    match rule.into() {
        Standing::Ask if waiting.ask.break_glass => {
            Answer::Open(waiting.allow(None, now).within(Some(now + BREAK_GLASS)))
        }
        Standing::Ask => Answer::Ask(waiting),
        Standing::Open(end) => Answer::Open(waiting.allow(None, now).within(end)),
        Standing::Never => Answer::Refuse(waiting.refuse(None, now)),
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
    /// The rule that would have allowed it does not hold on the device: the customer is asked all the same.
    pub fn ask_first(self) -> Session<Waiting> {
        Session { ask: self.ask, state: Waiting }
    }

    /// What a window opens ends with it at the latest.
    #[must_use]
    pub fn within(self, end: Option<Timestamp>) -> Self {
        let until = end.map_or(self.state.until, |end| self.state.until.min(end));
        Self { state: Allowed { until, ..self.state }, ..self }
    }

    /// The grant is signed.
    pub fn open(self, grant: SignedGrant, word: Word) -> Session<Open> {
        let Allowed { at, until, .. } = self.state;
        let lease_until = (at + JOIN_PATIENCE).min(until);
        Session {
            ask: self.ask,
            state: Open {
                grant,
                word,
                since: at,
                until,
                longest: false,
                joined_at: None,
                paired_at: None,
                lease_until,
                extension: None,
            },
        }
    }
}

impl Session<Open> {
    /// It is over.
    pub fn end(self, reason: EndReason, now: Timestamp) -> Session<Ended> {
        Session { ask: self.ask, state: Ended { at: now, reason } }
    }

    /// The technician asks for more time, and the customer's rule answers. `longest` is that of the whole session, in
    /// minutes.
    pub fn ask_for_more(
        self,
        minutes: u32,
        rule: impl Into<Standing>,
        longest: u32,
        now: Timestamp,
    ) -> Result<MoreTime, NoMoreTime> {
        let given = self.clone().give_more(minutes, longest, now)?;
        // Beyond the end of a window the customer is asked.
        let rule = match rule.into() {
            Standing::Open(Some(end)) if given.state.until > end => Standing::Ask,
            rule => rule,
        };
        Ok(match (rule, self.state.extension) {
            (Standing::Never, _) => return Err(NoMoreTime::Over),
            (Standing::Open(_), _) => MoreTime::Give(given),
            (Standing::Ask, Some(Extension { minutes: asked, state: ExtensionState::Asked, .. }))
                if asked == minutes =>
            {
                MoreTime::Asked
            }
            (Standing::Ask, _) => MoreTime::Ask(self.with_extension(minutes, now, ExtensionState::Asked)),
        })
    }

    /// The customer lets it last longer, asked or not: from its end on by so many minutes.
    pub fn give_more(self, minutes: u32, longest: u32, now: Timestamp) -> Result<Self, NoMoreTime> {
        if self.lapsed(now).is_some() {
            return Err(NoMoreTime::Over);
        }
        if self.state.longest {
            return Err(NoMoreTime::Device);
        }
        let until = self.state.until + Duration::from_secs(u64::from(minutes) * 60);
        if until.since(self.state.since) > Duration::from_secs(u64::from(longest) * 60) {
            return Err(NoMoreTime::TooLong(longest));
        }
        let mut given = self.with_extension(minutes, now, ExtensionState::Given);
        given.state.until = until;
        Ok(given)
    }

    /// The customer does not let it last longer; it ends when it would have.
    pub fn decline_more(self, now: Timestamp) -> Result<Self, NoMoreTime> {
        match self.state.extension {
            _ if self.lapsed(now).is_some() => Err(NoMoreTime::Over),
            Some(Extension { minutes, state: ExtensionState::Asked, .. }) => {
                Ok(self.with_extension(minutes, now, ExtensionState::Declined))
            }
            Some(Extension {
                state:
                    ExtensionState::Given | ExtensionState::Taken | ExtensionState::Declined | ExtensionState::Refused,
                ..
            })
            | None => Err(NoMoreTime::NotAsked),
        }
    }

    /// The device has said which end it keeps, and why none later where it `refused` one. From now on that is the end, and
    /// never a later one than was `granted` last. `None` when it speaks of an earlier grant: what it makes of the newest
    /// it has yet to say.
    pub fn kept(mut self, end: KeptEnd, refused: Option<NotLonger>, granted: Timestamp) -> Option<Self> {
        if end.granted != granted {
            return None;
        }
        let state = &mut self.state;
        state.until = end.until.min(granted);
        state.longest |= state.until < granted && refused.is_none_or(|why| why == NotLonger::Longest);
        Some(self.answered(refused))
    }

    /// The device has answered what the customer gave, and `refused` it for this reason or has taken it. Its end is
    /// another matter: a device that knows of no such session has none to tell.
    #[must_use]
    pub fn answered(mut self, refused: Option<NotLonger>) -> Self {
        if let Some(wish) = self.state.extension.as_mut().filter(|wish| wish.state == ExtensionState::Given) {
            wish.state = if refused.is_some() { ExtensionState::Refused } else { ExtensionState::Taken };
            wish.refusal = refused;
        }
        self
    }

    fn with_extension(mut self, minutes: u32, at: Timestamp, state: ExtensionState) -> Self {
        self.state.extension = Some(Extension { minutes, at, state, refusal: None });
        self
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

    /// Since when it is open.
    pub const fn opened_at(&self) -> Option<Timestamp> {
        match self {
            Self::Open(open) => Some(open.state.since),
            Self::Waiting(_) | Self::Refused(_) | Self::Ended(_) => None,
        }
    }

    /// Whether an end of it has been there.
    pub const fn is_joined(&self) -> bool {
        match self {
            Self::Open(open) => open.state.joined_at.is_some(),
            Self::Waiting(_) | Self::Refused(_) => false,
            Self::Ended(_) => true,
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
    use gatelodge_proto::{DeviceId, OrganisationId, Random, RegistrationId, SessionId, payload::Consent};
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
            features: Vec::new(),
            reason: Some("yearly check".into()),
            ticket_number: None,
            break_glass: false,
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
        begin_under(consent, Hold::Cloud)
    }

    fn begin_under(consent: Consent, hold: Hold) -> Found {
        match answer(ask(), hold.leaves(consent.into()), START) {
            Answer::Ask(waiting) => Found::Waiting(waiting),
            Answer::Open(allowed) => Found::Open(allowed.open(grant(), Word::default())),
            Answer::Refuse(refused) => Found::Refused(refused),
        }
    }

    fn step(found: Found, act: Act) -> Result<Found, Refusal> {
        Ok(match act {
            Act::Allow => Found::Open(found.waiting()?.allow(None, START).open(grant(), Word::default())),
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
            key in any::<bool>(),
            acts in proptest::collection::vec(act(), 0..8),
        ) {
            let consent = Consent::ALL[consent];
            let hold = if key { Hold::Key } else { Hold::Cloud };
            let mut found = begin_under(consent, hold);
            prop_assert_eq!(found.state(), match (consent, hold) {
                (Consent::Always, Hold::Cloud) => SessionState::Open,
                (Consent::Ask | Consent::Always, _) => SessionState::Waiting,
                (Consent::Never, _) => SessionState::Refused,
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
    fn the_end_that_a_device_keeps_holds_and_is_never_later_than_what_was_granted() {
        let Found::Open(open) = begin(Consent::Always) else { panic!("not open") };
        let (granted, minute) = (open.state.until, Duration::from_secs(60));
        let keeps = |until, refused| open.clone().kept(KeptEnd { granted, until }, refused, granted).unwrap().state;
        for (until, refused, expected) in [
            (granted, None, (granted, false)),
            (granted - minute, None, (granted - minute, true)),
            (granted + minute, None, (granted, false)),
            (granted - minute, Some(NotLonger::Longest), (granted - minute, true)),
            (granted - minute, Some(NotLonger::Off), (granted - minute, false)),
        ] {
            let state = keeps(until, refused);
            assert_eq!((state.until, state.longest), expected, "{until} {refused:?}");
        }
        assert_eq!(
            open.clone().kept(KeptEnd { granted, until: START }, None, granted + minute),
            None,
            "an older grant"
        );
        let cut = Session { ask: ask(), state: keeps(granted - minute, None) };
        assert_eq!(cut.give_more(1, 9999, START), Err(NoMoreTime::Device));
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

    #[test]
    fn more_time_is_asked_for_given_and_declined() {
        let Found::Open(open) = begin(Consent::Always) else { panic!("not open") };
        let end = open.state.until;
        let half = Duration::from_secs(1800);
        let word = |session: &Session<Open>| session.state.extension.map(|extension| extension.state);
        let ask = |session: &Session<Open>, consent| session.clone().ask_for_more(30, consent, 480, START);

        let Ok(MoreTime::Ask(asked)) = ask(&open, Consent::Ask) else { panic!("not asked") };
        assert_eq!((asked.state.until, word(&asked)), (end, Some(ExtensionState::Asked)), "to ask moves nothing");
        assert_eq!(ask(&asked, Consent::Ask), Ok(MoreTime::Asked), "once is enough");
        assert!(matches!(asked.clone().ask_for_more(60, Consent::Ask, 480, START), Ok(MoreTime::Ask(_))), "for more");

        let given = asked.clone().give_more(30, 480, START).unwrap();
        assert_eq!((given.state.until, word(&given)), (end + half, Some(ExtensionState::Given)));
        assert!(matches!(ask(&given, Consent::Ask), Ok(MoreTime::Ask(_))), "and once more later");
        assert_eq!(given.clone().decline_more(START), Err(NoMoreTime::NotAsked), "what is given stays");

        let declined = asked.clone().decline_more(START).unwrap();
        assert_eq!((declined.state.until, word(&declined)), (end, Some(ExtensionState::Declined)));
        assert_eq!(open.clone().decline_more(START), Err(NoMoreTime::NotAsked));

        let Ok(MoreTime::Give(by_rule)) = ask(&open, Consent::Always) else { panic!("not given") };
        assert_eq!(by_rule.state.until, end + half);
        assert_eq!(ask(&open, Consent::Never), Err(NoMoreTime::Over));
        let with_key = open.clone().ask_for_more(30, Hold::Key.leaves(Standing::Open(None)), 480, START);
        assert!(matches!(with_key, Ok(MoreTime::Ask(_))), "no rule of the cloud's speaks for the key");
    }

    #[test]
    fn no_session_is_longer_than_the_longest_nor_comes_back() {
        let Found::Open(mut open) = begin(Consent::Always) else { panic!("not open") };
        open.state.lease_until = open.state.until;
        assert_eq!(open.clone().give_more(61, 120, START), Err(NoMoreTime::TooLong(120)));
        assert!(open.clone().give_more(60, 120, START).is_ok());
        for over in [
            open.clone().give_more(30, 480, open.state.until).unwrap_err(),
            open.clone().decline_more(open.state.until).unwrap_err(),
            open.clone().ask_for_more(30, Consent::Always, 480, open.state.until).unwrap_err(),
        ] {
            assert_eq!(over, NoMoreTime::Over);
        }
    }

    #[test]
    fn a_window_ends_what_it_opens_and_beyond_it_the_customer_is_asked() {
        let end = START + Duration::from_secs(20 * 60);
        let Answer::Open(allowed) = answer(ask(), Standing::Open(Some(end)), START) else { panic!("it is open") };
        assert_eq!(allowed.state.until, end, "an hour was asked for");
        let open = allowed.open(grant(), Word::default());
        let within = open.clone().ask_for_more(10, Standing::Open(Some(end + Duration::from_secs(600))), 480, START);
        assert!(matches!(within, Ok(MoreTime::Give(_))), "{within:?}");
        let beyond = open.ask_for_more(10, Standing::Open(Some(end)), 480, START);
        assert!(matches!(beyond, Ok(MoreTime::Ask(_))), "{beyond:?}");
    }
}
