//! An installer adds a device: *check* says whether it may be registered, *save* does it. Both ask the same questions
//! in the same order; check changes nothing but the count of wrong tries.

use std::time::Duration;

use gatelodge_proto::{DeviceId, RegistrationId, payload::Life};
use serde_json::json;

use super::{
    jobs,
    machine::{Found, Open, Registration, Tie},
    mail_limit::count_link,
    model::{Claim, CustomerData, Presence},
    record::record,
    store,
};
use crate::{
    accounts::{
        model::Network,
        rights::InstallerMember,
        service::{self as accounts, Throttled, throttle},
    },
    db::{DbError, Tx},
    devices::{
        model::Device,
        service::{self as devices, ChangeError, CodeCheck, VerifyError, verify_label_secret, verify_on_site_code},
    },
    i18n::Language,
    kits::Kits,
};

/// Checks one user may make in ten minutes.
const PER_USER: u32 = 30;
/// Checks one network may make in ten minutes.
const PER_NETWORK: u32 = 60;
/// Wrong answers that everybody together may get in an hour; past that somebody is guessing at scale.
const WRONG_PER_HOUR: u32 = 1_000;
const TEN_MINUTES: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);

/// Why a device may not be registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterRefusal {
    /// No such ID code, no such MAC address, or the two are not of one device: one answer for all.
    #[error("ID code and MAC address do not belong to the same device: compare both with the label")]
    UnknownPair,
    /// Registered by the installer who asks.
    #[error("you have registered this device already: you find it among your devices")]
    Yours(DeviceId),
    /// Registered by somebody else.
    #[error("this device is registered already: its owner has to release it first")]
    Taken,
    /// Out of service for good.
    #[error("this device is retired: ask the vendor")]
    Retired,
    /// Its agent has no certificate yet.
    #[error("this device has not connected yet: plug it in, wait until its page shows a code, then try again")]
    NotConnected,
    /// Another device has it.
    #[error("this web address is in use: choose another")]
    WebAddressInUse,
    /// Not the code that the device shows.
    #[error("this is not the code the device shows; tries left: {left}")]
    WrongCode {
        /// Tries until the device must show a new code.
        left: u32,
    },
    /// Too many wrong tries: even the right code is void now.
    #[error("the code was typed wrongly too often and is void: let the device show a new one and type that")]
    Locked,
    /// The device shows no code, or it is too old.
    #[error("the device shows no code that still counts: let it show a new one and type that")]
    NoCodeShown,
    /// Another key holds the device, or waits for it too.
    #[error("more than one key claims to be this device, so its code is not enough: ask the vendor to look at it")]
    Disputed,
    /// Not the secret of this label.
    #[error("this is not the secret of this device's label: scan the label once more")]
    WrongLabelSecret,
    /// Whoever had the device before knows it.
    #[error("this device has had an owner, so its label's secret counts no more: let it show a code and type that")]
    LabelSecretOver,
    /// Too many tries.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The proof could not be looked at.
    #[error("the proof of being there could not be checked")]
    Verify(#[source] VerifyError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<VerifyError> for RegisterRefusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Db(error) => Self::Database(error),
            error @ VerifyError::Pki(_) => Self::Verify(error),
        }
    }
}

impl RegisterRefusal {
    /// The stable word for problem codes and locale keys.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::UnknownPair => "unknown_pair",
            Self::Yours(_) => "yours",
            Self::Taken => "taken",
            Self::Retired => "retired",
            Self::NotConnected => "not_connected",
            Self::WebAddressInUse => "web_address_in_use",
            Self::WrongCode { .. } => "wrong_on_site_code",
            Self::Locked => "on_site_code_locked",
            Self::NoCodeShown => "no_on_site_code",
            Self::Disputed => "disputed_key",
            Self::WrongLabelSecret => "wrong_label_secret",
            Self::LabelSecretOver => "label_secret_over",
            Self::Throttled(_) => "throttled",
            Self::Verify(_) | Self::Database(_) => "unavailable",
        }
    }

    /// Whether the answer tells a guesser that they guessed wrong.
    const fn is_wrong_guess(&self) -> bool {
        matches!(self, Self::UnknownPair | Self::WrongCode { .. } | Self::Locked | Self::WrongLabelSecret)
    }
}

