//! Messages as the link takes and gives them, with the MQTT 5 properties that Gatelodge uses.

use std::{fmt, time::Duration};

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ManualAck, PublishOptions,
    mqttbytes::{
        QoS,
        v5::{Publish, PublishProperties},
    },
};

use crate::{
    payload::{CONTENT_TYPE, Correlation},
    topics::Topic,
};

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub topic: String,
    /// The bytes.
    pub payload: Bytes,
    /// Where the answer is awaited (MQTT 5 section 3.3.2.3.5).
    pub response_topic: Option<String>,
    /// What the answer will repeat (MQTT 5 section 3.3.2.3.6).
    pub correlation: Option<Correlation>,
    /// The endpoint drops it when it could not deliver it for so long; whole seconds.
    pub expiry: Option<Duration>,
    /// What the bytes are.
    pub content_type: Option<String>,
}

impl Outgoing {
    /// A payload of [`crate::payload`] to one of our topics.
    pub fn json(topic: Topic, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.to_string(),
            payload: payload.into(),
            response_topic: None,
            correlation: None,
            expiry: None,
            content_type: Some(CONTENT_TYPE.into()),
        }
    }

    /// With the topic and correlation that an answer will use.
    #[must_use]
    pub fn answered_on(mut self, topic: Topic, correlation: Correlation) -> Self {
        self.response_topic = Some(topic.to_string());
        self.correlation = Some(correlation);
        self
    }

    /// With the correlation of the message this answers.
    #[must_use]
    pub const fn correlated(mut self, correlation: Correlation) -> Self {
        self.correlation = Some(correlation);
        self
    }

    /// Dropped when it cannot be delivered for so long.
    #[must_use]
    pub const fn expiring(mut self, after: Duration) -> Self {
        self.expiry = Some(after);
        self
    }

    pub(super) fn into_parts(self) -> (Bytes, PublishOptions) {
        let properties = PublishProperties {
            response_topic: self.response_topic,
            correlation_data: self.correlation.map(|correlation| Bytes::from(correlation.to_string())),
            message_expiry_interval: self.expiry.map(|expiry| u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX)),
            content_type: self.content_type,
            ..PublishProperties::default()
        };
        (self.payload, PublishOptions::new(QoS::AtLeastOnce).properties(properties))
    }
}

/// A message that came.
#[derive(Debug)]
pub struct Message {
    /// Where it was sent.
    pub topic: String,
    /// The bytes.
    pub payload: Bytes,
    /// Where its sender awaits the answer.
    pub response_topic: Option<String>,
    /// What the answer should repeat, as the sender wrote it.
    pub correlation: Option<Bytes>,
    /// What the bytes are, as the sender says.
    pub content_type: Option<String>,
    /// Names and values that came along (MQTT 5 section 3.3.2.3.7).
    pub user_properties: Vec<(String, String)>,
    /// Take it out and say so when the message is safe.
    pub acknowledgement: Acknowledgement,
}

impl Message {
    pub(super) fn from_publish(publish: Publish, client: AsyncClient) -> Self {
        let properties = publish.properties.clone().unwrap_or_default();
        let ack = client.prepare_ack(&publish);
        Self {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload,
            response_topic: properties.response_topic,
            correlation: properties.correlation_data,
            content_type: properties.content_type,
            user_properties: properties.user_properties,
            acknowledgement: Acknowledgement { client, ack },
        }
    }

    /// The correlation in our form, when it is in our form.
    pub fn parsed_correlation(&self) -> Option<Correlation> {
        std::str::from_utf8(self.correlation.as_ref()?).ok()?.parse().ok()
    }
}

/// The right to acknowledge one message, once, on the connection it came by. Dropped unused, the endpoint delivers
/// the message again after the next reconnect, and until then it takes one place of the receive limit.
pub struct Acknowledgement {
    client: AsyncClient,
    /// `None` for QoS 0, which nobody acknowledges.
    ack: Option<ManualAck>,
}

impl Acknowledgement {
    /// Tells the endpoint that the message is safe here. Without effect when that connection is gone.
    pub fn acknowledge(self) {
        if let Some(ack) = self.ack {
            let _ = self.client.try_manual_ack(ack);
        }
    }
}

impl fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ack.is_some() { "Acknowledgement(owed)" } else { "Acknowledgement(none owed)" })
    }
}
