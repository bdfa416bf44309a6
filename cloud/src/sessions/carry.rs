//! What the relay asks and tells about the sessions it carries. A relay holds no right of its own: it admits by
//! ticket, and whoever was here before by what they pledged with it; it writes before the first byte, renews the lease of what it carries, and lets go of whatever is over.

use std::{collections::HashMap, time::Duration};

use futures_util::future::BoxFuture;
use gatelodge_proto::{
    SessionId, Timestamp,
    payload::EndReason,
    session::{Role, relay_frame::RelayError},
};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    end::finish,
    machine::Found,
    model::{Ask, LEASE, LEASE_RENEWAL, Pledge, Side, Ticket, Traffic},
    record::record,
    relay::{Admission, Admitted, Carried, Entry, Limit, Refusal, Relay, Report, Unrecorded, Whose},
    store,
};
use crate::{
    audit::Actor,
    db::{DbError, Tx},
    kits::Kits,
};

/// How often a relay looks whether what it carries still stands.
const LOOK: Duration = Duration::from_secs(1);
/// How long it carries on without an answer.
const DOUBT: Duration = Duration::from_secs(30);

/// The relay's way to the rows.
#[derive(Debug, Clone)]
pub struct Rows(pub Kits);

impl Admission for Rows {
    fn admit(&self, entry: Entry, role: Role) -> BoxFuture<'_, Result<Admitted, Refusal>> {
        Box::pin(async move {
            let (kits, side) = (&self.0, role.into());
            let again = matches!(entry, Entry::Again { .. });
            let admitted = match entry {
                Entry::First { ticket } => {
                    let ticket = ticket.parse::<Ticket>().map_err(|_| RelayError::Ticket)?;
                    admit(kits, &ticket, side).await
                }
                Entry::Again { secret } => {
                    let pledge = Pledge::of_secret(&secret).map_err(|_| RelayError::Ticket)?;
                    admit_again(kits, &pledge, side).await
                }
            };
            admitted.map_err(|refusal| match (refusal, again) {
                (NotAdmitted::Unknown, _) => RelayError::Ticket.into(),
                (NotAdmitted::Over(_), false) => RelayError::Over.into(),
                (NotAdmitted::Over(reason), true) => Refusal::Ended(reason),
                (NotAdmitted::Database(error), _) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "who joins could not be looked up");
                    RelayError::Unavailable.into()
                }
            })
        })
    }

    fn report(&self, report: Report) -> BoxFuture<'_, Result<(), Unrecorded>> {
        Box::pin(async move {
            take_in(&self.0, report).await.map_err(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "a relay's report could not be written");
                Unrecorded
            })
        })
    }
}

impl From<Role> for Side {
    fn from(role: Role) -> Self {
        match role {
            Role::Technician => Self::Technician,
            Role::Device => Self::Device,
        }
    }
}

