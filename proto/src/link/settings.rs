//! What a link needs to know before it starts.

use std::{fmt, io, pin::Pin, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use rumqttc::{
    AckMode, Broker, MqttOptions, Transport,
    mqttbytes::{
        QoS,
        v5::{ConnectProperties, LastWill, LastWillProperties},
    },
};
use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::Pace;
use crate::{
    DeviceId,
    payload::{self, CONTENT_TYPE},
    topics::{self, Topic},
};

/// Room for the largest payload, its topic and its properties.
const MAX_PACKET: u32 = 72 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// What waits to be sent goes out in one write, up to so many packets.
const TOGETHER: usize = 256;

/// `host:port` of a device endpoint; an IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address without brackets; the server's certificate must carry it.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the address of a device endpoint; write it like mqtt.example.com:8883")]
pub struct InvalidEndpoint(String);

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;
    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let bad = || InvalidEndpoint(text.chars().take(120).collect());
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(bad)?;
        if !port.chars().all(|c| c.is_ascii_digit()) {
            return Err(bad());
        }
        let port = port.parse().map_err(|_| bad())?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?.to_string(),
            None if host.contains(':') => return Err(bad()),
            None => host.to_owned(),
        };
        let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c));
        if is_name && port != 0 { Ok(Self { host, port }) } else { Err(bad()) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What the endpoint publishes when this client vanishes without a farewell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Where to.
    pub topic: Topic,
    /// The bytes.
    pub payload: Bytes,
    /// The endpoint waits so long for the client to come back; at most the session expiry.
    pub delay: Duration,
}

/// How a TCP connection to that host and port is made.
pub type Dial = Arc<dyn Fn(String, u16) -> Dialling + Send + Sync>;
/// A connection that is being made.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A link's settings. [`Settings::device`] and [`Settings::registrar`] give the two forms in use.
#[derive(Clone)]
pub struct Settings {
    /// Where to.
    pub endpoint: Endpoint,
    /// The way there, as through a proxy; directly when absent.
    pub dial: Option<Dial>,
    /// Equal to the certificate's common name.
    pub client_id: String,
    /// Roots, client certificate, provider. Its resumption must be off ([`rustls::client::Resumption::disabled`]): a
    /// resumed handshake shows the endpoint the certificate of the first one.
    pub tls: Arc<ClientConfig>,
    /// Silence after which a ping goes out.
    pub keep_alive: Duration,
    /// Unacknowledged messages this side sends at most; the endpoint may lower it.
    pub in_flight: u16,
    /// Unacknowledged messages this side takes at most.
    pub receive_maximum: u16,
    /// How long the endpoint keeps queued messages and delays the will after a loss.
    pub session_expiry: Duration,
    /// The last will.
    pub will: Option<Will>,
    /// Filters, subscribed anew on every connection.
    pub subscriptions: Vec<String>,
    /// How fast attempts follow each other.
    pub pace: Pace,
}

impl Settings {
    /// A device: its own `down` messages, 16 in flight each way, keep-alive 30 s.
    pub fn device(endpoint: Endpoint, device: DeviceId, tls: Arc<ClientConfig>, will: Option<Will>) -> Self {
        Self {
            endpoint,
            dial: None,
            client_id: device.to_string(),
            tls,
            keep_alive: Duration::from_secs(30),
            in_flight: 16,
            receive_maximum: 16,
            session_expiry: Duration::from_secs(30),
            will,
            subscriptions: vec![topics::down_filter(device)],
            pace: Pace::default(),
        }
    }

    /// A registrar node: its share of every device's `up` messages, 1,024 in flight each way, quick retries.
    pub fn registrar(endpoint: Endpoint, node: &str, tls: Arc<ClientConfig>) -> Self {
        Self {
            endpoint,
            dial: None,
            client_id: format!("{}{node}", topics::SERVICE_PREFIX),
            tls,
            keep_alive: Duration::from_secs(30),
            in_flight: 1024,
            receive_maximum: 1024,
            session_expiry: Duration::ZERO,
            will: None,
            subscriptions: vec![topics::REGISTRAR_FILTER.into()],
            pace: Pace {
                first: Duration::from_millis(500),
                cap: Duration::from_secs(10),
                stable: Duration::from_secs(60),
            },
        }
    }

    pub(super) fn options(&self) -> MqttOptions {
        let Endpoint { host, port } = self.endpoint.clone();
        let dial = self.dial.clone();
        let mut options = MqttOptions::new(self.client_id.clone(), Broker::tcp(host.clone(), port));
        options
            .set_transport(Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(Arc::clone(&self.tls))))
            // Ours, because the built-in one glues host and port together, which no IPv6 address survives.
            .set_socket_connector(move |_, _| {
                let (host, dial) = (host.clone(), dial.clone());
                async move {
                    let stream = match dial {
                        Some(dial) => dial(host, port).await?,
                        None => TcpStream::connect((host.as_str(), port)).await?,
                    };
                    // Without it a receipt takes 40 to 90 ms: Nagle's algorithm waits for a delayed acknowledgement.
                    stream.set_nodelay(true)?;
                    Ok(stream)
                }
            })
            .set_clean_start(true)
            .set_keep_alive(u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX))
            .set_connect_timeout(CONNECT_TIMEOUT)
            .set_ack_mode(AckMode::Manual)
            .set_max_request_batch(TOGETHER)
            .set_outgoing_inflight_upper_limit(self.in_flight)
            .set_connect_properties(ConnectProperties {
                session_expiry_interval: Some(seconds(self.session_expiry)),
                receive_maximum: Some(self.receive_maximum),
                ..ConnectProperties::new()
            })
            .set_max_packet_size(Some(MAX_PACKET));
        if let Some(will) = &self.will {
            let properties = LastWillProperties {
                delay_interval: Some(seconds(will.delay)),
                payload_format_indicator: Some(1),
                message_expiry_interval: None,
                content_type: Some(CONTENT_TYPE.into()),
                response_topic: None,
                correlation_data: None,
                user_properties: Vec::new(),
            };
            let topic = will.topic.to_string();
            options.set_last_will(LastWill::new(
                topic,
                will.payload.to_vec(),
                QoS::AtLeastOnce,
                false,
                Some(properties),
            ));
        }
        options
    }
}

const _: () = assert!(payload::MAX_BYTES < MAX_PACKET as usize, "the largest payload fits into a packet");

fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_a_host_and_a_port() {
        for text in ["mqtt.example.com:8883", "127.0.0.1:8883", "[::1]:8883"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:8883".parse::<Endpoint>().unwrap().host, "::1");
        for text in
            ["", "mqtt.example.com", ":8883", "::1:8883", "[::1]", "host:0", "host:70000", "host:+1", "a b:1", "[x]:1"]
        {
            assert_eq!(text.parse::<Endpoint>(), Err(InvalidEndpoint(text.into())), "{text}");
        }
    }
}
