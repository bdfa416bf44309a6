//! The verbs of the devices feature, for the features to its right and for pages and API.

use std::sync::Arc;

use gatelodge_proto::{
    DeviceId, EnrolmentId, OrganisationId, Random, Timestamp,
    identity::{IdCode, MacAddress},
    payload::Life,
};
use serde_json::json;

use super::{
    accept, ingest, jobs, machine,
    model::{Certificate, Device, Enrolment, EnrolmentState, Suspicion},
    presence, store,
};
pub use super::{
    catalogue::{ProductInput, add_product, products},
    commands::{Registrant, send, tell_state},
    import::{Import, Line, LineFault, import},
    ingest::SessionEvents,
    machine::Refusal,
    presets::{PresetError, PresetPart, ProductPreset, presets, set_preset},
    store::lists::{Cursor, Filter, Listed, readers},
    verify::{CodeCheck, VerifyError, verify_label_secret, verify_on_site_code},
};
use crate::{
    accounts::rights::VendorAdministrator,
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    jobs as background,
    kits::Kits,
    mqtt::EndpointError,
};

/// Why a change of a device was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such device.
    #[error("there is no such device")]
    Missing,
    /// Its life does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its certificate could not be signed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Starts the device endpoint and looks after presence until the program ends.
pub async fn start(kits: &Kits, sessions: Arc<dyn SessionEvents>) -> Result<(), EndpointError> {
    let doorkeeper = Arc::new(presence::AllowList::new(kits.clone()));
    let registrar = Arc::new(ingest::Registrar::new(kits.clone(), sessions));
    kits.endpoint.start(&kits.config, &kits.pki, &kits.random, doorkeeper, registrar).await?;
    tokio::spawn(presence::watch(kits.clone()));
    Ok(())
}

/// A device by its id, whoever may see it.
pub async fn device(tx: &mut Tx, id: DeviceId) -> Result<Option<Device>, DbError> {
    store::inventory::by_id(tx, id).await
}

/// The device with this ID code, for the vendor.
pub async fn by_id_code(tx: &mut Tx, id_code: IdCode) -> Result<Option<DeviceId>, DbError> {
    store::inventory::by_id_code(tx, id_code).await
}

/// The device that carries both names on its label; one alone finds nothing.
pub async fn by_label(tx: &mut Tx, id_code: IdCode, mac: MacAddress) -> Result<Option<Device>, DbError> {
    let found = store::inventory::by_any_name(tx, Some(&id_code.compact()), mac, "").await?;
    Ok(found.into_iter().find(|device| device.names.id_code == id_code && device.names.mac == mac))
}

/// Like [`by_label`]; nobody else changes the device until the transaction ends.
pub async fn hold_by_label(tx: &mut Tx, id_code: IdCode, mac: MacAddress) -> Result<Option<Device>, DbError> {
    match by_label(tx, id_code, mac).await? {
        Some(device) => store::inventory::hold(tx, device.id).await,
        None => Ok(None),
    }
}

/// Ties an enrolled device to an installer; the caller writes the registration in the same transaction.
pub async fn register(tx: &mut Tx, id: DeviceId) -> Result<machine::Device<machine::Registered>, ChangeError> {
    let registered = hold(tx, id).await?.enrolled()?.register();
    store::inventory::set_life(tx, id, &registered.clone().into()).await?;
    Ok(registered)
}

/// The customer has confirmed; the caller writes it into the registration in the same transaction.
pub async fn activate(tx: &mut Tx, id: DeviceId) -> Result<machine::Device<machine::Active>, ChangeError> {
    let active = hold(tx, id).await?.registered()?.activate();
    store::inventory::set_life(tx, id, &active.clone().into()).await?;
    Ok(active)
}

/// The installer takes an unconfirmed registration back.
pub async fn cancel(tx: &mut Tx, id: DeviceId) -> Result<machine::Device<machine::Enrolled>, ChangeError> {
    let enrolled = hold(tx, id).await?.registered()?.cancel();
    store::inventory::set_life(tx, id, &enrolled.clone().into()).await?;
    Ok(enrolled)
}

/// The owner gives the device back: its certificates connect no more, what it was asked is void, its report is
/// forgotten. Ring `kits.jobs` after the commit.
pub async fn release(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    id: DeviceId,
) -> Result<machine::Device<machine::Released>, ChangeError> {
    let released = hold(tx, id).await?.active()?.release();
    store::inventory::set_life(tx, id, &released.clone().into()).await?;
    shut_out(tx, now, random, id, "released").await?;
    Ok(released)
}

