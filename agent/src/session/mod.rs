//! The device's end of one session: joins the relay, meets the technician in TLS, checks the grant, dials targets.
//!
//! It runs as its own process, `gatelodge-agent session` (see [`process`]), with this contract:
//! standard input is one line, a [`Start`] in JSON; once its socket is open the process writes `ready`. Everything later
//! goes by that socket, to whichever agent is there, in lines of JSON: the session says which it is, and each
//! [`Happening`](gatelodge_proto::payload::Happening) with its number until an agent has taken it: `session_joined`,
//! `flow_opened` and `flow_closed` per target, and always one `session_ended` as the last. The agent says a
//! [`Control`]. A session without an agent for 90 s ends, since nobody at the device could press Stop. SIGTERM ends it
//! with reason `device`.
//!
//! [`run`] is the same without a process. It dials nothing but the relay and targets that the grant and the device's
//! own services both name.

mod admit;
mod countdown;
mod desk;
mod discover;
mod echo;
mod files;
mod flows;
mod lookup;
mod order;
mod paced;
mod places;
pub mod process;
mod supervise;
mod target;
mod terminal;
mod udp;

use std::{
    path::Path,
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use gatelodge_proto::{
    Random, Timestamp,
    payload::{EndReason, Feature, Happening},
    session::{
        Ending, Role,
        carrier::{DialError, Dialler, RelaySocket},
        driver::{Channel, Counters, Driver},
        handshake,
        inner_frame::{Accept, InnerFrame},
        line::{Joining, KEEPS, Line},
    },
};
use tokio::{sync::mpsc, time::Instant};
use tokio_rustls::TlsStream;

use crate::clock::Clock;

use self::{
    admit::{Here, Terms, admit},
    countdown::Countdown,
    flows::{Door, Flows, Ids, Own},
    order::Ears,
    paced::Paced,
    supervise::Supervisor,
    terminal::Terminals,
};
pub(crate) use admit::signed;
pub use discover::{Heard, Known, Looks, heard};
pub use files::OwnFolder;
pub(crate) use order::{Card, READY, Word};
pub use order::{Control, Limits, Newer, SESSIONS_AT_ONCE, Start, Wish};
pub use places::Places;
pub(crate) use target::{forbidden, is_own};
pub use terminal::{InTerminal, NotRun, OwnTerminal, Room};

/// Longest time for the inner handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(15);

/// Where happenings go. A session that cannot tell what it does, does not do it.
pub type Events = mpsc::Sender<Happening>;

/// Carries out an order from joining to the end. What is wished by `wishes` ends it or lets it last longer. The last event is `session_ended`, except for a grant
/// that the vendor's cloud did not sign: no session has that end.
pub async fn run(start: Start, now: Timestamp, random: Random, wishes: mpsc::Receiver<Wish>, events: Events) -> Ending {
    let session = match signed(&start.order.grant, &start.credentials.grant_key) {
        Ok(grant) => grant.session,
        Err(denied) => return Ending::because(denied.end(), &denied),
    };
    let (counters, mut ears) = (OnceLock::new(), Ears::new(wishes));
    let ending = live(start, now, random, &mut ears, &events, &counters).await;
    if let Some(detail) = &ending.detail {
        tracing::info!(%session, detail, reason = ending.reason.word(), "the session is over");
    }
    let (bytes_up, bytes_down) = carried(counters.get());
    let _ = events.send(Happening::SessionEnded { session, reason: ending.reason, bytes_up, bytes_down }).await;
    ending
}

fn carried(counters: Option<&Arc<Counters>>) -> (u64, u64) {
    counters
        .map_or((0, 0), |counters| (counters.sent.load(Ordering::Relaxed), counters.received.load(Ordering::Relaxed)))
}

async fn live(
    start: Start,
    now: Timestamp,
    random: Random,
    ears: &mut Ears,
    events: &Events,
    counters: &OnceLock<Arc<Counters>>,
) -> Ending {
    let received = Instant::now();
    let here = Here::of(&start);
    // Before the first packet: an order that the cloud did not sign, or for somebody else, reaches nobody.
    let terms = match start.terms(now) {
        Ok(terms) => terms.within(start.limits.longest()),
        Err(denied) => return Ending::because(denied.end(), &denied),
    };
    let join = join(&start, &terms, random.clone());
    let mut line = tokio::select! {
        joined = join => match joined {
            Ok(line) => line,
            Err(ending) => return ending,
        },
        reason = ears.stopped() => return Ending::plain(reason),
        () = tokio::time::sleep_until(received + terms.lifetime) => return Ending::plain(EndReason::Expired),
    };
    let view = line.view();
    let met = tokio::select! {
        met = meet(&mut line, &start, &here, terms, now) => met,
        reason = ears.stopped() => Err(Ending::plain(reason)),
    };
    let (mut channel, terms) = match met {
        Ok(met) => met,
        Err(ending) => {
            // The relay's word comes first: a handshake also breaks when the session is revoked meanwhile.
            let ending = view.end().map_or(ending, |end| end.ending(Role::Device));
            line.leave(ending.reason).await;
            return ending;
        }
    };
    let doors = open_doors(&terms).await;
    if let Err(ending) = accept(&mut channel, &terms, &doors, start.limits, events).await {
        drop(channel);
        line.leave(ending.reason).await;
        return ending;
    }
    let (driver, handle, outlets) = Driver::new(channel, Role::Device, start.limits.settings(), view);
    let _ = counters.set(handle.counters().clone());
    let ids = Ids::from(now + received.elapsed(), random);
    let allowed = terms.features.contains(&Feature::Terminal);
    let terminals = Terminals::new(start.terminal.clone(), allowed, &terms.grant, start.order.recording.clone());
    let (places, folders, looks) = (start.places.clone(), start.folders.clone(), start.looks.clone());
    let own = Own { places, page: start.page, limits: start.limits, folders, looks, terminals };
    let mut flows = Flows::new(terms.clone(), own, handle.clone(), events.clone(), ids);
    flows.take_calls(doors);
    let (ends_at, latest) = (received + terms.lifetime, received + start.limits.longest());
    let supervisor = Supervisor {
        handle: &handle,
        flows: &mut flows,
        countdown: Countdown::new(ends_at, latest, Instant::now()),
        terms,
        grant_key: &start.credentials.grant_key,
        events,
        began: (now, received),
        clock_lacks_us: start.clock_lacks_us,
    };
    let ending = tokio::select! {
        (ending, _) = driver.run() => ending,
        () = supervisor.run(outlets.incoming, ears) => Ending::plain(EndReason::Refused),
    };
    // The reason is said at once: who ends a session says so before the other end can say that it left.
    tokio::join!(flows.wind_up(), line.leave(ending.reason));
    ending
}

async fn join(start: &Start, terms: &Terms, random: Random) -> Result<Line<RelaySocket>, Ending> {
    let tls = crate::cloud::https_tls(start.ca_file.as_deref(), &Clock::corrected_by(start.clock_lacks_us))
        .map_err(|error| Ending::because(EndReason::RelayLost, &error))?;
    let dialler = Dialler::new(start.order.relay.clone(), Arc::new(tls), start.proxy.clone(), random.clone());
    let lost = |error: DialError| Ending::because(EndReason::RelayLost, &error);
    let socket = dialler.dial().await.map_err(lost)?;
    tracing::debug!(session = %terms.grant.session, "joining the relay");
    let ticket = start.order.ticket.clone();
    let joining = Joining { role: Role::Device, ticket, keeps: KEEPS, redial: Box::new(dialler), random };
    Line::join(socket, joining).await.map_err(|error| error.ending())
}

type Met<'a> = (Channel<TlsStream<Paced<&'a mut Line<RelaySocket>>>>, Terms);

