//! The registrar's connection to the device endpoint, embedded or not: an ordinary MQTT 5 client that hands on what
//! devices say in groups, and acknowledges a message only after it is safe.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use gatelodge_proto::{
    CertificateSerial, DeviceId,
    link::{Acknowledgement, Event, Events, Link, Message, Outgoing},
    payload::Correlation,
};
use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::sync::mpsc;

use super::{
    EndpointError,
    gate::{self, Departure},
};
use crate::{config::Config, pki::Pki};

/// One commit takes at most this many messages.
const GROUP: usize = 256;
const WAITING: usize = 2048;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the registrar heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message under some device's `up` topics.
    Message {
        /// Where it was sent; the endpoint has checked that the sender may.
        topic: String,
        /// The bytes, unread.
        payload: Bytes,
        /// What a receipt repeats, when the sender gave it.
        correlation: Option<Correlation>,
        /// The certificate of the connection it came by; `None` behind somebody else's broker, which does not tell.
        certificate: Option<CertificateSerial>,
    },
    /// A device's connection to this node's endpoint is gone.
    Left(DeviceId),
    /// A device on this node's endpoint has said nothing for one and a half keep-alives, and was cut off.
    Silent(DeviceId),
}

/// A group could not be made safe now; nothing of it was, and it will be handed over again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotTaken(pub String);

/// Takes in what devices say.
pub trait Intake: Send + Sync + 'static {
    /// Makes a group safe in one commit and gives what to send after it: receipts, certificates, commands.
    fn take<'a>(&'a self, group: &'a [Incoming]) -> BoxFuture<'a, Result<Vec<Outgoing>, NotTaken>>;
}

pub(super) fn tls(config: &Config, pki: &Pki) -> Result<Arc<ClientConfig>, EndpointError> {
    let broker_ca = match &config.mqtt.broker_ca_file {
        Some(file) => std::fs::read(file).map_err(|error| super::setting("mqtt.broker_ca_file", error.to_string()))?,
        None => pki.server_ca().as_bytes().to_vec(),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&broker_ca) {
        let certificate = certificate.map_err(|error| super::setting("mqtt.broker_ca_file", error.to_string()))?;
        roots.add(certificate)?;
    }
    let identity = pki.registrar_identity()?;
    let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(identity.chain, identity.key)?;
    tls.resumption = Resumption::disabled();
    Ok(Arc::new(tls))
}

/// Runs until the link is closed. `stamped` says that the endpoint names the senders' certificates.
pub(super) async fn run(
    link: Link,
    mut events: Events,
    mut left: mpsc::UnboundedReceiver<Departure>,
    stamped: bool,
    intake: Arc<dyn Intake>,
) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let taking = tokio::spawn(take_in(link, receiver, intake));
    loop {
        let heard = tokio::select! {
            event = events.next() => match event {
                None => break,
                Some(Event::Connected) => {
                    tracing::info!("connected to the device endpoint");
                    continue;
                }
                Some(Event::Disconnected { trouble, retry_in }) => {
                    tracing::warn!(%trouble, ?retry_in, "not connected to the device endpoint");
                    continue;
                }
                Some(Event::Refused { refusal, retry_in }) => {
                    tracing::error!(%refusal, ?retry_in, "the device endpoint refuses the registrar");
                    continue;
                }
                Some(Event::Message(message)) => heard(message, stamped),
            },
            Some(Departure { device, silent }) = left.recv() => {
                (if silent { Incoming::Silent(device) } else { Incoming::Left(device) }, None)
            }
        };
        if sender.send(heard).await.is_err() {
            break;
        }
    }
    drop(sender);
    let _ = taking.await;
}

type Heard = (Incoming, Option<Acknowledgement>);

fn heard(message: Message, stamped: bool) -> Heard {
    let correlation = message.parsed_correlation();
    let certificate = if stamped { certificate(&message) } else { None };
    let Message { topic, payload, acknowledgement, .. } = message;
    (Incoming::Message { topic, payload, correlation, certificate }, Some(acknowledgement))
}

/// The stamp of the embedded endpoint. Behind another broker it would be the device's own word.
fn certificate(message: &Message) -> Option<CertificateSerial> {
    message.user_properties.iter().find(|(name, _)| name == gate::CERTIFICATE)?.1.parse().ok()
}

/// Commits what is waiting, then sends the answers, then acknowledges. While the database does not answer nothing is
/// acknowledged, so the endpoint stops sending and the devices keep what they have.
async fn take_in(link: Link, mut waiting: mpsc::Receiver<Heard>, intake: Arc<dyn Intake>) {
    let mut next = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut next, GROUP).await > 0 {
        let (group, acknowledgements): (Vec<_>, Vec<_>) = next.drain(..).unzip();
        let mut pause = Duration::from_millis(50);
        let answers = loop {
            match intake.take(&group).await {
                Ok(answers) => break answers,
                Err(error) => {
                    tracing::error!(%error, messages = group.len(), "messages of devices wait for the database");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        };
        send(&link, answers).await;
        for acknowledgement in acknowledgements.into_iter().flatten() {
            acknowledgement.acknowledge();
        }
    }
}

async fn send(link: &Link, answers: Vec<Outgoing>) {
    let mut offered = Vec::with_capacity(answers.len());
    for answer in answers {
        match link.offer(answer).await {
            Ok(offer) => offered.push(offer),
            // The device offers its message again and gets its receipt then.
            Err(error) => tracing::debug!(%error, "an answer was not sent"),
        }
    }
    tokio::spawn(async move {
        for offer in offered {
            if let Err(error) = offer.acknowledged().await {
                tracing::debug!(%error, "an answer was not taken by the endpoint");
            }
        }
    });
}
