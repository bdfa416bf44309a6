//! One group of messages in one transaction. What devices send all the time, presence and reports, is collected and
//! written by a few statements a group; what is rare is taken in message by message.

use std::collections::{BTreeMap, HashMap, HashSet};

use gatelodge_proto::{
    DeviceId, Timestamp,
    link::Outgoing,
    payload::{self, Certificate, Correlation, Position, Receipt, Report, Status},
    topics::{Down, Topic},
};
use uuid::Uuid;

use super::{
    Fault, Registrar,
    read::{Body, Heard, Said},
};
use crate::{
    db::{DbError, Tx},
    devices::{
        commands, doubled, enrol,
        presence::{LEASE, LINGER},
        speaker::{Sender, Speakers},
        store::{self, messages::Place},
    },
    kits::Kits,
    mqtt::Incoming,
};

/// What follows from a group, collected while its messages are looked at one by one.
#[derive(Default)]
struct Group<'a> {
    outgoing: Vec<Outgoing>,
    /// Messages that were never seen before, and were not looked at yet.
    first: HashSet<Place>,
    /// Devices that are there; written at the end.
    arrived: BTreeMap<DeviceId, Uuid>,
    /// Under which start each device has connected, whether or not it is there still.
    started: BTreeMap<DeviceId, Uuid>,
    /// Devices that are there and may have something to do.
    came: Vec<DeviceId>,
    /// The newest report of each device; written at the end.
    reports: HashMap<DeviceId, (Position, &'a Report)>,
    /// Whether something was done that may have left a job.
    jobs: bool,
}

impl Registrar {
    /// Takes a group in; gives what to send now that it is safe.
    pub(super) async fn take_group(&self, incoming: &[Incoming]) -> Result<Vec<Outgoing>, DbError> {
        let heard: Vec<Option<Heard<'_>>> = incoming.iter().map(Heard::read).collect();
        let now = self.kits.now();
        let mut tx = self.kits.db.write().await?;
        let speakers = Speakers::hold(&mut tx, &devices(incoming, &heard)).await?;
        let first = store::messages::first_time(&mut tx, now, &places(&heard, &speakers)).await?;
        let mut group = Group { first, ..Group::default() };
        for (incoming, heard) in incoming.iter().zip(&heard) {
            match (incoming, heard) {
                (Incoming::Left(device), _) => {
                    group.settle(&mut tx, now, *device).await?;
                    store::presence::shorten(&mut tx, *device, now + LINGER).await?;
                }
                // It has had its time to come back.
                (Incoming::Silent(device), _) => {
                    group.settle(&mut tx, now, *device).await?;
                    store::presence::end(&mut tx, now, *device).await?;
                }
                (Incoming::Message { .. }, Some(heard)) => {
                    self.take_one(&mut tx, now, heard, &speakers, &mut group).await?;
                }
                (Incoming::Message { .. }, None) => {}
            }
        }
        group.write(&mut tx, &self.kits, now).await?;
        tx.commit().await?;
        if group.jobs {
            self.kits.jobs.ring();
        }
        Ok(group.outgoing)
    }

    async fn take_one<'a>(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        heard: &'a Heard<'_>,
        speakers: &Speakers,
        group: &mut Group<'a>,
    ) -> Result<(), DbError> {
        let Some((device, kind)) = heard.sender else {
            return self.park(tx, now, None, (heard.topic, heard.payload), "no such topic").await.map(drop);
        };
        let taken = match (speakers.by(device, heard.certificate), &heard.said) {
            // Somebody else's broker may still let it in.
            (Some(sender), _) if sender.is_retired() => return Ok(()),
            (Some(sender), Ok(said)) => self.take_said(tx, now, sender, said, group).await,
            (Some(_), Err(reason)) => Err(Fault::Unusable(reason.clone())),
            (None, _) => Err(Fault::Unusable("no such device".into())),
        };
        let (correlation, parked) = match taken {
            Ok(None) => return Ok(()),
            Ok(Some(position)) => (Some(Correlation::from(position)), None),
            Err(Fault::Db(error)) => return Err(error),
            Err(Fault::Unusable(reason)) => {
                tracing::warn!(%device, ?kind, %reason, "a message was parked");
                let told = self.park(tx, now, Some(device), (heard.topic, heard.payload), &reason).await?;
                (heard.correlation, Some(told))
            }
        };
        if let Some(correlation) = correlation {
            group.outgoing.push(receipt(device, correlation, parked));
        }
        Ok(())
    }

    /// Takes one message in; gives the position that its receipt names. Presence has none.
    async fn take_said<'a>(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        sender: Sender<'_>,
        said: &'a Said,
        group: &mut Group<'a>,
    ) -> Result<Option<Position>, Fault> {
        let device = sender.device();
        let (position, body) = match said {
            Said::Presence(status) => {
                group.present(tx, now, sender, status).await?;
                return Ok(None);
            }
            Said::Placed(..) if !sender.may_speak() => {
                let reason = "its sender's certificate was taken back before it came in";
                return Err(Fault::Unusable(reason.into()));
            }
            Said::Placed(position, body) => (*position, body),
        };
        let is_first = group.first.remove(&(device, position.boot_id, position.seq));
        match body {
            Body::Report(report) if is_first => {
                if let Some(name) = contradiction(report, sender) {
                    group.jobs = true;
                    self.note_contradiction(tx, now, device, name).await?;
                } else {
                    group.keep(device, position, report);
                }
            }
            Body::Result(result) if is_first => {
                group.jobs = true;
                self.take_result(tx, now, device, result).await?;
            }
            Body::Event(event) if is_first => {
                group.jobs = true;
                group.settle(tx, now, device).await?;
                self.take_event(tx, now, device, event).await?;
            }
            Body::Report(_) | Body::Result(_) | Body::Event(_) => {}
            // Asking again gives the same certificate again, which the first answer may not have brought.
            Body::Renew(_) if !sender.may_renew(now) => {
                let reason = "it asks for the next certificate with one that lets nobody in";
                return Err(Fault::Unusable(reason.into()));
            }
            Body::Renew(renew) => {
                group.jobs = true;
                let chain = self.renew(tx, now, device, renew).await?;
                let topic = Topic::Down(device, Down::Certificate);
                group.outgoing.push(Outgoing::json(topic, payload::encode(&Certificate { chain })));
            }
        }
        Ok(Some(position))
    }

    async fn note_contradiction(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        device: DeviceId,
        name: &'static str,
    ) -> Result<(), DbError> {
        // Kept as evidence, not as this device's state: the key may sit in other hardware.
        let earlier = store::lists::has_conflict(tx, device, now - super::REMINDER).await?;
        enrol::note_conflict(tx, &self.kits, now, device, !earlier, name).await
    }
}

