//! Messages on their way: what waits in the outbox is offered over the link until the registrar's receipt, presence is
//! said on each connection and left behind as the last will. Knows nothing of what messages mean, so that whoever runs
//! a device, the agent or the simulator, delivers alike.

mod offering;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use gatelodge_proto::{
    DeviceId, Random,
    link::{Dial, Endpoint, Events, Link, Outgoing, Pace, Settings, Will},
    payload::{self, Correlation, Placed, Position, Status},
    topics::{Down, Topic, Up},
};
use rustls::ClientConfig;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    outbox::{Entry, Outbox},
    state::Boot,
};
use offering::Offering;

/// The endpoint waits so long before it publishes the will: a short break is no absence.
const WILL_DELAY: Duration = Duration::from_secs(10);

/// A farewell that the endpoint does not answer within this is left to the last will.
const FAREWELL: Duration = Duration::from_secs(2);

/// Which device connects where.
pub struct Access {
    /// The device endpoint.
    pub endpoint: Endpoint,
    /// The device.
    pub device: DeviceId,
    /// The way there.
    pub dial: Option<Dial>,
    /// Roots and the device's certificate.
    pub tls: Arc<ClientConfig>,
    /// How fast attempts follow each other.
    pub pace: Pace,
}

/// One device's link and what was offered over it.
pub struct Delivery {
    device: DeviceId,
    boot_id: Uuid,
    link: Link,
    offering: Offering,
    random: Random,
}

impl Delivery {
    /// Starts connecting, for one start of the agent; must be called within a tokio runtime.
    pub fn open(access: Access, boot: &Boot, random: Random) -> (Self, Events) {
        let Access { endpoint, device, dial, tls, pace } = access;
        let boot_id = boot.id();
        let will = Will { topic: Topic::Up(device, Up::Status), payload: presence(boot_id, false), delay: WILL_DELAY };
        let mut settings = Settings::device(endpoint, device, tls, Some(will));
        settings.pace = pace;
        settings.dial = dial;
        let (link, events) = Link::open(settings, random.clone());
        (Self { device, boot_id, link, offering: Offering::default(), random }, events)
    }

    /// Puts a message on its way; it is on disk when this returns.
    pub fn add<T: Serialize>(&self, boot: &mut Boot, outbox: &mut Outbox, kind: Up, body: T) -> io::Result<Position> {
        let position = boot.next_position();
        outbox.add(Topic::Up(self.device, kind), position, payload::encode(&Placed { position, body }))?;
        Ok(position)
    }

    /// Puts messages on their way by one sync; they are on disk when this returns.
    pub fn add_all<T: Serialize>(
        &self,
        boot: &mut Boot,
        outbox: &mut Outbox,
        kind: Up,
        bodies: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        let mut placed = |body| {
            let position = boot.next_position();
            (Topic::Up(self.device, kind), position, payload::encode(&Placed { position, body }))
        };
        outbox.add_all(bodies.into_iter().map(&mut placed).collect())
    }

    /// The link is up: says that the device is there, and offers everything anew.
    pub fn connected(&mut self) {
        self.offering.begin();
        self.send(self.presence(true));
    }

    /// Offers what waits, as far as the window goes; gives what went out.
    pub fn offer(&mut self, outbox: &Outbox) -> Vec<Correlation> {
        if !self.link.is_connected() {
            return Vec::new();
        }
        let due = self.offering.due(outbox.entries().map(Entry::correlation), now(), &self.random);
        let receipt = Topic::Down(self.device, Down::Receipt);
        for entry in outbox.entries().filter(|entry| due.contains(&entry.correlation())) {
            if let Some(topic) = entry.topic() {
                self.send(Outgoing::json(topic, entry.payload.clone()).answered_on(receipt, entry.correlation()));
            }
        }
        due
    }

    /// When to offer again; nothing is due while there is no link.
    pub fn next_at(&self) -> Option<Instant> {
        self.offering.next_at().filter(|_| self.link.is_connected())
    }

    /// Connects anew at once, for example with a renewed certificate.
    pub fn reconnect(&self) {
        self.link.reconnect();
    }

    /// Offers once more and says that the device goes.
    pub async fn farewell(&mut self, outbox: &Outbox) {
        self.offer(outbox);
        let _ = tokio::time::timeout(FAREWELL, self.link.publish(self.presence(false))).await;
    }

    /// Ends the link.
    pub async fn close(&self) {
        self.link.close().await;
    }

    fn presence(&self, online: bool) -> Outgoing {
        Outgoing::json(Topic::Up(self.device, Up::Status), presence(self.boot_id, online))
    }

    /// Hands a message to the link in the background; whether it arrives shows in its receipt.
    fn send(&self, message: Outgoing) {
        let link = self.link.clone();
        tokio::spawn(async move {
            if let Err(error) = link.publish(message).await {
                tracing::warn!(%error, "message was not taken");
            }
        });
    }
}

fn presence(boot_id: Uuid, online: bool) -> bytes::Bytes {
    payload::encode(&Status { online, boot_id }).into()
}

/// By tokio's clock, which tests stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
