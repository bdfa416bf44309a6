//! The link of a sign-up came back: whoever reads the address's mail gives the password, and nobody else's is kept.

use std::time::Duration;

use gatelodge_proto::{OrganisationId, UserId, identity::EmailAddress};
use serde_json::json;

use super::store::{self, Waiting};
use crate::{
    accounts::{
        failure::Failure,
        model::{OrganisationKind, PostalAddress, Role, User},
        password::{self, Password, PasswordRefusal},
        store as people,
        throttle::{Throttled, throttle},
        tokens::{self, Purpose, Secret, TokenRefusal},
    },
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

/// Why nothing was confirmed. But for the link itself, the link still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmRefusal {
    /// The link.
    #[error(transparent)]
    Link(#[from] TokenRefusal),
    /// The password chosen for a new account.
    #[error(transparent)]
    Password(#[from] PasswordRefusal),
    /// The address has an account, and this is not its password.
    #[error("this address has an account already, and this is not its password: give the one you sign in with")]
    NotTheirs,
    /// Too many passwords that were not theirs.
    #[error(transparent)]
    Throttled(#[from] Throttled),
}

/// How many passwords may be tried for one account with a link in hand.
const TRIES: u32 = 10;

/// Makes the installer's organisation and its administrator. For an address that is new here `password` is chosen now
/// and becomes the account's; an account that is here already shows by its own password that it takes the
/// organisation in. Gives the address to sign in with.
pub async fn confirm(
    kits: &Kits,
    secret: &Secret,
    password: &str,
) -> Result<Result<EmailAddress, ConfirmRefusal>, Failure> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let id = match tokens::peek(&mut tx, now, Purpose::ConfirmEmail, secret).await? {
        Ok(id) => id,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    // Another sign-up of the same address was confirmed first.
    let Some(waiting) = store::waiting(&mut tx, id).await? else { return Ok(Err(TokenRefusal::Used.into())) };
    let known = people::user_by_email(&mut tx, &waiting.email).await?;
    drop(tx);
    let chosen = match &known {
        Some((User { disabled_at: Some(_), .. }, _)) => return Ok(Err(TokenRefusal::Unknown.into())),
        Some((user, Some(hash))) => {
            let (subject, hour) = (user.id.to_string(), Duration::from_secs(3_600));
            if let Err(throttled) = throttle(kits, "confirm_email", &subject, TRIES, hour).await? {
                return Ok(Err(throttled.into()));
            }
            if !password::is_right(password, Some(hash)).await? {
                return Ok(Err(ConfirmRefusal::NotTheirs));
            }
            None
        }
        Some((_, None)) | None => {
            match Password::choose(password, &[&waiting.company, &waiting.name, waiting.email.as_str()]) {
                Ok(password) => Some(password.hash(&kits.random).await?),
                Err(refusal) => return Ok(Err(refusal.into())),
            }
        }
    };

    let mut tx = kits.db.write().await?;
    if tokens::consume(&mut tx, now, Purpose::ConfirmEmail, secret).await?.is_none() {
        let refusal = tokens::peek(&mut tx, now, Purpose::ConfirmEmail, secret).await?.err();
        return Ok(Err(refusal.unwrap_or(TokenRefusal::Used).into()));
    }
    if people::user_by_email(&mut tx, &waiting.email).await? != known {
        // Somebody set a password while this one was weighed. The transaction is dropped, so the link stays good.
        return Ok(Err(ConfirmRefusal::NotTheirs));
    }
    store::forget(&mut tx, &waiting.email).await?;
    let user = match known {
        Some((user, _)) => {
            if let Some(hash) = chosen {
                people::set_password(&mut tx, now, user.id, &hash).await?;
            }
            user.id
        }
        None => insert(&mut tx, kits, &waiting, chosen.as_deref()).await?,
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

async fn insert(tx: &mut Tx, kits: &Kits, waiting: &Waiting, hash: Option<&str>) -> Result<UserId, DbError> {
    let (id, now) = (UserId::make(kits.now(), &kits.random), kits.now());
    let values = people::UserValues {
        email: &waiting.email,
        name: &waiting.name,
        phone: None,
        language: waiting.language,
        password_hash: hash,
        email_confirmed_at: Some(now),
    };
    people::insert_user(tx, now, id, values).await?;
    Ok(id)
}