impl<'a> Group<'a> {
    /// A device says that it is there, or somebody says for it that it is not.
    async fn present(
        &mut self,
        tx: &mut Tx,
        now: Timestamp,
        sender: Sender<'_>,
        status: &Status,
    ) -> Result<(), DbError> {
        let device = sender.device();
        if !status.online {
            self.settle(tx, now, device).await?;
            store::presence::went(tx, now, device, status.boot_id).await?;
        } else if sender.may_speak() {
            self.arrived.insert(device, status.boot_id);
            self.started.insert(device, status.boot_id);
            self.came.push(device);
        }
        Ok(())
    }

    /// Writes that a device has come before it is written that it goes.
    async fn settle(&mut self, tx: &mut Tx, now: Timestamp, device: DeviceId) -> Result<(), DbError> {
        match self.arrived.remove(&device) {
            Some(boot_id) => store::presence::came(tx, now, now + LEASE, &[(device, boot_id)]).await,
            None => Ok(()),
        }
    }

    fn keep(&mut self, device: DeviceId, position: Position, report: &'a Report) {
        let newest = self.reports.entry(device).or_insert((position, report));
        if newest.0.order() < position.order() {
            *newest = (position, report);
        }
    }

    /// Writes what was collected, and hands out what the devices that came have to do.
    async fn write(&mut self, tx: &mut Tx, kits: &Kits, now: Timestamp) -> Result<(), DbError> {
        let started: Vec<(DeviceId, Uuid)> = std::mem::take(&mut self.started).into_iter().collect();
        self.jobs |= doubled::look(tx, kits, now, &started).await?;
        let arrived: Vec<(DeviceId, Uuid)> = std::mem::take(&mut self.arrived).into_iter().collect();
        store::presence::came(tx, now, now + LEASE, &arrived).await?;
        let reports: Vec<_> =
            self.reports.drain().map(|(device, (position, report))| (device, position, report)).collect();
        store::inventory::keep_reports(tx, now, &reports).await?;
        self.came.sort_unstable();
        self.came.dedup();
        let waiting = store::commands::waiting_for(tx, now, &self.came).await?;
        for (device, command) in &waiting {
            store::commands::sent(tx, now, command.id).await?;
            self.outgoing.push(commands::outgoing(*device, command));
        }
        Ok(())
    }
}

/// The receipt of one message.
pub(super) fn receipt(device: DeviceId, correlation: Correlation, parked: Option<String>) -> Outgoing {
    let receipt = Receipt { boot_id: correlation.boot_id, seq: correlation.seq, parked };
    Outgoing::json(Topic::Down(device, Down::Receipt), payload::encode(&receipt)).correlated(correlation)
}

/// Every device that a group is about, once each, in the order of ids.
fn devices(incoming: &[Incoming], heard: &[Option<Heard<'_>>]) -> Vec<DeviceId> {
    let device = |(incoming, heard): (&Incoming, &Option<Heard<'_>>)| match incoming {
        Incoming::Left(device) | Incoming::Silent(device) => Some(*device),
        Incoming::Message { .. } => Some(heard.as_ref()?.sender?.0),
    };
    let mut devices: Vec<DeviceId> = incoming.iter().zip(heard).filter_map(device).collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// The places of all messages that count.
fn places(heard: &[Option<Heard<'_>>], speakers: &Speakers) -> Vec<(Place, &'static str)> {
    let place = |one: &Heard<'_>| {
        let (device, _) = one.sender?;
        let Ok(Said::Placed(position, body)) = &one.said else { return None };
        let sender = speakers.by(device, one.certificate)?;
        let counts = !sender.is_retired() && sender.may_speak();
        counts.then_some(((device, position.boot_id, position.seq), body.word()))
    };
    let mut places: Vec<_> = heard.iter().flatten().filter_map(place).collect();
    places.sort_by_key(|(place, _)| *place);
    places.dedup_by_key(|(place, _)| *place);
    places
}

/// Which of the names in a report is not this device's.
fn contradiction(report: &Report, sender: Sender<'_>) -> Option<&'static str> {
    let row = sender.names();
    let names = [
        (report.mac != row.mac, "mac"),
        (report.serial != row.serial, "serial"),
        (report.id_code.is_some_and(|code| code != row.id_code), "id_code"),
    ];
    names.into_iter().find(|(differs, _)| *differs).map(|(_, name)| name)
}
