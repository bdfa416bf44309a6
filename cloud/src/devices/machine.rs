//! A device's life, pure: `manufactured -> enrolled -> registered -> active -> released -> enrolled ...`, and from
//! anywhere to `retired`. A transition consumes the state it leaves; who may ask for it is decided elsewhere.

use gatelodge_proto::{DeviceId, payload::Life};

/// A device in the state `S`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device<S> {
    /// Which.
    pub id: DeviceId,
    /// Ownership epoch: what was true in an earlier one binds nobody now.
    pub epoch: u64,
    /// Where it stands.
    pub state: S,
}

/// A state of the life.
pub trait Stage {
    /// Its word.
    const LIFE: Life;
}

macro_rules! stages {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $name;
            impl Stage for $name {
                const LIFE: Life = Life::$name;
            }
        )+

        /// A device in whichever state it is, as the store finds it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Found {
            $($(#[$doc])* $name(Device<$name>)),+
        }

        impl Found {
            /// From a row.
            pub const fn of(id: DeviceId, epoch: u64, life: Life) -> Self {
                match life {
                    $(Life::$name => Self::$name(Device { id, epoch, state: $name })),+
                }
            }

            /// Where it stands.
            pub const fn life(&self) -> Life {
                match self {
                    $(Self::$name(_) => Life::$name),+
                }
            }

            /// Its ownership epoch.
            pub const fn epoch(&self) -> u64 {
                match self {
                    $(Self::$name(device) => device.epoch),+
                }
            }
        }

        $(impl From<Device<$name>> for Found {
            fn from(device: Device<$name>) -> Self {
                Self::$name(device)
            }
        })+
    };
}

stages!(
    /// In the inventory.
    Manufactured,
    /// Its agent has a certificate.
    Enrolled,
    /// Tied to an installer and a customer's e-mail.
    Registered,
    /// Confirmed by the customer.
    Active,
    /// Given back by its owner.
    Released,
    /// Revoked for good.
    Retired,
);

/// Why a device does not change as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was revoked for good.
    #[error("this device is retired: its maker has taken it out of service for good")]
    Retired,
    /// Its agent has no certificate yet.
    #[error("this device has not connected yet: plug it in, wait until its page shows a code, then try again")]
    NotEnrolled,
    /// Somebody has registered it.
    #[error("this device is registered already; its owner has to release it first")]
    Taken,
    /// Nobody has registered it.
    #[error("this device is not registered")]
    NotRegistered,
    /// The customer has not confirmed it.
    #[error("this device is not active: its customer has not confirmed it")]
    NotActive,
}

impl<S> Device<S> {
    fn at<T>(self, state: T) -> Device<T> {
        Device { id: self.id, epoch: self.epoch, state }
    }

    /// The same device for its next owner: whatever was given out before is void.
    fn in_next_epoch<T>(self, state: T) -> Device<T> {
        Device { id: self.id, epoch: self.epoch + 1, state }
    }
}

impl Device<Enrolled> {
    /// An installer ties it to a customer.
    pub fn register(self) -> Device<Registered> {
        self.at(Registered)
    }
}

impl Device<Registered> {
    /// The customer confirms.
    pub fn activate(self) -> Device<Active> {
        self.at(Active)
    }

    /// The installer takes it back.
    pub fn cancel(self) -> Device<Enrolled> {
        self.at(Enrolled)
    }
}

impl Device<Active> {
    /// The owner gives it back.
    pub fn release(self) -> Device<Released> {
        self.in_next_epoch(Released)
    }
}

impl Found {
    /// A key of the device was accepted. Enrolling anew changes nothing else: a registered device stays registered.
    pub fn enrol(self) -> Result<Self, Refusal> {
        Ok(match self {
            Self::Manufactured(device) => device.at(Enrolled).into(),
            Self::Released(device) => device.at(Enrolled).into(),
            Self::Enrolled(_) | Self::Registered(_) | Self::Active(_) => self,
            Self::Retired(_) => return Err(Refusal::Retired),
        })
    }

    /// The enrolled device, free to be registered, or why it is not.
    pub const fn enrolled(self) -> Result<Device<Enrolled>, Refusal> {
        match self {
            Self::Enrolled(device) => Ok(device),
            Self::Manufactured(_) | Self::Released(_) => Err(Refusal::NotEnrolled),
            Self::Registered(_) | Self::Active(_) => Err(Refusal::Taken),
            Self::Retired(_) => Err(Refusal::Retired),
        }
    }

