//! The task that owns the event loop. A connection gets a fresh event loop, so nothing of a dead one is sent again
//! behind the back of whoever keeps the messages.

use rumqttc::{
    AsyncClient, Event as Step, EventLoop, Incoming, SubscribeFilterInput,
    mqttbytes::{QoS, v5::Publish},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{Backoff, Event, Message, Orders, Refusal, Settings, trouble};
use crate::Random;

pub(super) struct Driver {
    pub(super) settings: Settings,
    pub(super) random: Random,
    pub(super) backoff: Backoff,
    pub(super) client: watch::Sender<Option<AsyncClient>>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) orders: watch::Receiver<Orders>,
}

/// How a connection ended.
enum Ended {
    /// We said farewell.
    Ordered,
    /// It broke, or we were refused.
    By(trouble::End),
    /// Nobody listens to our events any more.
    Unheard,
}

impl Driver {
    pub(super) async fn run(mut self) {
        loop {
            let orders = *self.orders.borrow_and_update();
            if orders.closing {
                return;
            }
            let ended = self.connection(orders).await;
            self.client.send_replace(None);
            let end = match ended {
                Ended::Unheard => return,
                Ended::Ordered => continue,
                Ended::By(end) => end,
            };
            let retry_in = self.backoff.failed(Instant::now().into_std(), None, &self.random);
            let event = match end {
                trouble::End::Trouble(trouble) => Event::Disconnected { trouble, retry_in },
                trouble::End::Refusal(refusal) => Event::Refused { refusal, retry_in },
            };
            if self.events.send(event).await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(retry_in) => {}
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// One connection from its first packet to its end.
    async fn connection(&mut self, orders: Orders) -> Ended {
        let (client, mut event_loop) = match AsyncClient::builder(self.settings.options()).unbounded().try_build() {
            Ok(pair) => pair,
            Err(error) => return Ended::By(trouble::End::Refusal(Refusal::Other(error.to_string()))),
        };
        match self.serve(&client, &mut event_loop, orders).await {
            Ok(()) => Ended::Unheard,
            Err(_) if *self.orders.borrow() != orders => Ended::Ordered,
            Err(end) => Ended::By(end),
        }
    }

    /// Polls until the connection ends; `Ok` when nobody listens any more.
    async fn serve(
        &mut self,
        client: &AsyncClient,
        event_loop: &mut EventLoop,
        orders: Orders,
    ) -> Result<(), trouble::End> {
        loop {
            match event_loop.poll().await {
                Ok(Step::Incoming(Incoming::ConnAck(_))) => {
                    if *self.orders.borrow() == orders {
                        self.subscribe(client)?;
                    } else {
                        // The order came while connecting, when there was no client to say farewell with.
                        let _ = client.try_disconnect_now();
                    }
                }
                Ok(Step::Incoming(Incoming::SubAck(ack))) => {
                    trouble::read_subscriptions(&ack, &self.settings.subscriptions)?;
                    self.backoff.connected(Instant::now().into_std());
                    self.client.send_replace(Some(client.clone()));
                    if *self.orders.borrow() != orders {
                        let _ = client.try_disconnect_now();
                    }
                    if self.events.send(Event::Connected).await.is_err() {
                        return Ok(());
                    }
                }
                Ok(Step::Incoming(Incoming::Publish(publish))) => {
                    if !self.hand_out(publish, client).await {
                        return Ok(());
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let end = trouble::End::from(error);
                    tracing::debug!(?end, "link ended");
                    return Err(end);
                }
            }
        }
    }

    fn subscribe(&self, client: &AsyncClient) -> Result<(), trouble::End> {
        let filters = self
            .settings
            .subscriptions
            .iter()
            .map(|filter| SubscribeFilterInput::new(filter.clone(), QoS::AtLeastOnce));
        client
            .try_subscribe_many(filters)
            .map_err(|error| trouble::End::Refusal(Refusal::Subscription(error.to_string())))
    }

    /// Whether somebody still listens. QoS 1 is bounded by the receive limit, for which the channel has room; what
    /// comes with QoS 0 has no limit of its own and is dropped when the reader is behind.
    async fn hand_out(&self, publish: Publish, client: &AsyncClient) -> bool {
        let counted = publish.qos != QoS::AtMostOnce;
        let message = Event::Message(Message::from_publish(publish, client.clone()));
        if counted {
            return self.events.send(message).await.is_ok();
        }
        !matches!(self.events.try_send(message), Err(mpsc::error::TrySendError::Closed(_)))
    }
}
