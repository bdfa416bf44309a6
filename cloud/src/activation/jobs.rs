//! The mails of registration and activation, as jobs. A payload names ids, never a token: the link is made when the
//! mail is handed over, and from then on the older one is void.

use gatelodge_proto::RegistrationId;
use serde::{Deserialize, Serialize};

use crate::{
    db::{DbError, Tx},
    jobs,
    kits::Kits,
};

const ACTIVATION: &str = "activation.mail_link";
const ACTIVATED: &str = "activation.mail_activated";

#[derive(Debug, Serialize, Deserialize)]
struct About {
    registration: RegistrationId,
}

/// The mail with the activation link.
pub(super) async fn enqueue_activation_mail(
    tx: &mut Tx,
    kits: &Kits,
    registration: RegistrationId,
) -> Result<(), DbError> {
    let now = kits.now();
    jobs::enqueue(tx, now, &kits.random, ACTIVATION, &About { registration }, now).await
}

/// The mails that say it is done: to the customer, and to whoever registered the device.
pub(super) async fn enqueue_activated_mails(
    tx: &mut Tx,
    kits: &Kits,
    registration: RegistrationId,
) -> Result<(), DbError> {
    let now = kits.now();
    jobs::enqueue(tx, now, &kits.random, ACTIVATED, &About { registration }, now).await
}
