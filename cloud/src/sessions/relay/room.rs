//! Who is where: one room a session, two places a room, and one end. Pure but for the lock.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use gatelodge_proto::{
    SessionId,
    payload::EndReason,
    session::{
        Role,
        relay_frame::{PeerLoss, RelayError, RelayFrame},
    },
};
use tokio::sync::watch;

use super::{
    Carried, Live,
    direction::{Inlet, Outlet, direction},
};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// One end is here, or both and the audit row is being written.
    Waiting,
    /// Bytes may flow.
    Up,
    /// Over.
    Over(Cause),
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The cloud ended it, or its time is over.
    Word(EndReason),
    /// An end said why it leaves.
    Said(Role, EndReason),
    /// An end is gone without a word.
    Gone(Role, PeerLoss),
    /// The audit row could not be written.
    Unrecorded,
}

impl Cause {
    /// The reason to write down.
    pub(super) const fn reason(self) -> EndReason {
        match self {
            Self::Word(reason) | Self::Said(_, reason) => reason,
            Self::Gone(Role::Technician, PeerLoss::Left) => EndReason::Technician,
            Self::Gone(Role::Device, PeerLoss::Left) => EndReason::Device,
            Self::Gone(_, PeerLoss::Lost) | Self::Unrecorded => EndReason::RelayLost,
        }
    }

    /// The last frame for the end `role`; none for the one that caused it.
    pub(super) fn last_frame(self, role: Role) -> Option<RelayFrame> {
        match self {
            Self::Said(by, _) | Self::Gone(by, _) if by == role => None,
            Self::Word(reason) | Self::Said(_, reason) => Some(RelayFrame::Revoke { reason }),
            Self::Gone(_, loss) => Some(RelayFrame::PeerDown { loss, retry_ms: 0 }),
            Self::Unrecorded => Some(RelayFrame::Error { code: RelayError::Unavailable, retry_ms: 0 }),
        }
    }

    /// Whether bytes that are on the way should still arrive before the last frame.
    pub(super) const fn is_orderly(self) -> bool {
        match self {
            Self::Said(..) | Self::Gone(_, PeerLoss::Left) => true,
            Self::Word(_) | Self::Gone(_, PeerLoss::Lost) | Self::Unrecorded => false,
        }
    }
}

/// Tells two rooms of one session apart: a leg of the first must not end the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoomId(u64);

/// What an end gets when it joins.
pub(super) struct Place {
    pub(super) room: RoomId,
    pub(super) inlet: Inlet,
    pub(super) outlet: Outlet,
    pub(super) phase: watch::Receiver<Phase>,
    /// The other end was here before.
    pub(super) second: bool,
}

struct Room {
    id: RoomId,
    phase: watch::Sender<Phase>,
    technician: Option<(Inlet, Outlet)>,
    device: Option<(Inlet, Outlet)>,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Room {
    fn new(id: RoomId) -> Self {
        let (to_device, from_technician, down) = direction();
        let (to_technician, from_device, up) = direction();
        Self {
            id,
            phase: watch::Sender::new(Phase::Waiting),
            technician: Some((to_device, from_device)),
            device: Some((to_technician, from_technician)),
            up,
            down,
        }
    }

    fn carried(&self) -> Carried {
        Carried { up: self.up.load(Ordering::Relaxed), down: self.down.load(Ordering::Relaxed) }
    }
}

/// All rooms of a relay.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: Mutex<HashMap<SessionId, Room>>,
    made: AtomicU64,
}

impl Rooms {
    /// Takes a place; each can be taken once.
    pub(super) fn join(&self, session: SessionId, role: Role, max: usize) -> Result<Place, RelayError> {
        let mut rooms = self.lock();
        if rooms.len() >= max && !rooms.contains_key(&session) {
            return Err(RelayError::Full);
        }
        let room = rooms.entry(session).or_insert_with(|| Room::new(RoomId(self.made.fetch_add(1, Ordering::Relaxed))));
        let (mine, other) = match role {
            Role::Technician => (&mut room.technician, &room.device),
            Role::Device => (&mut room.device, &room.technician),
        };
        let (inlet, outlet) = mine.take().ok_or(RelayError::Taken)?;
        Ok(Place { room: room.id, inlet, outlet, phase: room.phase.subscribe(), second: other.is_none() })
    }

