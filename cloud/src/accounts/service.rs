//! Users, organisations and memberships as verbs: what the command line and other features do with them.

use gatelodge_proto::{OrganisationId, Random, Timestamp, UserId, identity::EmailAddress};
use serde_json::json;

use super::{
    jobs,
    model::{Member, Organisation, OrganisationKind, PostalAddress, Role, User},
    password::{HashingFailed, Password, PasswordRefusal},
    rights::OrganisationAdministrator,
    store,
    tokens::{self, Purpose, Secret},
};
use crate::{
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    i18n::Language,
    kits::Kits,
};

pub use super::throttle::{Throttled, tally, throttle, throttle_within};

/// The user a registration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerUser {
    /// Who.
    pub id: UserId,
    /// Whether they have no password yet, so that they also need the mail of [`mail_welcome`].
    pub needs_password: bool,
}

/// The user with this address; when there is none, a new one with a customer organisation of the same name, of which
/// they are administrator. What is known of somebody who is here already stays as it is.
pub async fn find_or_create_customer_user(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    email: &EmailAddress,
    name: &str,
    language: Language,
) -> Result<CustomerUser, DbError> {
    if let Some((user, _)) = store::user_by_email(tx, email).await? {
        return Ok(CustomerUser { id: user.id, needs_password: !user.has_password });
    }
    let id = UserId::make(now, random);
    let name = if name.trim().is_empty() { email.as_str() } else { name.trim() };
    let new = store::UserValues { email, name, phone: None, language, password_hash: None, email_confirmed_at: None };
    store::insert_user(tx, now, id, new).await?;
    create_customer_organisation(tx, now, random, id, name, &PostalAddress::default()).await?;
    Ok(CustomerUser { id, needs_password: true })
}

/// Makes a customer organisation with `user` as its administrator.
pub async fn create_customer_organisation(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    user: UserId,
    name: &str,
    address: &PostalAddress,
) -> Result<OrganisationId, DbError> {
    let id = OrganisationId::make(now, random);
    store::insert_organisation(tx, now, id, OrganisationKind::Customer, name, address).await?;
    store::insert_membership(tx, now, user, id, Role::Administrator).await?;
    Ok(id)
}

/// Writes the job that mails a customer who is new here their login and a link to choose a password; ring the bell
/// after the commit. `installer` has registered a device for them.
pub async fn mail_welcome(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    user: UserId,
    installer: OrganisationId,
) -> Result<(), DbError> {
    jobs::enqueue_set_password(tx, now, random, user, Some(installer)).await
}

/// A user.
pub async fn user(tx: &mut Tx, id: UserId) -> Result<Option<User>, DbError> {
    store::user(tx, id).await
}

/// What the person behind an address reads, if they are known here.
pub async fn language_of(tx: &mut Tx, email: &EmailAddress) -> Result<Option<Language>, DbError> {
    Ok(store::user_by_email(tx, email).await?.map(|(user, _)| user.language))
}

/// An organisation.
pub async fn organisation(tx: &mut Tx, id: OrganisationId) -> Result<Option<Organisation>, DbError> {
    store::organisation(tx, id).await
}

/// What a user is a member of, the oldest membership first; nothing for a disabled user.
pub async fn memberships(tx: &mut Tx, user: UserId) -> Result<Vec<Member>, DbError> {
    store::memberships(tx, user).await
}

/// A user's membership in one organisation; `None` when they are not (any more) in it, or disabled.
pub async fn membership(tx: &mut Tx, user: UserId, organisation: OrganisationId) -> Result<Option<Member>, DbError> {
    store::member(tx, user, organisation).await
}

/// Every installer by its name.
pub async fn installers(tx: &mut Tx) -> Result<Vec<(OrganisationId, String)>, DbError> {
    store::installers(tx).await
}

/// Everybody in an organisation who is not disabled, for mails.
pub async fn members(tx: &mut Tx, organisation: OrganisationId) -> Result<Vec<Member>, DbError> {
    store::members(tx, organisation).await
}

