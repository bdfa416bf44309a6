//! One terminal of the gateway's: its session's key, where it stands, who is at it, and who may come to it.

use std::sync::{Arc, Mutex};

use gatelodge_proto::{
    Random, SessionId, Timestamp,
    payload::EndReason,
    session::{
        inner_frame::{OpenError, Size},
        terminal::Exit,
    },
    web::{Door, EntryTicket, door::NoEntry},
};
use tokio::sync::{
    Notify, OwnedSemaphorePermit,
    mpsc::{self, Receiver, Sender},
    watch,
};

use super::seat::{Last, Outward, Place, Seat};
use crate::{
    accounts::model::{Member, PortalSessionId},
    gateway::{Owner, held, visit::SessionKey},
};

/// Pieces that a browser may have typed and that are not on their way yet.
pub(super) const TYPED: usize = 16;

/// How a terminal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its program did.
    Exited(Exit),
    /// The device says why there is none, or no more, in a sentence.
    Refused(String),
    /// The device says so by a code.
    Unopened(OpenError),
    /// The device lets no browser have one.
    NotLetIn,
    /// It broke off.
    Broken,
    /// Nobody was at it any more.
    Alone,
    /// The browser is signed out.
    SignedOut,
    /// Its session ended.
    Session(EndReason),
}

/// Where it stands.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Nobody has come in yet; the customer may not have answered.
    Asked,
    /// On the way to the device.
    Joining,
    /// The device has begun it.
    Inside,
    /// Over; how, and when.
    Over(Outcome, Timestamp),
}

/// What was typed, and by whom.
pub(super) struct Typed {
    pub(super) seat: Arc<Seat>,
    pub(super) bytes: bytes::Bytes,
    pub(super) slot: OwnedSemaphorePermit,
}

/// One terminal of the gateway's.
pub(in crate::gateway) struct Terminal {
    pub(super) session: SessionId,
    pub(super) owner: Owner,
    /// Until it has set out.
    pub(super) key: Mutex<Option<SessionKey>>,
    pub(super) place: watch::Sender<Place>,
    pub(super) size: watch::Sender<Size>,
    pub(super) typed: Sender<Typed>,
    /// Until it has begun: what nobody reads any more is kept by nobody.
    pub(super) queue: Mutex<Option<Receiver<Typed>>>,
    pub(super) signed_out: Notify,
    stage: watch::Sender<Stage>,
    door: Mutex<(Door, Option<PortalSessionId>)>,
    /// Until it is over.
    room: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Terminal {
    pub(super) fn new((session, by): (SessionId, &Member), key: SessionKey, room: OwnedSemaphorePermit) -> Self {
        let (typed, queue) = mpsc::channel(TYPED);
        Self {
            session,
            owner: by.into(),
            key: Mutex::new(Some(key)),
            place: watch::Sender::default(),
            size: watch::Sender::new(Size { columns: 80, rows: 24 }),
            typed,
            queue: Mutex::new(Some(queue)),
            signed_out: Notify::new(),
            stage: watch::Sender::new(Stage::Asked),
            door: Mutex::default(),
            room: Mutex::new(Some(room)),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    pub(super) fn stages(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Takes one step, from where it stands.
    fn steps(&self, from: fn(&Stage) -> bool, to: Stage) -> bool {
        self.stage.send_if_modified(|stage| {
            let goes = from(stage);
            if goes {
                *stage = to;
            }
            goes
        })
    }

    /// Sets out to the device, once.
    pub(super) fn sets_out(&self) -> bool {
        self.steps(|stage| matches!(stage, Stage::Asked), Stage::Joining)
    }

    /// What could not be joined may be tried again.
    pub(super) fn comes_back(&self) {
        self.steps(|stage| matches!(stage, Stage::Joining), Stage::Asked);
    }

    pub(super) fn is_inside(&self) {
        self.steps(|stage| matches!(stage, Stage::Joining), Stage::Inside);
    }

    /// It is over; the first word about it stands.
    pub(super) fn is_over(&self, outcome: &Outcome, now: Timestamp) {
        if self.steps(|stage| !matches!(stage, Stage::Over(..)), Stage::Over(outcome.clone(), now)) {
            self.place.send_modify(|place| place.clear(outcome));
            *held(&self.room) = None;
        }
    }

    /// A ticket for one socket of this browser; the one before it is good no more.
    pub(super) fn issue(&self, browser: PortalSessionId, now: Timestamp, random: &Random) -> EntryTicket {
        let mut door = held(&self.door);
        door.1 = Some(browser);
        door.0.issue(now, random)
    }

    /// Seats the browser that shows its ticket, which is used up; whoever was there is told.
    pub(super) fn sits(
        &self,
        ticket: &str,
        browser: PortalSessionId,
        now: Timestamp,
        random: &Random,
    ) -> Result<(Arc<Seat>, mpsc::UnboundedReceiver<Outward>), Last> {
        {
            let mut door = held(&self.door);
            if door.1 != Some(browser) {
                return Err(Last::Ticket);
            }
            door.0.enter(ticket, now, random).map_err(|why| match why {
                NoEntry::Unknown => Last::Ticket,
                NoEntry::Late => Last::Late,
            })?;
        }
        let (seat, out) = Seat::new();
        self.place.send_modify(|place| place.take(&seat));
        // It may have ended just before.
        if let Stage::Over(outcome, _) = &*self.stage.borrow() {
            self.place.send_modify(|place| place.clear(outcome));
        }
        Ok((seat, out))
    }
}
