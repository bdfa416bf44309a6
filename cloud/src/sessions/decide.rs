//! The customer's word on a request, and the grant that follows from a yes.

use gatelodge_proto::{
    OrganisationId, SessionId,
    consent::{Challenge, ConsentKind, NotSigned, Proof},
    grant::SignedGrant,
    payload::{Consent, EndReason},
};
use serde_json::{Value, json};

use super::{
    grant::{self, Times},
    key,
    machine::{Allowed, Found, Refusal, Session, Waiting, Word},
    record::{self, actor, asked, record},
    store,
};
use crate::{
    accounts::{rights::CustomerMember, second_factor::FactorRefusal},
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
    /// The device takes the customer's key alone for it.
    #[error(
        "the customer's passkey is pinned on this device: allow it on the portal's page, where the passkey signs it, or press Allow on the device"
    )]
    Unsigned,
    /// What was signed is not this, or not by that key.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// The portal's address has no name that a passkey could be bound to.
    #[error(transparent)]
    Factor(#[from] FactorRefusal),
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

/// What the browser is to ask the customer's passkey before [`approve`]; `None` where the device takes the portal's word.
pub async fn options(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<Option<Value>, DecideRefusal> {
    let mut tx = kits.db.read().await?;
    let waiting = found(&mut tx, by.member().organisation_id, id).await?.waiting()?;
    let Some(pinned) = key::pinned(&mut tx, waiting.ask.device).await? else { return Ok(None) };
    let draft = grant::draft(&mut tx, kits, &waiting.ask).await?;
    Ok(Some(key::options(&kits.config, &Challenge::of_grant(&draft), &pinned.key)?))
}

/// The customer allows a session.
pub async fn approve(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<(), DecideRefusal> {
    approve_signed(kits, by, id, None).await
}

/// The same; where the customer's key is pinned on the device, by what it has `signed` in their browser.
pub async fn approve_signed(
    kits: &Kits,
    by: &CustomerMember,
    id: SessionId,
    signed: Option<&str>,
) -> Result<(), DecideRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let found = held(&mut tx, member.organisation_id, id).await?;
    let waiting = match standing(&mut tx, kits, found).await? {
        Ok(standing) => standing,
        Err(refusal) => {
            tx.commit().await?;
            return Err(refusal);
        }
    };
    let by_key = match key::pinned(&mut tx, waiting.ask.device).await? {
        None => None,
        Some(pinned) => {
            let draft = grant::draft(&mut tx, kits, &waiting.ask).await?;
            let signed = signed.ok_or(DecideRefusal::Unsigned)?;
            let assertion = key::signed(signed, &Challenge::of_grant(&draft), &pinned.key)?;
            let proof = Some(Box::new(Proof::Passkey { assertion }));
            Some((draft, Word { kind: ConsentKind::Passkey, proof }))
        }
    };
    // The device asks nobody any more, also before the technician comes.
    grant::gone(&mut tx, kits, &waiting.ask).await?;
    open(&mut tx, kits, waiting.allow(Some(member.user_id), now), Consent::Ask, by_key, actor(member)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Somebody at the device has answered the request that it showed, within the transaction of its message. A draft that is
/// out of date answers nothing: the device is shown the one that holds.
pub(super) async fn pressed(
    tx: &mut Tx,
    kits: &Kits,
    waiting: Session<Waiting>,
    draft: Challenge,
    allowed: bool,
) -> Result<(), DbError> {
    let device = record::device(waiting.ask.device);
    if !allowed {
        let refused = waiting.refuse(None, kits.now());
        store::refuse(tx, &refused).await?;
        return record(tx, kits, &refused.ask, device, "session_refused_on_device", asked(&refused.ask)).await;
    }
    let waiting = match standing(tx, kits, Found::Waiting(waiting)).await {
        Ok(Ok(standing)) => standing,
        Err(DecideRefusal::Database(error)) => return Err(error),
        Ok(Err(_)) | Err(_) => return Ok(()),
    };
    let signed = match grant::draft(tx, kits, &waiting.ask).await {
        Ok(signed) if grant::is_of(draft, &signed) => signed,
        Ok(_) => return shown_again(tx, kits, &waiting).await,
        Err(refusal) => return refusal.passing(),
    };
    let word = Word { kind: ConsentKind::Pressed, proof: None };
    let allowed = waiting.allow(None, kits.now());
    match open(tx, kits, allowed, Consent::Ask, Some((signed, word)), device).await {
        Ok(()) => Ok(()),
        Err(refusal) => refusal.passing(),
    }
}

async fn shown_again(tx: &mut Tx, kits: &Kits, waiting: &Session<Waiting>) -> Result<(), DbError> {
    grant::want_to_open(tx, kits, waiting).await.or_else(OpenRefusal::passing)
}

impl OpenRefusal {
    /// Nobody waits for an answer who could be told: what a device says stands or falls by the database alone.
    pub(super) fn passing(self) -> Result<(), DbError> {
        if let Self::Database(error) = self { Err(error) } else { Ok(()) }
    }
}

/// The request, if it may still be allowed; else it is ended here.
async fn standing(
    tx: &mut Tx,
    kits: &Kits,
    found: Found,
) -> Result<Result<Session<Waiting>, DecideRefusal>, DecideRefusal> {
    let (waiting, now) = (found.clone().waiting()?, kits.now());
    let ask = &waiting.ask;
    let ground = if ask.is_own() {
        store::hold_own_ground(tx, now, ask.customer, ask.device).await?
    } else {
        store::hold_ground(tx, now, ask.installer, ask.device).await?
    };
    let shut = !ground.is_some_and(|ground| ground.is_of(&waiting.ask));
    let stale = waiting.is_stale(kits.config.sessions.ask(), now);
    if stale || shut {
        let reason = if stale { EndReason::Expired } else { EndReason::Revoked };
        super::end::finish(tx, kits, found, reason, Actor::Cloud).await?;
        return Ok(Err(if stale { Refusal::Ended.into() } else { DecideRefusal::Fallen }));
    }
    Ok(Ok(waiting))
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
    grant::gone(&mut tx, kits, &refused.ask).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

async fn found(tx: &mut Tx, customer: OrganisationId, id: SessionId) -> Result<Found, DecideRefusal> {
    let found = store::find(tx, id).await?.filter(|found| found.ask().customer == customer);
    found.ok_or(DecideRefusal::Unknown)
}

async fn held(tx: &mut Tx, customer: OrganisationId, id: SessionId) -> Result<Found, DecideRefusal> {
    let found = store::hold(tx, id).await?.filter(|found| found.ask().customer == customer);
    found.ok_or(DecideRefusal::Unknown)
}

/// The grant of a session that the customer's rule allows, with that rule as their key has signed it; `None` where what
/// was signed does not cover it.
pub(super) async fn covered(
    tx: &mut Tx,
    kits: &Kits,
    allowed: &Session<Allowed>,
    consent: Consent,
) -> Result<Option<(SignedGrant, Word)>, OpenRefusal> {
    let Some(rule) = key::held(tx, allowed.ask.device).await?.rule else { return Ok(None) };
    let Allowed { at, until, .. } = allowed.state;
    let signed =
        grant::sign(tx, kits, &allowed.ask, consent, Times { from: at, until, lasts: until.since(at) }).await?;
    let grant = signed.verify(&kits.pki.grant_public_key()).map_err(DbError::corrupt)?;
    if rule.said.covers(&grant, at).is_err() {
        return Ok(None);
    }
    let kind = if grant.break_glass { ConsentKind::BreakGlass } else { ConsentKind::StandingRule };
    Ok(Some((signed, Word { kind, proof: Some(Box::new(Proof::Standing { rule: rule.signed })) })))
}

/// Signs the grant of an allowed session, or takes the draft that the customer's key or a press on the device has allowed,
/// and writes both, with the audit row that stands before the first byte.
pub(super) async fn open(
    tx: &mut Tx,
    kits: &Kits,
    allowed: Session<Allowed>,
    consent: Consent,
    by_key: Option<(SignedGrant, Word)>,
    by: Actor,
) -> Result<(), OpenRefusal> {
    let Allowed { by: decided_by, at, until } = allowed.state;
    let (signed, word) = if let Some(by_key) = by_key {
        by_key
    } else {
        let times = Times { from: at, until, lasts: until.since(at) };
        (grant::sign(tx, kits, &allowed.ask, consent, times).await?, Word::default())
    };
    let session = allowed.open(signed, word);
    if !store::open(tx, &session, decided_by).await? {
        return Err(OpenRefusal::Overtaken);
    }
    let mut details = asked(&session.ask);
    details["consent"] = json!(consent.word());
    details["consent_kind"] = json!(session.state.word.kind.word());
    details["until"] = json!(until.to_string());
    let what = if session.ask.break_glass { "session_break_glass" } else { "session_allowed" };
    record(tx, kits, &session.ask, by, what, details).await?;
    Ok(())
}
