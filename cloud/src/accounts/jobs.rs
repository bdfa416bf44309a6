//! The mails of accounts, as jobs. A payload names ids, never a token: the link is made when the mail is handed over.

use gatelodge_proto::{Random, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    db::{DbError, Tx},
    jobs,
};

const SET_PASSWORD: &str = "accounts.mail_set_password";

#[derive(Debug, Serialize, Deserialize)]
struct SetPassword {
    user: UserId,
    welcome: bool,
}

pub(super) async fn enqueue_set_password(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    user: UserId,
    welcome: bool,
) -> Result<(), DbError> {
    jobs::enqueue(tx, now, random, SET_PASSWORD, &SetPassword { user, welcome }, now).await
}
