//! Who is where: one room a session, two seats a room, a pairing while both are taken, and one end. Pure but for the
//! lock. An end that comes again takes its seat anew; what was under way in the old pairing is gone with it.

use std::{
    cmp,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use gatelodge_proto::{
    SessionId, Timestamp,
    session::{
        Role,
        relay_frame::{PeerLoss, RESUMES, RelayError},
    },
};
use tokio::{sync::watch, time::Instant};

use super::{
    Carried, Limit, Live,
    brake::{Brake, Brakes},
    cause::Cause,
    direction::{Inlet, Outlet, direction},
};

/// Where a leg stands.
#[derive(Clone)]
pub(super) enum Phase {
    /// The other end has not come, or the audit row is being written.
    Alone,
    /// Bytes may flow.
    Up(Arc<Pairing>),
    /// The other end has lost its leg and may come again.
    Apart,
    /// Another leg of the same end is here.
    Replaced,
    /// This relay stops, and the session goes on elsewhere.
    Moved,
    /// Over.
    Over(Cause),
}

impl Phase {
    /// Whether the leg has no more business here.
    pub(super) const fn is_last(&self) -> bool {
        match self {
            Self::Alone | Self::Up(_) | Self::Apart => false,
            Self::Replaced | Self::Moved | Self::Over(_) => true,
        }
    }
}

/// One leg's side of two legs that are joined.
pub(super) struct Pairing {
    /// The same for both, and for no other pairing.
    pub(super) epoch: u64,
    /// The other end's frame version.
    pub(super) version: u16,
    /// To the other leg.
    pub(super) inlet: Inlet,
    /// What it has to keep to.
    pub(super) brake: Option<Arc<Brake>>,
    outlet: Mutex<Option<Outlet>>,
}

impl Pairing {
    /// From the other leg; given once, to the leg's writer.
    pub(super) fn outlet(&self) -> Option<Outlet> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Tells two rooms of one session apart: a leg of the first must not end the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoomId(u64);

/// Tells the legs of one end apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LegId(u64);

/// Which legs are here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Presence {
    pub(super) technician: Option<LegId>,
    pub(super) device: Option<LegId>,
}

/// Somebody who takes a seat.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) session: SessionId,
    pub(super) role: Role,
    pub(super) version: u16,
    /// Was here before: may take a seat that is taken.
    pub(super) again: bool,
    /// What the session has carried, if this relay does not know it.
    pub(super) carried: Carried,
    /// When the session ends, here and for whoever admits.
    pub(super) end: End,
    /// How fast it may carry.
    pub(super) limits: Vec<Limit>,
}

/// When a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// By this process's own time.
    pub(super) at: Instant,
    /// By the clock of whoever admits.
    pub(super) until: Timestamp,
}

impl End {
    /// As much later or earlier as that is; `None` when it is the same.
    fn moved_to(self, until: Timestamp) -> Option<Self> {
        let at = match until.cmp(&self.until) {
            cmp::Ordering::Equal => None,
            cmp::Ordering::Greater => self.at.checked_add(until.since(self.until)),
            cmp::Ordering::Less => self.at.checked_sub(self.until.since(until)),
        };
        at.map(|at| Self { at, until })
    }
}

/// What an end gets when it joins.
pub(super) struct Place {
    pub(super) room: RoomId,
    pub(super) leg: LegId,
    pub(super) phase: watch::Receiver<Phase>,
    /// When the session ends; may move.
    pub(super) end: watch::Receiver<End>,
    /// Set for the first: the room has to be kept.
    pub(super) opened: Option<watch::Receiver<Presence>>,
}

struct Seat {
    leg: LegId,
    version: u16,
    phase: watch::Sender<Phase>,
}

