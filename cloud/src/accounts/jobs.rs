//! The mails of accounts, as jobs. A payload names ids, never a token: the link is made when the mail is handed over, so
//! that its life does not burn in a queue, and a second hand-over voids the first link.

use std::sync::Arc;

use gatelodge_proto::{OrganisationId, Random, Timestamp, UserId, identity::EmailAddress};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    model::User,
    second_factor::{self, Changed, What},
    sign_up, store,
    tokens::{self, Purpose},
};
use crate::{
    db::{DbError, Tx},
    i18n::Language,
    jobs::{self, Handler, Job, JobError},
    kits::Kits,
    mail::{MailError, Message},
    render::{
        mails::{Letter, Mail},
        paths,
    },
};

const CONFIRM_EMAIL: &str = "accounts.mail_confirm_email";
const ALREADY_HERE: &str = "accounts.mail_already_here";
const SET_PASSWORD: &str = "accounts.mail_set_password";

#[derive(Debug, Serialize, Deserialize)]
struct ConfirmEmail {
    sign_up: Uuid,
}

#[derive(Debug, Serialize, Deserialize)]
struct AlreadyHere {
    user: UserId,
}

#[derive(Debug, Serialize, Deserialize)]
struct SetPassword {
    user: UserId,
    /// Who registered a device for somebody new here; nobody when a password was forgotten.
    installer: Option<OrganisationId>,
}

pub(super) async fn enqueue_confirm_email(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    sign_up: Uuid,
) -> Result<(), DbError> {
    jobs::enqueue(tx, now, random, CONFIRM_EMAIL, &ConfirmEmail { sign_up }, now).await
}

pub(super) async fn enqueue_already_here(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    user: UserId,
) -> Result<(), DbError> {
    jobs::enqueue(tx, now, random, ALREADY_HERE, &AlreadyHere { user }, now).await
}

pub(super) async fn enqueue_set_password(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    user: UserId,
    installer: Option<OrganisationId>,
) -> Result<(), DbError> {
    jobs::enqueue(tx, now, random, SET_PASSWORD, &SetPassword { user, installer }, now).await
}

/// What does the jobs of this feature.
pub fn jobs(kits: &Kits) -> Vec<(&'static str, Handler)> {
    vec![
        (CONFIRM_EMAIL, handler(kits, mail_confirm_email)),
        (ALREADY_HERE, handler(kits, mail_already_here)),
        (SET_PASSWORD, handler(kits, mail_set_password)),
        (second_factor::MAIL, handler(kits, mail_second_factor)),
    ]
}

/// A handler over the kits and the payload's type.
fn handler<P, F, Fut>(kits: &Kits, work: F) -> Handler
where
    P: DeserializeOwned + Send + 'static,
    F: Fn(Kits, Uuid, P) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<(), JobError>> + Send + 'static,
{
    let kits = kits.clone();
    Arc::new(move |job: Job| {
        let kits = kits.clone();
        Box::pin(async move {
            let payload: P =
                serde_json::from_value(job.payload).map_err(|error| JobError::Fail(format!("its payload: {error}")))?;
            work(kits, job.id, payload).await
        })
    })
}

impl From<MailError> for JobError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Passing(_) => Self::Retry(error.to_string()),
            MailError::Permanent(_) => Self::Fail(error.to_string()),
        }
    }
}

/// One rendered mail, on its way.
async fn hand_over(kits: &Kits, job: Uuid, to: EmailAddress, language: Language, mail: &Mail) -> Result<(), JobError> {
    let Letter { subject, html, plain } = mail.render(language, &kits.config.mail.vendor_name);
    Ok(kits.mailer.send(Message { to, subject, html, plain, message_id: job }).await?)
}

/// A fresh link for the mail that is about to leave; committed first, so that the link in the mail always works.
async fn fresh_link(kits: &Kits, mut tx: Tx, purpose: Purpose, subject: Uuid, path: &str) -> Result<String, DbError> {
    let secret = tokens::issue(&mut tx, kits.now(), &kits.random, purpose, subject, purpose.life()).await?;
    tx.commit().await?;
    Ok(paths::with_token(kits.config.public_url.as_str(), path, &secret.expose()))
}

async fn mail_confirm_email(kits: Kits, job: Uuid, payload: ConfirmEmail) -> Result<(), JobError> {
    let mut tx = kits.db.write().await?;
    // Confirmed or forgotten meanwhile: nothing to say any more.
    let Some(waiting) = sign_up::waiting(&mut tx, payload.sign_up).await? else { return Ok(()) };
    let known = store::user_by_email(&mut tx, &waiting.email).await?;
    let (purpose, company) = (Purpose::ConfirmEmail, &waiting.company);
    if let Some((user, _)) = known.filter(|(user, _)| user.has_password) {
        let link = fresh_link(&kits, tx, purpose, payload.sign_up, paths::ADD_ORGANISATION).await?;
        let mail = Mail::add_organisation(&user.name, company, &link, purpose.life());
        return hand_over(&kits, job, user.email, user.language, &mail).await;
    }
    let link = fresh_link(&kits, tx, purpose, payload.sign_up, paths::CONFIRM_EMAIL).await?;
    let mail = Mail::confirm_email(&waiting.name, company, &link, purpose.life());
    hand_over(&kits, job, waiting.email, waiting.language, &mail).await
}

async fn mail_already_here(kits: Kits, job: Uuid, payload: AlreadyHere) -> Result<(), JobError> {
    let Some(user) = addressee(&kits, payload.user).await? else { return Ok(()) };
    let sign_in = format!("{}{}", kits.config.public_url.as_str().trim_end_matches('/'), paths::SIGN_IN);
    hand_over(&kits, job, user.email, user.language, &Mail::account_exists(&user.name, &sign_in)).await
}

async fn mail_set_password(kits: Kits, job: Uuid, payload: SetPassword) -> Result<(), JobError> {
    let Some(user) = addressee(&kits, payload.user).await? else { return Ok(()) };
    let (purpose, mut tx) = (Purpose::SetPassword, kits.db.write().await?);
    let installer = match payload.installer {
        Some(id) => store::organisation(&mut tx, id).await?,
        None => None,
    };
    let link = fresh_link(&kits, tx, purpose, user.id.uuid(), paths::SET_PASSWORD).await?;
    let email = user.email.as_str();
    let mail = match installer {
        Some(installer) => {
            // A user whose name nobody entered bears their address as name.
            let name = Some(user.name.as_str()).filter(|name| *name != email);
            Mail::welcome(name, email, &installer.name, &link, purpose.life())
        }
        None => Mail::set_password(&user.name, email, &link, purpose.life()),
    };
    hand_over(&kits, job, user.email.clone(), user.language, &mail).await
}

async fn mail_second_factor(kits: Kits, job: Uuid, Changed { user, what }: Changed) -> Result<(), JobError> {
    let Some(user) = addressee(&kits, user).await? else { return Ok(()) };
    let page = format!("{}{}", kits.config.public_url.as_str().trim_end_matches('/'), paths::SECOND_FACTOR);
    let mail = match what {
        What::Added => Mail::second_factor_added(&user.name, &page),
        What::Removed => Mail::second_factor_removed(&user.name, &page),
        What::RecoveryCodes => Mail::recovery_codes_made(&user.name, &page),
    };
    hand_over(&kits, job, user.email, user.language, &mail).await
}

async fn addressee(kits: &Kits, id: UserId) -> Result<Option<User>, DbError> {
    let mut tx = kits.db.read().await?;
    Ok(store::user(&mut tx, id).await?.filter(|user| user.disabled_at.is_none()))
}
