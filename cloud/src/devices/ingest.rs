//! What devices say, taken in: a group of messages in one commit, each message at most once, the newest state kept by
//! the device's own count. What nobody can use is parked, so that it stops nobody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use gatelodge_proto::{
    DeviceId, Timestamp,
    link::Outgoing,
    payload::{
        self, Certificate, CommandResult, Correlation, EndReason, Event, Happening, Life, Placed, Position, Receipt,
        Renew, Report, SessionOrder, Status,
    },
    topics::{Down, Topic, Up},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    accept,
    commands::{self, Unopened},
    enrol,
    model::{CertificateState, Device, EnrolmentState},
    presence::{LEASE, LINGER},
    speaker::{Sender, Speaker, speakers},
    store,
    verify::{self, VerifyError},
};
use crate::{
    db::{DbError, Tx},
    kits::Kits,
    mqtt::{Incoming, Intake, NotTaken},
    pki::Csr,
};

/// A device that keeps contradicting its row is noted once a day.
const REMINDER: Duration = Duration::from_secs(86_400);
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

impl From<payload::InvalidPayload> for Fault {
    fn from(error: payload::InvalidPayload) -> Self {
        Self::Unusable(error.to_string())
    }
}

impl From<VerifyError> for Fault {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Db(error) => Self::Db(error),
            VerifyError::Pki(error) => Self::Unusable(error.to_string()),
        }
    }
}

/// What follows from a group once it is committed.
#[derive(Default)]
struct Answers {
    outgoing: Vec<Outgoing>,
    /// Devices that are there and may have something to do.
    came: BTreeSet<DeviceId>,
}

impl Registrar {
    /// A registrar that tells `sessions` what happened in sessions.
    pub fn new(kits: Kits, sessions: Arc<dyn SessionEvents>) -> Self {
        Self { kits, sessions }
    }

    async fn take_group(&self, group: &[Incoming]) -> Result<Answers, DbError> {
        let now = self.kits.now();
        let mut tx = self.kits.db.write().await?;
        let mut answers = Answers::default();
        let speakers = speakers(&mut tx, group).await?;
        for incoming in group {
            self.take_one(&mut tx, now, &speakers, incoming, &mut answers).await?;
        }
        for device in &answers.came {
            for command in store::commands::waiting(&mut tx, now, *device).await? {
                store::commands::sent(&mut tx, now, command.id).await?;
                answers.outgoing.push(commands::outgoing(*device, &command));
            }
        }
        tx.commit().await?;
        self.kits.jobs.ring();
        Ok(answers)
    }

    async fn take_one(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        speakers: &BTreeMap<DeviceId, Speaker>,
        incoming: &Incoming,
        answers: &mut Answers,
    ) -> Result<(), DbError> {
        let (topic, payload, correlation, certificate) = match incoming {
            Incoming::Left(device) => return store::presence::shorten(tx, *device, now + LINGER).await,
            // It has had its time to come back.
            Incoming::Silent(device) => return store::presence::end(tx, now, *device).await,
            Incoming::Message { topic, payload, correlation, certificate } => {
                (topic, payload, *correlation, certificate.as_ref())
            }
        };
        let Ok(Topic::Up(device, kind)) = topic.parse::<Topic>() else {
            return self.park(tx, now, (topic, payload), "no such topic").await;
        };
        let taken = match speakers.get(&device) {
            // Somebody else's broker may still let it in.
            Some(speaker) if speaker.device.life == Life::Retired => return Ok(()),
            Some(speaker) => self.take_message(tx, now, speaker.by(certificate), kind, payload, answers).await,
            None => Err(Fault::Unusable("no such device".into())),
        };
        let receipt = match taken {
            Ok(position) => position.map(|position| (Correlation::from(position), None)),
            Err(Fault::Db(error)) => return Err(error),
            Err(Fault::Unusable(reason)) => {
                tracing::warn!(%device, ?kind, %reason, "a message was parked");
                self.park(tx, now, (topic, payload), &reason).await?;
                correlation.map(|correlation| (correlation, Some(reason)))
            }
        };
        if let Some((correlation, parked)) = receipt {
            let receipt = Receipt { boot_id: correlation.boot_id, seq: correlation.seq, parked };
            let topic = Topic::Down(device, Down::Receipt);
            answers.outgoing.push(Outgoing::json(topic, payload::encode(&receipt)).correlated(correlation));
        }
        Ok(())
    }

    async fn park(&self, tx: &mut Tx, now: Timestamp, message: (&str, &[u8]), reason: &str) -> Result<(), DbError> {
        store::messages::park(tx, now, &self.kits.random, message, reason).await
    }

