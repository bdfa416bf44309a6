//! What the installer repairs while the customer has not confirmed: the link sent again, a mistyped address, the whole
//! registration taken back.

use gatelodge_proto::{DeviceId, OrganisationId, identity::EmailAddress};
use serde_json::json;

use super::{
    jobs,
    machine::{Found, Open, Refusal, Registration},
    mail_limit::count_link,
    record::record,
    store,
};
use crate::{
    accounts::{
        rights::InstallerMember,
        service::{self as accounts, Throttled},
        tokens::{self, Purpose},
    },
    db::{DbError, Tx},
    devices::service::{self as devices, ChangeError},
    i18n::Language,
    kits::Kits,
};

/// Why a registration was not amended.
#[derive(Debug, thiserror::Error)]
pub enum AmendRefusal {
    /// No such device, or it is another installer's: both look the same.
    #[error("there is no such device among yours")]
    Unknown,
    /// Confirmed or over already.
    #[error(transparent)]
    State(#[from] Refusal),
    /// The address is the one there is.
    #[error("the link already goes to this address; send it again instead")]
    SameAddress,
    /// Too many mails.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The device's life does not allow it.
    #[error(transparent)]
    Device(#[from] ChangeError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Sends the activation link again; the one before is void once the new mail is handed over.
pub async fn resend(kits: &Kits, by: &InstallerMember, device: DeviceId) -> Result<(), AmendRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    let open = held(&mut tx, member.organisation_id, device).await?;
    count_link(&mut tx, kits.now(), device, &open.state.email).await??;
    let details = json!({ "email": open.state.email.as_str() });
    record(&mut tx, kits, member, device, "link_sent", details, vec![member.organisation_id]).await?;
    // A customer who never chose a password needs that link again too; the first one lives for minutes only.
    let customer = open.state.customer_user;
    if accounts::user(&mut tx, customer).await?.is_some_and(|user| !user.has_password) {
        accounts::mail_welcome(&mut tx, kits.now(), &kits.random, customer, member.organisation_id).await?;
    }
    jobs::enqueue_link(&mut tx, kits, open.tie.id).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Sends the link to another address instead. The old link is void from this moment.
pub async fn correct_email(
    kits: &Kits,
    by: &InstallerMember,
    device: DeviceId,
    email: EmailAddress,
    language: Language,
) -> Result<(), AmendRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let open = held(&mut tx, member.organisation_id, device).await?;
    if open.state.email == email {
        return Err(AmendRefusal::SameAddress);
    }
    count_link(&mut tx, now, device, &email).await??;
    let name = open.tie.data.as_ref().map_or("", |data| data.company.as_deref().unwrap_or(&data.name));
    let customer = accounts::find_or_create_customer_user(&mut tx, now, &kits.random, &email, name, language).await?;
    let details = json!({ "email": email.as_str() });
    let corrected = open.correct_email(email, customer.id);
    store::set_email(&mut tx, &corrected).await?;
    tokens::void(&mut tx, now, Purpose::Activation, corrected.tie.id.uuid()).await?;
    record(&mut tx, kits, member, device, "email_corrected", details, vec![member.organisation_id]).await?;
    if customer.needs_password {
        accounts::mail_welcome(&mut tx, now, &kits.random, customer.id, member.organisation_id).await?;
    }
    jobs::enqueue_link(&mut tx, kits, corrected.tie.id).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Takes a registration back before it is confirmed. The link is void and the device may be registered again.
pub async fn cancel(kits: &Kits, by: &InstallerMember, device: DeviceId) -> Result<(), AmendRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let open = held(&mut tx, member.organisation_id, device).await?;
    let details = json!({ "email": open.state.email.as_str(), "web_address": open.tie.web_address.as_str() });
    let cancelled = open.cancel(now);
    store::end(&mut tx, &cancelled).await?;
    tokens::void(&mut tx, now, Purpose::Activation, cancelled.tie.id.uuid()).await?;
    match devices::cancel(&mut tx, device).await {
        // The vendor has shut a retired device out already; the registration is what ends here.
        Ok(_) | Err(ChangeError::Refused(devices::Refusal::Retired)) => {}
        Err(error) => return Err(error.into()),
    }
    record(&mut tx, kits, member, device, "registration_cancelled", details, vec![member.organisation_id]).await?;
    super::service::tell(&mut tx, kits, &Found::Ended(cancelled)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

async fn held(tx: &mut Tx, installer: OrganisationId, device: DeviceId) -> Result<Registration<Open>, AmendRefusal> {
    let found = store::hold_live(tx, device).await?.filter(|found| found.tie().installer == installer);
    Ok(found.ok_or(AmendRefusal::Unknown)?.open()?)
}