/// Inner TLS, then the grant that the technician shows.
async fn meet<'a>(
    line: &'a mut Line<RelaySocket>,
    start: &Start,
    here: &Here<'_>,
    ordered: Terms,
    now: Timestamp,
) -> Result<Met<'a>, Ending> {
    let refused = |error: &dyn std::fmt::Display| Ending::because(EndReason::Refused, &error);
    let config = handshake::device_side(
        start.identity().map_err(|error| refused(&error))?,
        &start.credentials.session_ca,
        &ordered.grant,
        crate::cloud::provider(),
    )
    .map_err(|error| refused(&error))?;
    let tls = tokio::time::timeout(HANDSHAKE_WITHIN, handshake::accept(Paced::new(line, start.limits.rate), config))
        .await
        .map_err(|_| refused(&"the technician's side did not finish the handshake"))?
        .map_err(|error| refused(&error))?;
    let mut channel = Channel::new(tls);
    let shown = channel.warrant().await.map_err(|error| refused(&error))?;
    let admitted = admit(&shown.grant, here, now).and_then(|shown| shown.bound_to(&ordered));
    match admitted {
        Ok(terms) => Ok((channel, terms)),
        Err(denied) => {
            let deny = InnerFrame::Deny { code: denied.code, sentence: denied.to_string() };
            let _ = channel.say(&deny).await;
            Err(refused(&denied))
        }
    }
}

/// Tells the cloud, then the technician.
async fn accept(
    channel: &mut Channel<TlsStream<Paced<&mut Line<RelaySocket>>>>,
    terms: &Terms,
    doors: &[Door],
    limits: Limits,
    events: &Events,
) -> Result<(), Ending> {
    let joined = Happening::SessionJoined { session: terms.grant.session, end: terms.kept() };
    if events.send(joined).await.is_err() {
        return Err(Ending::because(EndReason::Device, &"nobody writes down what the session does"));
    }
    let mut listens: Vec<_> = doors.iter().map(|door| door.name().clone()).collect();
    listens.dedup();
    let accept = Accept {
        version: gatelodge_proto::session::VERSION,
        max_streams: limits.streams,
        seconds_left: u32::try_from(terms.lifetime.as_secs()).unwrap_or(u32::MAX),
        services: terms.services.iter().map(|service| service.name.clone()).collect(),
        networks: terms.networks.clone(),
        listens,
        rate: limits.rate,
        features: terms.features.clone(),
    };
    channel.say(&InnerFrame::Accept(accept)).await.map_err(|error| Ending::because(EndReason::RelayLost, &error))
}

/// The ports for calls that can be opened; the technician is told by their names which these are.
async fn open_doors(terms: &Terms) -> Vec<Door> {
    let mut doors = Vec::new();
    if terms.listens.is_empty() {
        return doors;
    }
    let interfaces = crate::identity::interfaces(Path::new("/"));
    let own: Vec<_> = interfaces.into_iter().flat_map(|interface| interface.addresses).collect();
    for listen in &terms.listens {
        doors.extend(Door::open(listen, &own).await);
    }
    doors
}

#[cfg(test)]
mod tests;
