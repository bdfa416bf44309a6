//! Whether a command is carried out. Pure: the device's own rules stand above whatever the cloud asks.

use std::{collections::VecDeque, time::Duration};

use gatelodge_proto::{
    CommandId, Timestamp,
    payload::{Command, Consent, EndReason, NotLonger, Order, Outcome},
};

use crate::session::SESSIONS_AT_ONCE;

/// Outcomes remembered, so that a command sent twice is carried out once.
const REMEMBERED: usize = 128;

/// What became of the latest commands.
#[derive(Debug, Default)]
pub struct Ledger(VecDeque<(CommandId, Outcome)>);

impl Ledger {
    /// What became of a command.
    pub fn outcome(&self, command: CommandId) -> Option<&Outcome> {
        self.0.iter().find(|(id, _)| *id == command).map(|(_, outcome)| outcome)
    }

    /// Remembers an outcome.
    pub fn note(&mut self, command: CommandId, outcome: Outcome) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((command, outcome));
    }
}

/// What the device stands for when a command comes.
#[derive(Debug, Clone, Copy)]
pub struct Stand {
    /// The ownership epoch.
    pub epoch: u64,
    /// The customer's rule.
    pub consent: Consent,
    /// The device's own switch.
    pub remote_access: bool,
    /// Live sessions.
    pub sessions: usize,
}

/// How far this clock may be ahead. What is truly late is harmless: a ticket to a session works once and for half a
/// minute of the cloud's own time.
const CLOCK_AHEAD: Duration = Duration::from_secs(300);

/// What to do with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was carried out before: say so again.
    Repeat(Outcome),
    /// The device will not.
    Refuse {
        /// In a sentence.
        reason: String,
        /// What that is to a session.
        of: Refused,
    },
    /// Carry it out.
    Carry,
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// To open a session, which ends for this reason.
    Opening(EndReason),
    /// To let one last longer.
    MoreTime(NotLonger),
    /// Nothing that a session waits for.
    Other,
}

