//! The MQTT 5 link to the device endpoint that agent and registrar share: one task owns the event loop and nothing
//! cancels its poll; commands go in, [`Event`]s come out. It keeps no message over a lost connection: whoever must not
//! lose one keeps it until the far side's receipt and offers it again on each [`Event::Connected`].

mod backoff;
mod driver;
mod message;
mod settings;
mod trouble;

pub use backoff::{Backoff, Pace};
pub use message::{Acknowledgement, Message, Outgoing};
pub use settings::{Dial, Dialling, Endpoint, InvalidEndpoint, Settings, Will};
pub use trouble::{PublishError, Refusal, Trouble};

use std::{sync::Arc, time::Duration};

use rumqttc::{AsyncClient, PublishNotice};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinHandle,
};

use crate::Random;

/// How long a farewell may take before the connection is simply dropped.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the link has to tell.
#[derive(Debug)]
pub enum Event {
    /// Connected, and every subscription is granted. Offer again what has no receipt yet.
    Connected,
    /// The connection failed or broke. The next attempt follows by itself.
    Disconnected {
        /// What happened.
        trouble: Trouble,
        /// When the next attempt starts.
        retry_in: Duration,
    },
    /// The device endpoint is there and does not want this client. The next attempt follows by itself.
    Refused {
        /// Its word.
        refusal: Refusal,
        /// When the next attempt starts.
        retry_in: Duration,
    },
    /// A message. It counts against the receive limit until it is acknowledged.
    Message(Message),
}

/// The sending half; clones share one connection.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

/// The receiving half. Dropping it cuts the connection without a farewell, so that the last will is sent.
pub struct Events {
    receiver: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

struct Shared {
    client: watch::Receiver<Option<AsyncClient>>,
    in_flight: Arc<Semaphore>,
    orders: watch::Sender<Orders>,
}

/// What the handles want of the driver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Orders {
    /// No further attempt.
    closing: bool,
    /// Grows with each wish to connect anew.
    reconnects: u64,
}

/// A message on its way to the endpoint.
#[must_use = "a refusal is only seen by waiting for it"]
pub struct Offered {
    topic: String,
    notice: PublishNotice,
    _room: OwnedSemaphorePermit,
}

impl Link {
    /// Starts connecting; must be called within a tokio runtime.
    pub fn open(settings: Settings, random: Random) -> (Self, Events) {
        let (client_sender, client) = watch::channel(None);
        let (event_sender, receiver) = mpsc::channel(usize::from(settings.receive_maximum) + 16);
        let (orders, orders_seen) = watch::channel(Orders::default());
        let in_flight = Arc::new(Semaphore::new(usize::from(settings.in_flight)));
        let driver = driver::Driver {
            backoff: Backoff::new(settings.pace),
            settings,
            random,
            client: client_sender,
            events: event_sender,
            orders: orders_seen,
        };
        let task = tokio::spawn(driver.run());
        (Self { shared: Arc::new(Shared { client, in_flight, orders }) }, Events { receiver, task })
    }

    /// Sends a message with QoS 1 and waits for the endpoint's acknowledgement. That is no proof of a commit: brokers
    /// lose acknowledged messages.
    pub async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        self.offer(message).await?.acknowledged().await
    }

    /// Hands a message to the connection, waiting only while the in-flight limit is reached.
    pub async fn offer(&self, message: Outgoing) -> Result<Offered, PublishError> {
        let room = Arc::clone(&self.shared.in_flight).acquire_owned().await.map_err(|_| PublishError::NotConnected)?;
        let client = self.shared.client.borrow().clone().ok_or(PublishError::NotConnected)?;
        let topic = message.topic.clone();
        let (payload, options) = message.into_parts();
        let notice = client.try_publish_tracked(topic.clone(), payload, options).map_err(|error| match error {
            rumqttc::ClientError::InvalidRequest(_) => PublishError::Topic(topic.clone()),
            _ => PublishError::NotConnected,
        })?;
        Ok(Offered { topic, notice, _room: room })
    }

    /// Whether messages can be sent right now.
    pub fn is_connected(&self) -> bool {
        self.shared.client.borrow().is_some()
    }

    /// Says farewell and connects anew at once, for example with a renewed certificate.
    pub fn reconnect(&self) {
        self.shared.orders.send_modify(|orders| orders.reconnects += 1);
        self.part();
    }

    /// Says farewell, so that no last will is sent, and ends the link for all clones.
    pub async fn close(&self) {
        self.shared.orders.send_modify(|orders| orders.closing = true);
        self.part();
        let mut client = self.shared.client.clone();
        // The driver drops its sender when it is done; an attempt under way is not waited for.
        let _ = tokio::time::timeout(FAREWELL, async { while client.changed().await.is_ok() {} }).await;
    }

    fn part(&self) {
        if let Some(client) = self.shared.client.borrow().as_ref() {
            let _ = client.try_disconnect_with_timeout(FAREWELL);
        }
    }
}

impl Offered {
    /// Waits for the endpoint's acknowledgement and reads its reason code.
    pub async fn acknowledged(self) -> Result<(), PublishError> {
        trouble::read_acknowledgement(self.topic, self.notice.wait_async().await)
    }
}

impl Events {
    /// The next event; `None` after [`Link::close`].
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
