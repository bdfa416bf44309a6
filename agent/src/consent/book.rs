//! What the device remembers about consent beside the key: a key that is offered, requests that wait for an answer, what
//! was pressed, and which sessions have been opened. Bounded; on disk before anything follows from it.

use std::time::Duration;

use gatelodge_proto::{
    SessionId, Timestamp,
    consent::{Challenge, PinId, PinnedKey},
    grant::{Grant, SignedGrant},
    opening::BREAK_GLASS_PER_DAY,
    payload::Forgot,
};
use serde::{Deserialize, Serialize};

/// Requests that are shown, and presses that wait for their session.
const ASKED: usize = 8;
/// Sessions remembered one by one. Of those before, the latest `from` is: nothing that old is opened any more.
const SPENT: usize = 256;
const DAY: Duration = Duration::from_secs(86_400);

/// A request as the device shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What a press would allow.
    pub draft: SignedGrant,
    /// The same, read when it came.
    pub grant: Grant,
}

/// The book.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Book {
    pub(super) offer: Option<PinnedKey>,
    pub(super) wanted: Vec<Wanted>,
    pressed: Vec<Pressed>,
    spent: Vec<Spent>,
    /// Whether the cloud has said, since the key was pinned, that the owner left.
    pub(super) owner_left: bool,
    /// A key that is gone and of which no cloud was told.
    pub(super) untold: Option<(PinId, Forgot)>,
    /// The latest `from` of those that are not listed any more.
    spent_until: Option<Timestamp>,
    /// When an emergency has opened this device, by its own clock.
    emergencies: Vec<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Pressed {
    session: SessionId,
    draft: Challenge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Spent {
    session: SessionId,
    from: Timestamp,
}

impl Book {
    /// Lists a request; an earlier draft for the same session is out of date.
    pub(super) fn want(&mut self, wanted: Wanted) {
        self.gone(wanted.grant.session);
        if self.wanted.len() >= ASKED {
            self.wanted.remove(0);
        }
        self.wanted.push(wanted);
    }

    pub(super) fn gone(&mut self, session: SessionId) {
        self.wanted.retain(|wanted| wanted.grant.session != session);
    }

    /// Takes the request off the list; whose it is, if it was there.
    pub(super) fn answer(&mut self, draft: Challenge, allowed: bool) -> Option<SessionId> {
        let place = self.wanted.iter().position(|wanted| Challenge::of_grant(&wanted.draft) == draft)?;
        let session = self.wanted.remove(place).grant.session;
        if allowed {
            if self.pressed.len() >= ASKED {
                self.pressed.remove(0);
            }
            self.pressed.push(Pressed { session, draft });
        }
        Some(session)
    }

    /// What was pressed for this very grant.
    pub(super) fn pressed(&self, grant: &SignedGrant) -> Option<Challenge> {
        let this = Challenge::of_grant(grant);
        self.pressed.iter().map(|pressed| pressed.draft).find(|draft| *draft == this)
    }

    /// Whether a session was opened before, as far as that is known.
    pub(super) fn is_spent(&self, grant: &Grant) -> bool {
        self.spent_until.is_some_and(|until| grant.from <= until)
            || self.spent.iter().any(|spent| spent.session == grant.session)
    }

    /// Notes that a session is opened.
    pub(super) fn spend(&mut self, grant: &Grant) {
        self.gone(grant.session);
        self.pressed.retain(|pressed| pressed.session != grant.session);
        self.spent.push(Spent { session: grant.session, from: grant.from });
        if self.spent.len() > SPENT
            && let Some(oldest) = (0..self.spent.len()).min_by_key(|place| self.spent[*place].from)
        {
            let from = self.spent.remove(oldest).from;
            self.spent_until = self.spent_until.max(Some(from));
        }
    }

    /// Whether an emergency may open this device once more today. A clock that went back makes none forgotten.
    pub(super) fn has_emergency_left(&self, own: Timestamp) -> bool {
        let today = self.emergencies.iter().filter(|at| own < **at + DAY).count();
        u32::try_from(today).is_ok_and(|today| today < BREAK_GLASS_PER_DAY)
    }

    /// Notes that an emergency opens this device.
    pub(super) fn note_emergency(&mut self, own: Timestamp) {
        self.emergencies.retain(|at| own < *at + DAY);
        self.emergencies.push(own);
    }

    /// Nothing that was shown or pressed under one key stands under another; what was opened stays opened.
    pub(super) fn forget_answers(&mut self) {
        (self.offer, self.wanted, self.pressed) = (None, Vec::new(), Vec::new());
    }
}
