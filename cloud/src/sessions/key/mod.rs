//! The customer's key of a device: a passkey that the portal offers, that somebody at the device pins, and that signs
//! what the device is to allow from then on. Owns the table `device_key`, which says what the device has told; nothing in
//! it lets anybody in, for the device asks the key itself.

mod model;
mod offer;
mod release;
mod signing;
mod store;

pub use model::{Held, KeyRefusal, Offered, Pinned};
pub use offer::{begin, offer};
pub use release::{begin as begin_release, release};
pub use signing::{options, signed};
pub(super) use store::{declined, forgotten, hold, pinned, was_pinned};

use gatelodge_proto::DeviceId;

use crate::{accounts::model::Member, db::DbError, kits::Kits};

/// How it stands with the key of a device, for its customer; `None` when it is not this customer's device.
pub async fn of(kits: &Kits, by: &Member, device: DeviceId) -> Result<Option<Held>, DbError> {
    let mut tx = kits.db.read().await?;
    if super::store::own_ground(&mut tx, kits.now(), by.organisation_id, device).await?.is_none() {
        return Ok(None);
    }
    store::held(&mut tx, device).await.map(Some)
}