    /// The registered device, or why it is none.
    pub const fn registered(self) -> Result<Device<Registered>, Refusal> {
        match self {
            Self::Registered(device) => Ok(device),
            Self::Active(_) => Err(Refusal::Taken),
            Self::Manufactured(_) | Self::Enrolled(_) | Self::Released(_) => Err(Refusal::NotRegistered),
            Self::Retired(_) => Err(Refusal::Retired),
        }
    }

    /// The active device, or why it is none.
    pub const fn active(self) -> Result<Device<Active>, Refusal> {
        match self {
            Self::Active(device) => Ok(device),
            Self::Manufactured(_) | Self::Enrolled(_) | Self::Registered(_) | Self::Released(_) => {
                Err(Refusal::NotActive)
            }
            Self::Retired(_) => Err(Refusal::Retired),
        }
    }

    /// The vendor takes it out of service; from every state but the last.
    pub fn retire(self) -> Result<Device<Retired>, Refusal> {
        match self {
            Self::Manufactured(device) => Ok(device.in_next_epoch(Retired)),
            Self::Enrolled(device) => Ok(device.in_next_epoch(Retired)),
            Self::Registered(device) => Ok(device.in_next_epoch(Retired)),
            Self::Active(device) => Ok(device.in_next_epoch(Retired)),
            Self::Released(device) => Ok(device.in_next_epoch(Retired)),
            Self::Retired(_) => Err(Refusal::Retired),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{Random, Timestamp};

    use super::*;

    type Act = fn(Found) -> Result<Found, Refusal>;

    /// Everything that can be asked of a device.
    const ACTS: [(&str, Act); 6] = [
        ("enrol", Found::enrol),
        ("register", |found| Ok(found.enrolled()?.register().into())),
        ("activate", |found| Ok(found.registered()?.activate().into())),
        ("cancel", |found| Ok(found.registered()?.cancel().into())),
        ("release", |found| Ok(found.active()?.release().into())),
        ("retire", |found| Ok(found.retire()?.into())),
    ];

    fn at(life: Life) -> Found {
        let id = DeviceId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(1));
        Found::of(id, 1, life)
    }

    fn next(life: Life) -> Vec<Life> {
        ACTS.iter().filter_map(|(_, act)| act(at(life)).ok()).map(|found| found.life()).collect()
    }

    #[test]
    fn every_state_is_reached_and_only_the_last_is_a_dead_end() {
        let mut reached = vec![Life::Manufactured];
        let mut place = 0;
        while let Some(life) = reached.get(place).copied() {
            for next in next(life) {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            place += 1;
        }
        for life in Life::ALL {
            assert!(reached.contains(&life), "{life:?} is never reached");
            let away = next(life).into_iter().any(|to| to != life);
            assert_eq!(away, life != Life::Retired, "{life:?}");
        }
    }

    #[test]
    fn an_owner_can_always_be_found_anew_after_the_last_one_left() {
        let mut found = at(Life::Active);
        for (name, act) in [4, 0, 1, 2].map(|place| ACTS[place]) {
            found = act(found).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        }
        assert_eq!((found.life(), found.epoch()), (Life::Active, 2));
    }

    #[test]
    fn the_table_of_changes() {
        use Life::{Active, Enrolled, Manufactured, Registered, Released, Retired};
        let table: Vec<(Life, &str, Option<Life>)> = Life::ALL
            .into_iter()
            .flat_map(|life| ACTS.map(|(name, act)| (life, name, act(at(life)).ok().map(|found| found.life()))))
            .filter(|(_, _, to)| to.is_some())
            .collect();
        assert_eq!(
            table,
            [
                (Manufactured, "enrol", Some(Enrolled)),
                (Manufactured, "retire", Some(Retired)),
                (Enrolled, "enrol", Some(Enrolled)),
                (Enrolled, "register", Some(Registered)),
                (Enrolled, "retire", Some(Retired)),
                (Registered, "enrol", Some(Registered)),
                (Registered, "activate", Some(Active)),
                (Registered, "cancel", Some(Enrolled)),
                (Registered, "retire", Some(Retired)),
                (Active, "enrol", Some(Active)),
                (Active, "release", Some(Released)),
                (Active, "retire", Some(Retired)),
                (Released, "enrol", Some(Enrolled)),
                (Released, "retire", Some(Retired)),
            ]
        );
    }
}