/// Says whether `claim` may be registered, and for which device. Changes nothing but the count of tries.
pub async fn check(
    kits: &Kits,
    by: &InstallerMember,
    network: &Network,
    claim: &Claim,
) -> Result<Device, RegisterRefusal> {
    guard(kits, by, network).await?;
    let mut tx = kits.db.write().await?;
    match examine(&mut tx, kits, by, claim).await {
        // Undone: a right code is used up by saving alone.
        Ok(device) => Ok(device),
        Err(refusal) => Err(refused(kits, tx, refusal).await),
    }
}

/// Registers a device: the registration, the device's life, the waiting key's approval, the customer's user, the
/// audit row, the mails and the word to the device, in one transaction or not at all. `language` is what the customer
/// reads when the address is new here.
pub async fn save(
    kits: &Kits,
    by: &InstallerMember,
    network: &Network,
    claim: &Claim,
    data: Option<CustomerData>,
    language: Language,
) -> Result<RegistrationId, RegisterRefusal> {
    guard(kits, by, network).await?;
    let mut tx = kits.db.write().await?;
    let device = match examine(&mut tx, kits, by, claim).await {
        Ok(device) => device,
        Err(refusal) => return Err(refused(kits, tx, refusal).await),
    };
    match write(&mut tx, kits, by, claim, &device, data, language).await {
        Ok(id) => {
            tx.commit().await?;
            kits.jobs.ring();
            Ok(id)
        }
        Err(refusal) => Err(refusal),
    }
}

async fn guard(kits: &Kits, by: &InstallerMember, network: &Network) -> Result<(), RegisterRefusal> {
    throttle(kits, "check_user", &by.member().user_id.to_string(), PER_USER, TEN_MINUTES).await??;
    throttle(kits, "check_network", network.as_str(), PER_NETWORK, TEN_MINUTES).await??;
    Ok(())
}

/// Keeps the count of a wrong try, and the count of everybody's. Whatever else was done on the way is undone.
async fn refused(kits: &Kits, tx: Tx, refusal: RegisterRefusal) -> RegisterRefusal {
    if matches!(refusal, RegisterRefusal::WrongCode { .. } | RegisterRefusal::Locked) {
        if let Err(error) = tx.commit().await {
            return error.into();
        }
        kits.jobs.ring();
    } else {
        drop(tx);
    }
    if !refusal.is_wrong_guess() {
        return refusal;
    }
    match throttle(kits, "check_wrong", "everybody", WRONG_PER_HOUR, HOUR).await {
        Ok(Ok(())) => refusal,
        Ok(Err(throttled)) => {
            tracing::warn!("codes of devices are being guessed: the hourly limit of wrong checks is reached");
            throttled.into()
        }
        Err(error) => error.into(),
    }
}

