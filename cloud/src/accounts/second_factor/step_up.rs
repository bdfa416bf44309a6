//! Whether somebody has confirmed by a second factor lately enough to do what others have to be able to trust.

use super::store;
use crate::{
    accounts::SignedIn,
    config::SecondFactor,
    db::{DbError, Tx},
    kits::Kits,
};

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecondFactorNeeded {
    /// There is no second factor.
    #[error("your account has no second factor yet, and nobody opens a session with a password alone")]
    NotSetUp,
    /// There is one, and it was not shown for so many hours.
    #[error("you have not confirmed with your second factor in the last {0} hours")]
    NotConfirmed(u32),
}

/// Refuses whoever has not confirmed within the hours that the settings say. Without a second factor that is whoever the
/// settings want to have one.
pub async fn check(tx: &mut Tx, kits: &Kits, by: &SignedIn) -> Result<Result<(), SecondFactorNeeded>, DbError> {
    let limits = &kits.config.sessions;
    if !store::any(tx, by.member().user_id).await? {
        return Ok(match limits.second_factor {
            SecondFactor::Required => Err(SecondFactorNeeded::NotSetUp),
            SecondFactor::WhenSetUp => Ok(()),
        });
    }
    let fresh = by.confirmed_at().is_some_and(|at| kits.now().since(at) < limits.second_factor());
    Ok(if fresh { Ok(()) } else { Err(SecondFactorNeeded::NotConfirmed(limits.second_factor_hours)) })
}
