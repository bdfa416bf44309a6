//! Enrolment: a key that was born on a device gets its certificate, or learns what it waits for. Asking again with
//! the same key is polling.

mod gate;
mod named;
mod secret;
mod standing;

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, EnrolmentId, Timestamp,
    enrol::{Answer, Credentials, Proof, Request, Wait},
};
use serde_json::json;

use self::{
    gate::limit,
    named::{Named, find},
    secret::check_secret,
};
pub use self::{secret::nonce, standing::standing};

use super::{
    accept::{accept, issue, note},
    machine,
    model::{Certificate, CertificateState, Device, Enrolment, EnrolmentState, ProofKind},
    store,
    verify::{self, VerifyError},
    waiting,
};
use crate::{
    accounts::service::{Throttled, tally, throttle},
    db::{DbError, Tx},
    kits::Kits,
    pki::{Csr, InvalidCsr, PkiError, RENEWAL_GRACE},
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// New keys with names that the inventory does not know, of one network a day, that the vendor gets to see.
const MOST_UNKNOWN: u32 = 200;
/// Wrong proofs in the name of one device.
const WRONG_LIMIT: u32 = 20;
/// An expired certificate within its grace is worth this much before it is renewed again.
const NEARLY_OVER: Duration = Duration::from_secs(86_400);

/// Why an enrolment was refused. Waiting is no refusal.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The CSR.
    #[error(transparent)]
    Csr(#[from] InvalidCsr),
    /// The proof is not the one this device has to give.
    #[error("this device proves itself in another way: {0}")]
    OtherProof(&'static str),
    /// The answer to the nonce is wrong.
    #[error("the factory secret does not fit this ID code, MAC and serial")]
    WrongProof,
    /// The nonce was never given out, is used or too old.
    #[error("the nonce is used or too old; ask for a new one")]
    Nonce,
    /// The vendor has said no to this key, or its time is over.
    #[error("this key is not accepted any more; make a new one")]
    KeyOver,
    /// Retired.
    #[error(transparent)]
    Retired(#[from] machine::Refusal),
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Signing.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

impl From<VerifyError> for EnrolError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Db(error) => Self::Db(error),
            VerifyError::Pki(error) => Self::Pki(error),
        }
    }
}

/// A key asks for its certificate.
pub async fn enrol(kits: &Kits, network: &str, request: &Request) -> Result<Answer, EnrolError> {
    limit(kits, network).await?;
    let csr = Csr::parse(&request.csr)?;
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let outcome = answer(&mut tx, kits, now, network, request, &csr).await;
    match outcome {
        // A refusal changes nothing but the nonce, which is used up all the same.
        Ok(_) | Err(EnrolError::WrongProof) => tx.commit().await?,
        Err(_) => drop(tx),
    }
    if let Err(EnrolError::WrongProof) = &outcome {
        let names = format!("{}|{}", request.mac, request.serial.folded());
        throttle(kits, "enrol-wrong", &names, WRONG_LIMIT, HOUR).await??;
    }
    kits.jobs.ring();
    outcome
}

async fn answer(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    network: &str,
    request: &Request,
    csr: &Csr,
) -> Result<Answer, EnrolError> {
    let earlier = store::enrolments::by_key(tx, &csr.thumbprint_hex()).await?;
    if let Some(answer) = decided(tx, kits, now, earlier.as_ref(), csr).await? {
        return Ok(answer);
    }
    let mut enrolment = Enrolment {
        id: earlier.as_ref().map_or_else(|| EnrolmentId::make(now, &kits.random), |earlier| earlier.id),
        key_thumbprint: csr.thumbprint_hex(),
        csr: request.csr.clone(),
        device: None,
        id_code: request.id_code,
        mac: request.mac,
        serial: request.serial.clone(),
        model: request.model.chars().take(120).collect(),
        agent_version: request.agent_version.chars().take(60).collect(),
        proof: match request.proof {
            Proof::FactorySecret { .. } => ProofKind::FactorySecret,
            Proof::OnSiteCode { .. } => ProofKind::OnSiteCode,
        },
        state: EnrolmentState::Quarantined,
        reason: Some("unknown".into()),
        network: network.to_owned(),
        created_at: earlier.as_ref().map_or(now, |earlier| earlier.created_at),
        seen_at: now,
    };
    let device = match find(tx, request).await? {
        Named::One(device) => *device,
        named => {
            enrolment.reason =
                Some(if matches!(named, Named::Contradiction) { "contradiction" } else { "unknown" }.into());
            // What is left out here is taken in when the inventory knows its names; the device asks on.
            if earlier.is_some() || tally(tx, now, "enrol-unknown", network, DAY).await?.count <= MOST_UNKNOWN {
                store::enrolments::put(tx, &enrolment).await?;
            }
            return Ok(wait(Wait::UnknownHardware));
        }
    };
    enrolment.device = Some(device.id);
    // What was read so far may have changed before the device was held: its key may be the accepted one by now.
    let Some(device) = store::inventory::hold(tx, device.id).await? else { return Ok(wait(Wait::UnknownHardware)) };
    let earlier = store::enrolments::by_key(tx, &csr.thumbprint_hex()).await?;
    if let Some(answer) = decided(tx, kits, now, earlier.as_ref(), csr).await? {
        return Ok(answer);
    }
    machine::Found::of(device.id, device.epoch, device.life).enrol()?;
    let taken = live_key(tx, now, &device).await?;
    match (&request.proof, device.proof) {
        (Proof::FactorySecret { nonce, answer }, ProofKind::FactorySecret) => {
            check_secret(tx, kits, now, &device, csr, nonce, answer).await?;
            if taken {
                return conflict(tx, kits, now, enrolment).await;
            }
            enrolment.state = EnrolmentState::Waiting;
            store::enrolments::put(tx, &enrolment).await?;
            let certificate = accept(tx, kits, now, device.id, &enrolment).await?;
            credentials(tx, kits, &certificate).await
        }
        (Proof::OnSiteCode { code }, ProofKind::OnSiteCode) => {
            if earlier.is_none() {
                waiting::make_room(tx, now, device.id).await?;
            }
            if taken {
                return conflict(tx, kits, now, enrolment).await;
            }
            let several = waiting::others_wait(tx, now, device.id, enrolment.id).await?;
            enrolment.state = EnrolmentState::Waiting;
            enrolment.reason = several.then(|| Enrolment::SEVERAL_KEYS.to_owned());
            store::enrolments::put(tx, &enrolment).await?;
            if several {
                note_conflict(tx, kits, now, device.id, earlier.is_none(), Enrolment::SEVERAL_KEYS).await?;
            }
            let good = verify::shown_by(tx, now, &kits.random, device.id, &enrolment, *code).await?;
            Ok(wait(if good { Wait::OnSiteCode } else { Wait::NewOnSiteCode }))
        }
        (Proof::FactorySecret { .. }, ProofKind::OnSiteCode) => Err(EnrolError::OtherProof("by an on-site code")),
        (Proof::OnSiteCode { .. }, ProofKind::FactorySecret) => Err(EnrolError::OtherProof("by its factory secret")),
    }
}

/// The answer to a key about which somebody has decided; `None` while nobody has.
async fn decided(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    earlier: Option<&Enrolment>,
    csr: &Csr,
) -> Result<Option<Answer>, EnrolError> {
    let Some(earlier) = earlier else { return Ok(None) };
    match earlier.state {
        EnrolmentState::Enrolled => known_key(tx, kits, now, earlier, csr).await.map(Some),
        EnrolmentState::Refused | EnrolmentState::Ended => Err(EnrolError::KeyOver),
        EnrolmentState::Waiting | EnrolmentState::Quarantined | EnrolmentState::Conflict => Ok(None),
    }
}

/// A key that was accepted before: its certificate again, or the next one when it is at its end.
async fn known_key(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    enrolment: &Enrolment,
    csr: &Csr,
) -> Result<Answer, EnrolError> {
    let Some(device) = enrolment.device else { return Err(EnrolError::KeyOver) };
    let Some(device) = store::inventory::hold(tx, device).await? else { return Err(EnrolError::KeyOver) };
    machine::Found::of(device.id, device.epoch, device.life).enrol()?;
    let newest = store::certificates::by_key(tx, &csr.thumbprint_hex()).await?.into_iter().next();
    let Some(newest) =
        newest.filter(|newest| newest.state == CertificateState::Current && newest.epoch == device.epoch)
    else {
        return Err(EnrolError::KeyOver);
    };
    if newest.not_after > now + NEARLY_OVER {
        return credentials(tx, kits, &newest).await;
    }
    if newest.not_after + RENEWAL_GRACE < now {
        return Err(EnrolError::KeyOver);
    }
    let issued = issue(tx, kits, now, &device, csr).await?;
    note(tx, kits, now, device.id, "device_certificate_renewed", json!({ "expired": newest.not_after <= now })).await?;
    credentials(tx, kits, &issued).await
}

/// Whether a key of this ownership can still connect, or be renewed.
pub(super) async fn live_key(tx: &mut Tx, now: Timestamp, device: &Device) -> Result<bool, DbError> {
    let current = store::certificates::current(tx, device.id).await?;
    Ok(current
        .iter()
        .any(|certificate| certificate.epoch == device.epoch && certificate.not_after + RENEWAL_GRACE > now))
}

/// The newcomer becomes evidence; the live key stays.
async fn conflict(tx: &mut Tx, kits: &Kits, now: Timestamp, mut enrolment: Enrolment) -> Result<Answer, EnrolError> {
    let first_time = store::enrolments::by_key(tx, &enrolment.key_thumbprint).await?.is_none();
    enrolment.state = EnrolmentState::Conflict;
    enrolment.reason = Some("live_key".into());
    store::enrolments::put(tx, &enrolment).await?;
    if let Some(device) = enrolment.device {
        note_conflict(tx, kits, now, device, first_time, "live_key").await?;
    }
    Ok(wait(Wait::Conflict))
}

pub(super) async fn note_conflict(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    device: DeviceId,
    first_time: bool,
    reason: &str,
) -> Result<(), DbError> {
    if first_time {
        note(tx, kits, now, device, "device_conflict", json!({ "reason": reason })).await?;
    }
    Ok(())
}

async fn credentials(tx: &mut Tx, kits: &Kits, certificate: &Certificate) -> Result<Answer, EnrolError> {
    let device = store::inventory::by_id(tx, certificate.device).await?;
    let epoch = device.map_or(certificate.epoch, |device| device.epoch);
    Ok(Answer::Enrolled(Box::new(Credentials {
        device: certificate.device,
        epoch,
        chain: certificate.chain.clone(),
        device_ca: kits.pki.device_ca().to_owned(),
        session_ca: kits.pki.session_ca().to_owned(),
        grant_key: kits.pki.grant_public_key().to_string(),
        mqtt: kits.endpoint.public_address(&kits.config),
    })))
}

fn wait(wait: Wait) -> Answer {
    let retry_after_s = match wait {
        Wait::OnSiteCode => 5,
        Wait::NewOnSiteCode => 2,
        Wait::UnknownHardware | Wait::Conflict => 60,
    };
    Answer::Waiting { wait, retry_after_s }
}
