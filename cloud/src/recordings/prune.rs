//! Deletes recordings whose time is over, each with its audit row.

use std::time::Duration;

use serde_json::json;

use super::{folder::Folder, store};
use crate::{
    audit::{self, Actor, Entry},
    db::DbError,
    kits::Kits,
};

/// A recording that has not come whole by then comes no more.
const COMES_WITHIN: Duration = Duration::from_secs(90 * 86_400);

/// Deletes what was kept for as long as the vendor's setting says, and what never came whole.
pub async fn prune(kits: &Kits) -> Result<(), DbError> {
    let now = kits.now();
    let kept = now - Duration::from_secs(u64::from(kits.config.recordings.keep_days) * 86_400);
    let mut tx = kits.db.read().await?;
    let over = store::over(&mut tx, kept, now - COMES_WITHIN).await?;
    drop(tx);
    let folder = Folder::of(&kits.config.data_dir);
    for (id, standing) in over {
        // The bytes first: a row without bytes is deleted the next time, bytes without a row never.
        if let Err(error) = folder.delete(id) {
            tracing::error!(%error, recording = %id, "a recording whose time is over cannot be deleted");
            continue;
        }
        let mut tx = kits.db.write_on_reserve().await?;
        if store::delete(&mut tx, id).await? && standing.taken {
            let entry = Entry {
                actor: Actor::Cloud,
                what: "recording_deleted",
                device: Some(standing.of.device),
                session: Some(standing.of.session),
                details: json!({ "recording": id, "days": kits.config.recordings.keep_days }),
                readers: vec![standing.of.customer, standing.of.installer],
            };
            audit::write(&mut tx, now, &kits.random, entry).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
