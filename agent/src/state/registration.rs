//! The registration as the cloud last told it. Messages may arrive late or twice; the highest `(epoch, version)` holds.

use gatelodge_proto::payload::{Consent, DeviceState, Life};

/// What the device believes about its registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registration(Option<DeviceState>);

impl Registration {
    /// From what was kept.
    pub const fn new(state: Option<DeviceState>) -> Self {
        Self(state)
    }

    /// The cloud's last word, when there was one.
    pub const fn state(&self) -> Option<&DeviceState> {
        self.0.as_ref()
    }

    /// Takes a newer word; whether it was newer.
    pub fn accept(&mut self, state: DeviceState) -> bool {
        let newer = self.0.as_ref().is_none_or(|held| (state.epoch, state.version) > (held.epoch, held.version));
        if newer {
            self.0 = Some(state);
        }
        newer
    }

    /// The customer's rule; nobody enters before there is one.
    pub fn consent(&self) -> Consent {
        self.0.as_ref().map_or(Consent::Never, |state| state.consent)
    }

    /// Whether an installer may still register the device, so that the on-site code is of use.
    pub fn is_open(&self) -> bool {
        match self.0.as_ref().map(|state| state.life) {
            None | Some(Life::Manufactured | Life::Enrolled | Life::Released) => true,
            Some(Life::Registered | Life::Active | Life::Retired) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state(epoch: u64, version: u64) -> DeviceState {
        DeviceState {
            epoch,
            version,
            life: Life::Active,
            customer: None,
            installer: None,
            web_address: None,
            consent: Consent::Ask,
            opening: gatelodge_proto::opening::Opening::default(),
        }
    }

    proptest! {
        #[test]
        fn whatever_the_order_of_arrival_the_highest_holds(
            arrivals in proptest::collection::vec((0u64..4, 0u64..4), 1..20)
        ) {
            let mut registration = Registration::default();
            for (epoch, version) in &arrivals {
                registration.accept(state(*epoch, *version));
            }
            let held = registration.state().map(|held| (held.epoch, held.version));
            prop_assert_eq!(held, arrivals.iter().max().copied());
        }
    }

    #[test]
    fn the_same_word_twice_is_no_news_and_nobody_enters_before_the_first() {
        let mut registration = Registration::default();
        assert_eq!((registration.consent(), registration.is_open()), (Consent::Never, true));
        assert!(registration.accept(state(1, 1)));
        assert!(!registration.accept(state(1, 1)));
        assert!(!registration.accept(state(0, 9)));
        assert_eq!((registration.consent(), registration.is_open()), (Consent::Ask, false));
    }
}
