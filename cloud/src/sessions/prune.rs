//! Forgets join tickets and pledges that let nobody in any more. Sessions themselves are the audit's to keep.

use std::time::Duration;

use super::store;
use crate::{db::DbError, kits::Kits};

/// A ticket is good for half a minute, a pledge for as long as its session; who comes later hears why that ended.
const KEPT: Duration = Duration::from_secs(3600);
/// A device that was away brings its recordings when it is back; so long after the session was joined.
const RECORDINGS_COME_WITHIN: Duration = Duration::from_secs(90 * 86_400);

/// Forgets the tickets whose time is over.
pub async fn prune(kits: &Kits) -> Result<(), DbError> {
    let mut tx = kits.db.write_on_reserve().await?;
    store::forget_tickets(&mut tx, kits.now() - KEPT).await?;
    store::forget_pledges(&mut tx, kits.now() - KEPT).await?;
    store::forget_credentials(&mut tx, kits.now() - RECORDINGS_COME_WITHIN).await?;
    tx.commit().await
}
