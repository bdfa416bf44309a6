//! Keeps one room: writes its pairings down before their first byte, counts, and ends it when an end does not come.

use gatelodge_proto::{
    SessionId,
    payload::EndReason,
    session::{Role, relay_frame::PeerLoss},
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    Relay, Report,
    cause::Cause,
    room::{LegId, Presence, RoomId},
};

/// Runs until the room is gone. `begun` says that both ends have been together before: this room is then one that they
/// come again to, and whoever does not come was lost.
pub(super) async fn keep(
    relay: Relay,
    session: SessionId,
    room: RoomId,
    begun: bool,
    mut presence: watch::Receiver<Presence>,
) {
    let settings = relay.0.settings;
    let mut until = Instant::now() + if begun { settings.back_within } else { settings.peer_within };
    let mut was_up = begun;
    loop {
        let here = *presence.borrow_and_update();
        let Presence { technician: Some(technician), device: Some(device) } = here else {
            tokio::select! {
                changed = presence.changed() => if changed.is_err() {
                    return;
                },
                () = sleep_until(until) => {
                    relay.end(session, Some(room), missing(here, was_up));
                    return;
                }
            }
            continue;
        };
        if let Err(error) = relay.0.admission.report(Report::Paired { session }).await {
            tracing::warn!(%session, %error, "a session ends before bytes may flow");
            relay.end(session, Some(room), Cause::Unrecorded);
            return;
        }
        was_up = true;
        if !carry(&relay, session, (technician, device), &mut presence).await {
            return;
        }
        until = Instant::now() + settings.back_within;
    }
}

/// Until one of the two legs is another or gone; false when the room is gone.
async fn carry(
    relay: &Relay,
    session: SessionId,
    legs: (LegId, LegId),
    presence: &mut watch::Receiver<Presence>,
) -> bool {
    relay.0.rooms.pair(session, u64::from_be_bytes(relay.0.random.bytes()), legs);
    let every = relay.0.settings.report_every;
    let mut reports = interval_at(Instant::now() + every, every);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            changed = presence.changed() => return changed.is_ok(),
            _ = reports.tick() => if let Some(carried) = relay.0.rooms.carried(session) {
                relay.tell(Report::Bytes { session, carried }).await;
            },
        }
    }
}

/// Why a session ends whose ends are not both here.
const fn missing(here: Presence, was_up: bool) -> Cause {
    match here {
        _ if !was_up => Cause::Word(EndReason::NeverJoined),
        Presence { technician: None, device: Some(_) } => Cause::Gone(Role::Technician, PeerLoss::Lost),
        Presence { technician: Some(_), device: None } => Cause::Gone(Role::Device, PeerLoss::Lost),
        Presence { .. } => Cause::Word(EndReason::RelayLost),
    }
}
