//! A registration's life, pure: `open -> active -> released`, `open -> cancelled`, or `active -> handed over` to the
//! registration of another installer. Each transition consumes the
//! state it leaves, so a thing that has ended cannot be changed again; a refusal says why in words of its own.

use gatelodge_proto::{
    DeviceId, OrganisationId, RegistrationId, Timestamp, UserId,
    identity::{EmailAddress, WebAddress},
    opening::{BreakGlass, OpenHours, Opening},
    payload::Consent,
};

use super::model::{CustomerData, State};

/// What a registration ties together; the same in every state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// The registration.
    pub id: RegistrationId,
    /// The device.
    pub device: DeviceId,
    /// The ownership epoch it holds in.
    pub epoch: u64,
    /// The installer.
    pub installer: OrganisationId,
    /// The name of the device's own pages.
    pub web_address: WebAddress,
    /// When the installer saved it.
    pub registered_at: Timestamp,
    /// What is known of the customer.
    pub data: Option<CustomerData>,
}

/// A registration in the state `S`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration<S> {
    /// What it ties together.
    pub tie: Tie,
    /// What this state adds.
    pub state: S,
}

/// Waits for the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Where the link goes.
    pub email: EmailAddress,
    /// The account of that address; it alone may confirm.
    pub customer_user: UserId,
}

/// Confirmed by the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// The customer organisation that owns the device.
    pub customer: OrganisationId,
    /// Its rule for remote access.
    pub consent: Consent,
    /// What the rule says beside that.
    pub opening: Opening,
    /// Since when.
    pub since: Timestamp,
}

/// Over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How: [`State::Cancelled`] or [`State::Released`].
    pub how: End,
    /// When.
    pub at: Timestamp,
}

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The installer took it back before it was confirmed.
    Cancelled,
    /// The customer gave the device back.
    Released,
    /// The customer changed installer; a registration of the other one goes on.
    HandedOver,
}

impl From<End> for State {
    fn from(end: End) -> Self {
        match end {
            End::Cancelled => Self::Cancelled,
            End::Released => Self::Released,
            End::HandedOver => Self::HandedOver,
        }
    }
}

/// A registration in whichever state it is, as the store finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Waits for the customer.
    Open(Registration<Open>),
    /// Confirmed.
    Active(Registration<Active>),
    /// Over.
    Ended(Registration<Ended>),
}

/// Why a registration does not change as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is confirmed already.
    #[error("the customer has confirmed this device already; only they can change or release it now")]
    AlreadyActive,
    /// It is not confirmed yet.
    #[error("this device is not active yet: confirm it first with the link from the activation mail")]
    NotActive,
    /// It is over.
    #[error("this registration has ended; register the device again")]
    Ended,
    /// Somebody else's account is signed in.
    #[error(
        "this device was registered for another e-mail address; sign out, then sign in with the account the activation mail was sent to"
    )]
    AnotherAccount,
}

impl Registration<Open> {
    /// The customer confirms.
    pub fn confirm(
        self,
        by: UserId,
        customer: OrganisationId,
        data: CustomerData,
        consent: Consent,
        now: Timestamp,
    ) -> Result<Registration<Active>, Refusal> {
        if by != self.state.customer_user {
            return Err(Refusal::AnotherAccount);
        }
        Ok(Registration {
            tie: Tie { data: Some(data), ..self.tie },
            state: Active { customer, consent, opening: Opening::default(), since: now },
        })
    }

    /// The installer had mistyped the address: another account may confirm from now on.
    #[must_use]
    pub fn correct_email(self, email: EmailAddress, customer_user: UserId) -> Self {
        Self { state: Open { email, customer_user }, ..self }
    }

    /// The installer takes it back.
    pub fn cancel(self, now: Timestamp) -> Registration<Ended> {
        Registration { tie: self.tie, state: Ended { how: End::Cancelled, at: now } }
    }
}

impl Registration<Active> {
    /// The customer changes the rule for remote access, from this moment on and without an end.
    #[must_use]
    pub fn set_consent(self, consent: Consent) -> Self {
        self.set_rule(consent, None)
    }

    /// The same, with the hours of *always*.
    #[must_use]
    pub fn set_rule(self, consent: Consent, hours: Option<OpenHours>) -> Self {
        let hours = hours.filter(|_| consent == Consent::Always);
        let opening = Opening { hours, open_until: None, ..self.state.opening };
        Self { state: Active { consent, opening, ..self.state }, ..self }
    }

