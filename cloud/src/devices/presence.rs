//! Who is there: leases that the node renews for the devices on its endpoint, ends when they lapse, and connections
//! that lost their right and are closed.

use std::{collections::HashSet, time::Duration};

use futures_util::future::BoxFuture;
use gatelodge_proto::{CertificateSerial, DeviceId};

use super::{revocations, store};
use crate::{db::DbError, kits::Kits, mqtt::Doorkeeper};

/// One and a half keep-alives of 30 s (MQTT 5 section 3.1.2.10).
pub(super) const LEASE: Duration = Duration::from_secs(45);
/// How long a device may take to come back before it counts as gone.
pub(super) const LINGER: Duration = Duration::from_secs(15);
/// Behind somebody else's broker only the daily report and the last will tell; the lease is the report's.
const EXTERNAL_LEASE: Duration = Duration::from_secs(26 * 3600);
/// Revocations of other nodes are found within this.
const ROUND: Duration = Duration::from_secs(3);
/// A device that came back before a broker had read the revocation list is thrown out again for so long.
const INSISTING: Duration = Duration::from_secs(30);
const LISTED_EVERY: Duration = Duration::from_secs(86_400);

/// The allow-list as the endpoint asks it.
pub struct AllowList(Kits);

impl AllowList {
    /// Over this node's database.
    pub const fn new(kits: Kits) -> Self {
        Self(kits)
    }

    async fn look(&self, device: DeviceId, serial: &CertificateSerial) -> Result<bool, DbError> {
        let Self(kits) = self;
        let now = kits.now();
        let Some(found) = store::certificates::admission(&kits.db, now, device, serial).await? else {
            return Ok(false);
        };
        if found.is_renewal {
            // The renewed certificate has shown itself in use: the old one has done its time.
            let mut tx = kits.db.write_on_reserve().await?;
            store::certificates::supersede(&mut tx, now, device, (serial, found.issued_at)).await?;
            tx.commit().await?;
        }
        Ok(true)
    }
}

impl Doorkeeper for AllowList {
    fn admits<'a>(&'a self, device: DeviceId, serial: &'a CertificateSerial) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            self.look(device, serial).await.unwrap_or_else(|error| {
                tracing::error!(%error, "the allow-list does not answer: nobody gets in");
                false
            })
        })
    }
}

/// Keeps presence true until the program ends.
pub async fn watch(kits: Kits) {
    let mut round = tokio::time::interval(ROUND);
    round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut listed = None;
    loop {
        round.tick().await;
        if listed.is_none_or(|listed| kits.now() > listed + LISTED_EVERY) {
            match revocations::list(&kits).await {
                Ok(()) => listed = Some(kits.now()),
                Err(error) => tracing::warn!(%error, "the revocation list could not be written"),
            }
        }
        if let Err(error) = once(&kits).await {
            tracing::warn!(%error, "presence could not be looked after");
        }
    }
}

/// One round of [`watch`].
pub(super) async fn once(kits: &Kits) -> Result<(), DbError> {
    let now = kits.now();
    let connected: Option<HashSet<DeviceId>> = kits.endpoint.connected().map(|devices| devices.into_iter().collect());
    let mut tx = kits.db.write_on_reserve().await?;
    // A lease that lasts longer is left alone, to spare the disk.
    let enough = now + LINGER * 2;
    // Everything that may change below is held first.
    let mut due = store::presence::due(&mut tx, enough).await?;
    match &connected {
        Some(connected) => {
            due.retain(|device| connected.contains(device));
            store::presence::extend(&mut tx, &due, now + LEASE).await?;
        }
        None => store::presence::extend_reported(&mut tx, now + LEASE, enough, now - EXTERNAL_LEASE).await?,
    }
    store::presence::end_lapsed(&mut tx, now).await?;
    store::commands::end_late(&mut tx, now).await?;
    let mut unwanted = Vec::new();
    for device in store::certificates::revoked_since(&mut tx, now - INSISTING).await? {
        // Who is connected to somebody else's broker is not known here.
        let may_be_there = connected.as_ref().is_none_or(|connected| connected.contains(&device));
        if may_be_there && store::certificates::current(&mut tx, device).await?.is_empty() {
            unwanted.push(device);
        }
    }
    tx.commit().await?;
    for device in unwanted {
        kits.endpoint.disconnect(device).await;
    }
    Ok(())
}
