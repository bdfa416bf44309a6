//! Key and book together, and everything that changes them. Pure: whoever calls writes both down before anything follows.

use gatelodge_proto::{
    DeviceId, Random, SessionId, Timestamp,
    consent::{Assertion, Challenge, ConsentKind, NotSigned, PinId, PinnedKey, Proof, SignedRule},
    grant::{Grant, SignedGrant},
    payload::Forgot,
};

use super::{
    Pin, Unproven,
    book::{Book, Wanted},
    gate::{Gate, Moments},
};

/// The customer's hold over a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keeper {
    pin: Option<Pin>,
    book: Book,
}

/// Why something the cloud asks is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is a key; only itself or a person at the device takes it away.
    #[error("a key is pinned on this device already; it is taken away by itself, or by a person at the device")]
    Pinned,
    /// There is no key that could ask for it.
    #[error("no key is pinned on this device")]
    NoKey,
    /// The key has not said so.
    #[error(transparent)]
    Signature(#[from] NotSigned),
    /// The rule is none.
    #[error(transparent)]
    Rule(#[from] Unproven),
}

impl Keeper {
    /// From what was kept.
    pub fn new(pin: Option<Pin>, mut book: Book) -> Self {
        if pin.is_some() {
            book.offer = None;
        }
        Self { pin, book }
    }

    /// The pinned key.
    pub const fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// The rest.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The key that waits for somebody at the device.
    pub const fn offer(&self) -> Option<&PinnedKey> {
        self.book.offer.as_ref()
    }

    /// The requests that wait for an answer.
    pub fn wanted(&self) -> &[Wanted] {
        &self.book.wanted
    }

    /// The cloud offers a key. Nothing changes but what is shown.
    pub fn take_offer(&mut self, key: PinnedKey) -> Result<(), Refused> {
        if self.pin.is_some() {
            return Err(Refused::Pinned);
        }
        self.book.offer = Some(key);
        Ok(())
    }

    /// Somebody at the device has compared the fingerprint and pins the key; `None` when another is offered by now.
    pub fn confirm(&mut self, fingerprint: &str, random: &Random, now: Timestamp) -> Option<&Pin> {
        let key = self.book.offer.take_if(|key| self.pin.is_none() && key.fingerprint() == fingerprint)?;
        self.book.forget_answers();
        Some(self.pin.insert(Pin { id: PinId::make(random), key, since: now, rules_since: Timestamp::EPOCH }))
    }

    /// Somebody at the device does not want the key.
    pub fn decline(&mut self, fingerprint: &str) -> Option<PinnedKey> {
        self.book.offer.take_if(|key| key.fingerprint() == fingerprint)
    }

    /// Somebody at the device takes the key away.
    pub fn forget(&mut self, pin: PinId) -> bool {
        let gone = self.pin.take_if(|held| held.id == pin).is_some();
        if gone {
            self.book.forget_answers();
        }
        gone
    }

    /// The cloud says that the owner has left: what they were offered or shown is not the next one's. Whether a key stays
    /// that is theirs.
    pub fn owner_left(&mut self) -> bool {
        self.book.forget_answers();
        self.book.owner_left = self.pin.is_some();
        self.book.owner_left
    }

    /// Whether the owner of a key that is gone had left before; said once.
    pub const fn take_owner_left(&mut self) -> bool {
        std::mem::replace(&mut self.book.owner_left, false)
    }

    /// Notes a key that is gone, until a cloud is told.
    pub const fn note_gone(&mut self, pin: PinId, by: Forgot) {
        self.book.untold = Some((pin, by));
    }

    /// The key that is gone and of which no cloud was told; said once.
    pub const fn take_untold(&mut self) -> Option<(PinId, Forgot)> {
        self.book.untold.take()
    }

    /// The key takes itself away.
    pub fn release(&mut self, assertion: &Assertion, device: DeviceId) -> Result<PinId, Refused> {
        let pin = self.pin.as_ref().ok_or(Refused::NoKey)?;
        pin.released_by(assertion, device)?;
        let id = pin.id;
        self.forget(id);
        Ok(id)
    }

    /// The newest standing rule: older ones are taken back.
    pub fn take_rule(&mut self, rule: &SignedRule, moments: Moments) -> Result<(), Refused> {
        let pin = self.pin.as_mut().ok_or(Refused::NoKey)?;
        let rule = pin.rule(rule)?;
        rule.is_dated(moments.latest()).map_err(Unproven::from)?;
        pin.rules_since = rule.made_at;
        Ok(())
    }

    /// Somebody at the device takes every standing rule back that was made until now.
    pub fn take_rules_back(&mut self, now: Timestamp) -> bool {
        self.pin.as_mut().is_some_and(|pin| {
            // The clock may be behind, and by the cloud's doing: what was shown here is taken back in any case.
            pin.rules_since = now.max(pin.rules_since + std::time::Duration::from_micros(1));
            true
        })
    }

    /// Lists a request, which a press answers.
    pub fn want(&mut self, draft: SignedGrant, grant: Grant) {
        self.book.want(Wanted { draft, grant });
    }

    /// A request was answered elsewhere.
    pub fn gone(&mut self, session: SessionId) {
        self.book.gone(session);
    }

    /// Somebody at the device has answered the request with this draft; whose it is, if it still waits.
    pub fn answer(&mut self, draft: Challenge, allowed: bool) -> Option<SessionId> {
        self.book.answer(draft, allowed)
    }

    /// What a session's process holds this grant against.
    pub fn gate(&self, grant: &SignedGrant) -> Gate {
        Gate::new(self.pin.clone(), self.book.pressed(grant))
    }

    /// Whether a session may begin. Where a key is pinned, each consent begins one session once, whatever a clock says.
    pub fn open(
        &mut self,
        signed: &SignedGrant,
        grant: &Grant,
        proof: Option<&Proof>,
        moments: Moments,
    ) -> Result<ConsentKind, Unproven> {
        let kind = self.gate(signed).prove(signed, grant, proof, moments)?;
        if self.pin.is_some() && self.book.is_spent(grant) {
            return Err(Unproven::Spent);
        }
        if kind != ConsentKind::Cloud {
            if kind == ConsentKind::BreakGlass {
                if !self.book.has_emergency_left(moments.own()) {
                    return Err(Unproven::Emergencies);
                }
                self.book.note_emergency(moments.own());
            }
            self.book.spend(grant);
        }
        self.book.gone(grant.session);
        if let (Some(Proof::Standing { rule }), ConsentKind::StandingRule | ConsentKind::BreakGlass) = (proof, kind)
            && let (Some(pin), Ok(rule)) = (&mut self.pin, rule.read())
        {
            pin.rules_since = pin.rules_since.max(rule.made_at);
        }
        Ok(kind)
    }
}
