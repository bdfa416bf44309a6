//! More time for an open session: the technician asks, the customer's rule or the customer answers, and the customer may
//! give it unasked. What moves is the end alone; the grant is signed anew and the device is told.

use std::time::Duration;

use gatelodge_proto::{
    SessionId, Timestamp,
    grant::{Grant, SignedGrant},
    payload::{Consent, KeptEnd, NotLonger, Order},
};
use serde_json::json;

use super::{
    jobs::{self, About},
    machine::{Found, MoreTime, NoMoreTime, Open, Session},
    record::{actor, record},
    store,
};
use crate::{
    accounts::{
        model::Role,
        rights::{CustomerMember, InstallerMember},
        service::{Throttled, throttle_within},
    },
    audit::Actor,
    db::{DbError, Tx},
    devices::service as devices,
    kits::Kits,
};

/// By how much a customer lets a session last longer without being asked, in minutes.
pub const UNASKED: u32 = 30;
/// Wishes in one session in an hour: each is a row for ever and a mail to each who decides.
const WISHES_PER_HOUR: u32 = 6;
const HOUR: Duration = Duration::from_secs(3_600);

/// Why a session does not last longer.
#[derive(Debug, thiserror::Error)]
pub enum ExtendRefusal {
    /// No such session, or it is somebody else's: both look the same.
    #[error("there is no such session among yours")]
    Unknown,
    /// Too much or nothing at all.
    #[error("a session is extended by 1 to {0} minutes at a time")]
    Minutes(u32),
    /// Not open, too long, or not asked for.
    #[error(transparent)]
    State(#[from] NoMoreTime),
    /// Asked too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The technician, or who leads their organisation, asks for more time.
pub async fn ask(kits: &Kits, by: &InstallerMember, id: SessionId, minutes: u32) -> Result<(), ExtendRefusal> {
    let (member, now) = (by.member(), kits.now());
    sound(kits, minutes)?;
    let mut tx = kits.db.write().await?;
    let leads = matches!(member.role, Role::Administrator | Role::Supervisor);
    let allowed = |found: &Found| {
        let ask = found.ask();
        ask.installer == member.organisation_id && (leads || ask.technician == member.user_id)
    };
    let open = held(&mut tx, id, allowed).await?;
    let consent = store::ground(&mut tx, open.ask.installer, open.ask.device)
        .await?
        .filter(|ground| ground.registration == open.ask.registration && ground.epoch == open.ask.epoch)
        .map_or(Consent::Never, |ground| ground.consent);
    match open.ask_for_more(minutes, consent, kits.config.sessions.longest_minutes, now)? {
        MoreTime::Asked => return Ok(()),
        MoreTime::Ask(asked) => {
            wished(&mut tx, kits, &asked, minutes, actor(member)).await?;
            keep(&mut tx, &asked).await?;
            jobs::enqueue(&mut tx, kits, About::Extension, id, asked.ask.customer).await?;
        }
        MoreTime::Give(given) => {
            wished(&mut tx, kits, &given, minutes, actor(member)).await?;
            give_in(&mut tx, kits, given, minutes, Actor::Cloud).await?;
        }
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// The customer lets a session last longer, asked or not. With the end that they `saw`: not when it has moved since, so
/// that two who press at once, or one who presses twice, give the time once.
pub async fn give(
    kits: &Kits,
    by: &CustomerMember,
    id: SessionId,
    minutes: u32,
    saw: Option<Timestamp>,
) -> Result<(), ExtendRefusal> {
    let member = by.member();
    sound(kits, minutes)?;
    let mut tx = kits.db.write().await?;
    let open = held(&mut tx, id, |found| found.ask().customer == member.organisation_id).await?;
    if saw.is_some_and(|saw| saw != open.state.until) {
        return Err(NoMoreTime::Moved.into());
    }
    let given = open.give_more(minutes, kits.config.sessions.longest_minutes, kits.now())?;
    give_in(&mut tx, kits, given, minutes, actor(member)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// The customer does not let a session last longer.
pub async fn decline(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<(), ExtendRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    let open = held(&mut tx, id, |found| found.ask().customer == member.organisation_id).await?;
    let declined = open.decline_more(kits.now())?;
    keep(&mut tx, &declined).await?;
    record(&mut tx, kits, &declined.ask, actor(member), "session_extension_declined", json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes down who asked; not too often.
async fn wished(
    tx: &mut Tx,
    kits: &Kits,
    session: &Session<Open>,
    minutes: u32,
    by: Actor,
) -> Result<(), ExtendRefusal> {
    let ask = &session.ask;
    throttle_within(tx, kits.now(), "session_extension", &ask.id.to_string(), WISHES_PER_HOUR, HOUR).await??;
    record(tx, kits, ask, by, "session_extension_asked", json!({ "minutes": minutes })).await?;
    Ok(())
}

fn sound(kits: &Kits, minutes: u32) -> Result<(), ExtendRefusal> {
    let most = kits.config.sessions.max_minutes;
    if (1..=most).contains(&minutes) { Ok(()) } else { Err(ExtendRefusal::Minutes(most)) }
}

async fn held(tx: &mut Tx, id: SessionId, allowed: impl Fn(&Found) -> bool) -> Result<Session<Open>, ExtendRefusal> {
    let found = store::hold(tx, id).await?.filter(allowed).ok_or(ExtendRefusal::Unknown)?;
    Ok(found.open().map_err(|_| NoMoreTime::Over)?)
}

/// Signs the grant anew, writes both, and tells the device.
async fn give_in(
    tx: &mut Tx,
    kits: &Kits,
    mut given: Session<Open>,
    minutes: u32,
    by: Actor,
) -> Result<(), ExtendRefusal> {
    let was = granted(kits, &given)?;
    let until = given.state.until;
    let lifetime_s = u32::try_from(until.since(was.from).as_secs()).unwrap_or(u32::MAX);
    let grant = SignedGrant::sign(&Grant { until, lifetime_s, ..was }, kits.pki.grant_key());
    given.state.grant = grant.clone();
    keep(tx, &given).await?;
    let details = json!({ "minutes": minutes, "until": until.to_string() });
    record(tx, kits, &given.ask, by, "session_extended", details).await?;
    // Of no use to a device that hears of it when the session has ended there.
    let (order, deadline) = (Order::ExtendSession { grant }, until - of_minutes(minutes));
    devices::send(tx, kits.now(), &kits.random, given.ask.device, order, deadline).await?;
    Ok(())
}

/// The device has said which end it keeps: within the transaction of its message, that becomes the end here.
pub(super) async fn heard(
    tx: &mut Tx,
    kits: &Kits,
    found: Found,
    end: Option<KeptEnd>,
    refused: Option<NotLonger>,
) -> Result<(), DbError> {
    let Found::Open(open) = found else { return Ok(()) };
    let answered = match end {
        Some(end) => {
            let granted = granted(kits, &open)?.until;
            open.kept(end, refused, granted)
        }
        None => Some(open.answered(refused)),
    };
    if let Some(answered) = answered {
        store::extend(tx, &answered).await?;
    }
    Ok(())
}

fn granted(kits: &Kits, session: &Session<Open>) -> Result<Grant, DbError> {
    session.state.grant.verify(&kits.pki.grant_public_key()).map_err(DbError::corrupt)
}

fn of_minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

async fn keep(tx: &mut Tx, session: &Session<Open>) -> Result<(), ExtendRefusal> {
    if store::extend(tx, session).await? { Ok(()) } else { Err(NoMoreTime::Over.into()) }
}
