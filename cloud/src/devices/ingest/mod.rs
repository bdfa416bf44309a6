//! What devices say, taken in: a group of messages in one commit, each message at most once, the newest state kept by
//! the device's own count. What nobody can use is parked, so that it stops nobody else.

mod group;
mod read;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use gatelodge_proto::{
    DeviceId, Timestamp,
    link::Outgoing,
    payload::{CommandResult, EndReason, Event, Happening, Renew, SessionOrder},
    topics::Topic,
};
use serde_json::json;

use super::{
    accept,
    commands::{self, Unopened},
    model::{CertificateState, EnrolmentState},
    store,
    verify::{self, VerifyError},
};
use crate::{
    accounts::service::tally,
    db::{DbError, Tx},
    kits::Kits,
    mqtt::{Incoming, Intake, NotTaken},
    pki::Csr,
};

/// A device that keeps contradicting its row is noted once a day.
const REMINDER: Duration = DAY;
const DAY: Duration = Duration::from_secs(86_400);
/// Unreadable messages of one device that are kept of one day: enough to see what is wrong, whatever a device sends.
const MOST_PARKED: u32 = 50;
/// An agent that lost the answer to a renewal asks again within hours; one that keeps its key asks after weeks.
const FRESH: Duration = Duration::from_secs(7 * 86_400);

/// Hears what happened in sessions, in the transaction that takes the message in. The sessions feature implements it.
pub trait SessionEvents: Send + Sync + 'static {
    /// Something happened on a device, by its own message.
    fn happened<'a>(
        &'a self,
        tx: &'a mut Tx,
        kits: &'a Kits,
        device: DeviceId,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<(), DbError>>;

    /// A device does not open a session that it was told to, for this reason.
    fn unopened<'a>(
        &'a self,
        tx: &'a mut Tx,
        kits: &'a Kits,
        device: DeviceId,
        order: &'a SessionOrder,
        reason: EndReason,
    ) -> BoxFuture<'a, Result<(), DbError>>;
}

/// The registrar's side of the device endpoint.
pub struct Registrar {
    kits: Kits,
    sessions: Arc<dyn SessionEvents>,
}

/// Why one message was not taken in.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// Nobody can use it; the reason goes to the device.
    #[error("{0}")]
    Unusable(String),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<VerifyError> for Fault {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Db(error) => Self::Db(error),
            VerifyError::Pki(error) => Self::Unusable(error.to_string()),
        }
    }
}

impl Registrar {
    /// A registrar that tells `sessions` what happened in sessions.
    pub fn new(kits: Kits, sessions: Arc<dyn SessionEvents>) -> Self {
        Self { kits, sessions }
    }

    /// Keeps a message that nobody can use for whoever looks into it, unless its device has sent too many of them today.
    /// Gives what to tell the device.
    async fn park(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        sender: Option<DeviceId>,
        message: (&str, &[u8]),
        reason: &str,
    ) -> Result<String, DbError> {
        let subject = sender.map(|device| device.to_string()).unwrap_or_default();
        let today = tally(tx, now, "parked", &subject, DAY).await?.count;
        if today > MOST_PARKED {
            return Ok(format!("{reason}; the cloud has {MOST_PARKED} such messages of today and keeps no more"));
        }
        store::messages::park(tx, now, &self.kits.random, message, reason).await?;
        Ok(reason.to_owned())
    }

    async fn take_event(&self, tx: &mut Tx, now: Timestamp, device: DeviceId, event: &Event) -> Result<(), DbError> {
        match &event.what {
            Happening::OnSiteCodeShown { code } => verify::shown(tx, now, &self.kits.random, device, *code).await,
            Happening::SessionJoined { .. }
            | Happening::FlowOpened { .. }
            | Happening::FlowClosed { .. }
            | Happening::Flows { .. }
            | Happening::RecordCutShort { .. }
            | Happening::SessionExtended { .. }
            | Happening::ExtensionRefused { .. }
            | Happening::SessionEnded { .. }
            | Happening::ConsentPressed { .. }
            | Happening::KeyPinned { .. }
            | Happening::KeyDeclined { .. }
            | Happening::KeyForgotten { .. } => self.sessions.happened(tx, &self.kits, device, event).await,
        }
    }

