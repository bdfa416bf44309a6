//! A key is accepted: it gets its certificate and a row on the allow-list, and every other key of the device loses its
//! own. Whether it may be is decided in `enrol`, `verify` and `service`.

use gatelodge_proto::{DeviceId, Timestamp};
use serde_json::json;

use super::{
    commands, machine,
    model::{Certificate, CertificateState, Device, Enrolment, EnrolmentState},
    store,
    verify::VerifyError,
};
use crate::{
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    jobs,
    kits::Kits,
    pki::Csr,
};

/// Accepts a key: it gets a certificate, and every other key of the device loses its own.
pub(super) async fn accept(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    device: DeviceId,
    enrolment: &Enrolment,
) -> Result<Certificate, VerifyError> {
    let row = store::inventory::by_id(tx, device).await?;
    let row = row.ok_or_else(|| DbError::Corrupt(format!("an enrolment names the missing device {device}")))?;
    let csr = Csr::parse(&enrolment.csr).map_err(DbError::corrupt)?;
    let enrolled = machine::Found::of(row.id, row.epoch, row.life)
        .enrol()
        .map_err(|refusal| DbError::Corrupt(format!("{device}: {refusal}")))?;
    if store::certificates::revoke(tx, now, device).await? > 0 {
        jobs::enqueue(tx, now, &kits.random, super::jobs::DISCONNECT, &json!({ "device": device }), now).await?;
    }
    store::enrolments::end_others(tx, device, Some(enrolment.id), "another_key").await?;
    store::codes::end_all(tx, now, device).await?;
    store::starts::forget(tx, device).await?;
    store::enrolments::set_state(tx, enrolment.id, EnrolmentState::Enrolled, None).await?;
    store::inventory::set_life(tx, device, &enrolled).await?;
    store::inventory::forget_report(tx, device).await?;
    let certificate = issue(tx, kits, now, &row, &csr).await?;
    commands::tell_state_again(tx, now, &kits.random, device).await?;
    note(tx, kits, now, device, "device_enrolled", json!({ "proof": enrolment.proof.word() })).await?;
    Ok(certificate)
}

/// Signs a key for a device and puts the certificate on the allow-list.
pub(super) async fn issue(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    device: &Device,
    csr: &Csr,
) -> Result<Certificate, VerifyError> {
    let issued = kits.pki.sign_device(device.id, csr, now)?;
    store::certificates::insert(tx, now, (device.id, device.epoch), &csr.thumbprint_hex(), &issued).await?;
    Ok(Certificate {
        serial: issued.serial,
        device: device.id,
        epoch: device.epoch,
        key_thumbprint: csr.thumbprint_hex(),
        chain: issued.chain,
        state: CertificateState::Current,
        not_after: issued.not_after,
        issued_at: now,
    })
}

/// Writes what happened to a device by itself.
pub(super) async fn note(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    device: DeviceId,
    what: &'static str,
    details: serde_json::Value,
) -> Result<(), DbError> {
    let readers = store::lists::readers(tx, device).await?;
    let entry = Entry { actor: Actor::Cloud, what, device: Some(device), session: None, details, readers };
    audit::write(tx, now, &kits.random, entry).await
}
