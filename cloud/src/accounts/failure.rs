//! What keeps a verb of accounts from doing its work, whoever asks and whatever they ask.

use super::password::HashingFailed;
use crate::{db::DbError, web::Fault};

/// The database or the machine failed; never a matter of what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Hashing a password.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => error.into(),
            Failure::Hashing(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a password could not be hashed");
                Self::broken()
            }
        }
    }
}
