//! The on-site code of an enrolled device that nobody has registered yet.

use std::time::{Duration, Instant};

use gatelodge_proto::{Random, identity::OnSiteCode};

use crate::{config::Method, enrol::ShownCode, state::Registration};

/// A device that just enrolled by a typed code is being registered; its next code would only confuse.
const GRACE: Duration = Duration::from_secs(60);

/// Decides which code is shown.
#[derive(Debug)]
pub(super) struct CodeDesk {
    shown: Option<ShownCode>,
    quiet_until: Option<Instant>,
}

impl CodeDesk {
    pub(super) fn new(method: Method, now: Instant) -> Self {
        let quiet_until = match method {
            Method::OnSiteCode => Some(now + GRACE),
            Method::FactorySecret => None,
        };
        Self { shown: None, quiet_until }
    }

    /// Brings the code in line with the registration; the code when it is new and the cloud has to learn it.
    pub(super) fn look(&mut self, registration: &Registration, now: Instant, random: &Random) -> Option<OnSiteCode> {
        let quiet = registration.state().is_none() && self.quiet_until.is_some_and(|until| now < until);
        if !registration.is_open() || quiet {
            self.shown = None;
            return None;
        }
        if self.shown.is_some_and(|shown| !shown.remaining(now).is_zero()) {
            return None;
        }
        Some(self.renew(now, random))
    }

    /// Shows a new code at once.
    pub(super) fn renew(&mut self, now: Instant, random: &Random) -> OnSiteCode {
        self.shown.insert(ShownCode::make(now, random)).code
    }

    /// The code on show.
    pub(super) const fn shown(&self) -> Option<ShownCode> {
        self.shown
    }

    /// When to look again.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        self.shown.map(|shown| now + shown.remaining(now)).or(self.quiet_until.filter(|until| *until > now))
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::payload::{Consent, DeviceState, Life};

    use super::*;

    fn registration(life: Life) -> Registration {
        Registration::new(Some(DeviceState {
            epoch: 1,
            version: 1,
            life,
            customer: None,
            installer: None,
            web_address: None,
            consent: Consent::Never,
            opening: gatelodge_proto::opening::Opening::default(),
        }))
    }

    #[test]
    fn it_is_shown_while_the_device_can_be_registered_and_renewed_when_it_ends() {
        let (random, now) = (Random::seeded(1), Instant::now());
        let mut desk = CodeDesk::new(Method::FactorySecret, now);
        let first = desk.look(&Registration::default(), now, &random).unwrap();
        assert_eq!(desk.look(&registration(Life::Enrolled), now, &random), None, "the cloud knows it");
        assert_eq!(desk.next_at(now), Some(now + OnSiteCode::VALID));
        let later = now + OnSiteCode::VALID;
        assert_ne!(desk.look(&registration(Life::Enrolled), later, &random).unwrap(), first);
        for life in [Life::Registered, Life::Active, Life::Retired] {
            assert_eq!(desk.look(&registration(life), later, &random), None);
            assert_eq!(desk.shown(), None);
        }
        assert!(desk.look(&registration(Life::Released), later, &random).is_some());
    }

    #[test]
    fn after_enrolling_by_a_code_it_waits_for_the_cloud_s_word() {
        let (random, now) = (Random::seeded(1), Instant::now());
        let mut desk = CodeDesk::new(Method::OnSiteCode, now);
        assert_eq!(desk.look(&Registration::default(), now, &random), None);
        assert!(desk.look(&Registration::default(), now + GRACE, &random).is_some());
        let mut told = CodeDesk::new(Method::OnSiteCode, now);
        assert!(told.look(&registration(Life::Enrolled), now, &random).is_some());
    }
}
