//! The customer changes installer: a link to the other one's address, which somebody signed in there follows. In the
//! transaction in which they take over, the right of the installer before ends: their registration is over, and the
//! sessions that stand on it fall.

use gatelodge_proto::{DeviceId, RegistrationId, identity::EmailAddress, payload::Life};
use serde_json::json;

use super::{
    jobs,
    machine::Found,
    mail_limit::count_link,
    model::{LinkFault, Offered, RegistrationView, State},
    record::record,
    rule::{self, RuleRefusal},
    store,
};
use crate::{
    accounts::{
        rights::{CustomerMember, InstallerMember},
        service::Throttled,
        tokens::{self, Purpose, Secret},
    },
    db::DbError,
    kits::Kits,
};

/// Why nobody was asked to take over.
#[derive(Debug, thiserror::Error)]
pub enum OfferRefusal {
    /// No such device, or it is another customer's: both look the same.
    #[error("there is no such device among yours")]
    Unknown,
    /// Too many mails.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<RuleRefusal> for OfferRefusal {
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

/// Sends the other installer a link; one from before is void from this moment.
pub async fn offer(kits: &Kits, by: &CustomerMember, device: DeviceId, to: &EmailAddress) -> Result<(), OfferRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let active = rule::held(&mut tx, member.organisation_id, device).await?;
    count_link(&mut tx, now, device, to).await??;
    store::offer(&mut tx, active.tie.id, to, now).await?;
    tokens::void(&mut tx, now, Purpose::TakeOver, active.tie.id.uuid()).await?;
    let details = json!({ "email": to.as_str() });
    record(&mut tx, kits, member, device, "take_over_offered", details, vec![active.state.customer]).await?;
    jobs::enqueue_take_over_link(&mut tx, kits, active.tie.id).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Takes the link back.
pub async fn withdraw(kits: &Kits, by: &CustomerMember, device: DeviceId) -> Result<(), OfferRefusal> {
    let member = by.member();
    let mut tx = kits.db.write_on_reserve().await?;
    let active = rule::held(&mut tx, member.organisation_id, device).await?;
    let Some(offered) = store::offered(&mut tx, active.tie.id).await? else { return Ok(()) };
    store::withdraw(&mut tx, active.tie.id).await?;
    tokens::void(&mut tx, kits.now(), Purpose::TakeOver, active.tie.id.uuid()).await?;
    let details = json!({ "email": offered.to.as_str() });
    record(&mut tx, kits, member, device, "take_over_withdrawn", details, vec![active.state.customer]).await?;
    Ok(tx.commit().await?)
}

/// Whom the customer has asked, while nobody has taken over.
pub async fn offered(kits: &Kits, registration: RegistrationId) -> Result<Option<Offered>, DbError> {
    store::offered(&mut kits.db.read().await?, registration).await
}

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverRefusal {
    /// The link does nothing (any more).
    #[error("{}", sentence(*.0))]
    Link(LinkFault),
    /// The installer of the device follows the customer's link to another.
    #[error("your organisation is this device's installer already")]
    Yours(DeviceId),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<LinkFault> for TakeOverRefusal {
    fn from(fault: LinkFault) -> Self {
        Self::Link(fault)
    }
}

const fn sentence(fault: LinkFault) -> &'static str {
    match fault {
        LinkFault::Expired => "this link has expired: ask the customer to send it again",
        LinkFault::Used => {
            "this device was taken over with this link already: whoever did so finds it among their devices"
        }
        LinkFault::Superseded => "the customer has taken this link back or sent a newer one: open the newest mail",
        LinkFault::Withdrawn => "the device is not to be taken over any more: ask the customer",
        LinkFault::Unknown => "this link is not known: open it from the mail once more, in full",
    }
}

/// What a link is for, without using it up.
pub async fn look(kits: &Kits, secret: &Secret) -> Result<RegistrationView, TakeOverRefusal> {
    let mut tx = kits.db.read().await?;
    let peeked = tokens::peek(&mut tx, kits.now(), Purpose::TakeOver, secret).await?;
    let id = RegistrationId::from_uuid(peeked.map_err(LinkFault::from)?);
    let view = store::by_id(&mut tx, id).await?.ok_or(LinkFault::Unknown)?;
    if view.state == State::Active && view.life == Life::Active { Ok(view) } else { Err(LinkFault::Withdrawn.into()) }
}

/// Makes the organisation of whoever is signed in the device's installer. Gives the device.
pub async fn take_over(kits: &Kits, by: &InstallerMember, secret: &Secret) -> Result<DeviceId, TakeOverRefusal> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    // The registration is held before its link, as by whoever takes the link back.
    let id = tokens::peek(&mut tx, now, Purpose::TakeOver, secret).await?.map_err(LinkFault::from)?;
    let found = store::hold(&mut tx, RegistrationId::from_uuid(id)).await?.ok_or(LinkFault::Unknown)?;
    if tokens::consume(&mut tx, now, Purpose::TakeOver, secret).await?.is_none() {
        let why = tokens::peek(&mut tx, now, Purpose::TakeOver, secret).await?;
        return Err(why.map_or_else(LinkFault::from, |_| LinkFault::Used).into());
    }
    let active = found.active().map_err(|_| LinkFault::Withdrawn)?;
    let (device, before, customer) = (active.tie.device, active.tie.installer, active.state.customer);
    let view = store::by_id(&mut tx, active.tie.id).await?.ok_or(LinkFault::Unknown)?;
    if view.life != Life::Active {
        return Err(LinkFault::Withdrawn.into());
    }
    // The transaction is dropped, so the link stays good for whom it is meant for.
    if before == member.organisation_id {
        return Err(TakeOverRefusal::Yours(device));
    }
    let (ended, active) = active.hand_over(RegistrationId::make(now, &kits.random), member.organisation_id, now);
    if !store::hand_over(&mut tx, &ended, &active, member.user_id).await? {
        return Err(LinkFault::Withdrawn.into());
    }
    let details = json!({ "before": view.installer_name, "installer": member.organisation_name });
    record(&mut tx, kits, member, device, "installer_changed", details, vec![before, customer, member.organisation_id])
        .await?;
    jobs::enqueue_handed_over(&mut tx, kits, ended.tie.id, active.tie.id).await?;
    super::service::tell(&mut tx, kits, &Found::Active(active)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(device)
}
