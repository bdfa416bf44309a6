//! The customer's hold over this device while it runs: what the cloud brings, what somebody at the device presses. Each
//! change is on disk before anything follows from it.

use gatelodge_proto::{
    consent::{Assertion, Challenge, ConsentKind, PinId, PinnedKey, Proof, SignedRule},
    grant::{Grant, SignedGrant},
    payload::{EndReason, Event, Forgot, Happening, Outcome},
    topics::Up,
};

use super::{Agent, PageOrder, RunError, connected::Connected};
use crate::{
    consent::{Keeper, Moments, Unproven, Wanted},
    session::signed,
    status::{ConsentShown, OfferShown, PinShown, WantedShown},
};

fn refused(why: &dyn std::fmt::Display) -> Outcome {
    Outcome::Refused { reason: why.to_string(), end: None }
}

impl Agent {
    pub(super) fn keep_consent(&self) -> Result<(), RunError> {
        // The key first: a book that says more than the key is read as if it did not.
        self.state.keep_pin(self.keeper.pin())?;
        self.state.keep_book(self.keeper.book())?;
        self.show_consent();
        Ok(())
    }

    /// With the key goes the record of an owner who left before it.
    fn key_gone(&mut self, pin: PinId, by: Forgot) -> Result<(), RunError> {
        let at = self.clock.now();
        if self.keeper.take_owner_left() {
            self.audit.forget(at).map_err(RunError::Audit)?;
        }
        self.audit.told(at, [Happening::KeyForgotten { pin, by }]).map_err(RunError::Audit)?;
        self.keeper.note_gone(pin, by);
        self.keep_consent()
    }

    /// What somebody at the device asks for while it is enrolled nowhere: nobody is inside, nobody asks to enter, and the
    /// key of an owner who has left goes all the same.
    pub(super) fn asked_alone(&mut self, order: &PageOrder) -> Result<(), RunError> {
        match *order {
            PageOrder::ForgetKey { pin } if self.keeper.forget(pin) => self.key_gone(pin, Forgot::Device),
            PageOrder::TakeRulesBack if self.keeper.take_rules_back(self.clock.now()) => self.keep_consent(),
            PageOrder::ForgetKey { .. }
            | PageOrder::TakeRulesBack
            | PageOrder::StopSession(_)
            | PageOrder::Answer { .. }
            | PageOrder::ConfirmKey { .. }
            | PageOrder::DeclineKey { .. } => Ok(()),
        }
    }

    pub(super) fn show_consent(&self) {
        let (keeper, now) = (&self.keeper, self.clock.now());
        self.board.update(|status| {
            let is_live = |wanted: &&Wanted| status.sessions.iter().any(|live| live.session == wanted.grant.session);
            // What nobody waits for any more is not shown, also where nobody could say so.
            let waits = keeper.wanted().iter().filter(|wanted| now < wanted.grant.until);
            let wanted = waits.map(|wanted| shown(wanted, is_live(&wanted))).collect();
            status.consent = ConsentShown {
                pinned: keeper.pin().map(|pin| PinShown {
                    pin: pin.id,
                    fingerprint: pin.key.fingerprint(),
                    site: pin.key.rp.to_string(),
                    since: pin.since,
                }),
                offered: keeper
                    .offer()
                    .map(|key| OfferShown { fingerprint: key.fingerprint(), site: key.rp.to_string() }),
                wanted,
            };
        });
    }
}

fn shown(wanted: &Wanted, longer: bool) -> WantedShown {
    let grant = &wanted.grant;
    let services = grant.services.iter().map(|service| service.name.to_string());
    let networks = grant.networks.iter().map(|network| network.subnet.to_string());
    let calls = grant.listens.iter().map(|listen| listen.name.to_string());
    let features = grant.features.iter().map(ToString::to_string);
    WantedShown {
        draft: Challenge::of_grant(&wanted.draft),
        session: grant.session,
        technician: grant.technician.name.clone(),
        organisation: grant.technician.organisation_name.clone(),
        reaches: services.chain(networks).chain(calls).chain(features).collect(),
        reason: grant.reason.clone(),
        minutes: u64::from(grant.lifetime_s).div_ceil(60),
        longer,
    }
}

