//! What the customer changes on an active device: the rule for remote access, and the name of the device's own pages.

use gatelodge_proto::{DeviceId, OrganisationId, identity::WebAddress, payload::Consent};
use serde_json::json;

use super::{
    machine::{Active, Found, Refusal, Registration},
    record::record,
    store,
};
use crate::{
    accounts::rights::CustomerMember,
    db::{DbError, Tx},
    kits::Kits,
};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RuleRefusal {
    /// No such device, or it is another customer's: both look the same.
    #[error("there is no such device among yours")]
    Unknown,
    /// Not active.
    #[error(transparent)]
    State(#[from] Refusal),
    /// Another device has it.
    #[error("this web address is in use: choose another")]
    WebAddressInUse,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Changes the rule for remote access. Sessions that the new rule does not allow end within seconds.
pub async fn set_consent(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    consent: Consent,
) -> Result<(), RuleRefusal> {
    let member = by.member();
    // Withdrawing it must work when nothing else does.
    let withdrawn = consent == Consent::Never;
    let mut tx = if withdrawn { kits.db.write_on_reserve().await? } else { kits.db.write().await? };
    let active = held(&mut tx, member.organisation_id, device).await?;
    if active.state.consent == consent {
        return Ok(());
    }
    let readers = vec![active.tie.installer, active.state.customer];
    let changed = active.set_consent(consent);
    store::set_consent(&mut tx, &changed).await?;
    let details = json!({ "consent": consent.word() });
    record(&mut tx, kits, member, device, "consent_changed", details, readers).await?;
    super::service::tell(&mut tx, kits, &Found::Active(changed)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Gives the device's own pages another name.
pub async fn set_web_address(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    web_address: WebAddress,
) -> Result<(), RuleRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    let active = held(&mut tx, member.organisation_id, device).await?;
    if active.tie.web_address == web_address {
        return Ok(());
    }
    let readers = vec![active.tie.installer, active.state.customer];
    let changed = active.set_web_address(web_address);
    match store::set_web_address(&mut tx, &changed).await {
        Err(error) if error.is_taken("web_address") => return Err(RuleRefusal::WebAddressInUse),
        outcome => outcome?,
    }
    let details = json!({ "web_address": changed.tie.web_address.as_str() });
    record(&mut tx, kits, member, device, "web_address_changed", details, readers).await?;
    super::service::tell(&mut tx, kits, &Found::Active(changed)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

pub(super) async fn held(
    tx: &mut Tx,
    customer: OrganisationId,
    device: DeviceId,
) -> Result<Registration<Active>, RuleRefusal> {
    let found = store::hold_live(tx, device).await?.ok_or(RuleRefusal::Unknown)?;
    match found {
        Found::Active(active) if active.state.customer == customer => Ok(active),
        Found::Active(_) | Found::Open(_) | Found::Ended(_) => Err(RuleRefusal::Unknown),
    }
}
