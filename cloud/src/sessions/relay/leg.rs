//! One connection: its reader, who watches over it, and its farewell.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use gatelodge_proto::{
    payload::EndReason,
    session::{
        Role,
        relay_frame::{Passing, RelayError, RelayFrame},
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Relay, Settings,
    cause::{Cause, believable},
    direction::Outlet,
    enter::{Entered, enter, leave},
    room::{End, Parting, Phase},
    socket::{Arrived, Inward, Outward},
    writer::{send, write},
};

/// Longest farewell: a leg that does not read is dropped.
const FAREWELL: Duration = Duration::from_secs(2);

/// What reader, writer and watchdog of one leg tell each other. One task, so no lock.
pub(super) struct Vitals {
    begun: Instant,
    /// Milliseconds from `begun` to the last frame.
    heard: AtomicU64,
    /// The reader waits for the other end to take bytes, and so hears nothing.
    pub(super) held_up: AtomicBool,
    /// Stamp of the newest PING without its PONG.
    pub(super) ping: watch::Sender<Option<u64>>,
}

impl Vitals {
    fn new() -> Self {
        let (heard, held_up) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { begun: Instant::now(), heard, held_up, ping: watch::Sender::new(None) }
    }

    fn hear(&self) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(since, Ordering::Relaxed);
    }

    fn last_heard(&self) -> Instant {
        if self.held_up.load(Ordering::Relaxed) {
            Instant::now()
        } else {
            self.begun + Duration::from_millis(self.heard.load(Ordering::Relaxed))
        }
    }
}

/// `place` is held until the leg has shown a good ticket.
pub(super) async fn serve(relay: Relay, place: OwnedSemaphorePermit, socket: (impl Outward, impl Inward)) {
    let (mut sink, mut source) = socket;
    let entered = tokio::select! {
        entered = enter(&relay, &mut source) => entered,
        () = relay.0.closing.cancelled() => Err(Some(RelayError::Unavailable.into())),
    };
    drop(place);
    match entered {
        Ok(entered) => {
            tracing::debug!(session = %entered.session, role = entered.role.word(), "a leg has joined the relay");
            stay(&relay, entered, (sink, source)).await;
        }
        Err(Some(refusal)) => {
            tracing::debug!(%refusal, "a leg was refused");
            let _ = timeout(FAREWELL, async {
                send(&mut sink, &refusal.frame()).await?;
                sink.close().await
            })
            .await;
        }
        Err(None) => {}
    }
}

/// From WELCOME to the end of the leg.
async fn stay(relay: &Relay, entered: Entered, (mut sink, mut source): (impl Outward, impl Inward)) {
    let Entered { role, session, place } = entered;
    let phase = place.phase.clone();
    let settings = relay.0.settings;
    let vitals = Vitals::new();
    let (mut gone, mut outlet) = (phase.clone(), None);
    let parting = {
        let mut reading = std::pin::pin!(read(role, &mut source, phase.clone(), &vitals));
        tokio::select! {
            parting = &mut reading => Some(parting),
            // A connection that takes nothing any more may still hold its end's last word.
            () = write(relay, &mut sink, &mut outlet, phase.clone(), &vitals) => {
                Some(timeout(FAREWELL, reading).await.unwrap_or(Parting::Away))
            }
            parting = silence(&settings, &vitals) => Some(parting),
            () = ended(place.end.clone()) => Some(Parting::Ends(Cause::Word(EndReason::Expired))),
            // The sender goes away only after it has said so.
            () = async { drop(gone.wait_for(Phase::is_last).await) } => None,
        }
    };
    match parting {
        Some(Parting::Away) => leave(relay, session, role, &place),
        Some(Parting::Ends(cause)) => drop(relay.end(session, Some(place.room), cause)),
        None => {}
    }
    let last = phase.borrow().clone();
    let _ = timeout(FAREWELL, farewell(role, &last, &mut outlet, (&mut sink, &mut source))).await;
    tracing::debug!(%session, role = role.word(), ?parting, "a leg has left the relay");
}

