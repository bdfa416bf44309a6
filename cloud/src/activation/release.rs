//! The customer gives a device back. In one transaction: the registration ends, the ownership epoch grows, every
//! certificate is void and the connection is cut. Sessions fall with the registration.

use gatelodge_proto::{DeviceId, identity::IdCode};
use serde_json::json;

use super::{
    jobs,
    machine::Registration,
    record::record,
    rule::{self, RuleRefusal},
    store,
};
use crate::{
    accounts::rights::CustomerMember,
    db::DbError,
    devices::service::{self as devices, ChangeError},
    kits::Kits,
};

/// Why a device was not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseRefusal {
    /// No such device, or it is another customer's: both look the same.
    #[error("there is no such device among yours")]
    Unknown,
    /// Something else was typed.
    #[error("type `{0}` to release the device; what you typed is not its name")]
    NotTheName(String),
    /// The device's life does not allow it.
    #[error(transparent)]
    Device(#[from] ChangeError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<RuleRefusal> for ReleaseRefusal {
    fn from(refusal: RuleRefusal) -> Self {
        match refusal {
            RuleRefusal::Database(error) => Self::Database(error),
            RuleRefusal::Unknown
            | RuleRefusal::State(_)
            | RuleRefusal::Windows
            | RuleRefusal::OtherInstaller
            | RuleRefusal::WebAddressInUse => Self::Unknown,
        }
    }
}

/// Releases a device; `typed` must be its web address or its ID code.
pub async fn release(kits: &Kits, by: &CustomerMember, device: DeviceId, typed: &str) -> Result<(), ReleaseRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write_on_reserve().await?;
    let active = rule::held(&mut tx, member.organisation_id, device).await?;
    let view = store::of_customer(&mut tx, member.organisation_id, device).await?.ok_or(ReleaseRefusal::Unknown)?;
    let typed = typed.trim();
    let is_name = typed.eq_ignore_ascii_case(active.tie.web_address.as_str());
    let is_code = typed.parse::<IdCode>().is_ok_and(|code| code == view.id_code);
    if !is_name && !is_code {
        return Err(ReleaseRefusal::NotTheName(active.tie.web_address.to_string()));
    }
    let readers = vec![active.tie.installer, active.state.customer];
    let Registration { tie, .. } = &active;
    let details = json!({ "web_address": tie.web_address.as_str() });
    record(&mut tx, kits, member, device, "device_released", details, readers).await?;
    let id = tie.id;
    store::end(&mut tx, &active.release(now)).await?;
    jobs::enqueue_released(&mut tx, kits, id).await?;
    match devices::release(&mut tx, now, &kits.random, device).await {
        // The vendor has shut a retired device out already; the tie to its owner is what ends here.
        Ok(_) | Err(ChangeError::Refused(devices::Refusal::Retired)) => {}
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}
