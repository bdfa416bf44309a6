//! Issuing, recognising, listing and revoking bearer tokens.

use std::{fmt, str::FromStr, time::Duration};

use gatelodge_proto::{CommandId, Timestamp, UserId};
use serde_json::json;

use super::store;
use crate::{
    accounts::{
        model::{ApiTokenId, Member},
        tokens::Secret,
    },
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

/// How long a token lives.
pub const LIFE: Duration = Duration::from_secs(30 * 86_400);

/// How often "last used" is written.
const USED_EVERY: Duration = Duration::from_secs(60);

/// `gl_` and a secret: the prefix lets scanners of leaked text find it.
#[derive(Clone)]
pub struct BearerToken(Secret);

/// The text is no bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of this API; it begins with gl_")]
pub struct InvalidBearerToken;

impl BearerToken {
    /// The text for the `Authorization` header.
    pub fn expose(&self) -> String {
        format!("gl_{}", self.0.expose())
    }
}

impl FromStr for BearerToken {
    type Err = InvalidBearerToken;
    fn from_str(text: &str) -> Result<Self, InvalidBearerToken> {
        let secret = text.strip_prefix("gl_").ok_or(InvalidBearerToken)?;
        secret.parse().map(Self).map_err(|_| InvalidBearerToken)
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

/// A token as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id; not the secret.
    pub id: ApiTokenId,
    /// What uses it.
    pub label: String,
    /// For which organisation.
    pub organisation: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// Makes a token for `member`; it is shown this once. It counts as confirmed by a second factor like the browser that it
/// was made in.
pub async fn issue(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    member: &Member,
    label: &str,
    confirmed_at: Option<Timestamp>,
) -> Result<(BearerToken, Timestamp), DbError> {
    let secret = Secret::make(&kits.random);
    let id = ApiTokenId(CommandId::make(now, &kits.random).uuid());
    let expires_at = now + LIFE;
    let new = store::New { id, hash: secret.hash(), member, label, created_at: now, expires_at, confirmed_at };
    store::insert(tx, new).await?;
    Ok((BearerToken(secret), expires_at))
}

/// Makes a token that `member` asked for by name, like for a script.
pub async fn make(
    kits: &Kits,
    member: &Member,
    label: &str,
    confirmed_at: Option<Timestamp>,
) -> Result<(BearerToken, Timestamp), DbError> {
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let issued = issue(&mut tx, kits, now, member, label, confirmed_at).await?;
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: "token_issued",
        device: None,
        session: None,
        details: json!({ "label": label }),
        readers: vec![member.organisation_id],
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok(issued)
}

/// Whom a program speaks for, and when they last confirmed by a second factor, while its token lives.
pub async fn recognise(
    kits: &Kits,
    token: &BearerToken,
) -> Result<Option<(Member, ApiTokenId, Option<Timestamp>)>, DbError> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let Some(found) = store::live_by_hash(&mut tx, now, token.0.hash()).await? else { return Ok(None) };
    drop(tx);
    if found.used_at.is_none_or(|used_at| now.since(used_at) >= USED_EVERY) {
        let mut tx = kits.db.write_on_reserve().await?;
        store::touch(&mut tx, found.id, now).await?;
        tx.commit().await?;
    }
    Ok(Some((found.member, found.id, found.confirmed_at)))
}

/// The user's live tokens, the newest first.
pub async fn list(kits: &Kits, user: UserId) -> Result<Vec<ApiToken>, DbError> {
    let mut tx = kits.db.read().await?;
    let found = store::live_of_user(&mut tx, kits.now(), user).await?;
    Ok(found
        .into_iter()
        .map(|found| ApiToken {
            id: found.id,
            label: found.label,
            organisation: found.member.organisation_name,
            created_at: found.created_at,
            expires_at: found.expires_at,
            used_at: found.used_at,
        })
        .collect())
}

/// Revokes one of the member's own tokens; whether there was one.
pub async fn revoke(kits: &Kits, member: &Member, id: ApiTokenId) -> Result<bool, DbError> {
    let now = kits.now();
    let mut tx = kits.db.write_on_reserve().await?;
    let Some((label, organisation)) = store::revoke(&mut tx, now, member.user_id, id).await? else { return Ok(false) };
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: "token_revoked",
        device: None,
        session: None,
        details: json!({ "label": label }),
        readers: vec![organisation],
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok(true)
}
