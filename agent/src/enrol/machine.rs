//! The order of enrolment, without IO: which proof comes next, how long to wait, when to show a new code.

use std::time::{Duration, Instant};

use gatelodge_proto::{
    Random,
    enrol::{Answer, Credentials, Wait},
    identity::OnSiteCode,
    link::{Backoff, Pace},
};

use crate::config::Method;

/// Between two questions lies at least this and at most [`LONGEST_PAUSE`], whatever the cloud says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// The first pause of unknown hardware at most. An inventory is often imported while somebody waits at the device.
const UNKNOWN_FIRST: Duration = Duration::from_secs(4);

/// A code as the device shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownCode {
    /// The code.
    pub code: OnSiteCode,
    /// Since when.
    pub shown_at: Instant,
}

impl ShownCode {
    /// A new code, shown from now on.
    pub fn make(now: Instant, random: &Random) -> Self {
        Self { code: OnSiteCode::make(random), shown_at: now }
    }

    /// How long it is still good for.
    pub fn remaining(&self, now: Instant) -> Duration {
        OnSiteCode::VALID.saturating_sub(now.saturating_duration_since(self.shown_at))
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Fetch a nonce and give it to [`Enrolment::nonce`].
    FetchNonce,
    /// Ask with the answer to this nonce.
    AskWithNonce(String),
    /// Ask with this code, which is shown from now on.
    AskWithCode(OnSiteCode),
    /// Nothing before so long.
    Pause(Duration),
    /// Enrolled.
    Finished(Box<Credentials>),
}

/// One enrolment of one key.
#[derive(Debug)]
pub struct Enrolment {
    method: Method,
    phase: Phase,
    code: Option<ShownCode>,
    wait: Option<Wait>,
    /// How often in a row the cloud did not know the hardware.
    unknown: u32,
    pace: Pace,
    backoff: Backoff,
}

#[derive(Debug)]
enum Phase {
    Ready,
    Nonce(String),
    Asked,
    Until(Instant),
    Finished(Box<Credentials>),
}

impl Enrolment {
    /// A new one.
    pub const fn new(method: Method, pace: Pace) -> Self {
        Self { method, phase: Phase::Ready, code: None, wait: None, unknown: 0, pace, backoff: Backoff::new(pace) }
    }

    /// What to do now.
    pub fn next(&mut self, now: Instant, random: &Random) -> Step {
        if self.method == Method::OnSiteCode {
            match self.code {
                Some(shown) if !shown.remaining(now).is_zero() => {}
                ended => {
                    self.code = Some(ShownCode::make(now, random));
                    // The cloud has to know the next code before anybody can type it.
                    if ended.is_some() && matches!(self.phase, Phase::Until(_)) {
                        self.phase = Phase::Ready;
                    }
                }
            }
        }
        match std::mem::replace(&mut self.phase, Phase::Asked) {
            Phase::Until(until) if now < until => {
                self.phase = Phase::Until(until);
                let pause = until.saturating_duration_since(now);
                let code_ends = self.code.map_or(LONGEST_PAUSE, |shown| shown.remaining(now));
                Step::Pause(pause.min(code_ends).max(SHORTEST_PAUSE))
            }
            Phase::Ready | Phase::Asked | Phase::Until(_) => match (self.method, self.code) {
                (Method::OnSiteCode, Some(shown)) => Step::AskWithCode(shown.code),
                (Method::OnSiteCode, None) | (Method::FactorySecret, _) => Step::FetchNonce,
            },
            Phase::Nonce(nonce) => Step::AskWithNonce(nonce),
            Phase::Finished(credentials) => {
                self.phase = Phase::Finished(credentials.clone());
                Step::Finished(credentials)
            }
        }
    }

    /// A nonce came.
    pub fn nonce(&mut self, nonce: String) {
        self.phase = Phase::Nonce(nonce);
    }

    /// The cloud answered.
    pub fn answered(&mut self, answer: Answer, now: Instant, random: &Random) {
        self.backoff = Backoff::new(self.pace);
        match answer {
            Answer::Enrolled(credentials) => self.phase = Phase::Finished(credentials),
            Answer::Waiting { wait, retry_after_s } => {
                let wish = Duration::from_secs(u64::from(retry_after_s)).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                let pause = if wait == Wait::UnknownHardware {
                    self.unknown = self.unknown.saturating_add(1);
                    unknown_pause(self.unknown, wish, random)
                } else {
                    self.unknown = 0;
                    wish
                };
                let again = self.wait == Some(Wait::NewOnSiteCode);
                self.phase = Phase::Until(now + pause);
                if wait == Wait::NewOnSiteCode {
                    self.code = None;
                    // A fresh code that is refused at once as well would make a tight loop.
                    if !again {
                        self.phase = Phase::Ready;
                    }
                }
                self.wait = Some(wait);
            }
        }
    }

