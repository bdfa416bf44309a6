//! One connection: its HELLO, its wait for the other end, its reader and writer, its farewell.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
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
    time::{Instant, sleep_until, timeout},
};

use super::{
    Relay, Report, Settings,
    direction::{BUFFER, Inlet, Outlet},
    room::{Cause, Phase, Place},
};

/// Longest farewell: a leg that does not read is dropped.
const FAREWELL: Duration = Duration::from_secs(2);

type Sink = SplitSink<WebSocket, Message>;
type Source = SplitStream<WebSocket>;

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

/// `place` is held until the leg has shown a good ticket.
pub(super) async fn serve(relay: Relay, place: OwnedSemaphorePermit, socket: WebSocket) {
    let (mut sink, mut source) = socket.split();
    let entered = tokio::select! {
        entered = enter(&relay, &mut source) => entered,
        () = relay.0.closing.cancelled() => Err(Some(RelayError::Unavailable)),
    };
    drop(place);
    match entered {
        Ok((role, session, lifetime, place)) => {
            tracing::debug!(%session, role = role.word(), "a leg has joined the relay");
            let deadline = Instant::now() + lifetime;
            stay(&relay, role, session, deadline, place, (sink, source)).await;
        }
        Err(Some(code)) => {
            tracing::debug!(%code, "a leg was refused");
            let _ = timeout(FAREWELL, async {
                send(&mut sink, &RelayFrame::Error { code, retry_ms: 0 }).await?;
                sink.close().await
            })
            .await;
        }
        Err(None) => {}
    }
}

async fn enter(relay: &Relay, source: &mut Source) -> Result<(Role, SessionId, Duration, Place), Option<RelayError>> {
    let settings = &relay.0.settings;
    let Ok(hello) = timeout(settings.hello_within, hello(source)).await else { return Err(None) };
    let hello = hello?;
    if hello.version != VERSION {
        return Err(Some(RelayError::Version));
    }
    let admitted = relay.0.admission.admit(hello.ticket, hello.role).await.map_err(Some)?;
    let place = relay.0.rooms.join(admitted.session, hello.role, settings.max_sessions).map_err(Some)?;
    // Whoever closes the relay ends what is in its rooms, and may have looked just before.
    if relay.0.closing.is_cancelled() {
        relay.end(admitted.session, Some(place.room), Cause::Word(EndReason::RelayLost));
        return Err(Some(RelayError::Unavailable));
    }
    Ok((hello.role, admitted.session, admitted.lifetime, place))
}

async fn hello(source: &mut Source) -> Result<Hello, Option<RelayError>> {
    loop {
        match source.next().await {
            Some(Ok(Message::Binary(message))) => match RelayFrame::decode(message) {
                Ok(Some(RelayFrame::Hello(hello))) => return Ok(hello),
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Err(Some(RelayError::Protocol)),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Text(_))) => return Err(Some(RelayError::Protocol)),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(None),
        }
    }
}

/// From WELCOME to the end of the session.
async fn stay(
    relay: &Relay,
    role: Role,
    session: SessionId,
    deadline: Instant,
    place: Place,
    (mut sink, mut source): (Sink, Source),
) {
    let settings = relay.0.settings;
    let Place { room, inlet, mut outlet, phase, second } = place;
    relay.tell(Report::Joined { session, role }).await;
    let vitals = Vitals::new();
    let mut over = phase.clone();
    let cause = tokio::select! {
        cause = read(role, &mut source, &inlet, &phase, &vitals) => cause,
        cause = write(relay, role, &mut sink, &mut outlet, phase.clone(), &vitals) => cause,
        cause = watch_over(&settings, role, phase.clone(), &vitals) => cause,
        cause = clerk(relay, session, second) => cause,
        () = sleep_until(deadline) => Cause::Word(EndReason::Expired),
        // The sender goes away only after it has said so.
        _ = over.wait_for(|phase| matches!(phase, Phase::Over(_))) => Cause::Gone(role, PeerLoss::Left),
    };
    relay.end(session, Some(room), cause);
    // Whoever ended the session first, and for whatever reason: that is what this end hears.
    let Phase::Over(cause) = *phase.borrow() else { return };
    let _ = timeout(FAREWELL, farewell(role, cause, &mut sink, &mut outlet)).await;
    tracing::debug!(%session, role = role.word(), reason = cause.reason().word(), "a leg has left the relay");
}

async fn farewell(role: Role, cause: Cause, sink: &mut Sink, outlet: &mut Outlet) -> Result<(), axum::Error> {
    if cause.is_orderly() {
        while let Some(held) = outlet.take_now() {
            sink.send(Message::Binary(held.frame)).await?;
        }
    }
    if let Some(frame) = cause.last_frame(role) {
        send(sink, &frame).await?;
    }
    sink.close().await
}

/// Passes the leg's frames on, and gives how it ended.
async fn read(
    role: Role,
    source: &mut Source,
    inlet: &Inlet,
    phase: &watch::Receiver<Phase>,
    vitals: &Vitals,
) -> Cause {
    loop {
        let message = match source.next().await {
            Some(Ok(Message::Binary(message))) => message,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_))) => return Cause::Gone(role, PeerLoss::Left),
            Some(Ok(Message::Text(_)) | Err(_)) | None => return Cause::Gone(role, PeerLoss::Lost),
        };
        vitals.hear();
        match Passing::of(&message) {
            Passing::No => {
                if let Some(cause) = for_the_relay(role, message, vitals) {
                    return cause;
                }
            }
            // Bytes before PEER_UP would be bytes before the audit row.
            Passing::Data(_) | Passing::Ack if *phase.borrow() != Phase::Up => {
                return Cause::Gone(role, PeerLoss::Lost);
            }
            Passing::Data(payload) => pass(inlet, message, payload, vitals).await,
            Passing::Ack => pass(inlet, message, 0, vitals).await,
        }
    }
}

