//! The customer's word on a request, and the grant that follows from a yes.

use gatelodge_proto::{
    OrganisationId, SessionId,
    grant::{Grant, MAX_BYTES, SignedGrant, Technician},
    payload::{Consent, EndReason},
};
use serde_json::json;

use super::{
    machine::{Allowed, Found, Refusal, Session},
    record::{actor, asked, record},
    store,
};
use crate::{
    accounts::{rights::CustomerMember, service as accounts},
    audit::Actor,
    db::{DbError, Tx},
    kits::Kits,
};

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideRefusal {
    /// No such session, or it is another customer's: both look the same.
    #[error("there is no such session among yours")]
    Unknown,
    /// Decided or over already.
    #[error(transparent)]
    State(#[from] Refusal),
    /// A right it stood on is gone; it was ended.
    #[error("the technician may no longer enter, so the request was ended")]
    Fallen,
    /// The grant could not be made.
    #[error(transparent)]
    Open(#[from] OpenRefusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Why a session could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenRefusal {
    /// More services than a grant carries.
    #[error("this session names too many services at once; ask for fewer")]
    TooManyServices,
    /// The technician or their organisation is gone.
    #[error("the technician's account is gone")]
    NoTechnician,
    /// Somebody was quicker.
    #[error("this request was answered a moment ago")]
    Overtaken,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The customer allows a session.
pub async fn approve(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<(), DecideRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let found = held(&mut tx, member.organisation_id, id).await?;
    let waiting = found.clone().waiting()?;
    let ground = store::ground(&mut tx, waiting.ask.installer, waiting.ask.device).await?;
    let consent = ground
        .filter(|ground| ground.registration == waiting.ask.registration && ground.epoch == waiting.ask.epoch)
        .map_or(Consent::Never, |ground| ground.consent);
    let stale = waiting.is_stale(kits.config.sessions.ask(), now);
    if stale || consent == Consent::Never {
        let reason = if stale { EndReason::Expired } else { EndReason::Revoked };
        super::end::finish(&mut tx, kits, found, reason, Actor::Cloud).await?;
        tx.commit().await?;
        return Err(if stale { Refusal::Ended.into() } else { DecideRefusal::Fallen });
    }
    open(&mut tx, kits, waiting.allow(Some(member.user_id), now), consent, actor(member)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// The customer refuses a session.
pub async fn refuse(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<(), DecideRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let waiting = held(&mut tx, member.organisation_id, id).await?.waiting()?;
    let refused = waiting.refuse(Some(member.user_id), now);
    if !store::refuse(&mut tx, &refused).await? {
        return Err(Refusal::Ended.into());
    }
    record(&mut tx, kits, &refused.ask, actor(member), "session_refused", asked(&refused.ask)).await?;
    tx.commit().await?;
    Ok(())
}

async fn held(tx: &mut Tx, customer: OrganisationId, id: SessionId) -> Result<Found, DecideRefusal> {
    let found = store::hold(tx, id).await?.filter(|found| found.ask().customer == customer);
    found.ok_or(DecideRefusal::Unknown)
}

/// Signs the grant of an allowed session and writes both, with the audit row that stands before the first byte.
pub(super) async fn open(
    tx: &mut Tx,
    kits: &Kits,
    allowed: Session<Allowed>,
    consent: Consent,
    by: Actor,
) -> Result<(), OpenRefusal> {
    let ask = &allowed.ask;
    let technician = accounts::user(tx, ask.technician).await?.ok_or(OpenRefusal::NoTechnician)?;
    let installer = accounts::organisation(tx, ask.installer).await?.ok_or(OpenRefusal::NoTechnician)?;
    let Allowed { by: decided_by, at, until } = allowed.state;
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
        from: at,
        until,
        lifetime_s: u32::try_from(until.since(at).as_secs()).unwrap_or(u32::MAX),
        idle_s: kits.config.sessions.idle_minutes.saturating_mul(60),
        consent,
        reason: ask.reason.clone(),
    };
    let signed = SignedGrant::sign(&grant, kits.pki.grant_key());
    if signed.as_str().len() > MAX_BYTES {
        return Err(OpenRefusal::TooManyServices);
    }
    let session = allowed.open(signed);
    if !store::open(tx, &session, decided_by).await? {
        return Err(OpenRefusal::Overtaken);
    }
    let mut details = asked(&session.ask);
    details["consent"] = json!(consent.word());
    details["until"] = json!(until.to_string());
    record(tx, kits, &session.ask, by, "session_allowed", details).await?;
    Ok(())
}