impl Connected<'_> {
    fn keeper(&mut self) -> &mut Keeper {
        &mut self.agent.keeper
    }

    fn moments(&self) -> Moments {
        Moments::of(self.agent.clock.now(), self.agent.clock.correction())
    }

    /// Whether the customer consents to a session that is about to begin; from now on this consent is used up.
    pub(super) fn begin_by_consent(
        &mut self,
        signed: &SignedGrant,
        grant: &Grant,
        proof: Option<&Proof>,
    ) -> Result<Result<ConsentKind, Unproven>, RunError> {
        let (moments, before) = (self.moments(), self.agent.keeper.book().clone());
        let opened = self.keeper().open(signed, grant, proof, moments);
        // Without a key most sessions leave nothing to write down.
        if opened.is_ok() && *self.agent.keeper.book() != before {
            self.agent.keep_consent()?;
        }
        Ok(opened)
    }

    /// Whether the customer consents to a later end.
    pub(super) fn longer_by_consent(
        &self,
        signed: &SignedGrant,
        grant: &Grant,
        proof: Option<&Proof>,
    ) -> Result<ConsentKind, Unproven> {
        self.agent.keeper.gate(signed).prove(signed, grant, proof, self.moments())
    }

    pub(super) fn offer_key(&mut self, key: PinnedKey) -> Result<Outcome, RunError> {
        match self.keeper().take_offer(key) {
            Ok(()) => {
                self.agent.keep_consent()?;
                Ok(Outcome::Done)
            }
            Err(why) => Ok(refused(&why)),
        }
    }

    pub(super) fn consent_wanted(&mut self, draft: SignedGrant) -> Result<Outcome, RunError> {
        let grant = match signed(&draft, &self.credentials.grant_key) {
            Ok(grant) => grant,
            Err(denied) => return Ok(refused(&denied)),
        };
        if grant.device != self.credentials.device || grant.epoch != self.epoch() {
            return Ok(refused(&"the draft is for another device or ownership"));
        }
        self.keeper().want(draft, grant);
        self.agent.keep_consent()?;
        Ok(Outcome::Done)
    }

    pub(super) fn consent_gone(&mut self, session: gatelodge_proto::SessionId) -> Result<(), RunError> {
        if !self.agent.keeper.wanted().iter().any(|wanted| wanted.grant.session == session) {
            return Ok(());
        }
        self.keeper().gone(session);
        self.agent.keep_consent()
    }

    pub(super) fn take_rule(&mut self, rule: &SignedRule) -> Result<Outcome, RunError> {
        let moments = self.moments();
        match self.keeper().take_rule(rule, moments) {
            Ok(()) => {
                self.agent.keep_consent()?;
                Ok(Outcome::Done)
            }
            Err(why) => Ok(refused(&why)),
        }
    }

    pub(super) fn release_key(&mut self, assertion: &Assertion) -> Result<Outcome, RunError> {
        let device = self.credentials.device;
        match self.keeper().release(assertion, device) {
            Ok(pin) => {
                tracing::info!("the customer's key is released by itself");
                self.agent.key_gone(pin, Forgot::Key)?;
                self.tell_gone()?;
                Ok(Outcome::Done)
            }
            Err(why) => Ok(refused(&why)),
        }
    }

    /// Somebody at the device has answered a request.
    pub(super) fn answered(&mut self, draft: Challenge, allowed: bool) -> Result<(), RunError> {
        let Some(session) = self.keeper().answer(draft, allowed) else { return Ok(()) };
        self.agent.keep_consent()?;
        tracing::info!(%session, allowed, "a request is answered at the device");
        self.happened(Happening::ConsentPressed { session, draft, allowed })
    }

    /// Somebody at the device has compared the fingerprint.
    pub(super) fn confirm_key(&mut self, fingerprint: &str) -> Result<(), RunError> {
        let (random, now) = (self.agent.random.clone(), self.agent.clock.now());
        let Some(pin) = self.keeper().confirm(fingerprint, &random, now).cloned() else { return Ok(()) };
        self.agent.keep_consent()?;
        tracing::info!("the customer's key is pinned");
        // Nobody has asked the key about those who are inside.
        self.sessions.stop_unproven(EndReason::Device);
        self.happened(Happening::KeyPinned { pin: pin.id, key: pin.key.into() })
    }

    /// Somebody at the device does not want the key.
    pub(super) fn decline_key(&mut self, fingerprint: &str) -> Result<(), RunError> {
        let Some(key) = self.keeper().decline(fingerprint) else { return Ok(()) };
        self.agent.keep_consent()?;
        self.happened(Happening::KeyDeclined { key: key.into() })
    }

    /// Somebody at the device takes the key away.
    pub(super) fn forget_key(&mut self, pin: PinId) -> Result<(), RunError> {
        if !self.keeper().forget(pin) {
            return Ok(());
        }
        tracing::warn!("the customer's key is taken away at the device");
        self.agent.key_gone(pin, Forgot::Device)?;
        self.tell_gone()
    }

    /// Tells of a key that is gone, also of one that went while there was no cloud to tell.
    pub(super) fn tell_gone(&mut self) -> Result<(), RunError> {
        let Some((pin, by)) = self.keeper().take_untold() else { return Ok(()) };
        let at = self.agent.clock.now();
        self.add(Up::Event, Event { at, what: Happening::KeyForgotten { pin, by } })?;
        self.agent.keep_consent()
    }

    /// Somebody at the device takes the standing rules back.
    pub(super) fn take_rules_back(&mut self) -> Result<(), RunError> {
        let now = self.agent.clock.now();
        if self.keeper().take_rules_back(now) {
            self.agent.keep_consent()?;
            self.sessions.stop_by_rule(EndReason::Device);
        }
        Ok(())
    }
}
