//! Seats, pairings and ends, without a socket.

use std::time::Duration;

use gatelodge_proto::{Random, Timestamp, payload::EndReason, session::VERSION};

use super::*;

fn session(seed: u64) -> SessionId {
    SessionId::make(Timestamp::from_seconds(1), &Random::seeded(seed))
}

fn guest(role: Role) -> Guest {
    let end = End { at: Instant::now() + Duration::from_secs(60), until: Timestamp::from_seconds(60) };
    Guest {
        session: session(1),
        role,
        version: VERSION,
        again: false,
        carried: Carried::default(),
        end,
        limits: Vec::new(),
    }
}

fn epoch(place: &Place) -> Option<u64> {
    match &*place.phase.borrow() {
        Phase::Up(pairing) => Some(pairing.epoch),
        Phase::Alone | Phase::Apart | Phase::Replaced | Phase::Moved | Phase::Over(_) => None,
    }
}

#[test]
fn each_seat_is_taken_once_and_the_room_is_gone_after_its_end() {
    let rooms = Rooms::default();
    let first = rooms.join(guest(Role::Device), 10).unwrap();
    assert!(first.opened.is_some());
    assert_eq!(rooms.join(guest(Role::Device), 10).err(), Some(RelayError::Taken));
    let second = rooms.join(guest(Role::Technician), 10).unwrap();
    assert!(second.opened.is_none());
    assert!(matches!(*first.phase.borrow(), Phase::Alone), "nothing flows before the audit row");
    rooms.pair(session(1), 5, (second.leg, first.leg));
    assert_eq!((epoch(&first), epoch(&second)), (Some(5), Some(5)));
    assert!(rooms.end(session(1), None, Cause::Word(EndReason::Customer)).is_some());
    assert!(rooms.end(session(1), None, Cause::Word(EndReason::Expired)).is_none(), "one end");
    rooms.pair(session(1), 6, (second.leg, first.leg));
    assert!(matches!(*second.phase.borrow(), Phase::Over(Cause::Word(EndReason::Customer))));
    assert!(rooms.live().is_empty());
    let again = rooms.join(guest(Role::Device), 10).unwrap();
    assert!(rooms.end(session(1), Some(second.room), Cause::Word(EndReason::Expired)).is_none(), "not its room");
    assert!(rooms.end(session(1), Some(again.room), Cause::Word(EndReason::Expired)).is_some());
}

#[test]
fn an_end_that_comes_again_takes_its_seat_and_is_paired_anew() {
    let rooms = Rooms::default();
    let device = rooms.join(guest(Role::Device), 10).unwrap();
    let first = rooms.join(guest(Role::Technician), 10).unwrap();
    rooms.pair(session(1), 1, (first.leg, device.leg));
    let next = rooms.join(Guest { again: true, ..guest(Role::Technician) }, 10).unwrap();
    assert!(matches!(*first.phase.borrow(), Phase::Replaced));
    assert!(matches!(*device.phase.borrow(), Phase::Apart));
    assert!(rooms.depart(session(1), Role::Technician, first.leg), "a replaced leg takes nobody along");
    rooms.pair(session(1), 2, (first.leg, device.leg));
    assert_eq!(epoch(&device), None, "the first is not here any more");
    rooms.pair(session(1), 3, (next.leg, device.leg));
    assert_eq!((epoch(&device), epoch(&next)), (Some(3), Some(3)));

    assert!(rooms.depart(session(1), Role::Device, device.leg));
    assert!(matches!(*next.phase.borrow(), Phase::Apart));
    let back = rooms.join(guest(Role::Device), 10).unwrap();
    rooms.pair(session(1), 4, (next.leg, back.leg));
    assert_eq!((epoch(&next), epoch(&back)), (Some(4), Some(4)));
    assert!(rooms.hand_over(session(1)).is_some() && matches!(*next.phase.borrow(), Phase::Moved));
}

#[test]
fn an_end_of_version_1_takes_the_session_along() {
    for (technician, device) in [(1, VERSION), (VERSION, 1)] {
        let rooms = Rooms::default();
        let device = rooms.join(Guest { version: device, ..guest(Role::Device) }, 10).unwrap();
        let technician = rooms.join(Guest { version: technician, ..guest(Role::Technician) }, 10).unwrap();
        rooms.pair(session(1), 1, (technician.leg, device.leg));
        assert!(!rooms.depart(session(1), Role::Device, device.leg));
        assert!(rooms.hand_over(session(1)).is_none());
    }
}

#[test]
fn a_full_relay_takes_second_ends_only() {
    let rooms = Rooms::default();
    rooms.join(guest(Role::Device), 1).unwrap();
    let other = Guest { session: session(2), ..guest(Role::Device) };
    assert_eq!(rooms.join(other, 1).err(), Some(RelayError::Full));
    assert!(rooms.join(guest(Role::Technician), 1).is_ok());
}

#[test]
fn what_a_session_has_carried_elsewhere_is_not_forgotten() {
    let rooms = Rooms::default();
    let carried = Carried { up: 5, down: 7 };
    rooms.join(Guest { carried, ..guest(Role::Device) }, 1).unwrap();
    rooms.join(Guest { carried: Carried { up: 4, down: 4 }, ..guest(Role::Technician) }, 1).unwrap();
    assert_eq!(rooms.carried(session(1)), Some(carried));
}

#[test]
fn an_end_moves_by_what_was_allowed_or_cut_and_nobody_who_joins_moves_it_back() {
    let rooms = Rooms::default();
    let place = rooms.join(guest(Role::Device), 1).unwrap();
    let first = *place.end.borrow();
    rooms.move_end(session(1), Timestamp::from_seconds(1860));
    let moved = *place.end.borrow();
    assert_eq!(moved.at - first.at, Duration::from_secs(1800));
    rooms.move_end(session(1), Timestamp::from_seconds(1860));
    assert_eq!(*place.end.borrow(), moved);
    rooms.move_end(session(1), Timestamp::from_seconds(960));
    assert_eq!(place.end.borrow().at - first.at, Duration::from_secs(900), "cut by its device");
    rooms.move_end(session(1), Timestamp::from_seconds(1860));
    let earlier = Guest { again: true, end: first, ..guest(Role::Device) };
    assert_eq!(*rooms.join(earlier, 1).unwrap().end.borrow(), moved, "who joins may know of an older end");
    // Who comes again may know of a later end before the relay was told.
    let end = End { until: Timestamp::from_seconds(1960), ..first };
    let again = rooms.join(Guest { again: true, end, ..guest(Role::Device) }, 1).unwrap();
    assert_eq!(again.end.borrow().at - moved.at, Duration::from_secs(100));
}