    /// The customer opens the device until then, or closes it again; the rule waits meanwhile.
    #[must_use]
    pub fn open_until(self, open_until: Option<Timestamp>) -> Self {
        let opening = Opening { open_until, ..self.state.opening };
        Self { state: Active { opening, ..self.state }, ..self }
    }

    /// The customer agrees that these may enter in an emergency without an answer, or nobody.
    #[must_use]
    pub fn set_break_glass(self, break_glass: Option<BreakGlass>) -> Self {
        let opening = Opening { break_glass, ..self.state.opening };
        Self { state: Active { opening, ..self.state }, ..self }
    }

    /// The customer's whole rule, as their key has signed it.
    #[must_use]
    pub fn set_whole(self, consent: Consent, opening: Opening) -> Self {
        Self { state: Active { consent, opening, ..self.state }, ..self }
    }

    /// What the device is told: hours only end what they open, so that a session that the customer extends beyond them
    /// goes on.
    pub fn told(&self, now: Timestamp) -> Consent {
        let open = self.state.opening.open_until.is_some_and(|until| now < until);
        if open { Consent::Always } else { self.state.consent }
    }

    /// The customer gives the device's own pages another name.
    #[must_use]
    pub fn set_web_address(self, web_address: WebAddress) -> Self {
        Self { tie: Tie { web_address, ..self.tie }, ..self }
    }

    /// The customer gives the device back.
    pub fn release(self, now: Timestamp) -> Registration<Ended> {
        Registration { tie: self.tie, state: Ended { how: End::Released, at: now } }
    }
}

impl Registration<Active> {
    /// Another installer takes over: this registration ends and one of theirs begins, in which the customer is asked each
    /// time. What was agreed with the installer before binds nobody to the next.
    pub fn hand_over(
        self,
        id: RegistrationId,
        installer: OrganisationId,
        now: Timestamp,
    ) -> (Registration<Ended>, Self) {
        let tie = Tie { id, installer, registered_at: now, ..self.tie.clone() };
        let state = Active { consent: Consent::Ask, opening: Opening::default(), ..self.state };
        let ended = Registration { tie: self.tie, state: Ended { how: End::HandedOver, at: now } };
        (ended, Self { tie, state })
    }
}

impl Found {
    /// The open registration, or why it is none.
    pub fn open(self) -> Result<Registration<Open>, Refusal> {
        match self {
            Self::Open(open) => Ok(open),
            Self::Active(_) => Err(Refusal::AlreadyActive),
            Self::Ended(_) => Err(Refusal::Ended),
        }
    }

    /// The active registration, or why it is none.
    pub fn active(self) -> Result<Registration<Active>, Refusal> {
        match self {
            Self::Active(active) => Ok(active),
            Self::Open(_) => Err(Refusal::NotActive),
            Self::Ended(_) => Err(Refusal::Ended),
        }
    }