    async fn take_result(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        device: DeviceId,
        result: &CommandResult,
    ) -> Result<(), DbError> {
        match commands::take_result(tx, now, device, result).await? {
            Some(Unopened { order, reason }) => self.sessions.unopened(tx, &self.kits, device, &order, reason).await,
            None => Ok(()),
        }
    }

    /// The next certificate of a connected device. The old one stays good until the new one has connected; asking
    /// again with the same key gives the same certificate.
    async fn renew(&self, tx: &mut Tx, now: Timestamp, device: DeviceId, renew: &Renew) -> Result<String, Fault> {
        let Some(device) = store::inventory::by_id(tx, device).await? else {
            return Err(Fault::Unusable("no such device".into()));
        };
        let csr = Csr::parse(&renew.csr).map_err(|error| Fault::Unusable(error.to_string()))?;
        let key = csr.thumbprint_hex();
        let known = store::certificates::by_key(tx, &key).await?;
        if let Some(newest) = known.into_iter().next() {
            if newest.device != device.id {
                return Err(Fault::Unusable("this key belongs to another device".into()));
            }
            let fresh = newest.issued_at + FRESH > now;
            if fresh && newest.state == CertificateState::Current && newest.epoch == device.epoch {
                return Ok(newest.chain);
            }
        }
        let certificate = accept::issue(tx, &self.kits, now, &device, &csr).await?;
        if let Some(enrolment) = store::enrolments::of_device(tx, device.id, EnrolmentState::Enrolled).await? {
            store::enrolments::change_key(tx, enrolment.id, &key, &renew.csr).await?;
        }
        accept::note(tx, &self.kits, now, device.id, "device_certificate_renewed", json!({ "expired": false })).await?;
        Ok(certificate.chain)
    }
}

impl Intake for Registrar {
    fn take<'a>(&'a self, group: &'a [Incoming]) -> BoxFuture<'a, Result<Vec<Outgoing>, NotTaken>> {
        Box::pin(async move {
            match self.take_group(group).await {
                Ok(answers) => return Ok(answers),
                Err(error) if error.is_passing() => return Err(NotTaken(error.to_string())),
                Err(error) => tracing::warn!(%error, messages = group.len(), "a group is taken in one by one"),
            }
            let mut outgoing = Vec::new();
            for incoming in group {
                match self.take_group(std::slice::from_ref(incoming)).await {
                    Ok(answers) => outgoing.extend(answers),
                    Err(error) if error.is_passing() => return Err(NotTaken(error.to_string())),
                    Err(error) => outgoing.extend(self.set_aside(incoming, &error).await?),
                }
            }
            Ok(outgoing)
        })
    }
}

impl Registrar {
    /// A message that no transaction survives is parked by itself.
    async fn set_aside(&self, incoming: &Incoming, error: &DbError) -> Result<Option<Outgoing>, NotTaken> {
        let Incoming::Message { topic, payload, correlation, .. } = incoming else { return Ok(None) };
        tracing::error!(%error, "a message of a device could not be taken in and was parked");
        let now = self.kits.now();
        let sender = match topic.parse() {
            Ok(Topic::Up(device, _)) => Some(device),
            _ => None,
        };
        let parked = async {
            let mut tx = self.kits.db.write().await?;
            let reason = self.park(&mut tx, now, sender, (topic, payload), "a fault of the cloud").await?;
            tx.commit().await?;
            Ok::<_, DbError>(reason)
        };
        let reason = parked.await.map_err(|error| NotTaken(error.to_string()))?;
        let (Some(device), Some(correlation)) = (sender, correlation) else { return Ok(None) };
        Ok(Some(group::receipt(device, *correlation, Some(reason))))
    }
}
