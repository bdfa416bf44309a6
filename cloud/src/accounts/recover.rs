//! A forgotten password, and choosing one by the link in a mail.

use std::time::Duration;

use gatelodge_proto::{UserId, identity::EmailAddress};
use serde_json::json;

use super::{
    api_token,
    failure::Failure,
    jobs,
    model::Network,
    password::{Password, PasswordRefusal},
    portal_session, program_sign_in,
    second_factor::ceremony,
    sign_in, store,
    throttle::{Throttled, throttle},
    tokens::{self, Purpose, Secret, TokenRefusal},
};
use crate::{
    audit::{self, Actor, Entry},
    db::DbError,
    kits::Kits,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Mails a link to choose a password, if there is such a user; the answer is the same if not.
pub async fn forgotten(kits: &Kits, network: &Network, email: &EmailAddress) -> Result<Result<(), Throttled>, DbError> {
    for (scope, subject, limit) in
        [("forgotten_network", network.as_str().to_owned(), 30), ("forgotten_email", email.folded(), 5)]
    {
        if let Err(throttled) = throttle(kits, scope, &subject, limit, HOUR).await? {
            return Ok(Err(throttled));
        }
    }
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    if let Some((user, _)) = store::user_by_email(&mut tx, email).await?
        && user.disabled_at.is_none()
    {
        jobs::enqueue_set_password(&mut tx, now, &kits.random, user.id, None).await?;
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(()))
}

/// Why no password was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetPasswordRefusal {
    /// The link.
    #[error(transparent)]
    Link(#[from] TokenRefusal),
    /// The password; the link still works.
    #[error(transparent)]
    Password(#[from] PasswordRefusal),
}

/// Sets the password of the link's user. Whoever was signed in as them no longer is: browsers, programs, and what made
/// a browser known.
pub async fn set_password(
    kits: &Kits,
    secret: &Secret,
    password: &str,
) -> Result<Result<EmailAddress, SetPasswordRefusal>, Failure> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let user = match tokens::peek(&mut tx, now, Purpose::SetPassword, secret).await? {
        Ok(subject) => store::user(&mut tx, UserId::from_uuid(subject)).await?,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    let Some(user) = user else { return Ok(Err(TokenRefusal::Unknown.into())) };
    let memberships = store::memberships(&mut tx, user.id).await?;
    drop(tx);
    let about: Vec<&str> = [user.name.as_str(), user.email.as_str()]
        .into_iter()
        .chain(memberships.iter().map(|member| member.organisation_name.as_str()))
        .collect();
    let password = match Password::choose(password, &about) {
        Ok(password) => password,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    let hash = password.hash(&kits.random).await?;

    let mut tx = kits.db.write().await?;
    if tokens::consume(&mut tx, now, Purpose::SetPassword, secret).await?.is_none() {
        let refusal = tokens::peek(&mut tx, now, Purpose::SetPassword, secret).await?.err();
        return Ok(Err(refusal.unwrap_or(TokenRefusal::Used).into()));
    }
    // First, for its lock on the user's row: who signs in at this moment is seen by what follows, or sees the new hash.
    store::set_password(&mut tx, now, user.id, &hash).await?;
    tokens::void(&mut tx, now, Purpose::SetPassword, user.id.uuid()).await?;
    portal_session::end_all(&mut tx, user.id).await?;
    api_token::revoke_all(&mut tx, now, user.id).await?;
    program_sign_in::refuse_all(&mut tx, user.id).await?;
    ceremony::end_all(&mut tx, user.id).await?;
    sign_in::forget_browsers(&mut tx, user.id).await?;
    let entry = Entry {
        actor: Actor::User { id: user.id, name: user.name },
        what: "password_set",
        device: None,
        session: None,
        details: json!({}),
        readers: memberships.iter().map(|member| member.organisation_id).collect(),
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok(Ok(user.email))
}
