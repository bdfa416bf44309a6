//! Forgets what has served its time, so that what strangers and devices send does not fill the disk. Never what somebody
//! has decided.

use std::time::Duration;

use super::store;
use crate::{db::DbError, kits::Kits};

const DAY: Duration = Duration::from_secs(86_400);
/// A key that nobody has let in and that has not asked for so long is not coming back.
const UNDECIDED: Duration = Duration::from_secs(30 * 86_400);
/// A message that nobody could use is for a person to look at.
const PARKED: Duration = Duration::from_secs(30 * 86_400);
/// A device offers a message again until its receipt, and may have been away for long.
const TAKEN_IN: Duration = Duration::from_secs(180 * 86_400);
/// Keys forgotten in one transaction.
const AT_ONCE: i64 = 500;

/// Forgets keys that were never let in, parked messages, and which messages were taken in, each after its time.
pub async fn prune(kits: &Kits) -> Result<(), DbError> {
    let now = kits.now();
    loop {
        let mut tx = kits.db.write_on_reserve().await?;
        let gone = store::enrolments::undecided_unseen(&mut tx, now - UNDECIDED, AT_ONCE).await?;
        store::enrolments::forget(&mut tx, &gone).await?;
        tx.commit().await?;
        if gone.is_empty() {
            break;
        }
    }
    let mut tx = kits.db.write_on_reserve().await?;
    store::enrolments::forget_nonces(&mut tx, now - DAY).await?;
    store::starts::settle(&mut tx, now - DAY).await?;
    store::messages::forget(&mut tx, now - TAKEN_IN, now - PARKED).await?;
    tx.commit().await
}
