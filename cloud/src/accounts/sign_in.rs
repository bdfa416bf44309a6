//! Signing a browser in by e-mail address and password.

use std::time::Duration;

use gatelodge_proto::{Timestamp, UserId, identity::EmailAddress};

use super::{
    failure::Failure,
    model::Member,
    password,
    portal_session::{self, Browser},
    second_factor, second_step, store,
    throttle::{self, Throttled, throttle},
    tokens::Secret,
};
use crate::{
    change,
    db::{DbError, Ts, Tx},
    kits::Kits,
    run,
};

/// The cookie by which a browser is known to have signed in before; it signs nobody in.
pub const KNOWN_COOKIE: &str = "__Host-gl-browser";
/// How long a browser stays known.
pub const KNOWN_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// Tries of one network within an hour, whatever the accounts; browsers that are known are not counted.
const NETWORK_LIMIT: u32 = 100;

/// Who wants to sign in, from where.
#[derive(Debug, Clone)]
pub struct Credentials<'a> {
    /// The address.
    pub email: &'a EmailAddress,
    /// The password, as typed.
    pub password: &'a str,
    /// From where.
    pub arrival: Arrival<'a>,
}

/// A browser before it is signed in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The browser.
    pub browser: &'a Browser,
    /// The value of [`KNOWN_COOKIE`], if the browser sent one.
    pub known: Option<&'a Secret>,
    /// The session the browser has had until now; it ends.
    pub previous: Option<&'a Secret>,
}

/// A browser that is signed in now.
#[derive(Debug)]
pub struct Welcome {
    /// Who, and for which organisation.
    pub member: Member,
    /// For [`portal_session::COOKIE`].
    pub session: Secret,
    /// For [`KNOWN_COOKIE`].
    pub known: Secret,
}

/// How far a sign-in has come.
#[derive(Debug)]
pub enum Progress {
    /// All the way.
    Done(Welcome),
    /// The password was right, and the second factor is asked for: what [`second_step::COOKIE`] carries.
    SecondStep(Secret),
}

/// Why a sign-in is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefusal {
    /// Unknown address, wrong password, no password yet, disabled: nobody is told which.
    #[error("e-mail address and password do not belong together: try again, or ask for a new password")]
    WrongPair,
    /// Too many tries.
    #[error(transparent)]
    Throttled(#[from] Throttled),
}

/// Signs in, under a new session id, whoever has no second factor. A try counts before its password is looked at; one
/// that was right takes its count back.
pub async fn sign_in(kits: &Kits, credentials: &Credentials<'_>) -> Result<Result<Progress, SignInRefusal>, Failure> {
    let Credentials { email, password, arrival } = *credentials;
    let Arrival { browser, known, .. } = arrival;
    let now = kits.now();
    let mut tx = kits.db.write_on_reserve().await?;
    let user = store::user_by_email(&mut tx, email).await?;
    let known = match (&user, known) {
        (Some((user, _)), Some(secret)) if is_known(&mut tx, user.id, secret).await? => Some(secret),
        _ => None,
    };
    // What strangers do from elsewhere slows down neither a known browser nor another network.
    let subject = match known {
        Some(secret) => format!("browser {}", secret.expose()),
        None => format!("account {} {}", email.folded(), browser.network),
    };
    let allowed = throttle::try_sign_in(&mut tx, now, &subject).await?;
    tx.commit().await?;
    if let Err(throttled) = allowed {
        return Ok(Err(throttled.into()));
    }
    if known.is_none()
        && let Err(throttled) =
            throttle(kits, "sign_in_network", browser.network.as_str(), NETWORK_LIMIT, Duration::from_secs(3_600))
                .await?
    {
        return Ok(Err(throttled.into()));
    }

    let hash = user.as_ref().and_then(|(_, hash)| hash.as_deref());
    let right = password::is_right(password, hash).await?;
    let Some((user, Some(hash))) = user.filter(|_| right) else { return Ok(Err(SignInRefusal::WrongPair)) };

    let mut tx = kits.db.write_on_reserve().await?;
    // The password may have been replaced while this one was compared.
    if !store::count_sign_in(&mut tx, user.id, &hash).await? {
        return Ok(Err(SignInRefusal::WrongPair));
    }
    throttle::forgive(&mut tx, &subject).await?;
    let progress = if second_factor::any(&mut tx, user.id).await? {
        Progress::SecondStep(second_step::begin(&mut tx, kits, user.id).await?)
    } else {
        let arrival = Arrival { known, ..arrival };
        match enter(&mut tx, kits, user.id, &arrival, false).await? {
            Some(welcome) => Progress::Done(welcome),
            None => return Ok(Err(SignInRefusal::WrongPair)),
        }
    };
    tx.commit().await?;
    Ok(Ok(progress))
}

/// Signs a browser in as somebody who has shown who they are, `confirmed` by a second factor or not. Nobody when they are
/// in no organisation, or disabled. Whoever calls holds the user's row.
pub(super) async fn enter(
    tx: &mut Tx,
    kits: &Kits,
    user: UserId,
    arrival: &Arrival<'_>,
    confirmed: bool,
) -> Result<Option<Welcome>, DbError> {
    let (now, Arrival { browser, known, previous }) = (kits.now(), *arrival);
    let Some(member) = store::memberships(tx, user).await?.into_iter().next() else { return Ok(None) };
    if let Some(previous) = previous {
        portal_session::end_within(tx, previous).await?;
    }
    let session = portal_session::begin(tx, kits, now, &member, browser, confirmed).await?;
    let known = match known {
        Some(secret) if is_known(tx, user, secret).await? => secret.clone(),
        Some(_) | None => Secret::make(&kits.random),
    };
    remember(tx, now, user, &known).await?;
    Ok(Some(Welcome { member, session, known }))
}

async fn is_known(tx: &mut Tx, user: UserId, secret: &Secret) -> Result<bool, DbError> {
    let found = run!(tx, c => sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM known_browser WHERE hash = $1 AND user_id = $2",
    )
    .bind(secret.hash())
    .bind(user.uuid())
    .fetch_one(c))?;
    Ok(found > 0)
}

async fn remember(tx: &mut Tx, now: Timestamp, user: UserId, secret: &Secret) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM known_browser WHERE seen_at < $1")
        .bind(Ts::from(now - KNOWN_LIFE))
        .execute(c))?;
    change!(tx, c => sqlx::query(
        "INSERT INTO known_browser (hash, user_id, seen_at) VALUES ($1, $2, $3) \
         ON CONFLICT (hash) DO UPDATE SET seen_at = $3",
    )
    .bind(secret.hash())
    .bind(user.uuid())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// No browser of this user is known any more: their password was replaced.
pub(super) async fn forget_browsers(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM known_browser WHERE user_id = $1").bind(user.uuid()).execute(c))?;
    Ok(())
}
