//! The mail that tells a user what has changed about their second factor: whoever did not do it acts at once.

use gatelodge_proto::UserId;
use serde::{Deserialize, Serialize};

use crate::{
    db::{DbError, Tx},
    jobs,
    kits::Kits,
};

/// The kind of job.
pub(in crate::accounts) const MAIL: &str = "accounts.mail_second_factor";

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::accounts) enum What {
    /// There is one more.
    Added,
    /// There is one less.
    Removed,
    /// The recovery codes are new ones.
    RecoveryCodes,
}

/// The payload.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::accounts) struct Changed {
    pub(in crate::accounts) user: UserId,
    pub(in crate::accounts) what: What,
}

pub(super) async fn enqueue(tx: &mut Tx, kits: &Kits, user: UserId, what: What) -> Result<(), DbError> {
    let now = kits.now();
    jobs::enqueue(tx, now, &kits.random, MAIL, &Changed { user, what }, now).await
}
