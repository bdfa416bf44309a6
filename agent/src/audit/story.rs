//! What is on record, put together for people: a visit from its beginning to its end with what it opened, and the rules
//! that held between visits. Pure.

use std::collections::HashMap;

use gatelodge_proto::{
    FlowId, SessionId, Timestamp,
    payload::{Consent, EndReason, FlowOutcome, Forgot, Life},
};

use super::{Deed, Line, TargetDeed, TargetRow, Visit};

/// One piece of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chapter {
    /// Somebody came.
    Stay(Box<Stay>),
    /// The cloud told whose the device is, and who may enter.
    Rule {
        /// When.
        at: Timestamp,
        /// Where the device stands.
        life: Life,
        /// For whom.
        customer: Option<String>,
        /// By which installer.
        installer: Option<String>,
        /// Who may enter.
        consent: Consent,
    },
    /// The customer's hold over the device: a key, or a press on it.
    Hold {
        /// When.
        at: Timestamp,
        /// In a sentence.
        sentence: String,
    },
    /// What was kept was erased.
    Erased(Timestamp),
}

/// One visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// When it was let in or turned away.
    pub at: Timestamp,
    /// Which session; nothing where the order could not be read.
    pub session: Option<SessionId>,
    /// Who, for whom and why; nothing where that is no longer kept.
    pub visit: Option<Visit>,
    /// Why it was turned away: in a sentence, and as an end of the session where it is one.
    pub refused: Option<(String, Option<EndReason>)>,
    /// When the technician's side came.
    pub joined_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<End>,
    /// Whether its last targets may be missing.
    pub cut_short: bool,
    /// What was opened, in its order.
    pub targets: Vec<Target>,
}

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
    /// Bytes towards the technician.
    pub bytes_up: u64,
    /// Bytes towards the installation.
    pub bytes_down: u64,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// When it was asked for.
    pub at: Timestamp,
    /// The same as in the cloud's history.
    pub flow: FlowId,
    /// `tcp panel.local:80`.
    pub target: String,
    /// How it went.
    pub outcome: FlowOutcome,
    /// Bytes towards the technician, bytes towards the installation and milliseconds, once it is closed.
    pub closed: Option<(u64, u64, u64)>,
}

impl Stay {
    fn new(at: Timestamp, session: Option<SessionId>, visit: Option<Visit>) -> Self {
        let (refused, joined_at, end, targets) = (None, None, None, Vec::new());
        Self { at, session, visit, refused, joined_at, end, cut_short: false, targets }
    }
}

/// The story, oldest first.
pub fn story(deeds: &[Line<Deed>], targets: &[Line<TargetRow>]) -> Vec<Chapter> {
    let mut stays = Stays::default();
    let mut chapters = Vec::new();
    for Line { number, at, what, .. } in deeds {
        let (number, at) = (*number, *at);
        match what {
            Deed::SessionOpened(visit) => {
                let stay = stays.of(number, visit.session, at);
                (stay.at, stay.visit) = (at, Some((**visit).clone()));
            }
            Deed::SessionRefused { visit, reason, end } => {
                let visit = visit.as_deref().cloned();
                let stay = Stay::new(at, visit.as_ref().map(|visit| visit.session), visit);
                chapters
                    .push((number, Chapter::Stay(Box::new(Stay { refused: Some((reason.clone(), *end)), ..stay }))));
            }
            Deed::RuleTold { life, customer, installer, consent } => {
                let (customer, installer) = (customer.clone(), installer.clone());
                chapters.push((number, Chapter::Rule { at, life: *life, customer, installer, consent: *consent }));
            }
            Deed::ConsentPressed { session, allowed } => {
                let word = if *allowed { "allowed" } else { "refused" };
                let sentence = format!("Somebody at the device {word} session {session}");
                chapters.push((number, Chapter::Hold { at, sentence }));
            }
            Deed::KeyPinned { fingerprint } => {
                let sentence = format!("The customer's key was pinned: {fingerprint}");
                chapters.push((number, Chapter::Hold { at, sentence }));
            }
            Deed::KeyForgotten { by } => {
                let by = match by {
                    Forgot::Key => "by a statement of its own",
                    Forgot::Device => "at the device",
                };
                chapters.push((number, Chapter::Hold { at, sentence: format!("The customer's key was removed {by}") }));
            }
            Deed::Erased => chapters.push((number, Chapter::Erased(at))),
            Deed::SessionJoined { session, .. } => {
                stays.of(number, *session, at).joined_at.get_or_insert(at);
            }
            Deed::SessionExtended { session, until } => {
                if let Some(visit) = &mut stays.of(number, *session, at).visit {
                    visit.until = *until;
                }
            }
            Deed::RecordCutShort { session } => stays.of(number, *session, at).cut_short = true,
            Deed::SessionEnded { session, reason, bytes_up, bytes_down, .. } => {
                let end = End { at, reason: *reason, bytes_up: *bytes_up, bytes_down: *bytes_down };
                stays.of(number, *session, at).end = Some(end);
            }
            Deed::ExtensionRefused { .. } => {}
        }
    }
    stays.open(targets);
    chapters.extend(stays.stays.into_iter().map(|(number, stay)| (number, Chapter::Stay(Box::new(stay)))));
    chapters.sort_by_key(|(number, _)| *number);
    chapters.into_iter().map(|(_, chapter)| chapter).collect()
}

/// Visits by the number of their first entry.
#[derive(Default)]
struct Stays {
    stays: Vec<(u64, Stay)>,
    places: HashMap<SessionId, usize>,
}

impl Stays {
    /// The visit of a session, also of one whose beginning is no longer kept.
    fn of(&mut self, number: u64, session: SessionId, at: Timestamp) -> &mut Stay {
        let place = *self.places.entry(session).or_insert_with(|| {
            self.stays.push((number, Stay::new(at, Some(session), None)));
            self.stays.len() - 1
        });
        &mut self.stays[place].1
    }

    fn open(&mut self, targets: &[Line<TargetRow>]) {
        let mut opened: HashMap<(SessionId, FlowId), usize> = HashMap::new();
        for Line { at, what: TargetRow { session, what }, .. } in targets {
            // Where few come, targets are kept longer than visits: whose they were is not known any more then.
            let Some(place) = self.places.get(session) else { continue };
            let targets = &mut self.stays[*place].1.targets;
            match what {
                TargetDeed::TargetOpened { flow, target, outcome } => {
                    opened.insert((*session, *flow), targets.len());
                    let (at, target) = (*at, target.clone());
                    targets.push(Target { at, flow: *flow, target, outcome: *outcome, closed: None });
                }
                TargetDeed::TargetClosed { flow, bytes_up, bytes_down, duration_ms } => {
                    let place = opened.get(&(*session, *flow));
                    if let Some(target) = place.and_then(|place| targets.get_mut(*place)) {
                        target.closed = Some((*bytes_up, *bytes_down, *duration_ms));
                    }
                }
            }
        }
    }
}
