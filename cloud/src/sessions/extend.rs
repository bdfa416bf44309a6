//! More time for an open session: the technician asks, the customer's rule or the customer answers, and the customer may
//! give it unasked. What moves is the end alone; the grant is signed anew and the device is told.

use std::time::Duration;

use gatelodge_proto::{
    SessionId, Timestamp,
    api::ExtensionState,
    consent::{Challenge, ConsentKind, NotSigned, Proof},
    opening::Standing,
    payload::{EndReason, KeptEnd, NotLonger, Order},
};
use serde_json::{Value, json};

use super::{
    grant::{self, ToStay},
    jobs::{self, About},
    key,
    machine::{Found, MoreTime, NoMoreTime, Open, Session, Word},
    record::{self, actor, record},
    store,
};
use crate::{
    accounts::{
        model::Role,
        rights::{CustomerMember, InstallerMember},
        second_factor::FactorRefusal,
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
    /// The device takes the customer's key alone for it.
    #[error(
        "the customer's passkey is pinned on this device: give the time on the portal's page, where the passkey signs it"
    )]
    Unsigned,
    /// What was signed is not this, or not by that key.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// The portal's address has no name that a passkey could be bound to.
    #[error(transparent)]
    Factor(#[from] FactorRefusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<ToStay> for ExtendRefusal {
    fn from(refusal: ToStay) -> Self {
        match refusal {
            ToStay::State(refusal) => refusal.into(),
            ToStay::Database(error) => error.into(),
        }
    }
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
    let rule = store::ground(&mut tx, now, open.ask.installer, open.ask.device)
        .await?
        .filter(|ground| ground.registration == open.ask.registration && ground.epoch == open.ask.epoch)
        .map_or(Standing::Never, |ground| ground.rule);
    let hold = key::hold(&mut tx, open.ask.device).await?;
    match open.ask_for_more(minutes, hold.leaves(rule), kits.config.sessions.longest_minutes, now)? {
        MoreTime::Asked => return Ok(()),
        MoreTime::Ask(asked) => {
            wished(&mut tx, kits, &asked, minutes, actor(member)).await?;
            keep(&mut tx, &asked).await?;
            let draft = grant::draft_to_stay(kits, &asked, minutes)?;
            grant::want(&mut tx, kits, &asked.ask, draft, asked.state.until).await?;
            jobs::enqueue(&mut tx, kits, About::Extension, id, asked.ask.customer).await?;
        }
        MoreTime::Give(given) => {
            wished(&mut tx, kits, &given, minutes, actor(member)).await?;
            give_in(&mut tx, kits, given, minutes, Word::default(), Actor::Cloud).await?;
        }
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// What the browser is to ask the customer's passkey before [`give`]; `None` where the device takes the portal's word.
pub async fn options(
    kits: &Kits,
    by: &CustomerMember,
    id: SessionId,
    minutes: u32,
) -> Result<Option<Value>, ExtendRefusal> {
    sound(kits, minutes)?;
    let mut tx = kits.db.read().await?;
    let found = store::find(&mut tx, id).await?.filter(|found| found.ask().customer == by.member().organisation_id);
    let open = found.ok_or(ExtendRefusal::Unknown)?.open().map_err(|_| NoMoreTime::Over)?;
    let Some(pinned) = key::pinned(&mut tx, open.ask.device).await? else { return Ok(None) };
    let draft = grant::draft_to_stay(kits, &open, minutes)?;
    Ok(Some(key::options(&kits.config, &Challenge::of_grant(&draft), &pinned.key)?))
}

/// More time as the customer gives it.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// How much.
    pub minutes: u32,
    /// The end that they saw: nothing is given when it has moved since, so that two who press at once, or one who presses
    /// twice, give the time once.
    pub saw: Option<Timestamp>,
    /// What their passkey has signed in the browser, where it is pinned on the device.
    pub signed: Option<&'a str>,
}

/// The customer lets a session last longer, asked or not; with the end that they `saw`.
pub async fn give(
    kits: &Kits,
    by: &CustomerMember,
    id: SessionId,
    minutes: u32,
    saw: Option<Timestamp>,
) -> Result<(), ExtendRefusal> {
    give_signed(kits, by, id, Given { minutes, saw, signed: None }).await
}

/// The same, by what their passkey has signed.
pub async fn give_signed(
    kits: &Kits,
    by: &CustomerMember,
    id: SessionId,
    given: Given<'_>,
) -> Result<(), ExtendRefusal> {
    let Given { minutes, saw, signed } = given;
    let member = by.member();
    sound(kits, minutes)?;
    let mut tx = kits.db.write().await?;
    let open = held(&mut tx, id, |found| found.ask().customer == member.organisation_id).await?;
    if saw.is_some_and(|saw| saw != open.state.until) {
        return Err(NoMoreTime::Moved.into());
    }
    let word = match key::pinned(&mut tx, open.ask.device).await? {
        None => Word::default(),
        Some(pinned) => {
            let draft = grant::draft_to_stay(kits, &open, minutes)?;
            let signed = signed.ok_or(ExtendRefusal::Unsigned)?;
            let assertion = key::signed(signed, &Challenge::of_grant(&draft), &pinned.key)?;
            Word { kind: ConsentKind::Passkey, proof: Some(Box::new(Proof::Passkey { assertion })) }
        }
    };
    let given = open.give_more(minutes, kits.config.sessions.longest_minutes, kits.now())?;
    // From here on it stands on the customer's word, no longer on the hours that opened it.
    store::decided(&mut tx, id, member.user_id).await?;
    give_in(&mut tx, kits, given, minutes, word, actor(member)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Somebody at the device has answered the wish that it showed, within the transaction of its message.
pub(super) async fn pressed(
    tx: &mut Tx,
    kits: &Kits,
    open: Session<Open>,
    draft: Challenge,
    allowed: bool,
) -> Result<(), DbError> {
    let device = record::device(open.ask.device);
    let wish = open.state.extension.filter(|wish| wish.state == ExtensionState::Asked);
    let shown = match wish.map(|wish| grant::draft_to_stay(kits, &open, wish.minutes)).transpose() {
        Ok(shown) => wish.zip(shown).filter(|(_, shown)| grant::is_of(draft, shown)),
        Err(_) => None,
    };
    let Some((wish, _)) = shown else {
        // Of the session itself, which was allowed elsewhere meanwhile: a no is the stronger word.
        let of_it = grant::draft(tx, kits, &open.ask).await.is_ok_and(|entry| grant::is_of(draft, &entry));
        if !allowed && of_it {
            super::end::finish(tx, kits, Found::Open(open), EndReason::Device, device).await?;
        }
        return Ok(());
    };
    let outcome = if allowed {
        let longest = kits.config.sessions.longest_minutes;
        let word = Word { kind: ConsentKind::Pressed, proof: None };
        match open.give_more(wish.minutes, longest, kits.now()) {
            Ok(given) => give_in(tx, kits, given, wish.minutes, word, device).await,
            Err(refusal) => Err(refusal.into()),
        }
    } else {
        match open.decline_more(kits.now()) {
            Ok(declined) => {
                store::extend(tx, &declined).await?;
                return record(tx, kits, &declined.ask, device, "session_extension_declined", json!({})).await;
            }
            Err(refusal) => Err(refusal.into()),
        }
    };
    // Too late, and nobody waits for an answer who could be told.
    if let Err(ExtendRefusal::Database(error)) = outcome { Err(error) } else { Ok(()) }
}

/// The customer does not let a session last longer.
pub async fn decline(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<(), ExtendRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    let open = held(&mut tx, id, |found| found.ask().customer == member.organisation_id).await?;
    let declined = open.decline_more(kits.now())?;
    keep(&mut tx, &declined).await?;
    record(&mut tx, kits, &declined.ask, actor(member), "session_extension_declined", json!({})).await?;
    grant::gone(&mut tx, kits, &declined.ask).await?;
    tx.commit().await?;
    kits.jobs.ring();
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
    word: Word,
    by: Actor,
) -> Result<(), ExtendRefusal> {
    let (until, grant) = (given.state.until, grant::longer(kits, &given)?);
    let proof = word.proof.clone();
    (given.state.grant, given.state.word) = (grant.clone(), word);
    keep(tx, &given).await?;
    let details = json!({ "minutes": minutes, "until": until.to_string() });
    record(tx, kits, &given.ask, by, "session_extended", details).await?;
    // Of no use to a device that hears of it when the session has ended there.
    let (order, deadline) = (Order::ExtendSession { grant, proof }, until - of_minutes(minutes));
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
            let (end, granted) = grant::kept(end, &grant::of(kits, &open)?, &open);
            open.kept(end, refused, granted)
        }
        None => Some(open.answered(refused)),
    };
    if let Some(answered) = answered {
        store::extend(tx, &answered).await?;
    }
    Ok(())
}

fn of_minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

async fn keep(tx: &mut Tx, session: &Session<Open>) -> Result<(), ExtendRefusal> {
    if store::extend(tx, session).await? { Ok(()) } else { Err(NoMoreTime::Over.into()) }
}
