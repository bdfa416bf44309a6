//! Beginning, recognising, listing and ending the sign-in of a browser.

use std::time::Duration;

use gatelodge_proto::{CommandId, OrganisationId, Timestamp, UserId};
use serde_json::json;

use super::store;
use crate::{
    accounts::{
        model::{Member, Network, OrganisationKind, PortalSessionId},
        store as people,
        tokens::Secret,
    },
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

/// The cookie that carries the session. `__Host-` binds it to this very host, by TLS; browsers hold `localhost` to be
/// as good, so it also works on the loopback listener.
pub const COOKIE: &str = "__Host-gl-session";

/// How often "last seen" is written: a page view must not cost a commit.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// How long a sign-in lasts: without use, and in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lifetime {
    idle: Duration,
    absolute: Duration,
}

/// The one table of lifetimes (ASVS 7.3.1, 7.3.2). Whoever can reach other people's devices signs in once a working
/// day and is asked again after half an hour away: a quarter of an hour would fall within one look into a cabinet, and
/// a password of twelve characters typed on a ladder invites weak ones. Opening a session asks for its own proof.
const fn lifetime(kind: OrganisationKind) -> Lifetime {
    let (idle_minutes, absolute_hours) = match kind {
        OrganisationKind::Vendor => (15, 8),
        OrganisationKind::Installer | OrganisationKind::Reseller => (30, 8),
        OrganisationKind::Customer => (30, 24),
    };
    Lifetime { idle: Duration::from_secs(idle_minutes * 60), absolute: Duration::from_secs(absolute_hours * 3_600) }
}

/// What is known of the browser, for the list in "my data".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// What it calls itself.
    pub user_agent: String,
    /// Where it is.
    pub network: Network,
}

/// A signed-in browser, as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalSession {
    /// Its id; not the secret.
    pub id: PortalSessionId,
    /// For which organisation.
    pub organisation: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it last showed itself.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// What the browser calls itself.
    pub user_agent: String,
    /// Where it was.
    pub network: String,
}

/// Signs a browser in for `member` under a new id, `confirmed` by a second factor or not; the secret goes into
/// [`COOKIE`].
pub async fn begin(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    member: &Member,
    browser: &Browser,
    confirmed: bool,
) -> Result<Secret, DbError> {
    store::forget_lapsed(tx, now).await?;
    let secret = Secret::make(&kits.random);
    let new = store::New {
        hash: secret.hash(),
        id: PortalSessionId(CommandId::make(now, &kits.random).uuid()),
        user: member.user_id,
        organisation: member.organisation_id,
        created_at: now,
        seen_at: now,
        expires_at: now + lifetime(member.kind).absolute,
        user_agent: &shortened(&browser.user_agent),
        network: &browser.network,
        proved_at: now,
        confirmed_at: confirmed.then_some(now),
    };
    store::insert(tx, new).await?;
    Ok(secret)
}

fn shortened(user_agent: &str) -> String {
    user_agent.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A browser that is signed in.
#[derive(Debug, Clone)]
pub struct Recognised {
    /// As whom.
    pub member: Member,
    /// Its id.
    pub id: PortalSessionId,
    /// When the person last showed who they are.
    pub proved_at: Timestamp,
    /// When by a second factor.
    pub confirmed_at: Option<Timestamp>,
}

/// Notes that the person at this browser has shown who they are, by a `second` factor or without.
pub async fn confirm(tx: &mut Tx, now: Timestamp, id: PortalSessionId, second: bool) -> Result<(), DbError> {
    store::confirm(tx, id, now, second).await
}

/// Who this browser is signed in as, while its session lives.
pub async fn recognise(kits: &Kits, secret: &Secret) -> Result<Option<Recognised>, DbError> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let Some(found) = store::by_hash(&mut tx, secret.hash()).await? else { return Ok(None) };
    drop(tx);
    if !is_alive(&found, now) {
        return Ok(None);
    }
    if now.since(found.seen_at) >= SEEN_EVERY {
        let mut tx = kits.db.write_on_reserve().await?;
        store::touch(&mut tx, found.id, now).await?;
        tx.commit().await?;
    }
    let store::Found { member, id, proved_at, confirmed_at, .. } = found;
    Ok(Some(Recognised { member, id, proved_at, confirmed_at }))
}

