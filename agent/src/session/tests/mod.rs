//! No sequence of events reaches a live session, or a later end of one, without a consent that the agent has checked.
//!
//! A cloud that holds each of its own keys says whatever it likes, in any order and for any feature, beside a customer
//! with the real passkey, somebody at the device, restarts and time that passes. The model knows nothing of signatures:
//! it notes who consented to what, and what that consent has opened. Each opening goes through what the agent asks and
//! through what the session's own process asks again.

mod scene;

use std::collections::{HashMap, HashSet, VecDeque};

use gatelodge_proto::{
    DeviceId, OrganisationId, Random, SessionId, UserId,
    consent::{Challenge, ConsentKind, Proof, StandingRule},
    enrol::Credentials,
    grant::{Grant, GrantKey, SignedGrant, Technician},
    opening::Opening,
    payload::{Consent, Feature, Protocol, Service, SessionOrder},
};
use proptest::prelude::*;

use self::scene::Scene;
use super::*;
use crate::{
    consent::{Keeper, Moments, tests::passkey::Passkey},
    state::PrivateKey,
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);
/// Services and features that a session asks for.
const SHAPES: [(&[&str], &[Feature]); 6] = [
    (&["panel-web"], &[]),
    (&["panel-web", "nas"], &[]),
    (&[], &[Feature::Terminal]),
    (&[], &[Feature::Files]),
    (&["panel-web"], &[Feature::Web]),
    (&[], &[Feature::Discovery]),
];
/// What the customer's rule names of them.
const IN_RULE: [usize; 2] = [0, 4];
/// The device's own settings let nobody look around.
const OFFERED: [Feature; 3] = [Feature::Terminal, Feature::Files, Feature::Web];
const LONGEST_BY_RULE: u32 = 60;
/// Presses that wait for their session.
const PRESSES: usize = 8;

/// A grant, named by small numbers: which session, what it asks for, by how many times ten minutes it is longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Draft {
    session: u32,
    shape: usize,
    longer: u32,
}

impl Draft {
    const fn minutes(self) -> u32 {
        30 * (self.session + 1) + 10 * self.longer
    }
}

/// What happens.
#[derive(Debug, Clone)]
enum Act {
    /// The cloud offers a key: the customer's (0) or its own.
    Offer { key: usize },
    /// Somebody at the device confirms what is shown, having compared it with the customer's portal.
    Compare,
    /// The cloud sends a draft.
    Want(Draft),
    /// Somebody at the device presses the latest.
    Press { allowed: bool },
    /// The true customer signs a grant.
    Sign(Draft),
    /// The true customer signs a rule.
    SignRule,
    /// The true customer, or somebody at the device, takes rules back.
    TakeBack,
    /// The cloud orders a session to be opened.
    Open(Draft, With),
    /// The cloud orders a live session to last longer.
    Extend(Draft, With),
    /// Somebody stops a live session.
    Stop(u32),
    /// The cloud says that the key is released.
    FalseRelease,
    /// The true key says so.
    Release,
    /// Somebody at the device says so.
    Forget,
    /// The agent starts anew.
    Restart,
    /// So many minutes pass.
    Pass(u32),
}

#[derive(Debug, Clone, Copy)]
enum With {
    Nothing,
    /// Of the cloud's own key.
    Forged,
    /// The customer's signature for this grant, if there is one, else for any other.
    Collected,
    /// The customer's newest rule.
    Rule,
    /// The same, signed by the cloud's own key.
    ForgedRule,
}

fn act() -> impl Strategy<Value = Act> {
    let draft =
        || (0..3_u32, 0..SHAPES.len(), 0..3_u32).prop_map(|(session, shape, longer)| Draft { session, shape, longer });
    let with =
        || prop::sample::select(vec![With::Nothing, With::Forged, With::Collected, With::Rule, With::ForgedRule]);
    prop_oneof![
        3 => (0..2_usize).prop_map(|key| Act::Offer { key }),
        4 => Just(Act::Compare),
        4 => draft().prop_map(Act::Want),
        4 => prop::bool::weighted(0.8).prop_map(|allowed| Act::Press { allowed }),
        6 => draft().prop_map(Act::Sign),
        2 => Just(Act::SignRule),
        1 => Just(Act::TakeBack),
        16 => (draft(), with()).prop_map(|(draft, with)| Act::Open(draft, with)),
        8 => (draft(), with()).prop_map(|(draft, with)| Act::Extend(draft, with)),
        4 => (0..3_u32).prop_map(Act::Stop),
        1 => Just(Act::FalseRelease),
        1 => Just(Act::Release),
        1 => Just(Act::Forget),
        2 => Just(Act::Restart),
        2 => (1..15_u32).prop_map(Act::Pass),
    ]
}

/// Who has consented to what.
#[derive(Debug, Default)]
struct Model {
    pinned: bool,
    /// Grants that the customer has signed; a signature is good for ever.
    signed: HashSet<Draft>,
    /// Pressed since the key was pinned, or went.
    pressed: VecDeque<Draft>,
    /// Whether the newest rule holds.
    rule: bool,
    opened: HashSet<u32>,
    live: HashMap<u32, Draft>,
    minutes: u32,
}

impl Model {
    fn consent(&self, draft: Draft, with: With) -> Option<ConsentKind> {
        if self.pressed.contains(&draft) {
            return Some(ConsentKind::Pressed);
        }
        if !self.pinned {
            return Some(ConsentKind::Cloud);
        }
        match with {
            With::Collected if self.signed.contains(&draft) => Some(ConsentKind::Passkey),
            With::Rule if self.rule && IN_RULE.contains(&draft.shape) && draft.minutes() <= LONGEST_BY_RULE => {
                Some(ConsentKind::StandingRule)
            }
            With::Nothing | With::Forged | With::Collected | With::Rule | With::ForgedRule => None,
        }
    }

    /// On which consent a session's process runs, whatever was opened before.
    fn may_run(&self, draft: Draft, with: With) -> Option<ConsentKind> {
        let (services, features) = SHAPES[draft.shape];
        let does = !services.is_empty() || features.iter().any(|feature| OFFERED.contains(feature));
        self.consent(draft, with).filter(|_| does && self.minutes < draft.minutes())
    }

    fn may_open(&self, draft: Draft, with: With) -> Option<ConsentKind> {
        let spent = self.pinned && self.opened.contains(&draft.session);
        self.may_run(draft, with).filter(|_| !spent)
    }

    fn may_extend(&self, draft: Draft, with: With) -> bool {
        let later = |live: &Draft| live.shape == draft.shape && live.longer < draft.longer;
        self.live.get(&draft.session).is_some_and(later) && self.consent(draft, with).is_some()
    }

    fn unpin(&mut self) {
        self.pinned = false;
        self.pressed.clear();
        self.rule = false;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn no_sequence_of_events_reaches_live_without_a_consent_that_was_checked(
        acts in prop::collection::vec(act(), 1..80)
    ) {
        let (mut scene, mut model) = (Scene::new(), Model::default());
        for act in &acts {
            scene.play(&mut model, act)?;
        }
    }
}
