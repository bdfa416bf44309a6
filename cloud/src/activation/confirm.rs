//! The customer confirms: from the link in the mail to an active device. Opening the link changes nothing; the link is
//! used up in the transaction of the confirmation and nowhere else.

use gatelodge_proto::{OrganisationId, RegistrationId, payload::Consent};
use serde_json::json;

use super::{
    jobs,
    machine::{Found, Refusal},
    model::{CustomerData, LinkFault, RegistrationView, State},
    record::record,
    store,
};
use crate::{
    accounts::{
        SignedIn,
        model::{Member, Organisation, OrganisationKind, PostalAddress, Role},
        service as accounts,
        tokens::{self, Purpose, Secret, TokenRefusal},
    },
    audit,
    db::{DbError, Tx},
    devices::service::{self as devices, ChangeError},
    kits::Kits,
};

/// Why nothing was confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmRefusal {
    /// The link does nothing (any more).
    #[error("{}", .0.sentence())]
    Link(LinkFault),
    /// Another account, or confirmed or over already.
    #[error(transparent)]
    State(#[from] Refusal),
    /// The organisation chosen is not one the customer administers.
    #[error("choose one of the organisations you administer, or add one")]
    Organisation,
    /// The device's life does not allow it.
    #[error(transparent)]
    Device(#[from] ChangeError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<LinkFault> for ConfirmRefusal {
    fn from(fault: LinkFault) -> Self {
        Self::Link(fault)
    }
}

/// Whom the device belongs to from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The customer organisation the user acts for or administers, else a new one named after the data.
    Usual,
    /// One that the user administers.
    Known(OrganisationId),
    /// A new one of this name.
    Another(String),
}

/// What the customer says when confirming.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// Their data, corrected.
    pub data: CustomerData,
    /// Their rule for remote access.
    pub consent: Consent,
    /// Whom the device belongs to.
    pub owner: Owner,
}

/// What a link is for, without using it up.
pub async fn look(kits: &Kits, secret: &Secret) -> Result<RegistrationView, ConfirmRefusal> {
    let mut tx = kits.db.read().await?;
    let peeked = tokens::peek(&mut tx, kits.now(), Purpose::Activation, secret).await?;
    let id = RegistrationId::from_uuid(peeked.map_err(LinkFault::from)?);
    let view = store::by_id(&mut tx, id).await?.ok_or(LinkFault::Unknown)?;
    match view.state {
        State::Open => Ok(view),
        State::Active => Err(LinkFault::Used.into()),
        State::Cancelled | State::Released | State::HandedOver => Err(LinkFault::Withdrawn.into()),
    }
}

/// What a link is for, if it was sent to whoever is signed in.
pub async fn look_as(kits: &Kits, by: &SignedIn, secret: &Secret) -> Result<RegistrationView, ConfirmRefusal> {
    let view = look(kits, secret).await?;
    if view.customer_user == by.member().user_id { Ok(view) } else { Err(Refusal::AnotherAccount.into()) }
}

/// The customer organisations that whoever is signed in may choose from, the one they act for first. One that was made
/// with the registration and has no address yet is no choice: it takes the data of this confirmation.
pub async fn owners(kits: &Kits, by: &SignedIn) -> Result<Vec<Organisation>, DbError> {
    let mut tx = kits.db.read().await?;
    let mut owners = Vec::new();
    for member in administered(&mut tx, by).await? {
        owners.extend(accounts::organisation(&mut tx, member.organisation_id).await?.filter(|known| !is_fresh(known)));
    }
    owners.sort_by_key(|organisation| organisation.id != by.member().organisation_id);
    Ok(owners)
}

/// Whether nobody has said yet where this organisation is.
fn is_fresh(organisation: &Organisation) -> bool {
    organisation.address == PostalAddress::default()
}

async fn administered(tx: &mut Tx, by: &SignedIn) -> Result<Vec<Member>, DbError> {
    let mut members = accounts::memberships(tx, by.member().user_id).await?;
    members.retain(|member| member.kind == OrganisationKind::Customer && member.role == Role::Administrator);
    Ok(members)
}

