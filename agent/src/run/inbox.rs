//! What the cloud sends: receipts, commands, certificates.

use gatelodge_proto::{
    grant::SignedGrant,
    link::Message,
    payload::{self, Command, CommandResult, DeviceState, EndReason, Life, Order, Outcome, Receipt},
    topics::{Down, Topic, Up},
};
use tokio::time::Instant;

use super::{
    Left, RunError,
    commands::{Refused, Stand, Verdict, judge},
    connected::Connected,
    sessions::SessionNews,
};
use crate::{
    audit::{Deed, Visit},
    session::signed,
};

impl Connected<'_> {
    /// Takes one message. What cannot be read is dropped with a word in the log; the cloud sends commands again
    /// until their result is there.
    pub(super) fn received(&mut self, message: Message) -> Result<Option<Left>, RunError> {
        let topic = message.topic.parse::<Topic>();
        let bytes = message.payload;
        message.acknowledgement.acknowledge();
        match topic {
            Ok(Topic::Down(device, kind)) if device == self.credentials.device => match kind {
                Down::Receipt => self.receipt(payload::decode(&bytes))?,
                Down::Command => return self.command(payload::decode(&bytes)),
                Down::Certificate => match payload::decode::<payload::Certificate>(&bytes) {
                    Ok(certificate) => self.install(&certificate.chain)?,
                    Err(error) => tracing::warn!(%error, "certificate cannot be read"),
                },
            },
            Ok(_) | Err(_) => tracing::warn!("message is on a topic that is not ours"),
        }
        Ok(None)
    }

    fn receipt(&mut self, receipt: Result<Receipt, payload::InvalidPayload>) -> Result<(), RunError> {
        match receipt {
            Ok(receipt) => {
                if let Some(reason) = &receipt.parked {
                    tracing::warn!(reason, "cloud could not use a message");
                }
                let correlation = payload::Correlation { boot_id: receipt.boot_id, seq: receipt.seq };
                self.agent.outbox.receipt(correlation).map_err(RunError::Outbox)?;
                self.count_waiting();
            }
            Err(error) => tracing::warn!(%error, "receipt cannot be read"),
        }
        Ok(())
    }

    fn command(&mut self, command: Result<Command, payload::InvalidPayload>) -> Result<Option<Left>, RunError> {
        let command = match command {
            Ok(command) => command,
            Err(error) => {
                tracing::warn!(%error, "command cannot be read");
                return Ok(None);
            }
        };
        let stand = Stand {
            epoch: self.epoch(),
            consent: self.registration.consent(),
            remote_access: self.agent.config.remote_access.enabled,
            sessions: self.sessions.len(),
        };
        let (id, grant) = (command.id, ordered(&command.order).cloned());
        let mut left = None;
        let outcome = match judge(&command, &self.ledger, stand, self.agent.clock.now()) {
            Verdict::Repeat(outcome) => outcome,
            Verdict::Refuse { reason, of } => {
                let end = if let Refused::Opening(end) = of { Some(end) } else { None };
                if let (Refused::MoreTime(why), Order::ExtendSession { grant, .. }) = (of, &command.order) {
                    self.not_longer(grant, why)?;
                }
                Outcome::Refused { reason, end }
            }
            Verdict::Carry => match command.order {
                Order::State(state) => {
                    left = self.take_state(state)?;
                    Outcome::Done
                }
                Order::OpenSession(order) => self.open_session(*order)?,
                Order::StopSession { session, reason } => {
                    self.sessions.stop(session, reason);
                    Outcome::Done
                }
                Order::ExtendSession { grant, proof } => self.extend_session(grant, proof)?,
                Order::RenewOnSiteCode => {
                    self.renew_code()?;
                    Outcome::Done
                }
                Order::OfferKey { key } => self.offer_key(key)?,
                Order::ConsentWanted { draft } => self.consent_wanted(draft)?,
                Order::ConsentGone { session } => {
                    self.consent_gone(session)?;
                    Outcome::Done
                }
                Order::StandingRule { rule } => self.take_rule(&rule)?,
                Order::ReleaseKey { assertion } => self.release_key(&assertion)?,
            },
        };
        if let Outcome::Refused { reason, .. } | Outcome::Failed { reason } = &outcome {
            tracing::warn!(command = %id, reason, "command is not carried out");
        }
        if self.ledger.outcome(id).is_none() {
            self.ledger.note(id, outcome.clone());
            if let Some(grant) = grant {
                self.note_visit(&grant, &outcome)?;
            }
        }
        self.add(Up::Result, CommandResult { command: id, outcome })?;
        Ok(left)
    }

    /// Writes down who came and whether they were let in, before anybody outside hears of it.
    fn note_visit(&mut self, grant: &SignedGrant, outcome: &Outcome) -> Result<(), RunError> {
        let visit = signed(grant, &self.credentials.grant_key).ok().map(|grant| Box::new(Visit::of(&grant)));
        let deed = match (outcome, visit) {
            (Outcome::Done, Some(visit)) => Deed::SessionOpened(visit),
            // An order that cannot be read is never carried out.
            (Outcome::Done, None) => return Ok(()),
            (Outcome::Refused { reason, end }, visit) => {
                Deed::SessionRefused { visit, reason: reason.clone(), end: *end }
            }
            (Outcome::Failed { reason }, visit) => {
                Deed::SessionRefused { visit, reason: reason.clone(), end: Some(EndReason::DeviceFault) }
            }
        };
        self.agent.audit.note(self.agent.clock.now(), deed).map_err(RunError::Audit)
    }

    fn take_state(&mut self, state: DeviceState) -> Result<Option<Left>, RunError> {
        let before = self.registration.state().cloned();
        if !self.registration.accept(state.clone()) {
            return Ok(None);
        }
        self.agent.state.keep_registration(&state)?;
        if let Some(told) = Deed::told(before.as_ref(), &state) {
            self.agent.audit.note(self.agent.clock.now(), told).map_err(RunError::Audit)?;
        }
        tracing::info!(life = state.life.word(), epoch = state.epoch, version = state.version, "registration changed");
        let (life, consent) = (state.life, state.consent);
        self.agent.board.update(|status| status.registration = Some(state));
        self.sessions.keep_to(consent);
        Ok(match life {
            Life::Retired => Some(Left::Retired),
            Life::Manufactured | Life::Enrolled | Life::Registered | Life::Active | Life::Released => None,
        })
    }

    fn renew_code(&mut self) -> Result<(), RunError> {
        if self.registration.is_open() {
            let now = Instant::now();
            let code = self.codes.renew(now.into_std(), &self.agent.random);
            self.show_code(now);
            self.happened(payload::Happening::OnSiteCodeShown { code })?;
        }
        Ok(())
    }

    /// What session processes said, passed on to the cloud: written down by one sync, however much it is. Until then they
    /// keep it.
    pub(super) fn session_news(&mut self, SessionNews { happened, receipts }: SessionNews) -> Result<(), RunError> {
        let at = self.agent.clock.now();
        self.agent.audit.told(at, happened.iter().cloned()).map_err(RunError::Audit)?;
        self.add_all(Up::Event, happened.into_iter().map(|what| payload::Event { at, what }))?;
        for receipt in receipts {
            self.sessions.taken(receipt);
        }
        Ok(())
    }
}

/// The grant of an order to open a session.
fn ordered(order: &Order) -> Option<&SignedGrant> {
    match order {
        Order::OpenSession(order) => Some(&order.grant),
        _ => None,
    }
}
