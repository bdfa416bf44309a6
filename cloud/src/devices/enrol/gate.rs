//! How often anybody may ask: each network has its limit, and a flood over all of them is told to the vendor.

use serde_json::json;

use super::{EnrolError, HOUR};
use crate::{
    accounts::service::{tally, throttle},
    audit::{self, Actor, Entry},
    devices::store,
    kits::Kits,
};

/// Polls of all the devices behind one address.
const NETWORK_LIMIT: u32 = 6_000;
/// Polls of everybody; beyond it something is wrong with the fleet, or somebody floods. Nobody is turned away for it, or
/// one flood would keep every device out; it is told.
const ALARMING: u32 = 500_000;
pub(super) async fn limit(kits: &Kits, network: &str) -> Result<(), EnrolError> {
    throttle(kits, "enrol-network", network, NETWORK_LIMIT, HOUR).await??;
    let now = kits.now();
    let mut tx = kits.db.write_on_reserve().await?;
    if tally(&mut tx, now, "enrol-everybody", "", HOUR).await?.count == ALARMING + 1 {
        tracing::error!(
            asked = ALARMING,
            "devices ask for certificates as no fleet does: somebody floods /enrol; see which networks in the proxy's log"
        );
        let readers = store::lists::vendors(&mut tx).await?;
        let details = json!({ "asked": ALARMING });
        let entry =
            Entry { actor: Actor::Cloud, what: "enrolment_flood", device: None, session: None, details, readers };
        audit::write(&mut tx, now, &kits.random, entry).await?;
    }
    Ok(tx.commit().await?)
}
