//! How many activation links leave in an hour: nobody's mailbox is flooded from here, by however many registrations.

use std::time::Duration;

use gatelodge_proto::{DeviceId, Timestamp, identity::EmailAddress};

use crate::{
    accounts::service::{Throttled, throttle_within},
    db::{DbError, Tx},
};

/// For one device, registered, corrected, sent again or cancelled and registered anew.
const PER_DEVICE: u32 = 6;
/// To one address, for however many devices of a site.
const PER_RECIPIENT: u32 = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// Counts a link to `email` for `device` within the transaction that sends it.
pub(super) async fn count_link(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    email: &EmailAddress,
) -> Result<Result<(), Throttled>, DbError> {
    if let refused @ Err(_) = throttle_within(tx, now, "activation_mail", &device.to_string(), PER_DEVICE, HOUR).await?
    {
        return Ok(refused);
    }
    throttle_within(tx, now, "activation_mail_to", &email.folded(), PER_RECIPIENT, HOUR).await
}