    /// Takes one message in; gives the position that its receipt names. Presence has none.
    async fn take_message(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        sender: Sender<'_>,
        kind: Up,
        payload: &[u8],
        answers: &mut Answers,
    ) -> Result<Option<Position>, Fault> {
        let device = sender.device();
        match kind {
            Up::Status => {
                let status: Status = payload::decode(payload)?;
                if !status.online {
                    store::presence::went(tx, now, device.id, status.boot_id).await?;
                } else if sender.may_speak() {
                    store::presence::came(tx, now, device.id, status.boot_id, now + LEASE).await?;
                    answers.came.insert(device.id);
                }
                Ok(None)
            }
            Up::Report => {
                let (position, report, first) = self.placed::<Report>(tx, now, sender, "report", payload).await?;
                if first {
                    self.take_report(tx, now, device, position, &report).await?;
                }
                Ok(Some(position))
            }
            Up::Result => {
                let (position, result, first) =
                    self.placed::<CommandResult>(tx, now, sender, "result", payload).await?;
                if first
                    && let Some(Unopened { order, reason }) = commands::take_result(tx, now, device.id, &result).await?
                {
                    self.sessions.unopened(tx, &self.kits, device.id, &order, reason).await?;
                }
                Ok(Some(position))
            }
            Up::Event => {
                let (position, event, first) = self.placed::<Event>(tx, now, sender, "event", payload).await?;
                if first {
                    self.take_event(tx, now, device.id, &event).await?;
                }
                Ok(Some(position))
            }
            Up::Renew => {
                let (position, renew, _) = self.placed::<Renew>(tx, now, sender, "renew", payload).await?;
                if !sender.may_renew(now) {
                    let reason = "it asks for the next certificate with one that lets nobody in";
                    return Err(Fault::Unusable(reason.into()));
                }
                let chain = self.renew(tx, now, device, &renew).await?;
                let topic = Topic::Down(device.id, Down::Certificate);
                answers.outgoing.push(Outgoing::json(topic, payload::encode(&Certificate { chain })));
                Ok(Some(position))
            }
        }
    }

    /// Reads a message and notes its position; whether it is seen for the first time.
    async fn placed<T: DeserializeOwned>(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        sender: Sender<'_>,
        kind: &'static str,
        payload: &[u8],
    ) -> Result<(Position, T, bool), Fault> {
        if !sender.may_speak() {
            return Err(Fault::Unusable("its sender's certificate was taken back before it came in".into()));
        }
        let Placed { position, body } = payload::decode::<Placed<T>>(payload)?;
        if i64::try_from(position.seq).is_err() || i64::try_from(position.boot).is_err() {
            return Err(Fault::Unusable("its position is beyond any count".into()));
        }
        let first = store::messages::first_time(tx, now, sender.device().id, position, kind).await?;
        Ok((position, body, first))
    }

    async fn take_report(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        device: &Device,
        position: Position,
        report: &Report,
    ) -> Result<(), DbError> {
        let contradiction = [
            (report.mac != device.names.mac, "mac"),
            (report.serial != device.names.serial, "serial"),
            (report.id_code.is_some_and(|code| code != device.names.id_code), "id_code"),
        ];
        if let Some((_, name)) = contradiction.into_iter().find(|(differs, _)| *differs) {
            // Kept as evidence, not as this device's state: the key may sit in other hardware.
            let earlier = store::lists::has_conflict(tx, device.id, now - REMINDER).await?;
            enrol::note_conflict(tx, &self.kits, now, device.id, !earlier, name).await?;
            return Ok(());
        }
        store::inventory::keep_report(tx, device.id, now, position.order(), report).await
    }

    async fn take_event(&self, tx: &mut Tx, now: Timestamp, device: DeviceId, event: &Event) -> Result<(), DbError> {
        match &event.what {
            Happening::OnSiteCodeShown { code } => verify::shown(tx, now, &self.kits.random, device, *code).await,
            Happening::SessionJoined { .. }
            | Happening::FlowOpened { .. }
            | Happening::FlowClosed { .. }
            | Happening::SessionEnded { .. } => self.sessions.happened(tx, &self.kits, device, event).await,
        }
    }

    /// The next certificate of a connected device. The old one stays good until the new one has connected; asking
    /// again with the same key gives the same certificate.
    async fn renew(&self, tx: &mut Tx, now: Timestamp, device: &Device, renew: &Renew) -> Result<String, Fault> {
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
        let certificate = accept::issue(tx, &self.kits, now, device, &csr).await?;
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
                Ok(answers) => return Ok(answers.outgoing),
                Err(error) if error.is_passing() => return Err(NotTaken(error.to_string())),
                Err(error) => tracing::warn!(%error, messages = group.len(), "a group is taken in one by one"),
            }
            let mut outgoing = Vec::new();
            for incoming in group {
                match self.take_group(std::slice::from_ref(incoming)).await {
                    Ok(answers) => outgoing.extend(answers.outgoing),
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
        let parked = async {
            let mut tx = self.kits.db.write().await?;
            self.park(&mut tx, now, (topic, payload), "a fault of the cloud").await?;
            tx.commit().await
        };
        parked.await.map_err(|error| NotTaken(error.to_string()))?;
        let (Ok(Topic::Up(device, _)), Some(correlation)) = (topic.parse(), correlation) else { return Ok(None) };
        let reason = Some("a fault of the cloud; the message is kept".to_owned());
        let receipt = Receipt { boot_id: correlation.boot_id, seq: correlation.seq, parked: reason };
        let topic = Topic::Down(device, Down::Receipt);
        Ok(Some(Outgoing::json(topic, payload::encode(&receipt)).correlated(*correlation)))
    }
}
