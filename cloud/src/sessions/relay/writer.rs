//! What one leg is sent: WELCOME, what becomes of the other end, its frames, and signs of life.

use std::{future::poll_fn, io, sync::atomic::Ordering};

use futures_util::{FutureExt as _, SinkExt as _};
use gatelodge_proto::session::relay_frame::{MAX_BYTES, PeerLoss, RelayFrame, Welcome};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{
    Relay, Settings,
    brake::Brake,
    direction::{BUFFER, Held, Outlet},
    leg::Vitals,
    room::Phase,
    socket::Outward,
};

/// Welcomes the leg, tells it when the other end is there or away, and writes what that end sends, until the connection
/// takes nothing any more.
pub(super) async fn write(
    relay: &Relay,
    sink: &mut impl Outward,
    outlet: &mut Option<Outlet>,
    mut phase: watch::Receiver<Phase>,
    vitals: &Vitals,
) {
    let _ = write_all(relay, sink, outlet, &mut phase, vitals).await;
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

pub(super) async fn send(sink: &mut impl Outward, frame: &RelayFrame) -> io::Result<()> {
    sink.send(frame.encode()).await
}
