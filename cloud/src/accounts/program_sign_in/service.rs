//! Beginning, deciding and polling.

use std::time::Duration;

use gatelodge_proto::{Timestamp, UserId};
use serde_json::json;

use super::{
    machine::{self, Decision, LIFE, PollRefusal},
    store,
    user_code::UserCode,
};
use crate::{
    accounts::{
        api_token::{self, BearerToken},
        model::{Member, Network},
        store as people,
        throttle::{Throttled, throttle},
        tokens::Secret,
    },
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

/// A request has begun.
#[derive(Debug)]
pub struct Started {
    /// What the program polls with.
    pub device_code: Secret,
    /// What the person compares.
    pub user_code: UserCode,
}

/// Begins a request from `network`.
pub async fn start(kits: &Kits, network: &Network) -> Result<Result<Started, Throttled>, DbError> {
    let hour = Duration::from_secs(3_600);
    if let Err(throttled) = throttle(kits, "program_sign_in", network.as_str(), 60, hour).await? {
        return Ok(Err(throttled));
    }
    let now = kits.now();
    let started = Started { device_code: Secret::make(&kits.random), user_code: UserCode::make(&kits.random) };
    let mut tx = kits.db.write().await?;
    store::insert(&mut tx, now, started.device_code.hash(), &started.user_code, network, now + LIFE).await?;
    tx.commit().await?;
    Ok(Ok(started))
}

/// A request as the person sees it before deciding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The code to compare.
    pub user_code: UserCode,
    /// From where it was asked.
    pub network: String,
    /// When.
    pub asked_at: Timestamp,
    /// Until when it may be approved.
    pub expires_at: Timestamp,
}

/// The open request with this code; tries are limited per user.
pub async fn look_up(kits: &Kits, by: &Member, code: &UserCode) -> Result<Result<Option<Request>, Throttled>, DbError> {
    let window = Duration::from_secs(600);
    if let Err(throttled) = throttle(kits, "program_look_up", &by.user_id.to_string(), 30, window).await? {
        return Ok(Err(throttled));
    }
    let mut tx = kits.db.read().await?;
    let open = store::open(&mut tx, kits.now(), code).await?;
    Ok(Ok(open.map(|open| Request {
        user_code: code.clone(),
        network: open.network,
        asked_at: open.created_at.into(),
        expires_at: open.expires_at.into(),
    })))
}

/// Says yes or no, for the organisation the person acts for; whether there was such an open request. The program counts
/// as confirmed by a second factor like the browser in which it is said.
pub async fn decide(
    kits: &Kits,
    by: &Member,
    code: &UserCode,
    decision: Decision,
    confirmed_at: Option<Timestamp>,
) -> Result<bool, DbError> {
    let mut tx = kits.db.write().await?;
    let decided = store::decide(&mut tx, kits.now(), code, decision.leads_to(), by, confirmed_at).await?;
    tx.commit().await?;
    Ok(decided > 0)
}

/// The token of an approved request.
#[derive(Debug)]
pub struct Granted {
    /// What the program sends from now on.
    pub token: BearerToken,
    /// Until when.
    pub expires_at: Timestamp,
    /// For whom it speaks.
    pub member: Member,
}

/// Asks whether the person has decided; gives the token once.
pub async fn poll(kits: &Kits, device_code: &Secret) -> Result<Result<Granted, PollRefusal>, DbError> {
    let now = kits.now();
    let hash = device_code.hash();
    let mut tx = kits.db.write().await?;
    let Some(standing) = store::standing(&mut tx, hash.clone()).await? else { return Ok(Err(PollRefusal::Expired)) };
    if let Err(refusal) = machine::poll(standing.state, standing.expires_at, standing.polled_at, now) {
        store::note_poll(&mut tx, now, hash).await?;
        tx.commit().await?;
        return Ok(Err(refusal));
    }
    if let Some(user) = standing.decided_by {
        people::lock_user(&mut tx, user).await?;
    }
    let Some(approval) = store::take(&mut tx, now, hash).await? else { return Ok(Err(PollRefusal::Expired)) };
    let Some(member) = people::member(&mut tx, approval.user, approval.organisation).await? else {
        tx.commit().await?;
        return Ok(Err(PollRefusal::Denied));
    };
    let label = format!("gatelodge ({})", approval.network);
    let (token, expires_at) = api_token::issue(&mut tx, kits, now, &member, &label, approval.confirmed_at).await?;
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: "program_signed_in",
        device: None,
        session: None,
        details: json!({ "network": approval.network }),
        readers: vec![member.organisation_id],
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok(Ok(Granted { token, expires_at, member }))
}

/// Takes back what the user has approved and no program has fetched yet: their password was replaced.
pub(in crate::accounts) async fn refuse_all(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    store::refuse_all(tx, user).await
}