/// Judges one command.
pub fn judge(command: &Command, ledger: &Ledger, stand: Stand, now: Timestamp) -> Verdict {
    if let Some(outcome) = ledger.outcome(command.id) {
        return Verdict::Repeat(outcome.clone());
    }
    let refuse = |end: EndReason, not_longer: NotLonger, reason: String| {
        let of = match command.order {
            Order::OpenSession(_) => Refused::Opening(end),
            Order::ExtendSession { .. } => Refused::MoreTime(not_longer),
            Order::State(_)
            | Order::StopSession { .. }
            | Order::RenewOnSiteCode
            | Order::OfferKey { .. }
            | Order::ConsentWanted { .. }
            | Order::ConsentGone { .. }
            | Order::StandingRule { .. }
            | Order::ReleaseKey { .. } => Refused::Other,
        };
        Verdict::Refuse { reason, of }
    };
    match &command.order {
        Order::OpenSession(_) | Order::RenewOnSiteCode | Order::OfferKey { .. } | Order::ConsentWanted { .. }
            if now > command.deadline + CLOCK_AHEAD =>
        {
            let reason = format!("late: it was good until {}, the device's clock says {now}", command.deadline);
            refuse(EndReason::DeviceClock, NotLonger::Grant, reason)
        }
        Order::OpenSession(_)
        | Order::ExtendSession { .. }
        | Order::RenewOnSiteCode
        | Order::OfferKey { .. }
        | Order::ConsentWanted { .. }
            if command.epoch != stand.epoch =>
        {
            let reason = format!("wrong epoch: made in {}, the device is in {}", command.epoch, stand.epoch);
            refuse(EndReason::DeviceOwner, NotLonger::Owner, reason)
        }
        Order::OpenSession(_) | Order::ExtendSession { .. } if !stand.remote_access => {
            let reason = "the device's own switch for remote access is off";
            refuse(EndReason::DeviceOff, NotLonger::Off, reason.into())
        }
        Order::OpenSession(_) | Order::ExtendSession { .. } if stand.consent == Consent::Never => {
            refuse(EndReason::DeviceConsent, NotLonger::Consent, "the customer allows no remote access".into())
        }
        Order::OpenSession(_) if stand.sessions >= SESSIONS_AT_ONCE => {
            let reason = format!("the device has {SESSIONS_AT_ONCE} sessions already");
            refuse(EndReason::DeviceBusy, NotLonger::NotOpen, reason)
        }
        // A state carries its own order, (epoch, version), ending a session is safe at any time, a session that is to last
        // longer is live, or there is none, and what the customer's key has signed says itself for what it is good.
        Order::State(_)
        | Order::StopSession { .. }
        | Order::OpenSession(_)
        | Order::ExtendSession { .. }
        | Order::RenewOnSiteCode
        | Order::OfferKey { .. }
        | Order::ConsentWanted { .. }
        | Order::ConsentGone { .. }
        | Order::StandingRule { .. }
        | Order::ReleaseKey { .. } => Verdict::Carry,
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        Random, SessionId,
        payload::{DeviceState, EndReason, Life, SessionOrder},
    };

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn stand() -> Stand {
        Stand { epoch: 3, consent: Consent::Ask, remote_access: true, sessions: 0 }
    }

    fn command(order: Order) -> Command {
        Command {
            id: CommandId::make(NOW, &Random::seeded(1)),
            issued_at: NOW,
            deadline: NOW + Duration::from_secs(30),
            epoch: 3,
            order,
        }
    }

    fn open() -> Command {
        let order = SessionOrder {
            grant: "a.b".parse().unwrap(),
            proof: None,
            relay: "wss://r".into(),
            ticket: "00".into(),
            recording: None,
        };
        command(Order::OpenSession(Box::new(order)))
    }

    fn refused(verdict: &Verdict, words: &str, ends: Option<EndReason>) -> bool {
        let expected = ends.map_or(Refused::Other, Refused::Opening);
        matches!(verdict, Verdict::Refuse { reason, of } if reason.contains(words) && *of == expected)
    }

    #[test]
    fn a_command_sent_twice_is_carried_out_once_and_answered_twice() {
        let (mut ledger, command) = (Ledger::default(), open());
        assert_eq!(judge(&command, &ledger, stand(), NOW), Verdict::Carry);
        ledger.note(command.id, Outcome::Done);
        let late = NOW + Duration::from_secs(3600);
        assert_eq!(judge(&command, &ledger, stand(), late), Verdict::Repeat(Outcome::Done));
    }

    #[test]
    fn the_ledger_forgets_the_oldest_only() {
        let (mut ledger, random) = (Ledger::default(), Random::seeded(1));
        let ids: Vec<CommandId> = (0..=REMEMBERED).map(|_| CommandId::make(NOW, &random)).collect();
        for id in &ids {
            ledger.note(*id, Outcome::Done);
        }
        assert_eq!(ledger.outcome(ids[0]), None);
        assert!(ids[1..].iter().all(|id| ledger.outcome(*id).is_some()));
    }

    #[test]
    fn late_and_foreign_commands_are_refused_by_name() {
        let late = NOW + Duration::from_secs(331);
        for (order, opens) in [(open().order, true), (Order::RenewOnSiteCode, false)] {
            let command = command(order);
            let end = |reason: EndReason| opens.then_some(reason);
            let judged = judge(&command, &Ledger::default(), stand(), late);
            assert!(refused(&judged, "late", end(EndReason::DeviceClock)), "{judged:?}");
            assert_eq!(judge(&command, &Ledger::default(), stand(), command.deadline + CLOCK_AHEAD), Verdict::Carry);
            let other = Stand { epoch: 4, ..stand() };
            let judged = judge(&command, &Ledger::default(), other, NOW);
            assert!(refused(&judged, "wrong epoch", end(EndReason::DeviceOwner)), "{judged:?}");
        }
    }

    #[test]
    fn the_device_s_own_rules_stand_above_the_cloud_s_wish() {
        let judged = |stand| judge(&open(), &Ledger::default(), stand, NOW);
        let off = judged(Stand { remote_access: false, consent: Consent::Always, ..stand() });
        assert!(refused(&off, "own switch", Some(EndReason::DeviceOff)), "{off:?}");
        let closed = judged(Stand { consent: Consent::Never, ..stand() });
        assert!(refused(&closed, "no remote access", Some(EndReason::DeviceConsent)), "{closed:?}");
        let busy = judged(Stand { sessions: SESSIONS_AT_ONCE, ..stand() });
        assert!(refused(&busy, "4 sessions", Some(EndReason::DeviceBusy)), "{busy:?}");
    }

    #[test]
    fn states_and_stops_are_never_too_late() {
        let state = DeviceState {
            epoch: 9,
            version: 1,
            life: Life::Released,
            customer: None,
            installer: None,
            web_address: None,
            consent: Consent::Never,
            opening: gatelodge_proto::opening::Opening::default(),
        };
        let session = SessionId::make(NOW, &Random::seeded(1));
        let orders = [Order::State(state), Order::StopSession { session, reason: EndReason::Customer }];
        for order in orders {
            let other = Stand { epoch: 9, ..stand() };
            assert_eq!(
                judge(&command(order), &Ledger::default(), other, NOW + Duration::from_secs(999)),
                Verdict::Carry
            );
        }
    }

    #[test]
    fn a_session_lasts_longer_only_where_one_may_be_open() {
        let extend = || command(Order::ExtendSession { grant: "a.b".parse().unwrap(), proof: None });
        let judged = |stand, now| judge(&extend(), &Ledger::default(), stand, now);
        assert_eq!(
            judged(Stand { sessions: SESSIONS_AT_ONCE, ..stand() }, NOW + Duration::from_secs(9999)),
            Verdict::Carry
        );
        for (other, why) in [
            (Stand { epoch: 4, ..stand() }, NotLonger::Owner),
            (Stand { remote_access: false, ..stand() }, NotLonger::Off),
            (Stand { consent: Consent::Never, ..stand() }, NotLonger::Consent),
        ] {
            let judged = judged(other, NOW);
            assert!(matches!(judged, Verdict::Refuse { of: Refused::MoreTime(of), .. } if of == why), "{judged:?}");
        }
    }
}
