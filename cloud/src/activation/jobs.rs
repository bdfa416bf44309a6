//! The mails of registration and activation, as jobs. A payload names ids, never a token: the link is made when the
//! mail is handed over, and from then on the older one is void.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use gatelodge_proto::{DeviceId, OrganisationId, RegistrationId, UserId, identity::EmailAddress};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    model::{RegistrationView, State},
    store,
};
use crate::{
    accounts::{
        model::User,
        service as accounts,
        tokens::{self, Purpose},
    },
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    i18n::Language,
    jobs::{self, Handler, Job, JobError},
    kits::Kits,
    mail::{MailError, Message},
    render::{
        mails::{DeviceNamed, Letter, Mail},
        paths,
    },
};

const LINK: &str = "activation.mail_link";
const ACTIVATED_CUSTOMER: &str = "activation.mail_activated_customer";
const ACTIVATED_INSTALLER: &str = "activation.mail_activated_installer";
const RELEASED_CUSTOMER: &str = "activation.mail_released_customer";
const RELEASED_INSTALLER: &str = "activation.mail_released_installer";

const TAKE_OVER_LINK: &str = "activation.mail_take_over_link";
const HANDED_OVER_CUSTOMER: &str = "activation.mail_handed_over_customer";
const HANDED_OVER_INSTALLER: &str = "activation.mail_handed_over_installer";

#[derive(Debug, Serialize, Deserialize)]
struct About {
    registration: RegistrationId,
}

/// The mail with the activation link.
pub(super) async fn enqueue_link(tx: &mut Tx, kits: &Kits, registration: RegistrationId) -> Result<(), DbError> {
    enqueue(tx, kits, LINK, registration).await
}

/// The mails that say it is done: to the customer, and to whoever registered the device.
pub(super) async fn enqueue_activated(tx: &mut Tx, kits: &Kits, registration: RegistrationId) -> Result<(), DbError> {
    enqueue(tx, kits, ACTIVATED_CUSTOMER, registration).await?;
    enqueue(tx, kits, ACTIVATED_INSTALLER, registration).await
}

/// The mails that say a device is released: to the customer, and to whoever registered it.
pub(super) async fn enqueue_released(tx: &mut Tx, kits: &Kits, registration: RegistrationId) -> Result<(), DbError> {
    enqueue(tx, kits, RELEASED_CUSTOMER, registration).await?;
    enqueue(tx, kits, RELEASED_INSTALLER, registration).await
}

/// The mail with the link by which another installer takes the device over.
pub(super) async fn enqueue_take_over_link(
    tx: &mut Tx,
    kits: &Kits,
    registration: RegistrationId,
) -> Result<(), DbError> {
    enqueue(tx, kits, TAKE_OVER_LINK, registration).await
}

/// The mails that say a device has another installer: to the customer, and to whoever had registered it before.
pub(super) async fn enqueue_handed_over(
    tx: &mut Tx,
    kits: &Kits,
    ended: RegistrationId,
    begun: RegistrationId,
) -> Result<(), DbError> {
    enqueue(tx, kits, HANDED_OVER_CUSTOMER, begun).await?;
    enqueue(tx, kits, HANDED_OVER_INSTALLER, ended).await
}

async fn enqueue(tx: &mut Tx, kits: &Kits, kind: &'static str, registration: RegistrationId) -> Result<(), DbError> {
    let now = kits.now();
    jobs::enqueue(tx, now, &kits.random, kind, &About { registration }, now).await
}

