//! The mail that tells a customer a technician asks, as a job.

use gatelodge_proto::SessionId;
use serde::{Deserialize, Serialize};

use crate::{
    db::{DbError, Tx},
    jobs,
    kits::Kits,
};

const REQUEST: &str = "sessions.mail_request";

#[derive(Debug, Serialize, Deserialize)]
struct About {
    session: SessionId,
}

/// The mail to those of the customer who may decide.
pub(super) async fn enqueue_request_mail(tx: &mut Tx, kits: &Kits, session: SessionId) -> Result<(), DbError> {
    let now = kits.now();
    jobs::enqueue(tx, now, &kits.random, REQUEST, &About { session }, now).await
}
