//! Keys that wait in the name of one device: how many there may be, for how long, and who makes room. Names are
//! printed on labels, so anybody may wait; waiting must keep nobody else from waiting too.

use std::time::Duration;

use gatelodge_proto::{DeviceId, EnrolmentId, Timestamp};

use super::store;
use crate::db::{DbError, Tx};

/// A key that has not asked for so long waits no more; agents ask every few seconds.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Keys that may wait in the name of one device at a time.
const MOST: usize = 8;

/// Makes room for a key that begins to wait: whoever stopped asking is forgotten, and of too many the one that has
/// not asked for longest.
pub(super) async fn make_room(tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<(), DbError> {
    let stale = store::enrolments::waiting_unseen(tx, device, now - PATIENCE).await?;
    store::enrolments::forget(tx, &stale).await?;
    let waiting = store::enrolments::waiting(tx, device).await?;
    let surplus = (waiting.len() + 1).saturating_sub(MOST);
    store::enrolments::forget(tx, &waiting[..surplus]).await
}

/// Whether another key than `but` waits for the same device to be let in by an installer.
pub(super) async fn others_wait(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    but: EnrolmentId,
) -> Result<bool, DbError> {
    Ok(store::enrolments::rivals(tx, device, but, now - PATIENCE).await? > 0)
}