fn is_alive(found: &store::Found, now: Timestamp) -> bool {
    now < found.expires_at && now.since(found.seen_at) < lifetime(found.member.kind).idle
}

/// The user's live browsers, the one seen last first.
pub async fn list(kits: &Kits, user: UserId) -> Result<Vec<PortalSession>, DbError> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let found = store::of_user(&mut tx, user).await?;
    Ok(found
        .into_iter()
        .filter(|found| is_alive(found, now))
        .map(|found| PortalSession {
            id: found.id,
            organisation: found.member.organisation_name,
            created_at: found.created_at,
            seen_at: found.seen_at,
            expires_at: found.expires_at,
            user_agent: found.user_agent,
            network: found.network,
        })
        .collect())
}

/// Signs this browser out.
pub async fn end(kits: &Kits, secret: &Secret) -> Result<(), DbError> {
    let mut tx = kits.db.write_on_reserve().await?;
    end_within(&mut tx, secret).await?;
    tx.commit().await
}

/// Signs a browser out within a larger change.
pub async fn end_within(tx: &mut Tx, secret: &Secret) -> Result<(), DbError> {
    if let Some(found) = store::by_hash(tx, secret.hash()).await? {
        store::end(tx, found.member.user_id, found.id).await?;
    }
    Ok(())
}

/// Signs out one of the member's own browsers; whether there was one.
pub async fn end_one(kits: &Kits, member: &Member, id: PortalSessionId) -> Result<bool, DbError> {
    let mut tx = kits.db.write_on_reserve().await?;
    let ended = store::end(&mut tx, member.user_id, id).await?;
    if ended > 0 {
        note_ended(&mut tx, kits, member, ended).await?;
    }
    tx.commit().await?;
    Ok(ended > 0)
}

/// Signs out every browser of the member except this one.
pub async fn end_others(kits: &Kits, member: &Member, kept: PortalSessionId) -> Result<(), DbError> {
    let mut tx = kits.db.write_on_reserve().await?;
    people::lock_user(&mut tx, member.user_id).await?;
    let ended = store::end_others(&mut tx, member.user_id, kept).await?;
    if ended > 0 {
        note_ended(&mut tx, kits, member, ended).await?;
    }
    tx.commit().await
}

async fn note_ended(tx: &mut Tx, kits: &Kits, member: &Member, browsers: u64) -> Result<(), DbError> {
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: "browsers_signed_out",
        device: None,
        session: None,
        details: json!({ "browsers": browsers }),
        readers: vec![member.organisation_id],
    };
    audit::write(tx, kits.now(), &kits.random, entry).await
}

/// Lets this browser act for another of the user's organisations, under a new id; `None` when the user is not in it.
/// The absolute limit begins anew only by signing in.
pub async fn switch(kits: &Kits, secret: &Secret, organisation: OrganisationId) -> Result<Option<Secret>, DbError> {
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let Some(found) = store::by_hash(&mut tx, secret.hash()).await? else { return Ok(None) };
    let Some(member) = people::member(&mut tx, found.member.user_id, organisation).await? else { return Ok(None) };
    people::lock_user(&mut tx, member.user_id).await?;
    if store::end(&mut tx, member.user_id, found.id).await? == 0 {
        return Ok(None);
    }
    let fresh = Secret::make(&kits.random);
    let new = store::New {
        hash: fresh.hash(),
        id: PortalSessionId(CommandId::make(now, &kits.random).uuid()),
        user: member.user_id,
        organisation: member.organisation_id,
        created_at: found.created_at,
        seen_at: now,
        expires_at: found.expires_at.min(found.created_at + lifetime(member.kind).absolute),
        user_agent: &found.user_agent,
        network: &Network::known(found.network),
        proved_at: found.proved_at,
        confirmed_at: found.confirmed_at,
    };
    store::insert(&mut tx, new).await?;
    tx.commit().await?;
    Ok(Some(fresh))
}
