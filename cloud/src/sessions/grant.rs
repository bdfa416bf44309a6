//! The grants that sessions open and last by. Where the customer's key is pinned on the device, what is signed is a draft
//! until the customer has said yes to exactly that: made from what stands in the database alone, it comes out the same,
//! to the byte, whenever it is asked for.

use std::time::Duration;

use gatelodge_proto::{
    SessionId, Timestamp,
    consent::Challenge,
    grant::{Grant, MAX_BYTES, SignedGrant, Technician},
    payload::{Consent, Feature, KeptEnd, Order},
    recording::RecordingKey,
};

use super::{
    decide::OpenRefusal,
    machine::{NoMoreTime, Open, Session, Waiting},
    model::Ask,
};
use crate::{
    accounts::{recording_key, service as accounts},
    db::{DbError, Tx},
    devices::service as devices,
    kits::Kits,
};

/// From when to when a grant is good, and how long the session lasts in between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) lasts: Duration,
}

/// The grant of what was asked for.
pub(super) async fn sign(
    tx: &mut Tx,
    kits: &Kits,
    ask: &Ask,
    consent: Consent,
    times: Times,
) -> Result<SignedGrant, OpenRefusal> {
    let technician = accounts::user(tx, ask.technician).await?.ok_or(OpenRefusal::NoTechnician)?;
    let installer = accounts::organisation(tx, ask.installer).await?.ok_or(OpenRefusal::NoTechnician)?;
    let grant = Grant {
        session: ask.id,
        device: ask.device,
        epoch: ask.epoch,
        technician: Technician {
            user: technician.id,
            name: technician.name,
            organisation: installer.id,
            organisation_name: installer.name,
        },
        key_thumbprint: ask.key_thumbprint.clone(),
        services: ask.services.clone(),
        networks: ask.networks.clone(),
        listens: ask.listens.clone(),
        features: ask.features.clone(),
        recording: recording_keys(tx, ask).await?,
        from: times.from,
        until: times.until,
        lifetime_s: seconds(times.lasts),
        idle_s: kits.config.sessions.idle_minutes.saturating_mul(60),
        consent,
        reason: ask.reason.clone(),
        ticket_number: ask.ticket_number.clone(),
        break_glass: ask.break_glass,
    };
    let signed = SignedGrant::sign(&grant, kits.pki.grant_key());
    if signed.as_str().len() > MAX_BYTES { Err(OpenRefusal::TooManyServices) } else { Ok(signed) }
}

/// Who can read what is recorded; nobody where nothing is.
async fn recording_keys(tx: &mut Tx, ask: &Ask) -> Result<Vec<RecordingKey>, DbError> {
    let mut keys = Vec::new();
    if ask.features.contains(&Feature::Terminal) {
        for organisation in [ask.customer, ask.installer] {
            let key = recording_key::current(tx, organisation).await?;
            keys.extend(key.map(|key| RecordingKey { organisation, key }));
        }
    }
    Ok(keys)
}

fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

/// What a request comes to when it is allowed at the last moment at which it may be.
pub(super) async fn draft(tx: &mut Tx, kits: &Kits, ask: &Ask) -> Result<SignedGrant, OpenRefusal> {
    let (from, lasts) = (ask.requested_at, Duration::from_secs(u64::from(ask.minutes) * 60));
    let times = Times { from, until: from + kits.config.sessions.ask() + lasts, lasts };
    sign(tx, kits, ask, Consent::Ask, times).await
}

/// The grant of an open session with an end that was moved, to the same moment in the session's life.
pub(super) fn longer(kits: &Kits, given: &Session<Open>) -> Result<SignedGrant, DbError> {
    let was = of(kits, given)?;
    let until = given.state.until + slack(&was, given);
    let lifetime_s = seconds(given.state.until.since(given.state.since));
    Ok(SignedGrant::sign(&Grant { until, lifetime_s, ..was }, kits.pki.grant_key()))
}

/// The draft for which the customer is asked when they let a session last so many minutes longer.
pub(super) fn draft_to_stay(kits: &Kits, open: &Session<Open>, minutes: u32) -> Result<SignedGrant, ToStay> {
    let given = open.clone().give_more(minutes, kits.config.sessions.longest_minutes, kits.now())?;
    Ok(longer(kits, &given)?)
}

/// Why there is no draft for more time.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToStay {
    #[error(transparent)]
    State(#[from] NoMoreTime),
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The grant that an open session stands on.
pub(super) fn of(kits: &Kits, session: &Session<Open>) -> Result<Grant, DbError> {
    session.state.grant.verify(&kits.pki.grant_public_key()).map_err(DbError::corrupt)
}

/// A draft is good for longer than the session lasts, by as much as the customer might have taken to answer.
fn slack(grant: &Grant, session: &Session<Open>) -> Duration {
    let lasts = Duration::from_secs(u64::from(grant.lifetime_s));
    grant.until.since((session.state.since + lasts).min(grant.until))
}

/// The end that a device keeps, and the one that was granted last, both as the session's people know them.
pub(super) fn kept(end: KeptEnd, grant: &Grant, session: &Session<Open>) -> (KeptEnd, Timestamp) {
    let slack = slack(grant, session);
    (KeptEnd { granted: end.granted - slack, until: end.until - slack }, grant.until - slack)
}

/// Shows a draft on the device, where a press counts.
pub(super) async fn want(
    tx: &mut Tx,
    kits: &Kits,
    ask: &Ask,
    draft: SignedGrant,
    deadline: Timestamp,
) -> Result<(), DbError> {
    devices::send(tx, kits.now(), &kits.random, ask.device, Order::ConsentWanted { draft }, deadline).await?;
    Ok(())
}

/// The same for a request.
pub(super) async fn want_to_open(tx: &mut Tx, kits: &Kits, waiting: &Session<Waiting>) -> Result<(), OpenRefusal> {
    let ask = &waiting.ask;
    let draft = draft(tx, kits, ask).await?;
    want(tx, kits, ask, draft, ask.requested_at + kits.config.sessions.ask()).await?;
    Ok(())
}

/// Nobody is asked on the device any more.
pub(super) async fn gone(tx: &mut Tx, kits: &Kits, ask: &Ask) -> Result<(), DbError> {
    let (now, session): (_, SessionId) = (kits.now(), ask.id);
    let deadline = now + kits.config.sessions.ask();
    devices::send(tx, now, &kits.random, ask.device, Order::ConsentGone { session }, deadline).await?;
    Ok(())
}

/// Whether somebody at the device has answered this draft, and no other.
pub(super) fn is_of(draft: Challenge, grant: &SignedGrant) -> bool {
    Challenge::of_grant(grant) == draft
}
