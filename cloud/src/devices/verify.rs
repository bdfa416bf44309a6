//! Proof of standing before a device: the code it shows, or the secret in its label's QR.

use gatelodge_proto::{
    DeviceId, EnrolmentId, Random, Timestamp,
    identity::{ClaimSecret, OnSiteCode},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    accept, commands, enrol,
    model::{Enrolment, EnrolmentState},
    store::{self, codes::Code},
    waiting,
};
use crate::{
    db::{DbError, Tx},
    kits::Kits,
    pki::PkiError,
};

/// What a typed on-site code was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeCheck {
    /// It is the code the device shows; it is used up now.
    Right,
    /// It is not; so many tries are left.
    Wrong {
        /// More tries.
        left: u32,
    },
    /// It was wrong too often: every shown code is void, the right one too, until the device shows a new one.
    Locked,
    /// The device shows no code, or the one it shows is too old: it has to show a new one.
    NoneShown,
    /// The key that shows it may not be the device's own: another holds the device, or waits for it too. The vendor
    /// has to look.
    Disputed,
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The device's certificate could not be signed, or a batch key not read.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// The hash under which a code is kept.
fn hash(device: DeviceId, code: OnSiteCode) -> Vec<u8> {
    Sha256::digest(format!("{device}|{}", code.reveal())).to_vec()
}

/// Checks the code that somebody typed for a device. A right code also enrols the key that showed it. Commit the
/// transaction whatever the answer is, because wrong tries count; then ring `kits.jobs`.
pub async fn verify_on_site_code(
    tx: &mut Tx,
    kits: &Kits,
    device: DeviceId,
    code: OnSiteCode,
) -> Result<CodeCheck, VerifyError> {
    let now = kits.now();
    if !store::inventory::lock(tx, device).await? {
        return Ok(CodeCheck::NoneShown);
    }
    let live: Vec<Code> = live(tx, now, device).await?;
    if live.is_empty() {
        return Ok(CodeCheck::NoneShown);
    }
    let typed = hash(device, code);
    let Some(found) = live.iter().find(|shown| bool::from(shown.hash.ct_eq(&typed))) else {
        let tries = store::codes::count_try(tx, device).await?;
        if tries < OnSiteCode::TRIES {
            return Ok(CodeCheck::Wrong { left: OnSiteCode::TRIES - tries });
        }
        store::codes::end_all(tx, now, device).await?;
        accept::note(tx, kits, now, device, "on_site_code_locked", serde_json::json!({})).await?;
        if live.iter().any(|shown| shown.enrolment.is_none()) {
            commands::renew_code(tx, now, &kits.random, device).await?;
        }
        return Ok(CodeCheck::Locked);
    };
    let newcomer = match found.enrolment {
        Some(id) => match newcomer(tx, now, device, id).await? {
            Some(newcomer) => Some(newcomer),
            None => return Ok(CodeCheck::Disputed),
        },
        None => None,
    };
    store::codes::end_all(tx, now, device).await?;
    store::codes::forget_tries(tx, device).await?;
    match newcomer {
        Some(enrolment) => {
            accept::accept(tx, kits, now, device, &enrolment).await?;
        }
        None => commands::renew_code(tx, now, &kits.random, device).await?,
    }
    Ok(CodeCheck::Right)
}

/// The waiting key that shows a code, if the code alone may let it in. Anybody who has read the label can make a key
/// wait and type the code it shows; so a code takes no device from a key that holds it, and chooses between no two.
async fn newcomer(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    id: EnrolmentId,
) -> Result<Option<Enrolment>, DbError> {
    let Some(row) = store::inventory::by_id(tx, device).await? else { return Ok(None) };
    let enrolment = store::enrolments::by_id(tx, id).await?;
    let Some(enrolment) = enrolment.filter(|enrolment| enrolment.state == EnrolmentState::Waiting) else {
        return Ok(None);
    };
    let disputed = enrol::live_key(tx, now, &row).await? || waiting::others_wait(tx, now, device, id).await?;
    Ok(Some(enrolment).filter(|_| !disputed))
}

/// Whether `secret` is the one in the QR of this device's label.
pub async fn verify_label_secret(
    tx: &mut Tx,
    kits: &Kits,
    device: DeviceId,
    secret: &ClaimSecret,
) -> Result<bool, VerifyError> {
    let Some(row) = store::inventory::by_id(tx, device).await? else { return Ok(false) };
    let Some(batch) = row.batch.as_deref() else { return Ok(false) };
    let Some(key) = kits.pki.batch(batch)? else { return Ok(false) };
    let expected = key.label_secret(row.names.id_code, &row.names.serial, row.names.mac);
    Ok(expected.reveal().as_bytes().ct_eq(secret.reveal().as_bytes()).into())
}

async fn live(tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<Vec<Code>, DbError> {
    let codes = store::codes::of_device(tx, device).await?;
    Ok(codes.into_iter().filter(|code| !code.ended && code.expires_at > now).collect())
}

/// The screen of an enrolled device shows a code.
pub(super) async fn shown(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    device: DeviceId,
    code: OnSiteCode,
) -> Result<(), DbError> {
    show(tx, now, random, device, None, code).await.map(|_| ())
}

/// The screen of a waiting key shows a code. Whether the code is good; a used, locked or old one is not.
pub(super) async fn shown_by(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    device: DeviceId,
    enrolment: &Enrolment,
    code: OnSiteCode,
) -> Result<bool, DbError> {
    if enrolment.state != EnrolmentState::Waiting {
        return Ok(false);
    }
    show(tx, now, random, device, Some(enrolment), code).await
}

async fn show(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    device: DeviceId,
    enrolment: Option<&Enrolment>,
    code: OnSiteCode,
) -> Result<bool, DbError> {
    let (hash, screen) = (hash(device, code), enrolment.map(|enrolment| enrolment.id));
    let known = store::codes::of_device(tx, device).await?;
    if let Some(known) = known.iter().find(|known| known.hash == hash) {
        return Ok(!known.ended && known.expires_at > now);
    }
    if !known.iter().any(|known| !known.ended && known.expires_at > now) {
        // Tries are counted against the codes that are live; with none left, counting begins anew.
        store::codes::forget_tries(tx, device).await?;
    }
    store::codes::end_of_screen(tx, now, device, screen).await?;
    let code = Code {
        id: gatelodge_proto::CommandId::make(now, random).uuid(),
        enrolment: screen,
        hash,
        expires_at: now + OnSiteCode::VALID,
        ended: false,
    };
    store::codes::insert(tx, now, device, &code).await?;
    Ok(true)
}