/// Whoever ended the session first, and for whatever reason: that is what this end hears.
async fn farewell(
    role: Role,
    last: &Phase,
    outlet: &mut Option<Outlet>,
    (sink, source): (&mut impl Outward, &mut impl Inward),
) -> io::Result<()> {
    let frame = match last {
        Phase::Over(cause) => {
            if cause.is_orderly() {
                while let Some(held) = outlet.as_mut().and_then(Outlet::take_now) {
                    sink.send(held.frame).await?;
                }
            }
            cause.last_frame(role)
        }
        Phase::Moved => Some(RelayFrame::GoAway { drain_ms: 0, alternates: Vec::new() }),
        // It is gone, or has another connection.
        Phase::Alone | Phase::Up(_) | Phase::Apart | Phase::Replaced => return Ok(()),
    };
    if let Some(frame) = frame {
        send(sink, &frame).await?;
    }
    sink.close().await?;
    // Closed with bytes unread, the system would take back what has not left, and the last word with it.
    while !matches!(source.next().await, None | Some(Arrived::Closed | Arrived::Lost)) {}
    Ok(())
}

/// Passes the leg's frames on, and gives how it ended.
async fn read(role: Role, source: &mut impl Inward, mut phase: watch::Receiver<Phase>, vitals: &Vitals) -> Parting {
    let (mut pairing, mut was_up) = (None, false);
    loop {
        let message = match source.next().await {
            Some(Arrived::Frame(message)) => message,
            Some(Arrived::Closed) => return Parting::closed(role),
            Some(Arrived::Foreign) => return Parting::broke_rules(role),
            Some(Arrived::Lost) | None => return Parting::Away,
        };
        vitals.hear();
        let payload = match Passing::of(&message) {
            Passing::No => match for_the_relay(role, message, vitals) {
                Some(parting) => return parting,
                None => continue,
            },
            Passing::Data(payload) => payload,
            Passing::Word => 0,
        };
        if phase.has_changed().unwrap_or(true) {
            let now = phase.borrow_and_update();
            // Replaced or over, it was paired before, even where that was not seen in between.
            was_up |= !matches!(*now, Phase::Alone);
            pairing = if let Phase::Up(pairing) = &*now { Some(pairing.clone()) } else { None };
        }
        match &pairing {
            Some(pairing) => {
                vitals.held_up.store(true, Ordering::Relaxed);
                if let Some(brake) = &pairing.brake {
                    brake.pass(role, message.len()).await;
                }
                // When nobody takes frames any more the pairing is over, and the phase says so.
                pairing.inlet.put(message, payload).await;
                vitals.held_up.store(false, Ordering::Relaxed);
                vitals.hear();
            }
            // Sent before this end heard that the other is away: it will be sent again.
            None if was_up => {}
            // Bytes before PEER_UP would be bytes before the audit row.
            None => return Parting::broke_rules(role),
        }
    }
}

fn for_the_relay(role: Role, message: Bytes, vitals: &Vitals) -> Option<Parting> {
    match RelayFrame::decode(message) {
        Ok(Some(RelayFrame::Ping { stamp })) => {
            vitals.ping.send_replace(Some(stamp));
            None
        }
        Ok(Some(RelayFrame::Pong { .. }) | None) => None,
        Ok(Some(RelayFrame::Revoke { reason })) => Some(Parting::Ends(Cause::Said(role, believable(role, reason)))),
        Ok(Some(_)) | Err(_) => Some(Parting::broke_rules(role)),
    }
}

/// Gives up a leg that is not heard any more.
async fn silence(settings: &Settings, vitals: &Vitals) -> Parting {
    loop {
        let dead_at = vitals.last_heard() + settings.dead_after;
        if dead_at <= Instant::now() {
            return Parting::Away;
        }
        sleep_until(dead_at).await;
    }
}

/// Waits for the session's end, which may move.
async fn ended(mut end: watch::Receiver<End>) {
    loop {
        let at = end.borrow_and_update().at;
        tokio::select! {
            () = sleep_until(at) => return,
            // Without a room there is nothing that could move.
            Ok(()) = end.changed() => {}
        }
    }
}