impl From<Carried> for Traffic {
    fn from(carried: Carried) -> Self {
        Self { up: carried.up, down: carried.down }
    }
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// The ticket or the secret is unknown, used, too old, or the other end's.
    #[error("the join ticket is unknown, used or too old")]
    Unknown,
    /// The session is not open any more.
    #[error("the session is over ({})", .0.word())]
    Over(EndReason),
    /// The database failed: nobody is admitted.
    #[error("the cloud could not look the ticket up")]
    Database(#[from] DbError),
}

/// Uses a ticket up and says for which session.
pub async fn admit(kits: &Kits, ticket: &Ticket, side: Side) -> Result<Admitted, NotAdmitted> {
    let mut tx = kits.db.write().await?;
    let admitted = match store::take_ticket(&mut tx, kits.now(), ticket).await? {
        Some((session, known)) if known == side => enter(&mut tx, kits, session).await?.map_err(NotAdmitted::Over),
        Some(_) | None => Err(NotAdmitted::Unknown),
    };
    // A ticket that was shown is used up, whatever it opened.
    tx.commit().await?;
    admitted
}

/// Lets an end in again by what it pledged, while its session is open. It is the same session: no new audit row.
pub async fn admit_again(kits: &Kits, pledge: &Pledge, side: Side) -> Result<Admitted, NotAdmitted> {
    let mut tx = kits.db.write().await?;
    let known = store::pledged(&mut tx, pledge).await?.filter(|(_, known)| *known == side);
    let (session, _) = known.ok_or(NotAdmitted::Unknown)?;
    let admitted = enter(&mut tx, kits, session).await?.map_err(NotAdmitted::Over)?;
    store::count_rejoin(&mut tx, session).await?;
    tx.commit().await?;
    tracing::info!(%session, side = side.word(), "an end has come again");
    Ok(admitted)
}

/// Takes up an open session, or says why it is over.
async fn enter(tx: &mut Tx, kits: &Kits, session: SessionId) -> Result<Result<Admitted, EndReason>, DbError> {
    let now = kits.now();
    let open = match store::hold(tx, session).await? {
        Some(Found::Open(open)) => open,
        Some(Found::Ended(ended)) => return Ok(Err(ended.state.reason)),
        Some(Found::Waiting(_) | Found::Refused(_)) | None => return Ok(Err(EndReason::Revoked)),
    };
    if let Some(reason) = open.lapsed(now) {
        return Ok(Err(reason));
    }
    store::renew_lease(tx, session, now, now + LEASE).await?;
    let Traffic { up, down } = store::bytes(tx, session).await?;
    let lifetime = open.state.until.since(now);
    let begun = open.state.paired_at.is_some();
    let (until, limits) = (open.state.until, limits(kits, &open.ask));
    Ok(Ok(Admitted { session, lifetime, until, begun, carried: Carried { up, down }, limits }))
}

/// How fast a session may carry, by the settings.
fn limits(kits: &Kits, ask: &Ask) -> Vec<Limit> {
    let rates = &kits.config.sessions;
    [
        (Whose::Session(ask.id.uuid()), rates.rate_per_session),
        (Whose::Device(ask.device.uuid()), rates.rate_per_device),
        (Whose::Organisation(ask.installer.uuid()), rates.rate_per_organisation),
    ]
    .into_iter()
    .filter_map(|(whose, rate)| rate.map(|bytes_per_s| Limit { whose, bytes_per_s }))
    .collect()
}

async fn take_in(kits: &Kits, report: Report) -> Result<(), DbError> {
    match report {
        Report::Joined { session, role, pledge: Some(hash), .. } => {
            pledge(kits, session, role.into(), &Pledge::of_hash(hash)).await
        }
        Report::Joined { pledge: None, .. } => Ok(()),
        Report::Paired { session } => begun(kits, session).await,
        Report::Bytes { session, carried } => {
            let mut tx = kits.db.write().await?;
            store::count_bytes(&mut tx, session, carried.into()).await?;
            tx.commit().await
        }
        Report::Ended { session, reason, carried } => ended(kits, session, reason, carried.into()).await,
    }
}

/// An end has its place at a relay: keeps with what it will come again. Not earlier, since an end that is refused its
/// place must not take the pledge of the one that has it.
pub async fn pledge(kits: &Kits, session: SessionId, side: Side, pledge: &Pledge) -> Result<(), DbError> {
    let mut tx = kits.db.write().await?;
    store::keep_pledge(&mut tx, session, side, pledge).await?;
    tx.commit().await
}

/// Both ends are here: written before the first byte, and looked at before any byte of another pairing. An error means
/// that no byte may flow.
async fn begun(kits: &Kits, id: SessionId) -> Result<(), DbError> {
    let mut tx = kits.db.write().await?;
    let Some(Found::Open(open)) = store::hold(&mut tx, id).await? else {
        return Err(DbError::Corrupt(format!("session {id} is not open")));
    };
    if store::pair(&mut tx, id, kits.now()).await? {
        record(&mut tx, kits, &open.ask, Actor::Cloud, "session_opened", json!({})).await?;
    }
    tx.commit().await
}

/// The relay let go of a session, for this reason and after this much traffic.
pub async fn ended(kits: &Kits, id: SessionId, reason: EndReason, traffic: Traffic) -> Result<(), DbError> {
    let mut tx = kits.db.write().await?;
    store::count_bytes(&mut tx, id, traffic).await?;
    if let Some(found @ Found::Open(_)) = store::hold(&mut tx, id).await? {
        finish(&mut tx, kits, found, reason, Actor::Cloud).await?;
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Where the sessions stand that a relay carries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// What is over, and why.
    pub over: Vec<(SessionId, EndReason)>,
    /// Until when the others may last.
    pub until: Vec<(SessionId, Timestamp)>,
}

/// Renews the leases of what a relay carries, takes the byte counts in, and says where each of them stands.
pub async fn supervise(kits: &Kits, carried: &[(SessionId, Traffic)]) -> Result<Looked, DbError> {
    let now = kits.now();
    let (mut looked, mut due) = (Looked::default(), Vec::new());
    let mut tx = kits.db.read().await?;
    for (id, traffic) in carried {
        match store::standing(&mut tx, *id).await? {
            None => looked.over.push((*id, EndReason::Revoked)),
            Some(store::Standing { over: Some(reason), .. }) => looked.over.push((*id, reason)),
            Some(standing) => {
                looked.until.extend(standing.until.map(|until| (*id, until)));
                if standing.lease_until + LEASE_RENEWAL < now + LEASE {
                    due.push((*id, *traffic));
                }
            }
        }
    }
    drop(tx);
    if !due.is_empty() {
        // In the order of ids, as whoever else changes several.
        due.sort_unstable_by_key(|(id, _)| *id);
        let mut tx = kits.db.write().await?;
        for (id, traffic) in due {
            store::renew_lease(&mut tx, id, now, now + LEASE).await?;
            store::count_bytes(&mut tx, id, traffic).await?;
        }
        tx.commit().await?;
    }
    Ok(looked)
}

/// What a session carries while nobody uses it: each end asks the other every five seconds whether it is there, and is
/// answered, in frames of 38 bytes.
const KEEP_ALIVES_PER_S: u64 = 4 * 38 / 5 + 1;
/// As much may come at the edge of two looks.
const KEEP_ALIVES_AT_ONCE: u64 = 4 * 38 + 8;

/// Since when each session has carried nothing but keep-alives; pure. Users' bytes are the agent's to count, which ends
/// an idle session itself; the relay cannot tell them apart but by their number, and ends what an agent does not. A
/// session is in use when it carries more than keep-alives from one look to the next, or little again and again.
#[derive(Debug, Default)]
struct Idleness(HashMap<SessionId, Quiet>);

/// A session that may be idle.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    /// When it was last in use, and what it had carried then.
    since: (u64, Instant),
    /// The look before this one, and what it had carried then.
    looked: (u64, Instant),
}

/// Whether no more than keep-alives came between `before` and now.
fn kept_alive((carried, at): (u64, Instant), total: u64, now: Instant) -> bool {
    let elapsed = now.saturating_duration_since(at).as_secs();
    // Fewer than before: its ends have joined anew.
    (carried..=carried + KEEP_ALIVES_PER_S * elapsed + KEEP_ALIVES_AT_ONCE).contains(&total)
}

impl Idleness {
    /// Notes what is carried now; gives the sessions that carried nothing of use for `limit`.
    fn note(&mut self, carried: &[(SessionId, Traffic)], limit: Duration, now: Instant) -> Vec<SessionId> {
        self.0.retain(|known, _| carried.iter().any(|(id, _)| id == known));
        let mut idle = Vec::new();
        for (id, traffic) in carried {
            let total = traffic.up + traffic.down;
            let quiet = self.0.entry(*id).or_insert(Quiet { since: (total, now), looked: (total, now) });
            if !kept_alive(quiet.since, total, now) || !kept_alive(quiet.looked, total, now) {
                quiet.since = (total, now);
            } else if now.saturating_duration_since(quiet.since.1) >= limit {
                idle.push(*id);
            }
            quiet.looked = (total, now);
        }
        idle
    }
}

/// Keeps a relay to the rows until told to stop: what is over there ends here within a second or two, and what the
/// rows cannot be asked about for half a minute ends on doubt.
pub async fn keep(kits: Kits, relay: Relay, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let limit = Duration::from_secs(u64::from(kits.config.sessions.idle_minutes) * 60);
    let (mut idleness, mut answered_at) = (Idleness::default(), Instant::now());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let now = Instant::now();
        let carried: Vec<_> = relay.live().into_iter().map(|live| (live.session, live.carried.into())).collect();
        for id in idleness.note(&carried, limit, now) {
            relay.revoke(id, EndReason::Idle);
        }
        match supervise(&kits, &carried).await {
            Ok(Looked { over, until }) => {
                answered_at = now;
                for (id, reason) in over {
                    relay.revoke(id, reason);
                }
                for (id, until) in until {
                    relay.move_end(id, until);
                }
            }
            Err(error) if now.duration_since(answered_at) < DOUBT => {
                tracing::warn!(error = &error as &dyn std::error::Error, "sessions are carried on a lease");
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "sessions end: their rows cannot be read");
                for (id, _) in carried {
                    relay.revoke(id, EndReason::RelayLost);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::Random;

    use super::*;

    fn idle_after(bytes: impl Fn(u64) -> u64) -> Option<u64> {
        let (limit, begun) = (Duration::from_secs(900), Instant::now());
        let id = SessionId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(1));
        let (mut idleness, mut up) = (Idleness::default(), 0);
        (0..3600).find(|second| {
            up += bytes(*second);
            let carried = [(id, Traffic { up, down: 7 })];
            !idleness.note(&carried, limit, begun + Duration::from_secs(*second)).is_empty()
        })
    }

    #[test]
    fn a_session_is_idle_after_the_limit_whatever_its_keep_alives_carry() {
        assert_eq!(idle_after(|_| 0), Some(900));
        let keep_alives = |second: u64| if second.is_multiple_of(5) { 4 * 38 } else { 0 };
        assert_eq!(idle_after(keep_alives), Some(900), "both ends ask and answer");
        assert_eq!(idle_after(|second| keep_alives(second) + if second < 800 { 1000 } else { 0 }), Some(799 + 900));
    }

    #[test]
    fn a_session_with_little_traffic_is_not_idle() {
        // A panel that is asked for its state every ten seconds, in as few bytes as a stream can carry.
        let polled = |second: u64| {
            let keep_alives = if second.is_multiple_of(5) { 4 * 38 } else { 0 };
            keep_alives + if second.is_multiple_of(10) { 2 * 50 } else { 0 }
        };
        assert_eq!(idle_after(polled), None);
        // A small page once a minute, by a connection of its own; between them the ends hardly ask for each other.
        let called = |second: u64| {
            let keep_alives = if second.is_multiple_of(25) { 4 * 38 } else { 0 };
            keep_alives + if second.is_multiple_of(60) { 600 } else { 0 }
        };
        assert_eq!(idle_after(called), None);
    }

    #[test]
    fn sessions_that_are_gone_are_forgotten() {
        let id = SessionId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(1));
        let mut idleness = Idleness::default();
        idleness.note(&[(id, Traffic::default())], Duration::from_secs(900), Instant::now());
        idleness.note(&[], Duration::from_secs(900), Instant::now());
        assert!(idleness.0.is_empty());
    }
}
