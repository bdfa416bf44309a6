//! One connection: its HELLO, its reader and writer, its farewell.

use std::{
    future::poll_fn,
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use gatelodge_proto::{
    SessionId,
    payload::EndReason,
    session::{
        Role, VERSION,
        relay_frame::{Hello, MAX_BYTES, Passing, PeerLoss, RelayError, RelayFrame, Welcome},
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use super::{
    Entry, Refusal, Relay, Report, Settings,
    brake::Brake,
    cause::{Cause, believable},
    direction::{BUFFER, Held, Outlet},
    keeper::keep,
    room::{End, Guest, Parting, Phase, Place},
    socket::{Arrived, Inward, Outward},
};

/// Longest farewell: a leg that does not read is dropped.
const FAREWELL: Duration = Duration::from_secs(2);

/// What reader, writer and watchdog of one leg tell each other. One task, so no lock.
struct Vitals {
    begun: Instant,
    /// Milliseconds from `begun` to the last frame.
    heard: AtomicU64,
    /// The reader waits for the other end to take bytes, and so hears nothing.
    held_up: AtomicBool,
    /// Stamp of the newest PING without its PONG.
    ping: watch::Sender<Option<u64>>,
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

/// Who has come in.
struct Entered {
    role: Role,
    session: SessionId,
    place: Place,
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

async fn enter(relay: &Relay, source: &mut impl Inward) -> Result<Entered, Option<Refusal>> {
    let settings = &relay.0.settings;
    let Ok(hello) = timeout(settings.hello_within, hello(source)).await else { return Err(None) };
    let hello = hello.map_err(|code| code.map(Refusal::from))?;
    let Hello { version, role, ticket, resume, pledge, .. } = hello;
    if !(1..=VERSION).contains(&version) {
        return Err(Some(RelayError::Version.into()));
    }
    let again = resume.is_some();
    let entry = if again { Entry::Again { secret: ticket } } else { Entry::First { ticket } };
    let admitted = relay.0.admission.admit(entry, role).await.map_err(Some)?;
    let session = admitted.session;
    let end = End { at: Instant::now() + admitted.lifetime, until: admitted.until };
    let guest = Guest { session, role, version, again, carried: admitted.carried, end, limits: admitted.limits };
    let mut place = relay.0.rooms.join(guest, settings.max_sessions).map_err(|code| Some(code.into()))?;
    // Whoever closes the relay lets go of what is in its rooms, and may have looked just before.
    if relay.0.closing.is_cancelled() {
        if !relay.let_go(session) {
            relay.revoke(session, EndReason::RelayLost);
        }
        return Err(Some(RelayError::Unavailable.into()));
    }
    if let Some(presence) = place.opened.take() {
        relay.0.under_way.spawn(keep(relay.clone(), session, place.room, admitted.begun, presence));
    }
    let joined = Report::Joined { session, role, again, pledge: pledge.filter(|_| !again) };
    if let Err(error) = relay.0.admission.report(joined).await {
        tracing::warn!(%session, role = role.word(), %error, "a leg is not taken in");
        leave(relay, session, role, &place);
        return Err(Some(RelayError::Unavailable.into()));
    }
    Ok(Entered { role, session, place })
}

/// A leg is gone without a word; where it cannot come again, the session is over.
fn leave(relay: &Relay, session: SessionId, role: Role, place: &Place) {
    if !relay.0.rooms.depart(session, role, place.leg) {
        relay.end(session, Some(place.room), Cause::Gone(role, PeerLoss::Lost));
    }
}

async fn hello(source: &mut impl Inward) -> Result<Hello, Option<RelayError>> {
    loop {
        match source.next().await {
            Some(Arrived::Frame(message)) => match RelayFrame::decode(message) {
                Ok(Some(RelayFrame::Hello(hello))) => return Ok(hello),
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Err(Some(RelayError::Protocol)),
            },
            Some(Arrived::Foreign) => return Err(Some(RelayError::Protocol)),
            Some(Arrived::Closed | Arrived::Lost) | None => return Err(None),
        }
    }
}

/// From WELCOME to the end of the leg.
async fn stay(relay: &Relay, entered: Entered, (mut sink, mut source): (impl Outward, impl Inward)) {
    let Entered { role, session, place } = entered;
    let phase = place.phase.clone();
    let settings = relay.0.settings;
    let vitals = Vitals::new();
    let (mut gone, mut outlet) = (phase.clone(), None);
    let parting = tokio::select! {
        parting = read(role, &mut source, phase.clone(), &vitals) => Some(parting),
        parting = write(relay, &mut sink, &mut outlet, phase.clone(), &vitals) => Some(parting),
        parting = silence(&settings, &vitals) => Some(parting),
        () = ended(place.end.clone()) => Some(Parting::Ends(Cause::Word(EndReason::Expired))),
        // The sender goes away only after it has said so.
        _ = gone.wait_for(Phase::is_last) => None,
    };
    match parting {
        Some(Parting::Away) => leave(relay, session, role, &place),
        Some(Parting::Ends(cause)) => drop(relay.end(session, Some(place.room), cause)),
        None => {}
    }
    let last = phase.borrow().clone();
    let _ = timeout(FAREWELL, farewell(role, &last, &mut sink, &mut outlet)).await;
    tracing::debug!(%session, role = role.word(), "a leg has left the relay");
}

/// Whoever ended the session first, and for whatever reason: that is what this end hears.
async fn farewell(role: Role, last: &Phase, sink: &mut impl Outward, outlet: &mut Option<Outlet>) -> io::Result<()> {
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
    sink.close().await
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
            was_up |= matches!(*now, Phase::Up(_) | Phase::Apart);
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

/// Welcomes the leg, tells it when the other end is there or away, and writes what that end sends.
async fn write(
    relay: &Relay,
    sink: &mut impl Outward,
    outlet: &mut Option<Outlet>,
    mut phase: watch::Receiver<Phase>,
    vitals: &Vitals,
) -> Parting {
    let _ = write_all(relay, sink, outlet, &mut phase, vitals).await;
    Parting::Away
}

async fn write_all(
    relay: &Relay,
    sink: &mut impl Outward,
    outlet: &mut Option<Outlet>,
    phase: &mut watch::Receiver<Phase>,
    vitals: &Vitals,
) -> io::Result<()> {
    let settings = &relay.0.settings;
    let welcome = Welcome {
        slot: u32::from_be_bytes(relay.0.random.bytes()),
        max_frame: u32::try_from(MAX_BYTES).unwrap_or(u32::MAX),
        buffer: u32::try_from(BUFFER).unwrap_or(u32::MAX),
        wait_s: u32::try_from(settings.peer_within.as_secs()).unwrap_or(u32::MAX),
        alternates: Vec::new(),
    };
    send(sink, &RelayFrame::Welcome(welcome)).await?;
    let mut pings = interval(settings.ping_every);
    // An end that is held up is not heard either; this tells it that it is the relay that waits, not the line that is dead.
    let mut signs = interval(settings.ping_held_up);
    for timer in [&mut pings, &mut signs] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let (mut asked, mut felt) = (vitals.ping.subscribe(), None);
    let mut stamp = 0;
    loop {
        tokio::select! {
            biased;
            Ok(()) = phase.changed() => {
                let now = phase.borrow_and_update().clone();
                if let Phase::Up(pairing) = &now {
                    felt = pairing.brake.as_deref().map(Brake::felt);
                }
                if let Some(frame) = told(&now, outlet, settings) {
                    send(sink, &frame).await?;
                }
            }
            bytes_per_s = changed(&mut felt) => send(sink, &RelayFrame::Rate { bytes_per_s }).await?,
            Ok(()) = asked.changed() => {
                let newest = *asked.borrow_and_update();
                if let Some(stamp) = newest {
                    send(sink, &RelayFrame::Pong { stamp }).await?;
                }
            }
            _ = pings.tick() => {
                stamp += 1;
                send(sink, &RelayFrame::Ping { stamp }).await?;
            }
            _ = signs.tick() => if vitals.held_up.load(Ordering::Relaxed) {
                stamp += 1;
                send(sink, &RelayFrame::Ping { stamp }).await?;
            },
            held = next(sink, outlet) => {
                let Some(held) = held? else {
                    *outlet = None;
                    continue;
                };
                // Whatever is taken is in the sink at once: the end of the session may come at any wait.
                sink.start_send_unpin(held.frame)?;
                // What else is there goes out in the same write, within reason: PINGs want their turn too.
                for _ in 0..8 {
                    let Some(ready) = poll_fn(|cx| sink.poll_ready_unpin(cx)).now_or_never() else { break };
                    ready?;
                    let Some(held) = outlet.as_mut().and_then(Outlet::take_now) else { break };
                    sink.start_send_unpin(held.frame)?;
                }
                sink.flush().await?;
            }
        }
    }
}

/// The rate that holds the session up, when it has changed.
async fn changed(felt: &mut Option<watch::Receiver<u64>>) -> u64 {
    if let Some(felt) = felt
        && felt.changed().await.is_ok()
    {
        return *felt.borrow_and_update();
    }
    std::future::pending().await
}

/// What an end hears of a new phase. What was on its way to it from an earlier pairing is gone.
fn told(now: &Phase, outlet: &mut Option<Outlet>, settings: &Settings) -> Option<RelayFrame> {
    match now {
        Phase::Up(pairing) => {
            *outlet = pairing.outlet();
            Some(RelayFrame::PeerUp { version: pairing.version, epoch: pairing.epoch })
        }
        Phase::Apart => {
            *outlet = None;
            let retry_ms = u32::try_from(settings.back_within.as_millis()).unwrap_or(u32::MAX);
            Some(RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms })
        }
        Phase::Alone | Phase::Replaced | Phase::Moved | Phase::Over(_) => None,
    }
}

/// The next frame, once the sink takes it.
async fn next(sink: &mut impl Outward, outlet: &mut Option<Outlet>) -> io::Result<Option<Held>> {
    match outlet {
        Some(outlet) => {
            poll_fn(|cx| sink.poll_ready_unpin(cx)).await?;
            Ok(outlet.take().await)
        }
        None => std::future::pending().await,
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

async fn send(sink: &mut impl Outward, frame: &RelayFrame) -> io::Result<()> {
    sink.send(frame.encode()).await
}