/// The vendor takes a device out of service for good.
pub async fn retire(kits: &Kits, by: &VendorAdministrator, id: DeviceId) -> Result<(), ChangeError> {
    let now = kits.now();
    let mut tx = kits.db.write_on_reserve().await?;
    let retired = hold(&mut tx, id).await?.retire()?;
    store::inventory::set_life(&mut tx, id, &retired.into()).await?;
    shut_out(&mut tx, now, &kits.random, id, "retired").await?;
    note(&mut tx, kits, by, id, "device_retired").await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// The vendor takes a device's certificates back; it has to enrol with a new key. Its owner stays.
pub async fn revoke(kits: &Kits, by: &VendorAdministrator, id: DeviceId) -> Result<(), ChangeError> {
    let now = kits.now();
    let mut tx = kits.db.write_on_reserve().await?;
    if matches!(hold(&mut tx, id).await?, machine::Found::Retired(_)) {
        return Err(Refusal::Retired.into());
    }
    shut_out(&mut tx, now, &kits.random, id, "revoked").await?;
    note(&mut tx, kits, by, id, "device_revoked").await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// What the vendor has to look at, and why: unknown hardware, second keys and keys that wait beside others.
pub async fn quarantine(tx: &mut Tx) -> Result<Vec<(Enrolment, Suspicion)>, DbError> {
    let rows = store::enrolments::to_look_at(tx, 200).await?;
    Ok(rows.into_iter().filter_map(|row| row.suspicion().map(|suspicion| (row, suspicion))).collect())
}

/// The vendor lets a second key take the place of the first, as after a repair, or one of several that wait. Unknown hardware is let in by
/// importing it.
pub async fn approve(kits: &Kits, by: &VendorAdministrator, id: EnrolmentId) -> Result<(), ChangeError> {
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let enrolment = store::enrolments::by_id(&mut tx, id).await?.ok_or(ChangeError::Missing)?;
    let Some(device) = enrolment.device else { return Err(ChangeError::Missing) };
    hold(&mut tx, device).await?.enrol()?;
    // Looked at again now that the device is held.
    let enrolment = store::enrolments::by_id(&mut tx, id).await?.ok_or(ChangeError::Missing)?;
    if !enrolment.suspicion().is_some_and(Suspicion::may_be_approved) {
        return Err(ChangeError::Missing);
    }
    accept::accept(&mut tx, kits, now, device, &enrolment).await?;
    note(&mut tx, kits, by, device, "device_key_approved").await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// The vendor says no to a key. The hardware may ask again with a new one.
pub async fn refuse(kits: &Kits, by: &VendorAdministrator, id: EnrolmentId) -> Result<(), ChangeError> {
    let mut tx = kits.db.write_on_reserve().await?;
    let enrolment = store::enrolments::by_id(&mut tx, id).await?.ok_or(ChangeError::Missing)?;
    if enrolment.suspicion().is_none() {
        return Err(ChangeError::Missing);
    }
    store::enrolments::set_state(&mut tx, id, EnrolmentState::Refused, Some("vendor")).await?;
    if let Some(device) = enrolment.device {
        note(&mut tx, kits, by, device, "device_key_refused").await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Devices that `organisation` may see, by its registrations; the vendor sees every device with `None`.
pub async fn list(
    tx: &mut Tx,
    organisation: Option<OrganisationId>,
    filter: &Filter,
) -> Result<(Vec<Listed>, Option<Cursor>), DbError> {
    store::lists::devices(tx, organisation, filter).await
}

/// One device as `organisation` may see it; `None` when there is none or it is somebody else's.
pub async fn view(tx: &mut Tx, organisation: Option<OrganisationId>, id: DeviceId) -> Result<Option<Listed>, DbError> {
    store::lists::device(tx, organisation, id).await
}

/// States there are devices in, and how many.
pub async fn counts(tx: &mut Tx) -> Result<Vec<(Life, u64)>, DbError> {
    store::lists::counts(tx).await
}

/// The certificate a device connects with.
pub async fn newest_certificate(tx: &mut Tx, id: DeviceId) -> Result<Option<Certificate>, DbError> {
    Ok(store::certificates::current(tx, id).await?.into_iter().next())
}

/// Since when a device stands where it stands.
pub async fn life_since(tx: &mut Tx, device: &Device) -> Result<Timestamp, DbError> {
    Ok(store::lists::life_since(tx, device.id).await?.unwrap_or(device.created_at))
}

async fn hold(tx: &mut Tx, id: DeviceId) -> Result<machine::Found, ChangeError> {
    store::inventory::lock(tx, id).await?;
    let row = store::inventory::by_id(tx, id).await?.ok_or(ChangeError::Missing)?;
    Ok(machine::Found::of(id, row.epoch, row.life))
}

/// Whether two machines seem to hold the key of a device.
pub async fn is_doubled(tx: &mut Tx, id: DeviceId) -> Result<bool, DbError> {
    store::starts::is_doubled(tx, id).await
}

/// Nothing that the device held before lets it in again, and nothing that was meant for it goes out.
async fn shut_out(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    id: DeviceId,
    reason: &'static str,
) -> Result<(), DbError> {
    store::certificates::revoke(tx, now, id).await?;
    store::enrolments::end_others(tx, id, None, reason).await?;
    store::codes::end_all(tx, now, id).await?;
    store::codes::forget_tries(tx, id).await?;
    store::starts::forget(tx, id).await?;
    if reason != "revoked" {
        store::commands::void(tx, now, id).await?;
        store::inventory::forget_report(tx, id).await?;
    }
    store::presence::end(tx, now, id).await?;
    background::enqueue(tx, now, random, jobs::DISCONNECT, &json!({ "device": id }), now).await
}

async fn note(
    tx: &mut Tx,
    kits: &Kits,
    by: &VendorAdministrator,
    device: DeviceId,
    what: &'static str,
) -> Result<(), DbError> {
    let member = by.member();
    let actor = Actor::User { id: member.user_id, name: member.name.clone() };
    let mut readers = store::lists::readers(tx, device).await?;
    readers.push(member.organisation_id);
    let entry = Entry { actor, what, device: Some(device), session: None, details: json!({}), readers };
    audit::write(tx, kits.now(), &kits.random, entry).await
}
