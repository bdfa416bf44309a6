//! Signing up.

use std::time::Duration;

use gatelodge_proto::{CommandId, UserId, identity::EmailAddress};

use super::store;
use crate::{
    accounts::{
        jobs,
        model::{Network, OrganisationKind},
        store as people,
        throttle::{Throttled, throttle},
    },
    db::{DbError, Tx},
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
    /// What they read.
    pub language: Language,
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Takes a sign-up and mails its link. No password is asked: whoever signs up need not be whoever reads the address's
/// mail, and only the latter chooses one, when [confirming](super::confirm). The answer, and the work done for it, is the same whether the address is known or
/// not. An installer who has it already is told so by mail; a customer's mail has a link that adds the organisation.
pub async fn sign_up(
    kits: &Kits,
    network: &Network,
    application: &Application<'_>,
) -> Result<Result<(), Throttled>, DbError> {
    let Application { company, name, email, language } = *application;
    for (scope, subject, limit) in
        [("sign_up_network", network.as_str().to_owned(), 30), ("sign_up_email", email.folded(), 5)]
    {
        if let Err(throttled) = throttle(kits, scope, &subject, limit, HOUR).await? {
            return Ok(Err(throttled));
        }
    }
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let known = people::user_by_email(&mut tx, email).await?;
    let settled = match &known {
        Some((user, _)) => user.disabled_at.is_some() || is_settled(&mut tx, user.id).await?,
        None => false,
    };
    if let Some((user, _)) = known.filter(|_| settled) {
        jobs::enqueue_already_here(&mut tx, now, &kits.random, user.id).await?;
    } else {
        let id = CommandId::make(now, &kits.random).uuid();
        let waiting =
            store::Waiting { email: email.clone(), name: name.to_owned(), company: company.to_owned(), language };
        store::insert(&mut tx, now, id, &waiting).await?;
        jobs::enqueue_confirm_email(&mut tx, now, &kits.random, id).await?;
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Ok(()))
}

/// Whether this user has no use for an installer's organisation: they are in one, or work for the vendor.
async fn is_settled(tx: &mut Tx, user: UserId) -> Result<bool, DbError> {
    let members = people::memberships(tx, user).await?;
    Ok(members.iter().any(|member| matches!(member.kind, OrganisationKind::Installer | OrganisationKind::Vendor)))
}
