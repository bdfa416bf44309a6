//! The key takes itself away: a statement that it signs for this one pinning, which the device checks.

use std::time::Duration;

use gatelodge_proto::{DeviceId, consent::Challenge, payload::Order};
use serde_json::{Value, json};

use super::{
    model::{KeyRefusal, Pinned},
    signing, store,
};
use crate::{
    accounts::rights::CustomerMember,
    audit::{self, Entry},
    db::Tx,
    devices::service as devices,
    kits::Kits,
    sessions::{record::actor, store as sessions},
};

const RELEASE_LIFE: Duration = Duration::from_secs(24 * 3_600);

async fn pinned(tx: &mut Tx, kits: &Kits, by: &CustomerMember, device: DeviceId) -> Result<Pinned, KeyRefusal> {
    let ground = sessions::hold_own_ground(tx, kits.now(), by.member().organisation_id, device).await?;
    ground.ok_or(KeyRefusal::Unknown)?;
    store::pinned(tx, device).await?.ok_or(KeyRefusal::NoKey)
}

/// What the browser is to ask the passkey.
pub async fn begin(kits: &Kits, by: &CustomerMember, device: DeviceId) -> Result<Value, KeyRefusal> {
    let mut tx = kits.db.read().await?;
    let held = pinned(&mut tx, kits, by, device).await?;
    let statement = Challenge::of_release(device, held.pin);
    Ok(signing::options(&kits.config, &statement, &held.key)?)
}

/// Tells the device to forget the key, by the key's own word. It is gone here when the device has said so.
pub async fn release(kits: &Kits, by: &CustomerMember, device: DeviceId, credential: &str) -> Result<(), KeyRefusal> {
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let held = pinned(&mut tx, kits, by, device).await?;
    let assertion = signing::signed(credential, &Challenge::of_release(device, held.pin), &held.key)?;
    let readers = devices::readers(&mut tx, device).await?;
    let details = json!({ "fingerprint": held.key.fingerprint() });
    let actor = actor(by.member());
    let entry = Entry { actor, what: "key_release_signed", device: Some(device), session: None, details, readers };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    devices::send(&mut tx, now, &kits.random, device, Order::ReleaseKey { assertion }, now + RELEASE_LIFE).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}