    /// What it ties together.
    pub const fn tie(&self) -> &Tie {
        match self {
            Self::Open(open) => &open.tie,
            Self::Active(active) => &active.tie,
            Self::Ended(ended) => &ended.tie,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match self {
            Self::Open(_) => State::Open,
            Self::Active(_) => State::Active,
            Self::Ended(ended) => ended.state.how.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::Random;
    use proptest::prelude::*;

    use super::*;

    fn open(random: &Random, user: UserId) -> Registration<Open> {
        let now = Timestamp::from_seconds(1_800_000_000);
        Registration {
            tie: Tie {
                id: RegistrationId::make(now, random),
                device: DeviceId::make(now, random),
                epoch: 1,
                installer: OrganisationId::make(now, random),
                web_address: "villa-rosa".parse().unwrap(),
                registered_at: now,
                data: None,
            },
            state: Open { email: "rosa@example.com".parse().unwrap(), customer_user: user },
        }
    }

    fn data() -> CustomerData {
        CustomerData {
            name: "Rosa".into(),
            company: None,
            phone: None,
            address: "1".into(),
            postcode: "2".into(),
            city: "3".into(),
            country: "4".into(),
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Act {
        Confirm(usize),
        Correct(usize),
        Cancel,
        Consent(Consent),
        HandOver,
        Release,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0usize..2).prop_map(Act::Confirm),
            (0usize..2).prop_map(Act::Correct),
            Just(Act::Cancel),
            (0usize..3).prop_map(|at| Act::Consent(Consent::ALL[at])),
            Just(Act::HandOver),
            Just(Act::Release),
        ]
    }

    /// The same life said in the smallest words: a state, whose account it waits for, and the rule.
    #[derive(Debug, PartialEq)]
    struct Model {
        state: State,
        account: usize,
        consent: Option<Consent>,
    }

    impl Model {
        fn step(&mut self, act: Act) -> bool {
            match (self.state, act) {
                (State::Open, Act::Confirm(user)) if user == self.account => {
                    (self.state, self.consent) = (State::Active, Some(Consent::Ask));
                }
                (State::Open, Act::Correct(user)) => self.account = user,
                (State::Open, Act::Cancel) => self.state = State::Cancelled,
                (State::Active, Act::Consent(consent)) => self.consent = Some(consent),
                (State::Active, Act::HandOver) => self.consent = Some(Consent::Ask),
                (State::Active, Act::Release) => (self.state, self.consent) = (State::Released, None),
                _ => return false,
            }
            true
        }
    }

    fn step(found: Found, act: Act, users: &[UserId; 2], customer: OrganisationId) -> Result<Found, Refusal> {
        let now = Timestamp::from_seconds(1_800_000_100);
        Ok(match act {
            Act::Confirm(user) => {
                Found::Active(found.open()?.confirm(users[user], customer, data(), Consent::Ask, now)?)
            }
            Act::Correct(user) => {
                Found::Open(found.open()?.correct_email("other@example.com".parse().unwrap(), users[user]))
            }
            Act::Cancel => Found::Ended(found.open()?.cancel(now)),
            Act::Consent(consent) => Found::Active(found.active()?.set_consent(consent)),
            Act::HandOver => {
                let random = Random::seeded(9);
                let (id, next) = (RegistrationId::make(now, &random), OrganisationId::make(now, &random));
                let (ended, active) = found.active()?.hand_over(id, next, now);
                assert_eq!(Found::Ended(ended.clone()).state(), State::HandedOver);
                assert_eq!((ended.tie.device, ended.tie.epoch), (active.tie.device, active.tie.epoch));
                assert_eq!((active.tie.id, active.tie.installer), (id, next));
                Found::Active(active)
            }
            Act::Release => Found::Ended(found.active()?.release(now)),
        })
    }

    proptest! {
        #[test]
        fn the_machine_walks_as_the_small_model_does(acts in proptest::collection::vec(act(), 0..12)) {
            let (random, now) = (Random::seeded(3), Timestamp::from_seconds(1_800_000_000));
            let users = [UserId::make(now, &random), UserId::make(now, &random)];
            let customer = OrganisationId::make(now, &random);
            let mut found = Found::Open(open(&random, users[0]));
            let tie = found.tie().clone();
            let mut handed_over = false;
            let mut model = Model { state: State::Open, account: 0, consent: None };
            for act in acts {
                let taken = match step(found.clone(), act, &users, customer) {
                    Ok(next) => { found = next; true }
                    Err(_) => false,
                };
                prop_assert_eq!(taken, model.step(act), "{:?} in {:?}", act, model);
                let consent = match &found { Found::Active(active) => Some(active.state.consent), _ => None };
                prop_assert_eq!((found.state(), consent), (model.state, model.consent));
                prop_assert_eq!((found.tie().device, found.tie().epoch), (tie.device, tie.epoch));
                handed_over |= taken && matches!(act, Act::HandOver);
                prop_assert_eq!(found.tie().id != tie.id, handed_over);
            }
        }
    }

    #[test]
    fn each_refusal_names_its_reason() {
        let random = Random::seeded(4);
        let now = Timestamp::from_seconds(1_800_000_000);
        let (owner, stranger) = (UserId::make(now, &random), UserId::make(now, &random));
        let customer = OrganisationId::make(now, &random);
        let waiting = open(&random, owner);
        let refused = waiting.clone().confirm(stranger, customer, data(), Consent::Ask, now).unwrap_err();
        assert_eq!(refused, Refusal::AnotherAccount);
        assert_eq!(Found::Open(waiting.clone()).active().unwrap_err(), Refusal::NotActive);
        let active = waiting.confirm(owner, customer, data(), Consent::Never, now).unwrap();
        assert_eq!(Found::Active(active.clone()).open().unwrap_err(), Refusal::AlreadyActive);
        assert_eq!(Found::Ended(active.release(now)).open().unwrap_err(), Refusal::Ended);
    }
}
