//! Ending a device's connection to a broker that cannot be told to: whoever connects under a client id ends the
//! connection that had it (MQTT 5 section 3.1.4), and only registrars may choose theirs.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, Random,
    link::{Event, Link, Settings},
    topics,
};

const ENOUGH: Duration = Duration::from_secs(10);

/// The registrar under the name of somebody else, for a moment.
pub(super) struct Substitute {
    registrar: Settings,
    random: Random,
}

impl Substitute {
    pub(super) const fn new(registrar: Settings, random: Random) -> Self {
        Self { registrar, random }
    }

    /// Ends the connection of `device`, if it has one.
    pub(super) async fn take_the_place_of(&self, device: DeviceId) {
        let settings = Settings {
            client_id: device.to_string(),
            // A link is connected when a subscription is granted; this one names no message that anybody sends.
            subscriptions: vec![topics::down_filter(device)],
            ..self.registrar.clone()
        };
        let (link, mut events) = Link::open(settings, self.random.clone());
        match tokio::time::timeout(ENOUGH, events.next()).await {
            // A refused subscription comes after the connection, too.
            Ok(Some(Event::Connected | Event::Message(_) | Event::Refused { .. })) => {}
            Ok(Some(Event::Disconnected { trouble, .. })) => {
                tracing::warn!(%trouble, "the broker did not end a device's connection");
            }
            Ok(None) | Err(_) => tracing::warn!("the broker did not end a device's connection in time"),
        }
        link.close().await;
    }
}
