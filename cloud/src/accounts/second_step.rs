//! The second step of a sign-in, and signing in by a passkey, which is both steps in one.

use std::time::Duration;

use gatelodge_proto::UserId;

use super::{
    second_factor::{self, Begun, FactorRefusal, Factors, ceremony},
    sign_in::{self, Arrival, Welcome},
    store,
    throttle::throttle,
    tokens::Secret,
};
use crate::{
    db::{DbError, Tx},
    kits::Kits,
};

/// The cookie that says whose password was right; it signs nobody in.
pub const COOKIE: &str = "__Host-gl-second-step";

const STEP: &str = "second_step";
const PASSKEY: &str = "second_step_passkey";
/// Ceremonies that one network begins within an hour: each is a row for some minutes.
const NETWORK_LIMIT: u32 = 200;

/// The password was right.
pub(super) async fn begin(tx: &mut Tx, kits: &Kits, user: UserId) -> Result<Secret, DbError> {
    ceremony::begin(tx, kits.now(), &kits.random, STEP, Some(user), &()).await
}

/// What whoever is between the two steps may confirm with; nothing when the first was too long ago.
pub async fn factors(kits: &Kits, step: &Secret) -> Result<Option<Factors>, DbError> {
    match whose(kits, step).await? {
        Some(user) => second_factor::factors(kits, user).await.map(Some),
        None => Ok(None),
    }
}

async fn whose(kits: &Kits, step: &Secret) -> Result<Option<UserId>, DbError> {
    let mut tx = kits.db.read().await?;
    Ok(ceremony::look::<()>(&mut tx, kits.now(), STEP, step).await?.and_then(|(user, ())| user))
}

/// Ends the second step by a code of the app or a recovery code.
pub async fn by_code(
    kits: &Kits,
    step: &Secret,
    typed: &str,
    arrival: &Arrival<'_>,
) -> Result<Result<Welcome, FactorRefusal>, DbError> {
    let Some(user) = whose(kits, step).await? else { return Ok(Err(FactorRefusal::Stale)) };
    if let Err(refusal) = second_factor::count_try(kits, user).await? {
        return Ok(Err(refusal));
    }
    let mut tx = kits.db.write().await?;
    if let Err(refusal) = second_factor::verify_code(&mut tx, kits, user, typed).await? {
        return Ok(Err(refusal));
    }
    second_factor::forgive(&mut tx, user).await?;
    finish(tx, kits, step, user, arrival).await
}

/// Begins to end it by a passkey.
pub async fn begin_passkey(kits: &Kits, step: &Secret) -> Result<Result<Begun, FactorRefusal>, DbError> {
    match whose(kits, step).await? {
        Some(user) => second_factor::assertion_of(kits, PASSKEY, user).await,
        None => Ok(Err(FactorRefusal::Stale)),
    }
}

/// Ends it by a passkey.
pub async fn by_passkey(
    kits: &Kits,
    step: &Secret,
    ceremony: &Secret,
    credential: &str,
    arrival: &Arrival<'_>,
) -> Result<Result<Welcome, FactorRefusal>, DbError> {
    let Some(user) = whose(kits, step).await? else { return Ok(Err(FactorRefusal::Stale)) };
    let mut tx = kits.db.write().await?;
    if let Err(refusal) = second_factor::verify_assertion(&mut tx, kits, PASSKEY, user, ceremony, credential).await? {
        return Ok(Err(refusal));
    }
    finish(tx, kits, step, user, arrival).await
}

/// The first step counts once, and not any more when the password was replaced since: that ends every ceremony.
async fn finish(
    mut tx: Tx,
    kits: &Kits,
    step: &Secret,
    user: UserId,
    arrival: &Arrival<'_>,
) -> Result<Result<Welcome, FactorRefusal>, DbError> {
    if ceremony::end::<()>(&mut tx, kits.now(), STEP, step).await?.is_none() {
        return Ok(Err(FactorRefusal::Stale));
    }
    let Some(welcome) = sign_in::enter(&mut tx, kits, user, arrival, true).await? else {
        return Ok(Err(FactorRefusal::Stale));
    };
    tx.commit().await?;
    Ok(Ok(welcome))
}

/// Begins a sign-in by a passkey alone.
pub async fn begin_sign_in(kits: &Kits, arrival: &Arrival<'_>) -> Result<Result<Begun, FactorRefusal>, DbError> {
    let network = arrival.browser.network.as_str();
    if let Err(throttled) =
        throttle(kits, "passkey_network", network, NETWORK_LIMIT, Duration::from_secs(3_600)).await?
    {
        return Ok(Err(throttled.into()));
    }
    second_factor::begin_sign_in(kits).await
}

/// Signs in by a passkey: it is something one has, and asks for something one is or knows.
pub async fn sign_in(
    kits: &Kits,
    ceremony: &Secret,
    credential: &str,
    arrival: &Arrival<'_>,
) -> Result<Result<Welcome, FactorRefusal>, DbError> {
    let mut tx = kits.db.write().await?;
    let user = match second_factor::finish_sign_in(&mut tx, kits, ceremony, credential).await? {
        Ok(user) => user,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Nobody is told whether an account is disabled.
    if !store::count_passkey_sign_in(&mut tx, user).await? {
        return Ok(Err(FactorRefusal::Passkey));
    }
    let Some(welcome) = sign_in::enter(&mut tx, kits, user, arrival, true).await? else {
        return Ok(Err(FactorRefusal::Passkey));
    };
    tx.commit().await?;
    Ok(Ok(welcome))
}