/// Makes the device active for the customer.
pub async fn confirm(
    kits: &Kits,
    by: &SignedIn,
    secret: &Secret,
    confirmation: Confirmation,
) -> Result<RegistrationView, ConfirmRefusal> {
    let (member, now) = (by.member(), kits.now());
    let Confirmation { data, consent, owner } = confirmation;
    let mut tx = kits.db.write().await?;
    let Some(id) = tokens::consume(&mut tx, now, Purpose::Activation, secret).await? else {
        let why = tokens::peek(&mut tx, now, Purpose::Activation, secret).await?;
        return Err(why.map_or_else(LinkFault::from, |_| LinkFault::Used).into());
    };
    let found = store::hold(&mut tx, RegistrationId::from_uuid(id)).await?.ok_or(LinkFault::Unknown)?;
    let open = found.open().map_err(|refusal| match refusal {
        Refusal::Ended => ConfirmRefusal::Link(LinkFault::Withdrawn),
        refusal => refusal.into(),
    })?;
    if open.state.customer_user != member.user_id {
        // The transaction is dropped, so the link stays good for whom it was sent to.
        return Err(Refusal::AnotherAccount.into());
    }
    let customer = choose(&mut tx, kits, by, &data, owner).await?;
    let active = open.confirm(member.user_id, customer, data.clone(), consent, now)?;
    if !store::activate(&mut tx, &active).await? {
        return Err(Refusal::AlreadyActive.into());
    }
    let tie = &active.tie;
    accounts::set_person(&mut tx, member.user_id, &data.name, data.phone.as_deref()).await?;
    devices::activate(&mut tx, tie.device).await?;
    audit::share(&mut tx, tie.device, tie.registered_at, tie.installer, customer).await?;
    let details =
        json!({ "consent": consent.word(), "customer": called(&data), "web_address": tie.web_address.as_str() });
    record(&mut tx, kits, member, tie.device, "device_activated", details, vec![tie.installer, customer]).await?;
    jobs::enqueue_activated(&mut tx, kits, tie.id).await?;
    let id = tie.id;
    super::service::tell(&mut tx, kits, &Found::Active(active)).await?;
    let view = store::by_id(&mut tx, id).await?.ok_or(LinkFault::Unknown)?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(view)
}

fn called(data: &CustomerData) -> &str {
    data.company.as_deref().unwrap_or(&data.name)
}

/// The customer organisation, with its name and address as the customer has just said them when it is a fresh one.
async fn choose(
    tx: &mut Tx,
    kits: &Kits,
    by: &SignedIn,
    data: &CustomerData,
    owner: Owner,
) -> Result<OrganisationId, ConfirmRefusal> {
    let address = PostalAddress {
        street: Some(data.address.clone()),
        postcode: Some(data.postcode.clone()),
        city: Some(data.city.clone()),
        country: Some(data.country.clone()),
    };
    let mine = administered(tx, by).await?;
    let (usual, name) = match &owner {
        Owner::Known(id) => {
            let known = mine.iter().find(|member| member.organisation_id == *id);
            (Some(known.ok_or(ConfirmRefusal::Organisation)?), called(data))
        }
        Owner::Usual => {
            let current = mine.iter().find(|member| member.organisation_id == by.member().organisation_id);
            (current.or(mine.first()), called(data))
        }
        Owner::Another(name) => (None, name.as_str()),
    };
    if let Some(member) = usual {
        let id = member.organisation_id;
        // An organisation made at registration has no address yet; one with an address is left as its people keep it.
        if accounts::organisation(tx, id).await?.is_some_and(|organisation| is_fresh(&organisation)) {
            accounts::set_organisation(tx, id, called(data), &address).await?;
        }
        return Ok(id);
    }
    let (now, user) = (kits.now(), by.member().user_id);
    Ok(accounts::create_customer_organisation(tx, now, &kits.random, user, name, &address).await?)
}

impl From<TokenRefusal> for LinkFault {
    fn from(refusal: TokenRefusal) -> Self {
        match refusal {
            TokenRefusal::Unknown => Self::Unknown,
            TokenRefusal::Expired => Self::Expired,
            TokenRefusal::Used => Self::Used,
            TokenRefusal::Superseded => Self::Superseded,
        }
    }
}