async fn pass(inlet: &Inlet, message: Bytes, payload: usize, vitals: &Vitals) {
    vitals.held_up.store(true, Ordering::Relaxed);
    // When nobody takes frames any more the session is over, and the phase says so.
    inlet.put(message, payload).await;
    vitals.held_up.store(false, Ordering::Relaxed);
    vitals.hear();
}

fn for_the_relay(role: Role, message: Bytes, vitals: &Vitals) -> Option<Cause> {
    match RelayFrame::decode(message) {
        Ok(Some(RelayFrame::Ping { stamp })) => {
            vitals.ping.send_replace(Some(stamp));
            None
        }
        Ok(Some(RelayFrame::Pong { .. }) | None) => None,
        Ok(Some(RelayFrame::Revoke { reason })) => Some(Cause::Said(role, believable(role, reason))),
        Ok(Some(_)) | Err(_) => Some(Cause::Gone(role, PeerLoss::Lost)),
    }
}

/// What an end may say about its own leaving: the customer's and the cloud's reasons are not its to give.
const fn believable(role: Role, reason: EndReason) -> EndReason {
    match (role, reason) {
        (_, EndReason::Refused | EndReason::RelayLost | EndReason::NeverJoined)
        | (Role::Device, EndReason::Expired | EndReason::Idle) => reason,
        (Role::Device, reason) if reason.is_refusal() => reason,
        (Role::Technician, _) => EndReason::Technician,
        (Role::Device, _) => EndReason::Device,
    }
}

/// Welcomes the leg, tells it when the other end is there, and from then on writes what that end sends.
async fn write(
    relay: &Relay,
    role: Role,
    sink: &mut Sink,
    outlet: &mut Outlet,
    mut phase: watch::Receiver<Phase>,
    vitals: &Vitals,
) -> Cause {
    let lost = |_| Cause::Gone(role, PeerLoss::Lost);
    match write_all(relay, sink, outlet, &mut phase, vitals).await.map_err(lost) {
        Ok(()) => Cause::Gone(role, PeerLoss::Left),
        Err(cause) => cause,
    }
}

async fn write_all(
    relay: &Relay,
    sink: &mut Sink,
    outlet: &mut Outlet,
    phase: &mut watch::Receiver<Phase>,
    vitals: &Vitals,
) -> Result<(), axum::Error> {
    let settings = &relay.0.settings;
    let welcome = Welcome {
        slot: u32::from_be_bytes(relay.0.random.bytes()),
        max_frame: u32::try_from(MAX_BYTES).unwrap_or(u32::MAX),
        buffer: u32::try_from(BUFFER).unwrap_or(u32::MAX),
        wait_s: u32::try_from(settings.peer_within.as_secs()).unwrap_or(u32::MAX),
        alternates: Vec::new(),
    };
    send(sink, &RelayFrame::Welcome(welcome)).await?;
    let mut pings = tokio::time::interval(settings.ping_every);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = vitals.ping.subscribe();
    let mut up = false;
    let mut stamp = 0;
    loop {
        tokio::select! {
            biased;
            changed = phase.changed(), if !up => {
                if changed.is_err() {
                    return Ok(());
                }
                if *phase.borrow_and_update() == Phase::Up {
                    up = true;
                    send(sink, &RelayFrame::PeerUp { version: VERSION }).await?;
                }
            }
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
            held = outlet.take(), if up => {
                let Some(held) = held else { return Ok(()) };
                sink.feed(Message::Binary(held.frame)).await?;
                // What else is there goes out in the same write, within reason: PINGs want their turn too.
                for held in std::iter::from_fn(|| outlet.take_now()).take(8) {
                    sink.feed(Message::Binary(held.frame)).await?;
                }
                sink.flush().await?;
            }
        }
    }
}

/// Ends a leg that waits too long for the other end, or is not heard any more.
async fn watch_over(settings: &Settings, role: Role, mut phase: watch::Receiver<Phase>, vitals: &Vitals) -> Cause {
    let paired = phase.wait_for(|phase| *phase != Phase::Waiting);
    let alone = sleep_until(Instant::now() + settings.peer_within);
    tokio::select! {
        _ = paired => {}
        () = alone => return Cause::Word(EndReason::NeverJoined),
        cause = silence(settings, role, vitals) => return cause,
    }
    silence(settings, role, vitals).await
}

async fn silence(settings: &Settings, role: Role, vitals: &Vitals) -> Cause {
    loop {
        let dead_at = vitals.last_heard() + settings.dead_after;
        if dead_at <= Instant::now() {
            return Cause::Gone(role, PeerLoss::Lost);
        }
        sleep_until(dead_at).await;
    }
}

/// The second end's task keeps the books: the audit row before the first byte, then the count.
async fn clerk(relay: &Relay, session: SessionId, second: bool) -> Cause {
    if !second {
        std::future::pending::<()>().await;
    }
    if let Err(error) = relay.0.admission.report(Report::Paired { session }).await {
        tracing::warn!(%session, %error, "a session ends before it began");
        return Cause::Unrecorded;
    }
    relay.0.rooms.open(session);
    let mut every = tokio::time::interval(relay.0.settings.report_every);
    every.tick().await;
    loop {
        every.tick().await;
        if let Some(carried) = relay.0.rooms.carried(session) {
            relay.tell(Report::Bytes { session, carried }).await;
        }
    }
}

async fn send(sink: &mut Sink, frame: &RelayFrame) -> Result<(), axum::Error> {
    sink.send(Message::Binary(frame.encode())).await
}