struct Room {
    id: RoomId,
    technician: Option<Seat>,
    device: Option<Seat>,
    presence: watch::Sender<Presence>,
    end: watch::Sender<End>,
    brake: Option<Arc<Brake>>,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Room {
    fn new(id: RoomId, carried: Carried, end: End, brake: Option<Arc<Brake>>) -> Self {
        let (up, down) = (Arc::new(carried.up.into()), Arc::new(carried.down.into()));
        Self {
            id,
            technician: None,
            device: None,
            presence: watch::Sender::default(),
            end: watch::Sender::new(end),
            brake,
            up,
            down,
        }
    }

    fn carried(&self) -> Carried {
        Carried { up: self.up.load(Ordering::Relaxed), down: self.down.load(Ordering::Relaxed) }
    }

    /// The seat of an end, and that of the other.
    const fn seats(&mut self, role: Role) -> (&mut Option<Seat>, &mut Option<Seat>) {
        match role {
            Role::Technician => (&mut self.technician, &mut self.device),
            Role::Device => (&mut self.device, &mut self.technician),
        }
    }

    fn taken(&self) -> impl Iterator<Item = &Seat> {
        self.technician.iter().chain(&self.device)
    }

    /// Whether every leg that is here knows how to come again.
    fn resumes(&self) -> bool {
        self.taken().all(|seat| seat.version >= RESUMES)
    }

    fn is_up(&self) -> bool {
        self.taken().any(|seat| matches!(*seat.phase.borrow(), Phase::Up(_)))
    }

    /// Empties a seat, and parts the other from it.
    fn vacate(&mut self, role: Role) {
        let (mine, other) = self.seats(role);
        *mine = None;
        if let Some(other) = other {
            other.phase.send_if_modified(|phase| {
                let was_up = matches!(phase, Phase::Up(_));
                if was_up {
                    *phase = Phase::Apart;
                }
                was_up
            });
        }
    }

    /// Moves the end by as much as that differs.
    fn move_end(&self, until: Timestamp) {
        self.end.send_if_modified(|end| end.moved_to(until).map(|moved| *end = moved).is_some());
    }

    fn tell_presence(&self) {
        let leg = |seat: &Option<Seat>| seat.as_ref().map(|seat| seat.leg);
        self.presence.send_replace(Presence { technician: leg(&self.technician), device: leg(&self.device) });
    }

    fn tell_all(&self, phase: &Phase) {
        for seat in self.taken() {
            seat.phase.send_replace(phase.clone());
        }
    }
}

/// All rooms of a relay.
#[derive(Default)]
pub(super) struct Rooms {
    open: Mutex<HashMap<SessionId, Room>>,
    made: AtomicU64,
    brakes: Brakes,
}

impl Rooms {
    /// Takes a seat. One that is taken is given up only for the same end, come again.
    pub(super) fn join(&self, guest: Guest, max: usize) -> Result<Place, RelayError> {
        let mut rooms = self.lock();
        if rooms.len() >= max && !rooms.contains_key(&guest.session) {
            return Err(RelayError::Full);
        }
        let mut opened = None;
        let room = rooms.entry(guest.session).or_insert_with(|| {
            let room =
                Room::new(RoomId(self.count()), guest.carried, guest.end, self.brakes.of(guest.limits, Instant::now()));
            opened = Some(room.presence.subscribe());
            room
        });
        if let Some(seat) = room.seats(guest.role).0 {
            if !guest.again {
                return Err(RelayError::Taken);
            }
            seat.phase.send_replace(Phase::Replaced);
            room.vacate(guest.role);
        }
        // What a guest was told may be older than what the room was: an earlier end comes by the next look.
        if guest.end.until > room.end.borrow().until {
            room.move_end(guest.end.until);
        }
        let (leg, phase) = (LegId(self.count()), watch::Sender::new(Phase::Alone));
        let place = Place { room: room.id, leg, phase: phase.subscribe(), end: room.end.subscribe(), opened };
        *room.seats(guest.role).0 = Some(Seat { leg, version: guest.version, phase });
        room.tell_presence();
        Ok(place)
    }

    /// Lets bytes flow between these two legs, if they are still the ones that are here.
    pub(super) fn pair(&self, session: SessionId, epoch: u64, (technician, device): (LegId, LegId)) {
        let mut rooms = self.lock();
        let Some(room) = rooms.get_mut(&session) else { return };
        let (Some(near), Some(far)) = (&room.technician, &room.device) else { return };
        if (near.leg, far.leg) != (technician, device) {
            return;
        }
        let (to_device, from_technician) = direction(room.down.clone());
        let (to_technician, from_device) = direction(room.up.clone());
        for (seat, other, inlet, outlet) in
            [(near, far, to_device, from_device), (far, near, to_technician, from_technician)]
        {
            let (brake, outlet) = (room.brake.clone(), Mutex::new(Some(outlet)));
            let pairing = Pairing { epoch, version: other.version, inlet, brake, outlet };
            seat.phase.send_replace(Phase::Up(Arc::new(pairing)));
        }
    }

    /// A leg is gone without a word. Whether the session may go on without it: not when one of its ends does not know
    /// how to come again. A leg that was replaced changes nothing.
    pub(super) fn depart(&self, session: SessionId, role: Role, leg: LegId) -> bool {
        let mut rooms = self.lock();
        let Some(room) = rooms.get_mut(&session) else { return true };
        if room.seats(role).0.as_ref().is_none_or(|seat| seat.leg != leg) {
            return true;
        }
        let goes_on = room.resumes();
        if goes_on {
            room.vacate(role);
            room.tell_presence();
        }
        goes_on
    }

    /// Ends a session, or only this room of it: the first cause counts. Gives what it has carried, or nothing when
    /// there is none.
    pub(super) fn end(&self, session: SessionId, only: Option<RoomId>, cause: Cause) -> Option<Carried> {
        self.remove(session, only, &Phase::Over(cause))
    }

    /// Lets go of a session whose ends know how to go on elsewhere; nothing happens when one does not.
    pub(super) fn hand_over(&self, session: SessionId) -> Option<Carried> {
        if !self.lock().get(&session)?.resumes() {
            return None;
        }
        self.remove(session, None, &Phase::Moved)
    }

    fn remove(&self, session: SessionId, only: Option<RoomId>, phase: &Phase) -> Option<Carried> {
        let mut rooms = self.lock();
        if only.is_some_and(|id| rooms.get(&session).is_some_and(|room| room.id != id)) {
            return None;
        }
        let room = rooms.remove(&session)?;
        drop(rooms);
        room.tell_all(phase);
        Some(room.carried())
    }

    /// Moves the end of a session that is here.
    pub(super) fn move_end(&self, session: SessionId, until: Timestamp) {
        if let Some(room) = self.lock().get(&session) {
            room.move_end(until);
        }
    }

    pub(super) fn carried(&self, session: SessionId) -> Option<Carried> {
        self.lock().get(&session).map(Room::carried)
    }

    pub(super) fn live(&self) -> Vec<Live> {
        let live = |(session, room): (&SessionId, &Room)| Live {
            session: *session,
            paired: room.is_up(),
            carried: room.carried(),
        };
        self.lock().iter().map(live).collect()
    }

    fn count(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Room>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// It is gone without a word and may come again.
    Away,
    /// The session ends with it.
    Ends(Cause),
}

impl Parting {
    /// The connection was closed in order: whoever does so means it.
    pub(super) const fn closed(role: Role) -> Self {
        Self::Ends(Cause::Gone(role, PeerLoss::Left))
    }

    /// It did what no end does.
    pub(super) const fn broke_rules(role: Role) -> Self {
        Self::Ends(Cause::Gone(role, PeerLoss::Lost))
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
