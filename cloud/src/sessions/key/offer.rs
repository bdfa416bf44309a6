//! A passkey for one device: made in the customer's browser, offered to the device, and nothing more. Whether it is pinned
//! is for somebody at the device to say.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, UserId,
    consent::{Blob, PinnedKey, Point},
    payload::Order,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use webauthn_rs::prelude::{COSEKeyType, Passkey, PasskeyRegistration};

use super::{
    model::{Held, KeyRefusal},
    store,
};
use crate::{
    accounts::{
        rights::CustomerMember,
        second_factor::{Begun, FactorRefusal, RelyingParty, ceremony},
        tokens::Secret,
    },
    audit::{self, Entry},
    db::Tx,
    devices::service as devices,
    kits::Kits,
    sessions::{record::actor, store as sessions},
};

const OFFER: &str = "key_offer";
/// How long the device is told of it; somebody who goes there is expected to go soon.
const OFFER_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Authenticators keep one passkey for each handle: that of a device is none to sign in with.
fn handle(user: UserId, device: DeviceId) -> Uuid {
    let hash = Sha256::new()
        .chain_update("gatelodge device key\0")
        .chain_update(user.uuid().as_bytes())
        .chain_update(device.uuid().as_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(bytes)
}

async fn free(tx: &mut Tx, kits: &Kits, by: &CustomerMember, device: DeviceId) -> Result<Held, KeyRefusal> {
    let ground = sessions::hold_own_ground(tx, kits.now(), by.member().organisation_id, device).await?;
    ground.ok_or(KeyRefusal::Unknown)?;
    let held = store::held(tx, device).await?;
    if held.pinned.is_some() { Err(KeyRefusal::Pinned) } else { Ok(held) }
}

/// Begins to make a passkey for a device, called `name` in the person's own list.
pub async fn begin(kits: &Kits, by: &CustomerMember, device: DeviceId, name: &str) -> Result<Begun, KeyRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    free(&mut tx, kits, by, device).await?;
    let party = RelyingParty::of(&kits.config)?;
    let (options, memory) = party.creation(handle(member.user_id, device), name, name, Vec::new())?;
    let (now, user) = (kits.now(), Some(member.user_id));
    let ceremony = ceremony::begin(&mut tx, now, &kits.random, OFFER, user, &(device, memory)).await?;
    tx.commit().await?;
    Ok(Begun::new(&ceremony, options))
}

/// Offers the passkey that the browser made to the device. Nothing changes there but what is shown.
pub async fn offer(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    ceremony: &Secret,
    credential: &str,
) -> Result<(), KeyRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let ended = ceremony::end::<(DeviceId, PasskeyRegistration)>(&mut tx, now, OFFER, ceremony).await?;
    let memory = match ended {
        Some((Some(user), (of, memory))) if user == member.user_id && of == device => memory,
        _ => return Err(FactorRefusal::Stale.into()),
    };
    free(&mut tx, kits, by, device).await?;
    let passkey = RelyingParty::of(&kits.config)?.created(credential, &memory)?;
    let key = public(kits, &passkey)?;
    if !store::offered(&mut tx, device, &key, member.user_id, now).await? {
        return Err(KeyRefusal::Pinned);
    }
    let readers = devices::readers(&mut tx, device).await?;
    let details = json!({ "fingerprint": key.fingerprint() });
    let entry =
        Entry { actor: actor(member), what: "key_offered", device: Some(device), session: None, details, readers };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    devices::send(&mut tx, now, &kits.random, device, Order::OfferKey { key }, now + OFFER_LIFE).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// The passkey as devices know it.
fn public(kits: &Kits, passkey: &Passkey) -> Result<PinnedKey, KeyRefusal> {
    let COSEKeyType::EC_EC2(point) = &passkey.get_public_key().key else { return Err(KeyRefusal::Kind) };
    let bytes = [&[4][..], &point.x, &point.y].concat();
    let name = kits.config.public_url.domain().ok_or(FactorRefusal::NoName)?;
    Ok(PinnedKey {
        credential: Blob::new(passkey.cred_id().clone()).map_err(|_| KeyRefusal::Kind)?,
        point: Point::from_bytes(&bytes).map_err(|_| KeyRefusal::Kind)?,
        rp: name.parse().map_err(|_| FactorRefusal::NoName)?,
    })
}