/// The kinds of job and who does them.
pub fn jobs(kits: &Kits) -> Vec<(&'static str, Handler)> {
    let handler = |work: fn(Kits, Job, RegistrationView) -> BoxFuture<'static, Result<(), JobError>>| -> Handler {
        let kits = kits.clone();
        Arc::new(move |job| {
            let kits = kits.clone();
            Box::pin(async move {
                let About { registration } = serde_json::from_value(job.payload.clone())
                    .map_err(|error| JobError::Fail(format!("its payload: {error}")))?;
                let mut tx = kits.db.read().await?;
                let view = store::by_id(&mut tx, registration).await?;
                drop(tx);
                let view = view.ok_or_else(|| JobError::Fail("its registration is gone".into()))?;
                work(kits, job, view).await
            })
        })
    };
    vec![
        (LINK, handler(|kits, job, view| Box::pin(mail_link(kits, job, view)))),
        (ACTIVATED_CUSTOMER, handler(|kits, job, view| Box::pin(mail_activated_customer(kits, job, view)))),
        (ACTIVATED_INSTALLER, handler(|kits, job, view| Box::pin(mail_activated_installer(kits, job, view)))),
        (RELEASED_CUSTOMER, handler(|kits, job, view| Box::pin(mail_released_customer(kits, job, view)))),
        (RELEASED_INSTALLER, handler(|kits, job, view| Box::pin(mail_released_installer(kits, job, view)))),
        (TAKE_OVER_LINK, handler(|kits, job, view| Box::pin(mail_take_over_link(kits, job, view)))),
        (HANDED_OVER_CUSTOMER, handler(|kits, job, view| Box::pin(mail_handed_over_customer(kits, job, view)))),
        (HANDED_OVER_INSTALLER, handler(|kits, job, view| Box::pin(mail_handed_over_installer(kits, job, view)))),
    ]
}

async fn mail_link(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    // Confirmed or cancelled meanwhile: nothing to ask any more.
    if view.state != State::Open {
        return Ok(());
    }
    let Some(customer) = user(&kits, view.customer_user).await? else { return Ok(()) };
    let (purpose, now) = (Purpose::Activation, kits.now());
    let mut tx = kits.db.write().await?;
    let secret = tokens::issue(&mut tx, now, &kits.random, purpose, view.id.uuid(), purpose.life()).await?;
    // Committed before the mail leaves, so that the link in it always works.
    tx.commit().await?;
    let url = paths::with_token(kits.config.public_url.as_str(), paths::ACTIVATE, &secret.expose());
    let name = view.data.as_ref().map(|data| data.name.as_str());
    let handed =
        hand_over(&kits, &job, customer, &Mail::activation_link(name, &named(&view), &url, purpose.life())).await;
    if let Err(JobError::Fail(reason)) = &handed {
        note_refused(&kits, view.device, "activation_mail_refused", (&view.email, reason), vec![view.installer])
            .await?;
    }
    handed
}

async fn mail_take_over_link(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    let (purpose, now) = (Purpose::TakeOver, kits.now());
    let mut tx = kits.db.write().await?;
    // Held first: an address that is replaced meanwhile finds this link and voids it.
    store::hold(&mut tx, view.id).await?;
    // Taken back or taken over meanwhile: nothing to ask any more.
    let Some(offered) = store::offered(&mut tx, view.id).await? else { return Ok(()) };
    let customer = accounts::user(&mut tx, view.customer_user).await?.map(|user| user.language);
    let language = accounts::language_of(&mut tx, &offered.to).await?.or(customer).unwrap_or_default();
    let secret = tokens::issue(&mut tx, now, &kits.random, purpose, view.id.uuid(), purpose.life()).await?;
    // Committed before the mail leaves, so that the link in it always works.
    tx.commit().await?;
    let url = paths::with_token(kits.config.public_url.as_str(), paths::TAKE_OVER, &secret.expose());
    let asker = view.customer_name.clone().unwrap_or_else(|| view.email.to_string());
    let mail = Mail::take_over_link(&named(&view), &asker, &url, purpose.life());
    let handed = send(&kits, &job, offered.to.clone(), language, &mail).await;
    if let Err(JobError::Fail(reason)) = &handed {
        let readers = view.customer.into_iter().collect();
        note_refused(&kits, view.device, "take_over_mail_refused", (&offered.to, reason), readers).await?;
    }
    handed
}

/// Whoever sent the link waits for an answer that will not come, and can correct the address.
async fn note_refused(
    kits: &Kits,
    device: DeviceId,
    what: &'static str,
    (email, reason): (&EmailAddress, &str),
    readers: Vec<OrganisationId>,
) -> Result<(), DbError> {
    let details = json!({ "email": email.as_str(), "reason": reason.chars().take(200).collect::<String>() });
    let entry = Entry { actor: Actor::Cloud, what, device: Some(device), session: None, details, readers };
    let mut tx = kits.db.write().await?;
    audit::write(&mut tx, kits.now(), &kits.random, entry).await?;
    tx.commit().await
}