    /// Lets bytes flow, unless the session is over by now.
    pub(super) fn open(&self, session: SessionId) {
        if let Some(room) = self.lock().get(&session) {
            room.phase.send_replace(Phase::Up);
        }
    }

    /// Ends a session, or only this room of it: the first cause counts. Gives what it has carried, or nothing when
    /// there is none.
    pub(super) fn end(&self, session: SessionId, only: Option<RoomId>, cause: Cause) -> Option<Carried> {
        let mut rooms = self.lock();
        if only.is_some_and(|id| rooms.get(&session).is_some_and(|room| room.id != id)) {
            return None;
        }
        let room = rooms.remove(&session)?;
        drop(rooms);
        room.phase.send_replace(Phase::Over(cause));
        Some(room.carried())
    }

    pub(super) fn carried(&self, session: SessionId) -> Option<Carried> {
        self.lock().get(&session).map(Room::carried)
    }

    pub(super) fn live(&self) -> Vec<Live> {
        let live = |(session, room): (&SessionId, &Room)| Live {
            session: *session,
            paired: *room.phase.borrow() == Phase::Up,
            carried: room.carried(),
        };
        self.lock().iter().map(live).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{Random, Timestamp};

    use super::*;

    fn session() -> SessionId {
        SessionId::make(Timestamp::from_seconds(1), &Random::seeded(1))
    }

    #[test]
    fn each_place_is_taken_once_and_the_room_is_gone_after_its_end() {
        let (rooms, session) = (Rooms::default(), session());
        let first = rooms.join(session, Role::Device, 10).unwrap();
        assert!(!first.second);
        assert_eq!(rooms.join(session, Role::Device, 10).err(), Some(RelayError::Taken));
        let second = rooms.join(session, Role::Technician, 10).unwrap();
        assert!(second.second);
        assert_eq!(*first.phase.borrow(), Phase::Waiting, "nothing flows before the audit row");
        rooms.open(session);
        assert_eq!(*first.phase.borrow(), Phase::Up);
        assert!(rooms.end(session, None, Cause::Word(EndReason::Customer)).is_some());
        assert!(rooms.end(session, None, Cause::Word(EndReason::Expired)).is_none(), "one end");
        rooms.open(session);
        assert_eq!(*second.phase.borrow(), Phase::Over(Cause::Word(EndReason::Customer)));
        assert!(rooms.live().is_empty());
        let again = rooms.join(session, Role::Device, 10).unwrap();
        assert!(rooms.end(session, Some(second.room), Cause::Word(EndReason::Expired)).is_none(), "not its room");
        assert!(rooms.end(session, Some(again.room), Cause::Word(EndReason::Expired)).is_some());
    }

    #[test]
    fn a_full_relay_takes_second_ends_only() {
        let rooms = Rooms::default();
        let other = SessionId::make(Timestamp::from_seconds(2), &Random::seeded(2));
        rooms.join(session(), Role::Device, 1).unwrap();
        assert_eq!(rooms.join(other, Role::Device, 1).err(), Some(RelayError::Full));
        assert!(rooms.join(session(), Role::Technician, 1).is_ok());
    }

    #[test]
    fn who_leaves_gives_the_reason_and_the_other_end_hears_it() {
        let left = Cause::Gone(Role::Technician, PeerLoss::Left);
        assert_eq!(left.reason(), EndReason::Technician);
        assert_eq!(left.last_frame(Role::Technician), None);
        assert_eq!(left.last_frame(Role::Device), Some(RelayFrame::PeerDown { loss: PeerLoss::Left, retry_ms: 0 }));
        let revoked = Cause::Word(EndReason::Revoked);
        for role in [Role::Technician, Role::Device] {
            assert_eq!(revoked.last_frame(role), Some(RelayFrame::Revoke { reason: EndReason::Revoked }));
        }
    }
}
