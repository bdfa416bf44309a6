//! Whether a grant has the consent that this device asks for. Pure; the agent asks before it starts a session's process,
//! and that process asks again.

use gatelodge_proto::{
    Timestamp,
    consent::{Challenge, ConsentKind, NotCovered, NotSigned, Proof},
    grant::{Grant, SignedGrant},
    opening::BREAK_GLASS_PER_DAY,
};
use serde::{Deserialize, Serialize};

use super::{Pin, is_signed};

/// No agent of this version ran before: 2026-11-01. A clock that says less is not set.
const BUILT: Timestamp = Timestamp::from_seconds(1_793_491_200);

/// What a session's consent is held against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The customer's key, where one is pinned.
    pin: Option<Pin>,
    /// The grant that somebody at the device has allowed.
    pressed: Option<Challenge>,
}

/// The time, by every clock that can be true. The cloud corrects this device's clock: a rule holds by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    now: Timestamp,
    uncorrected: Option<Timestamp>,
}

impl Moments {
    /// The time now, by a clock that was corrected by so many microseconds.
    pub fn of(now: Timestamp, corrected_by_us: i64) -> Self {
        let own = Timestamp::from_micros(now.micros().saturating_sub(corrected_by_us));
        Self { now, uncorrected: (corrected_by_us != 0 && own >= BUILT).then_some(own) }
    }

    /// By the device's own clock, where it is set: the cloud cannot move that one.
    pub(super) fn own(self) -> Timestamp {
        self.uncorrected.unwrap_or(self.now)
    }

    /// The latest that can be true.
    pub(super) fn latest(self) -> Timestamp {
        self.uncorrected.map_or(self.now, |own| own.max(self.now))
    }

    fn each(self) -> impl Iterator<Item = Timestamp> {
        [Some(self.now), self.uncorrected].into_iter().flatten()
    }
}

/// Why there is no consent that this device takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// Nobody has signed or pressed anything.
    #[error("the customer's key is pinned on this device, and nothing says that the customer allows this")]
    Nothing,
    /// Another session's word, or a forged one.
    #[error(transparent)]
    Signature(#[from] NotSigned),
    /// The rule is for something else.
    #[error(transparent)]
    Rule(#[from] NotCovered),
    /// One more emergency than a day has.
    #[error("{BREAK_GLASS_PER_DAY} emergencies have opened this device within a day already")]
    Emergencies,
    /// It has opened a session already.
    #[error("this consent has opened its session already, and opens no second one")]
    Spent,
}

impl Gate {
    pub(super) const fn new(pin: Option<Pin>, pressed: Option<Challenge>) -> Self {
        Self { pin, pressed }
    }

    /// On what consent the grant stands here.
    pub fn prove(
        &self,
        signed: &SignedGrant,
        grant: &Grant,
        proof: Option<&Proof>,
        moments: Moments,
    ) -> Result<ConsentKind, Unproven> {
        let this = Challenge::of_grant(signed);
        if self.pressed == Some(this) {
            return Ok(ConsentKind::Pressed);
        }
        let Some(pin) = &self.pin else { return Ok(ConsentKind::Cloud) };
        match proof {
            None => Err(Unproven::Nothing),
            Some(Proof::Passkey { assertion }) => {
                assertion.check(&this, &pin.key, is_signed)?;
                Ok(ConsentKind::Passkey)
            }
            Some(Proof::Standing { rule }) => {
                let rule = pin.rule(rule)?;
                rule.is_dated(moments.latest())?;
                for moment in moments.each() {
                    rule.covers(grant, moment)?;
                }
                Ok(if grant.break_glass { ConsentKind::BreakGlass } else { ConsentKind::StandingRule })
            }
        }
    }
}