async fn mail_activated_customer(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    let Some(customer) = user(&kits, view.customer_user).await? else { return Ok(()) };
    let url = page(&kits, &paths::link(paths::DEVICE, view.device));
    let mail = Mail::activated_customer(&customer.name, &named(&view), view.consent, &url);
    hand_over(&kits, &job, customer, &mail).await
}

async fn mail_activated_installer(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    let Some(installer) = registered_by(&kits, &view).await? else { return Ok(()) };
    let url = page(&kits, &paths::link(paths::DEVICE, view.device));
    let customer = view.customer_name.clone().unwrap_or_else(|| view.email.to_string());
    let mail = Mail::activated_installer(&installer.name, &named(&view), &customer, &url);
    hand_over(&kits, &job, installer, &mail).await
}

async fn mail_released_customer(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    let Some(customer) = user(&kits, view.customer_user).await? else { return Ok(()) };
    let mail = Mail::released_customer(&customer.name, &named(&view), &page(&kits, paths::DEVICES));
    hand_over(&kits, &job, customer, &mail).await
}

async fn mail_released_installer(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    let Some(installer) = registered_by(&kits, &view).await? else { return Ok(()) };
    let mail = Mail::released_installer(&installer.name, &named(&view), &page(&kits, paths::DEVICES));
    hand_over(&kits, &job, installer, &mail).await
}

async fn mail_handed_over_customer(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    let Some(customer) = user(&kits, view.customer_user).await? else { return Ok(()) };
    let url = page(&kits, &paths::link(paths::DEVICE, view.device));
    hand_over(&kits, &job, customer.clone(), &Mail::handed_over_customer(&customer.name, &named(&view), &url)).await
}

async fn mail_handed_over_installer(kits: Kits, job: Job, view: RegistrationView) -> Result<(), JobError> {
    let Some(installer) = registered_by(&kits, &view).await? else { return Ok(()) };
    let mail = Mail::handed_over_installer(&installer.name, &named(&view), &page(&kits, paths::DEVICES));
    hand_over(&kits, &job, installer, &mail).await
}

/// A device as mails name it.
pub(super) fn named(view: &RegistrationView) -> DeviceNamed {
    DeviceNamed {
        name: view.web_address.to_string(),
        product: view.product.clone(),
        id_code: view.id_code,
        installer: view.installer_name.clone(),
    }
}

fn page(kits: &Kits, path: &str) -> String {
    format!("{}{path}", kits.config.public_url.as_str().trim_end_matches('/'))
}

/// A user who may still get mails.
async fn user(kits: &Kits, id: UserId) -> Result<Option<User>, DbError> {
    let mut tx = kits.db.read().await?;
    Ok(accounts::user(&mut tx, id).await?.filter(|user| user.disabled_at.is_none()))
}

async fn registered_by(kits: &Kits, view: &RegistrationView) -> Result<Option<User>, DbError> {
    let mut tx = kits.db.read().await?;
    let id = store::registered_by(&mut tx, view.id).await?;
    drop(tx);
    match id {
        Some(id) => user(kits, id).await,
        None => Ok(None),
    }
}

async fn hand_over(kits: &Kits, job: &Job, to: User, mail: &Mail) -> Result<(), JobError> {
    send(kits, job, to.email, to.language, mail).await
}

async fn send(kits: &Kits, job: &Job, to: EmailAddress, language: Language, mail: &Mail) -> Result<(), JobError> {
    let Letter { subject, html, plain } = mail.render(language, &kits.config.mail.vendor_name);
    let message = Message { to, subject, html, plain, message_id: job.id };
    kits.mailer.send(message).await.map_err(|error| match error {
        MailError::Passing(_) => JobError::Retry(error.to_string()),
        MailError::Permanent(_) => JobError::Fail(error.to_string()),
    })
}