    /// The cloud was not reached, or refused the question itself.
    pub fn failed(&mut self, wish: Option<Duration>, now: Instant, random: &Random) {
        let pause = self.backoff.failed(now, wish, random).max(SHORTEST_PAUSE);
        self.phase = Phase::Until(now + pause);
    }

    /// The code to show.
    pub const fn code(&self) -> Option<ShownCode> {
        self.code
    }

    /// What the cloud waits for.
    pub const fn wait(&self) -> Option<Wait> {
        self.wait
    }
}

/// Doubles from [`UNKNOWN_FIRST`] to what the cloud wishes; the later half of it is left to chance.
fn unknown_pause(times: u32, wish: Duration, random: &Random) -> Duration {
    let ceiling = UNKNOWN_FIRST.saturating_mul(2u32.saturating_pow(times.saturating_sub(1))).min(wish);
    let half = ceiling / 2;
    let chance = random.below(u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1));
    (half + Duration::from_micros(chance)).max(SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{DeviceId, Timestamp};
    use proptest::prelude::*;

    use super::*;

    const PACE: Pace =
        Pace { first: Duration::from_secs(30), cap: Duration::from_secs(120), stable: Duration::from_secs(60) };

    fn waiting(wait: Wait, retry_after_s: u32) -> Answer {
        Answer::Waiting { wait, retry_after_s }
    }

    fn credentials() -> Box<Credentials> {
        Box::new(Credentials {
            device: DeviceId::make(Timestamp::EPOCH, &Random::seeded(1)),
            epoch: 1,
            chain: String::new(),
            device_ca: String::new(),
            session_ca: String::new(),
            grant_key: String::new(),
            mqtt: "localhost:8883".into(),
        })
    }

    fn code_of(step: &Step) -> OnSiteCode {
        match step {
            Step::AskWithCode(code) => *code,
            other => panic!("no question with a code: {other:?}"),
        }
    }

    #[test]
    fn a_factory_secret_asks_for_a_nonce_before_each_question() {
        let (mut enrolment, random, now) =
            (Enrolment::new(Method::FactorySecret, PACE), Random::seeded(1), Instant::now());
        assert_eq!(enrolment.next(now, &random), Step::FetchNonce);
        enrolment.nonce("aa".into());
        assert_eq!(enrolment.next(now, &random), Step::AskWithNonce("aa".into()));
        enrolment.answered(waiting(Wait::Conflict, 60), now, &random);
        assert_eq!(enrolment.next(now, &random), Step::Pause(Duration::from_secs(60)));
        let later = now + Duration::from_secs(60);
        assert_eq!(enrolment.next(later, &random), Step::FetchNonce, "a nonce is good once");
        enrolment.nonce("bb".into());
        enrolment.next(later, &random);
        enrolment.answered(Answer::Enrolled(credentials()), later, &random);
        assert_eq!(enrolment.next(later, &random), Step::Finished(credentials()));
        assert_eq!(enrolment.code(), None);
    }

    #[test]
    fn the_same_code_is_shown_until_it_ends_or_the_cloud_wants_a_new_one() {
        let (mut enrolment, random, now) =
            (Enrolment::new(Method::OnSiteCode, PACE), Random::seeded(1), Instant::now());
        let first = code_of(&enrolment.next(now, &random));
        enrolment.answered(waiting(Wait::OnSiteCode, 5), now, &random);
        let soon = now + Duration::from_secs(5);
        assert_eq!(code_of(&enrolment.next(soon, &random)), first);

        enrolment.answered(waiting(Wait::NewOnSiteCode, 5), soon, &random);
        let second = code_of(&enrolment.next(soon, &random));
        assert_ne!(second, first, "told to, it shows a new one and lets the cloud know at once");
        enrolment.answered(waiting(Wait::NewOnSiteCode, 5), soon, &random);
        assert_eq!(enrolment.next(soon, &random), Step::Pause(Duration::from_secs(5)).clone());

        let mut old = Enrolment::new(Method::OnSiteCode, PACE);
        let first = code_of(&old.next(now, &random));
        old.answered(waiting(Wait::OnSiteCode, 3600), now, &random);
        assert_eq!(old.next(now, &random), Step::Pause(OnSiteCode::VALID));
        assert_ne!(code_of(&old.next(now + OnSiteCode::VALID, &random)), first, "15 minutes are over");
    }

    #[test]
    fn a_cloud_that_is_away_is_asked_less_and_less_often() {
        const DEVICES: u32 = 200;
        let mut waited = [Duration::ZERO; 4];
        for seed in 0..u64::from(DEVICES) {
            let (mut enrolment, random, mut now) =
                (Enrolment::new(Method::FactorySecret, PACE), Random::seeded(seed), Instant::now());
            for waited in &mut waited {
                assert_eq!(enrolment.next(now, &random), Step::FetchNonce);
                enrolment.failed(None, now, &random);
                let Step::Pause(pause) = enrolment.next(now, &random) else { panic!("no pause after a failure") };
                assert!(pause <= PACE.cap);
                *waited += pause / DEVICES;
                now += pause;
            }
        }
        let [first, second, third, fourth] = waited;
        assert!(first * 3 < second * 2 && second * 3 < third * 2, "{waited:?}");
        assert!(fourth > PACE.cap / 3, "{waited:?}");

        let (mut enrolment, random, now) =
            (Enrolment::new(Method::FactorySecret, PACE), Random::seeded(3), Instant::now());
        assert_eq!(enrolment.next(now, &random), Step::FetchNonce);
        enrolment.failed(Some(Duration::from_secs(600)), now, &random);
        let Step::Pause(pause) = enrolment.next(now, &random) else { panic!("no pause after a wish") };
        assert!(pause >= Duration::from_secs(600));
    }

    #[test]
    fn an_answer_forgives_the_failures_before_it() {
        for seed in 0..50 {
            let (mut enrolment, random, mut now) =
                (Enrolment::new(Method::FactorySecret, PACE), Random::seeded(seed), Instant::now());
            for _ in 0..8 {
                enrolment.failed(None, now, &random);
            }
            now += PACE.cap;
            enrolment.answered(waiting(Wait::Conflict, 1), now, &random);
            enrolment.failed(None, now, &random);
            let Step::Pause(pause) = enrolment.next(now, &random) else { panic!("no pause after a failure") };
            assert!(pause <= PACE.first, "{pause:?}");
        }
    }

    /// The pauses between the questions of hardware that the cloud does not know and asks to come back after `wish`.
    fn pauses_of_unknown(seed: u64, wish: u32) -> Vec<Duration> {
        let (mut enrolment, random, mut now) =
            (Enrolment::new(Method::FactorySecret, PACE), Random::seeded(seed), Instant::now());
        let ask = |_| {
            assert_eq!(enrolment.next(now, &random), Step::FetchNonce);
            enrolment.answered(waiting(Wait::UnknownHardware, wish), now, &random);
            let Step::Pause(pause) = enrolment.next(now, &random) else { panic!("no pause while it is unknown") };
            now += pause;
            pause
        };
        (0..10).map(ask).collect()
    }

    #[test]
    fn unknown_hardware_asks_soon_and_then_less_and_less_often() {
        for seed in 0..50 {
            let pauses = pauses_of_unknown(seed, 60);
            let ceilings = [4, 8, 16, 32, 60, 60, 60, 60, 60, 60].map(Duration::from_secs);
            for (pause, ceiling) in pauses.iter().zip(ceilings) {
                assert!((ceiling / 2..=ceiling).contains(pause), "{pauses:?}");
            }
            assert!(
                pauses_of_unknown(seed, 6).iter().all(|pause| *pause <= Duration::from_secs(6)),
                "the cloud steers"
            );
        }
        assert_ne!(pauses_of_unknown(1, 60), pauses_of_unknown(2, 60), "a crowd spreads");
    }

    #[test]
    fn hardware_that_became_known_in_between_begins_anew() {
        let (mut enrolment, random, now) =
            (Enrolment::new(Method::FactorySecret, PACE), Random::seeded(5), Instant::now());
        for _ in 0..8 {
            enrolment.answered(waiting(Wait::UnknownHardware, 60), now, &random);
        }
        enrolment.answered(waiting(Wait::Conflict, 60), now, &random);
        enrolment.answered(waiting(Wait::UnknownHardware, 60), now, &random);
        let Step::Pause(pause) = enrolment.next(now, &random) else { panic!("no pause") };
        assert!(pause <= UNKNOWN_FIRST, "{pause:?}");
    }

    proptest! {
        #[test]
        fn the_cloud_cannot_make_it_hurry_or_sleep_for_ever(seed: u64, answers in proptest::collection::vec((0u8..4, prop_oneof![Just(0), any::<u32>()]), 1..30)) {
            let (mut enrolment, random, mut now) =
                (Enrolment::new(Method::OnSiteCode, PACE), Random::seeded(seed), Instant::now());
            let mut asked_at: Vec<Instant> = Vec::new();
            for (wait, retry) in answers {
                loop {
                    match enrolment.next(now, &random) {
                        Step::Pause(pause) => {
                            prop_assert!(pause <= LONGEST_PAUSE);
                            now += pause;
                        }
                        Step::AskWithCode(_) => break,
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
                asked_at.push(now);
                let wait = [Wait::OnSiteCode, Wait::NewOnSiteCode, Wait::UnknownHardware, Wait::Conflict][usize::from(wait)];
                enrolment.answered(waiting(wait, retry), now, &random);
            }
            for three in asked_at.windows(3) {
                prop_assert!(three[2] - three[0] >= SHORTEST_PAUSE);
            }
        }
    }
}
