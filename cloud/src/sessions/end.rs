//! Ends of sessions: by the customer, by the technician, by time, and by a right that falls away. Every end is one
//! transaction with its audit row and the order to the device.

use std::{collections::BTreeSet, time::Duration};

use gatelodge_proto::{
    SessionId,
    payload::{EndReason, Order},
};
use tokio_util::sync::CancellationToken;

use super::{
    grant,
    machine::Found,
    record::{actor, ended, record},
    relay::Relay,
    store,
};
use crate::{
    accounts::{
        model::Role,
        rights::{CustomerMember, InstallerMember},
    },
    audit::Actor,
    db::{DbError, Tx},
    devices::service as devices,
    kits::Kits,
};

/// How often live sessions are looked through; with the relay's own look each second this keeps every end below 5 s.
const ROUND: Duration = Duration::from_secs(2);
/// How long the order to stop is offered to a device that is away.
const STOP_LIFE: Duration = Duration::from_secs(10 * 60);

/// What became of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It ended now.
    Now,
    /// It was over already.
    WasOver,
    /// No such session, or it is somebody else's: both look the same.
    Unknown,
}

/// Somebody of the customer stops a session on one of their devices.
pub async fn stop_by_customer(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<Stopped, DbError> {
    let member = by.member();
    let allowed = |found: &Found| found.ask().customer == member.organisation_id;
    stop(kits, id, allowed, EndReason::Customer, actor(member)).await
}

/// The technician ends their session; administrators and supervisors end any of their organisation's.
pub async fn stop_by_technician(kits: &Kits, by: &InstallerMember, id: SessionId) -> Result<Stopped, DbError> {
    let member = by.member();
    let leads = matches!(member.role, Role::Administrator | Role::Supervisor);
    let allowed = |found: &Found| {
        let ask = found.ask();
        ask.installer == member.organisation_id && (leads || ask.technician == member.user_id)
    };
    stop(kits, id, allowed, EndReason::Technician, actor(member)).await
}

async fn stop(
    kits: &Kits,
    id: SessionId,
    allowed: impl Fn(&Found) -> bool,
    reason: EndReason,
    by: Actor,
) -> Result<Stopped, DbError> {
    let mut tx = kits.db.write_on_reserve().await?;
    let Some(found) = store::hold(&mut tx, id).await?.filter(allowed) else { return Ok(Stopped::Unknown) };
    let ended = finish(&mut tx, kits, found, reason, by).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(if ended { Stopped::Now } else { Stopped::WasOver })
}

/// Ends a live session within a transaction; `false` when it was over already. Ring the bell after the commit.
pub(super) async fn finish(
    tx: &mut Tx,
    kits: &Kits,
    found: Found,
    reason: EndReason,
    by: Actor,
) -> Result<bool, DbError> {
    let now = kits.now();
    let opened_at = if let Found::Open(open) = &found { Some(open.state.since) } else { None };
    let Ok(session) = found.end(reason, now) else { return Ok(false) };
    if !store::end(tx, &session).await? {
        return Ok(false);
    }
    let ask = &session.ask;
    let traffic = store::bytes(tx, ask.id).await?;
    let seconds = opened_at.map_or(0, |opened| now.since(opened).as_secs());
    record(tx, kits, ask, by, "session_ended", ended(reason, traffic, seconds)).await?;
    if opened_at.is_some() {
        let order = Order::StopSession { session: ask.id, reason };
        devices::send(tx, now, &kits.random, ask.device, order, now + STOP_LIFE).await?;
    } else {
        grant::gone(tx, kits, ask).await?;
    }
    Ok(true)
}

/// Ends what no longer stands: rights that fell away, time that is over, relays that are silent. Gives how many.
pub async fn sweep(kits: &Kits) -> Result<usize, DbError> {
    sweep_beside(kits, &BTreeSet::new()).await
}

/// [`sweep`] beside a relay that carries these: it is not silent, whatever a wall clock that was set anew says of its
/// leases.
pub async fn sweep_beside(kits: &Kits, carried: &BTreeSet<SessionId>) -> Result<usize, DbError> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let fallen = store::fallen(&mut tx, now).await?;
    let lapsed = store::lapsed(&mut tx, now, now - kits.config.sessions.ask()).await?;
    drop(tx);
    let mut count = 0;
    for id in &fallen {
        count += usize::from(end_one(kits, *id, |_| Some(EndReason::Revoked)).await?);
    }
    for id in lapsed.iter().filter(|id| !fallen.contains(id)) {
        let reason = |found: &Found| match found {
            Found::Waiting(waiting) => waiting.is_stale(kits.config.sessions.ask(), now).then_some(EndReason::Expired),
            Found::Open(open) => open.lapsed(now).filter(|why| *why == EndReason::Expired || !carried.contains(id)),
            Found::Refused(_) | Found::Ended(_) => None,
        };
        count += usize::from(end_one(kits, *id, reason).await?);
    }
    Ok(count)
}

async fn end_one(kits: &Kits, id: SessionId, reason: impl Fn(&Found) -> Option<EndReason>) -> Result<bool, DbError> {
    let mut tx = kits.db.write_on_reserve().await?;
    let Some(found) = store::hold(&mut tx, id).await? else { return Ok(false) };
    let Some(reason) = reason(&found) else { return Ok(false) };
    let ended = finish(&mut tx, kits, found, reason, Actor::Cloud).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(ended)
}

/// Sweeps until told to stop.
pub async fn watch(kits: Kits, relay: Relay, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        let carried = relay.live().into_iter().map(|live| live.session).collect();
        match sweep_beside(&kits, &carried).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "sessions ended that no longer stood"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "sessions could not be looked through");
            }
        }
    }
}
