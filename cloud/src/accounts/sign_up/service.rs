//! Signing up and confirming.

use std::time::Duration;

use gatelodge_proto::{CommandId, OrganisationId, UserId, identity::EmailAddress};
use serde_json::json;

use super::store;
use crate::{
    accounts::{
        failure::Failure,
        jobs,
        model::{Network, OrganisationKind, PostalAddress, Role},
        password::Password,
        store as people,
        throttle::{Throttled, throttle},
        tokens::{self, Purpose, Secret, TokenRefusal},
    },
    audit::{self, Actor, Entry},
    db::DbError,
    i18n::Language,
    kits::Kits,
};

/// What an installer signs up with.
#[derive(Debug, Clone)]
pub struct Application<'a> {
    /// The company's name.
    pub company: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// Their address.
    pub email: &'a EmailAddress,
    /// The password they chose.
    pub password: &'a Password,
    /// What they read.
    pub language: Language,
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Takes a sign-up and mails its link. The answer, and the work done for it, is the same whether the address is known or
/// not; who has it already gets another mail.
pub async fn sign_up(
    kits: &Kits,
    network: &Network,
    application: &Application<'_>,
) -> Result<Result<(), Throttled>, Failure> {
    let Application { company, name, email, password, language } = *application;
    for (scope, subject, limit) in
        [("sign_up_network", network.as_str().to_owned(), 30), ("sign_up_email", email.folded(), 5)]
    {
        if let Err(throttled) = throttle(kits, scope, &subject, limit, HOUR).await? {
            return Ok(Err(throttled));
        }
    }
    let password_hash = password.hash(&kits.random).await?;
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    if let Some((user, _)) = people::user_by_email(&mut tx, email).await? {
        jobs::enqueue_already_here(&mut tx, now, &kits.random, user.id).await?;
    } else {
        let id = CommandId::make(now, &kits.random).uuid();
        let waiting = store::Waiting {
            email: email.clone(),
            name: name.to_owned(),
            company: company.to_owned(),
            language,
            password_hash,
        };
        store::insert(&mut tx, now, id, &waiting).await?;
        jobs::enqueue_confirm_email(&mut tx, now, &kits.random, id).await?;
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(()))
}

/// Makes the installer's organisation and its first administrator: the link came back. A user who has come to be here
/// meanwhile keeps their password and gets the organisation. Gives the address to sign in with.
pub async fn confirm(kits: &Kits, secret: &Secret) -> Result<Result<EmailAddress, TokenRefusal>, DbError> {
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let Some(id) = tokens::consume(&mut tx, now, Purpose::ConfirmEmail, secret).await? else {
        let refusal = tokens::peek(&mut tx, now, Purpose::ConfirmEmail, secret).await?.err();
        return Ok(Err(refusal.unwrap_or(TokenRefusal::Unknown)));
    };
    // Another sign-up of the same address was confirmed first.
    let Some(waiting) = store::waiting(&mut tx, id).await? else { return Ok(Err(TokenRefusal::Used)) };
    store::forget(&mut tx, &waiting.email).await?;
    let user = if let Some((user, _)) = people::user_by_email(&mut tx, &waiting.email).await? {
        user.id
    } else {
        let user = UserId::make(now, &kits.random);
        let values = people::UserValues {
            email: &waiting.email,
            name: &waiting.name,
            phone: None,
            language: waiting.language,
            password_hash: Some(&waiting.password_hash),
            email_confirmed_at: Some(now),
        };
        people::insert_user(&mut tx, now, user, values).await?;
        user
    };
    let organisation = OrganisationId::make(now, &kits.random);
    let (kind, nowhere) = (OrganisationKind::Installer, PostalAddress::default());
    people::insert_organisation(&mut tx, now, organisation, kind, &waiting.company, &nowhere).await?;
    people::insert_membership(&mut tx, now, user, organisation, Role::Administrator).await?;
    let readers: Vec<_> = [Some(organisation), people::vendor(&mut tx).await?].into_iter().flatten().collect();
    let entry = Entry {
        actor: Actor::User { id: user, name: waiting.name },
        what: "installer_signed_up",
        device: None,
        session: None,
        details: json!({ "organisation": waiting.company }),
        readers,
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok(Ok(waiting.email))
}
