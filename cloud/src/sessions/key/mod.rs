//! The customer's key of a device: a passkey that the portal offers, that somebody at the device pins, and that signs
//! what the device is to allow from then on. Owns the table `device_key`, which says what the device has told; nothing in
//! it lets anybody in, for the device asks the key itself.

mod jobs;
mod model;
mod offer;
mod release;
mod rule;
mod signing;
mod store;

pub(super) use jobs::{enqueue as enqueue_mails, job};
pub use model::{Held, KeyRefusal, Offered, Pinned, Ruled, ToSign};
pub use offer::{begin, offer};
pub use release::{begin as begin_release, release};
pub use rule::{RuleWords, begin as begin_rule, sign as sign_rule};
pub use signing::{options, signed};
pub(super) use store::{declined, forgotten, held, hold, pinned, was_pinned};

use gatelodge_proto::DeviceId;

use crate::{
    accounts::{model::Member, service as accounts},
    db::DbError,
    kits::Kits,
};

/// How it stands with the key of a device, for its customer; `None` when it is not this customer's device.
pub async fn of(kits: &Kits, by: &Member, device: DeviceId) -> Result<Option<Held>, DbError> {
    let mut tx = kits.db.read().await?;
    if super::store::own_ground(&mut tx, kits.now(), by.organisation_id, device).await?.is_none() {
        return Ok(None);
    }
    let mut held = store::held(&mut tx, device).await?;
    if let Some(offered) = &held.offered
        && accounts::membership(&mut tx, offered.by, by.organisation_id).await?.is_none()
    {
        // Offered by whoever owned the device before: the device forgets it when it is released, and so does the portal.
        held.offered = None;
    }
    Ok(Some(held))
}