/// Changes a person's own name and phone number.
pub async fn change_person(kits: &Kits, user: UserId, name: &str, phone: Option<&str>) -> Result<(), DbError> {
    let mut tx = kits.db.write().await?;
    store::set_person(&mut tx, user, name, phone).await?;
    tx.commit().await
}

/// Sets name and phone of a user within a larger change, as the activation does.
pub async fn set_person(tx: &mut Tx, user: UserId, name: &str, phone: Option<&str>) -> Result<(), DbError> {
    store::set_person(tx, user, name, phone).await
}

/// Changes what a person reads, on pages and in mails.
pub async fn change_language(kits: &Kits, user: UserId, language: Language) -> Result<(), DbError> {
    let mut tx = kits.db.write().await?;
    store::set_language(&mut tx, user, language).await?;
    tx.commit().await
}

/// Changes name and address of an administrator's organisation.
pub async fn change_organisation(
    kits: &Kits,
    administrator: &OrganisationAdministrator,
    name: &str,
    address: &PostalAddress,
) -> Result<(), DbError> {
    let (now, member) = (kits.now(), administrator.member());
    let mut tx = kits.db.write().await?;
    store::set_organisation(&mut tx, member.organisation_id, name, address).await?;
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: "organisation_changed",
        device: None,
        session: None,
        details: json!({ "organisation": name }),
        readers: vec![member.organisation_id],
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await
}

/// Sets name and address of an organisation within a larger change, as the activation does.
pub async fn set_organisation(
    tx: &mut Tx,
    id: OrganisationId,
    name: &str,
    address: &PostalAddress,
) -> Result<(), DbError> {
    store::set_organisation(tx, id, name, address).await
}

/// How the vendor's user gets a password.
#[derive(Debug)]
pub enum FirstPassword<'a> {
    /// By a link printed once, good for [`Purpose::SetPassword`]'s life.
    Link,
    /// As given, like from a file that only the operator reads.
    Given(&'a str),
}

/// Why no vendor's user was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateVendorError {
    /// Somebody has this address already.
    #[error("{0} is a user already; choose another address, or ask for a new password on the sign-in page")]
    Taken(EmailAddress),
    /// The given password is not taken.
    #[error("this password is not taken: {0}")]
    Password(#[from] PasswordRefusal),
    /// Hashing failed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Makes an administrator of the vendor's organisation, and that organisation when it is the first. Gives the secret of
/// the set-password link when one was asked for.
pub async fn create_vendor(
    kits: &Kits,
    email: &EmailAddress,
    name: &str,
    language: Language,
    password: FirstPassword<'_>,
) -> Result<Option<Secret>, CreateVendorError> {
    let now = kits.now();
    let vendor_name = kits.config.mail.vendor_name.as_str();
    let hash = match password {
        FirstPassword::Link => None,
        FirstPassword::Given(text) => {
            Some(Password::choose(text, &[name, email.as_str(), vendor_name])?.hash(&kits.random).await?)
        }
    };
    let mut tx = kits.db.write().await?;
    if store::user_by_email(&mut tx, email).await?.is_some() {
        return Err(CreateVendorError::Taken(email.clone()));
    }
    let organisation = if let Some(organisation) = store::vendor(&mut tx).await? {
        organisation
    } else {
        let id = OrganisationId::make(now, &kits.random);
        let (kind, nowhere) = (OrganisationKind::Vendor, PostalAddress::default());
        store::insert_organisation(&mut tx, now, id, kind, vendor_name, &nowhere).await?;
        id
    };
    let id = UserId::make(now, &kits.random);
    let new = store::UserValues {
        email,
        name,
        phone: None,
        language,
        password_hash: hash.as_deref(),
        email_confirmed_at: hash.is_some().then_some(now),
    };
    store::insert_user(&mut tx, now, id, new).await?;
    store::insert_membership(&mut tx, now, id, organisation, Role::Administrator).await?;
    let link = if hash.is_none() {
        let (purpose, random) = (Purpose::SetPassword, &kits.random);
        Some(tokens::issue(&mut tx, now, random, purpose, id.uuid(), purpose.life()).await?)
    } else {
        None
    };
    tx.commit().await?;
    Ok(link)
}
