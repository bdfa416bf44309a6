//! The device endpoint: an embedded MQTT 5 broker behind mutual TLS, or somebody else's broker by configuration, and
//! the registrar's connection to it. Knows topics and certificates; what messages mean is its callers' business.

mod embedded;
mod gate;
mod registrar;
mod rotation;
mod take_over;

pub use embedded::EmbeddedError;
pub use gate::Doorkeeper;
pub use registrar::{Incoming, Intake, NotTaken};

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use gatelodge_proto::{
    DeviceId, Random,
    link::{self, Link, Outgoing, PublishError},
    topics,
};

use crate::{
    config::{Config, Endpoint as Kind},
    pki::{Pki, PkiError},
};

/// Why devices cannot be heard.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The embedded endpoint.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The registrar's own certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The registrar's TLS settings.
    #[error("the registrar cannot use its certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// A setting that cannot be used.
    #[error("`{key}` cannot be used: {reason}")]
    Setting {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
}

/// The device endpoint as services see it: they publish to devices and end their connections. Clones share it; until
/// [`start`](Self::start) has run nothing is sent.
#[derive(Clone, Default)]
pub struct Endpoint(Arc<OnceLock<Running>>);

struct Running {
    link: Link,
    embedded: Option<embedded::Embedded>,
    substitute: take_over::Substitute,
}

impl Endpoint {
    /// An endpoint that has not started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the embedded endpoint, or turns to the external broker, and connects the registrar. `doorkeeper`
    /// decides on each connection to the embedded endpoint, `intake` gets what devices say.
    pub async fn start(
        &self,
        config: &Config,
        pki: &Pki,
        random: &Random,
        doorkeeper: Arc<dyn Doorkeeper>,
        intake: Arc<dyn Intake>,
    ) -> Result<(), EndpointError> {
        let (left_sender, left) = tokio::sync::mpsc::unbounded_channel();
        let embedded = match config.mqtt.endpoint {
            Kind::Embedded => Some(embedded::Embedded::start(config.mqtt.listen, pki, doorkeeper, left_sender).await?),
            Kind::External => None,
        };
        let address = match (&embedded, &config.mqtt.broker) {
            (Some(embedded), _) => own_address(embedded.address()),
            (None, Some(broker)) => {
                broker.parse().map_err(|error: link::InvalidEndpoint| setting("mqtt.broker", error.to_string()))?
            }
            (None, None) => return Err(setting("mqtt.broker", "an external endpoint needs it".into())),
        };
        let tls = registrar::tls(config, pki)?;
        let mut settings = link::Settings::registrar(address, pki.registrar_name(), tls);
        if embedded.is_none() {
            settings.subscriptions = vec![topics::registrar_filter(&pki.share_name())];
        }
        let substitute = take_over::Substitute::new(settings.clone(), random.clone());
        let (link, events) = Link::open(settings, random.clone());
        tokio::spawn(registrar::run(link.clone(), events, left, embedded.is_some(), intake));
        let _ = self.0.set(Running { link, embedded, substitute });
        Ok(())
    }

    /// Where the embedded endpoint listens; the port is the one in use.
    pub fn address(&self) -> Option<SocketAddr> {
        Some(self.0.get()?.embedded.as_ref()?.address())
    }

    /// `host:port` as devices reach it.
    pub fn public_address(&self, config: &Config) -> String {
        if let Some(public) = &config.mqtt.public {
            return public.clone();
        }
        let port = self.address().map_or(config.mqtt.listen.port(), |address| address.port());
        format!("{}:{port}", config.device_url.host_str().unwrap_or("localhost"))
    }

    /// Whether the registrar is connected.
    pub fn is_connected(&self) -> bool {
        self.0.get().is_some_and(|running| running.link.is_connected())
    }

    /// Sends a message; the endpoint's acknowledgement is no proof of delivery.
    pub async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let Some(running) = self.0.get() else { return Err(PublishError::NotConnected) };
        running.link.publish(message).await
    }

    /// Ends a device's connection. On an external broker the registrar takes the device's place for a moment; that
    /// the device does not come back is the revocation list's business.
    pub async fn disconnect(&self, device: DeviceId) {
        match self.0.get() {
            Some(Running { embedded: Some(embedded), .. }) => embedded.disconnect(device).await,
            Some(Running { substitute, .. }) => substitute.take_the_place_of(device).await,
            None => {}
        }
    }

    /// The devices connected to this node; `None` when a broker of somebody else holds the connections.
    pub fn connected(&self) -> Option<Vec<DeviceId>> {
        Some(self.0.get()?.embedded.as_ref()?.connected())
    }

    /// Parts from the endpoint and closes it.
    pub async fn stop(&self) {
        if let Some(running) = self.0.get() {
            running.link.close().await;
            if let Some(embedded) = &running.embedded {
                embedded.stop();
            }
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address()).finish_non_exhaustive()
    }
}

fn setting(key: &'static str, reason: String) -> EndpointError {
    EndpointError::Setting { key, reason }
}

/// How this process reaches a listener of its own.
fn own_address(listening: SocketAddr) -> link::Endpoint {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    link::Endpoint { host: ip.to_string(), port: listening.port() }
}