/// Asks every question in turn, while nobody else changes the device. A right on-site code is used up and enrols the
/// key that showed it, within `tx`.
async fn examine(tx: &mut Tx, kits: &Kits, by: &InstallerMember, claim: &Claim) -> Result<Device, RegisterRefusal> {
    let device = devices::hold_by_label(tx, claim.id_code, claim.mac).await?.ok_or(RegisterRefusal::UnknownPair)?;
    if device.life == Life::Retired {
        return Err(RegisterRefusal::Retired);
    }
    if let Some(found) = store::live(tx, device.id).await? {
        let yours = found.tie().installer == by.member().organisation_id;
        return Err(if yours { RegisterRefusal::Yours(device.id) } else { RegisterRefusal::Taken });
    }
    if store::is_web_address_taken(tx, &claim.web_address).await? {
        return Err(RegisterRefusal::WebAddressInUse);
    }
    match &claim.presence {
        Presence::OnSiteCode(code) => match verify_on_site_code(tx, kits, device.id, *code).await? {
            CodeCheck::Right => {}
            CodeCheck::Wrong { left } => return Err(RegisterRefusal::WrongCode { left }),
            CodeCheck::Locked => return Err(RegisterRefusal::Locked),
            CodeCheck::NoneShown => return Err(RegisterRefusal::NoCodeShown),
            CodeCheck::Disputed => return Err(RegisterRefusal::Disputed),
        },
        Presence::LabelSecret(secret) => {
            if !verify_label_secret(tx, kits, device.id, secret).await? {
                return Err(RegisterRefusal::WrongLabelSecret);
            }
            if device.epoch > Device::FIRST_EPOCH {
                return Err(RegisterRefusal::LabelSecretOver);
            }
        }
    }
    // Looked at again: a right code has just enrolled the key of a device that was new.
    let device = devices::device(tx, device.id).await?.ok_or(RegisterRefusal::UnknownPair)?;
    match device.life {
        Life::Enrolled => Ok(device),
        Life::Manufactured | Life::Released => Err(RegisterRefusal::NotConnected),
        Life::Registered | Life::Active => Err(RegisterRefusal::Taken),
        Life::Retired => Err(RegisterRefusal::Retired),
    }
}

async fn write(
    tx: &mut Tx,
    kits: &Kits,
    by: &InstallerMember,
    claim: &Claim,
    device: &Device,
    data: Option<CustomerData>,
    language: Language,
) -> Result<RegistrationId, RegisterRefusal> {
    let (member, now) = (by.member(), kits.now());
    count_link(tx, now, device.id, &claim.email).await??;
    let name = data.as_ref().map_or("", |data| data.company.as_deref().unwrap_or(&data.name));
    let customer = accounts::find_or_create_customer_user(tx, now, &kits.random, &claim.email, name, language).await?;
    let registration = Registration {
        tie: Tie {
            id: RegistrationId::make(now, &kits.random),
            device: device.id,
            epoch: device.epoch,
            installer: member.organisation_id,
            web_address: claim.web_address.clone(),
            registered_at: now,
            data,
        },
        state: Open { email: claim.email.clone(), customer_user: customer.id },
    };
    let id = registration.tie.id;
    store::insert(tx, &registration, member.user_id).await.map_err(overtaken)?;
    devices::register(tx, device.id).await?;
    let details = json!({ "email": claim.email.as_str(), "web_address": claim.web_address.as_str() });
    record(tx, kits, member, device.id, "device_registered", details, vec![member.organisation_id]).await?;
    if customer.needs_password {
        accounts::mail_welcome(tx, now, &kits.random, customer.id, member.organisation_id).await?;
    }
    jobs::enqueue_link(tx, kits, id).await?;
    super::service::tell(tx, kits, &Found::Open(registration)).await?;
    Ok(id)
}

/// Somebody was faster between the look and the write; nothing of this transaction stays.
fn overtaken(error: DbError) -> RegisterRefusal {
    if error.is_taken("web_address") {
        RegisterRefusal::WebAddressInUse
    } else if error.is_taken("device") {
        RegisterRefusal::Taken
    } else {
        error.into()
    }
}

impl From<ChangeError> for RegisterRefusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Missing => Self::UnknownPair,
            ChangeError::Refused(refusal) => match refusal {
                devices::Refusal::Retired => Self::Retired,
                devices::Refusal::NotEnrolled => Self::NotConnected,
                devices::Refusal::Taken | devices::Refusal::NotRegistered | devices::Refusal::NotActive => Self::Taken,
            },
            ChangeError::Verify(error) => error.into(),
            ChangeError::Db(error) => error.into(),
        }
    }
}
