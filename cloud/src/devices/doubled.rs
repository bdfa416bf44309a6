//! One key in two machines: each throws the other off the endpoint, so starts that were over come back. People are told
//! once, until no start has come back for a day or the key is gone. Whose machine is the right one only they can say.

use std::time::Duration;

use gatelodge_proto::{DeviceId, Timestamp, UserId};
use serde_json::json;
use uuid::Uuid;

use super::{accept::note, jobs, store};
use crate::{
    accounts::service as accounts,
    db::{DbError, Tx},
    jobs::{self as background, JobError},
    kits::Kits,
    mail::{MailError, Message},
    render::{
        mails::{DeviceNamed, Letter, Mail},
        paths,
    },
};

/// A late message may make one start look as if it came back; nothing but a second machine makes so many within
/// [`APART`] of each other.
const MANY: i32 = 3;
const APART: Duration = Duration::from_secs(3600);

/// These devices have connected, each once and under this start; whether somebody is told.
pub(super) async fn look(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    arrivals: &[(DeviceId, Uuid)],
) -> Result<bool, DbError> {
    let started = store::starts::started(tx, now, arrivals, APART).await?;
    let mut told = false;
    for started in started.into_iter().filter(|started| started.returns >= MANY && !started.is_known()) {
        let device = started.device();
        store::starts::doubled(tx, now, device).await?;
        tracing::warn!(%device, "a key is in two machines");
        note(tx, kits, now, device, "device_doubled", json!({})).await?;
        background::enqueue(tx, now, &kits.random, jobs::DOUBLED, &json!({ "device": device }), now).await?;
        told = true;
    }
    Ok(told)
}

/// Tells whoever registered the device.
pub(super) async fn mail(kits: &Kits, device: DeviceId, message_id: Uuid) -> Result<(), JobError> {
    let mut tx = kits.db.read().await?;
    let Some((user, name, installer)) = store::starts::registrant(&mut tx, device).await? else { return Ok(()) };
    let Some(row) = store::inventory::by_id(&mut tx, device).await? else { return Ok(()) };
    let user = accounts::user(&mut tx, UserId::from_uuid(user)).await?;
    drop(tx);
    let Some(user) = user.filter(|user| user.disabled_at.is_none()) else { return Ok(()) };
    let named = DeviceNamed { name, product: row.product_name, id_code: row.names.id_code, installer };
    let public = kits.config.public_url.as_str().trim_end_matches('/');
    let mail = Mail::doubled(&user.name, &named, &format!("{public}{}", paths::link(paths::DEVICE, device)));
    let Letter { subject, html, plain } = mail.render(user.language, &kits.config.mail.vendor_name);
    kits.mailer.send(Message { to: user.email, subject, html, plain, message_id }).await.map_err(|error| match error {
        MailError::Passing(_) => JobError::Retry(error.to_string()),
        MailError::Permanent(_) => JobError::Fail(error.to_string()),
    })
}
