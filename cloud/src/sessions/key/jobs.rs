//! The mails that tell a customer's people that a key was pinned on their device, or is gone: whoever had no part in it
//! learns of it at once.

use std::sync::Arc;

use gatelodge_proto::{DeviceId, OrganisationId, UserId, payload::Forgot};
use serde::{Deserialize, Serialize};

use super::store;
use crate::{
    accounts::{model::Role, service as accounts},
    db::{DbError, Tx},
    devices::service as devices,
    jobs::{self, Handler, Job, JobError},
    kits::Kits,
    render::{
        mails::{DeviceNamed, KeyNews, Mail},
        paths,
    },
    sessions::jobs::hand_over,
};

const KEY: &str = "sessions.mail_key";

#[derive(Debug, Serialize, Deserialize)]
struct Told {
    device: DeviceId,
    user: UserId,
    customer: OrganisationId,
    digits: String,
    /// How it went; `None` when it came.
    gone: Option<Forgot>,
}

/// The mails to those of the customer who may decide; to nobody while the device has no customer.
pub(in crate::sessions) async fn enqueue(
    tx: &mut Tx,
    kits: &Kits,
    device: DeviceId,
    digits: &str,
    gone: Option<Forgot>,
) -> Result<(), DbError> {
    let Some(named) = store::named(tx, device).await? else { return Ok(()) };
    let (now, customer) = (kits.now(), named.customer);
    let members = accounts::members(tx, customer).await?;
    for member in members.iter().filter(|member| matches!(member.role, Role::Administrator | Role::Supervisor)) {
        let told = Told { device, user: member.user_id, customer, digits: digits.to_owned(), gone };
        jobs::enqueue(tx, now, &kits.random, KEY, &told, now).await?;
    }
    Ok(())
}

/// The kind of job and who does it.
pub(in crate::sessions) fn job(kits: &Kits) -> (&'static str, Handler) {
    let kits = kits.clone();
    (KEY, Arc::new(move |job| Box::pin(mail(kits.clone(), job))))
}

async fn mail(kits: Kits, job: Job) -> Result<(), JobError> {
    let Told { device, user, customer, digits, gone } =
        serde_json::from_value(job.payload).map_err(|error| JobError::Fail(format!("its payload: {error}")))?;
    let mut tx = kits.db.read().await?;
    let named = store::named(&mut tx, device).await?.filter(|named| named.customer == customer);
    let known = devices::device(&mut tx, device).await?;
    let member = accounts::membership(&mut tx, user, customer).await?;
    drop(tx);
    let (Some(named), Some(known), Some(member)) = (named, known, member) else { return Ok(()) };
    let device_named = DeviceNamed {
        name: named.web_address,
        product: known.product_name,
        id_code: known.names.id_code,
        installer: named.installer,
    };
    let news = match gone {
        None => KeyNews::Pinned,
        Some(Forgot::Key) => KeyNews::Released,
        Some(Forgot::Device) => KeyNews::Removed,
    };
    let page = paths::link(paths::DEVICE_KEY, device);
    let url = format!("{}{page}", kits.config.public_url.as_str().trim_end_matches('/'));
    hand_over(&kits, job.id, &member, &Mail::key(&member.name, &device_named, news, &digits, &url)).await
}
