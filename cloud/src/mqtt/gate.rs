//! Who may connect to the embedded endpoint, and what each may publish and hear: the whole access policy, as hooks of
//! rmqtt. Anything it does not know is refused.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use gatelodge_proto::{
    CertificateSerial, DeviceId,
    topics::{self, Topic, Up},
};
use rmqtt::{
    codec::{
        cert::CertInfo,
        v5::{PublishProperties, SubscribeAckReason},
    },
    hook::{Handler, HookResult, Parameter, ReturnType, Type},
    session::Session,
    types::{AuthResult, ConnectInfo, LastWill, Publish, PublishAclResult, Reason, SubscribeAclResult},
};
use tokio::sync::mpsc::UnboundedSender;

/// Decides whether a certificate connects, at every connection; the endpoint asks nobody else. A resumed TLS session
/// shows the certificate of its first handshake, so this answer, not the handshake, is what keeps a revoked one out.
pub trait Doorkeeper: Send + Sync + 'static {
    /// Whether `serial` is a certificate that `device` may connect with now.
    fn admits<'a>(&'a self, device: DeviceId, serial: &'a CertificateSerial) -> BoxFuture<'a, bool>;
}

/// The hooks that the policy needs; all of them must be live before the listener is.
pub(super) const HOOKS: [Type; 7] = [
    Type::ClientAuthenticate,
    Type::MessagePublish,
    Type::MessagePublishCheckAcl,
    Type::ClientSubscribeCheckAcl,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::MessageDropped,
];

/// The user property in which the endpoint names the certificate of the connection that a message came by.
pub(super) const CERTIFICATE: &str = "certificate";

/// Who has connected with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Device(DeviceId),
    Registrar,
}

#[derive(Clone)]
pub(super) struct Gate(Arc<Shared>);

struct Shared {
    doorkeeper: Arc<dyn Doorkeeper>,
    registrar: String,
    registrar_serial: CertificateSerial,
    /// Connected devices, with what tells one connection from the next of the same device.
    connected: Mutex<HashMap<DeviceId, Connection>>,
    left: UnboundedSender<Departure>,
    unwanted: UnboundedSender<DeviceId>,
}

/// A device whose connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) device: DeviceId,
    /// It said nothing for one and a half keep-alives (MQTT 5 section 3.1.2.10): nobody there broke it off.
    pub(super) silent: bool,
}

#[derive(PartialEq, Eq)]
struct Connection {
    since: i64,
    from: Option<std::net::SocketAddr>,
}

impl Gate {
    /// `left` hears of devices that are gone, `unwanted` of devices that connected while they lost the right to.
    pub(super) fn new(
        doorkeeper: Arc<dyn Doorkeeper>,
        registrar: String,
        registrar_serial: CertificateSerial,
        left: UnboundedSender<Departure>,
        unwanted: UnboundedSender<DeviceId>,
    ) -> Self {
        Self(Arc::new(Shared { doorkeeper, registrar, registrar_serial, connected: Mutex::default(), left, unwanted }))
    }

    pub(super) fn connected(&self) -> Vec<DeviceId> {
        self.0.connected.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// A client by its name alone: valid once it is connected, because connecting proves the name.
    fn client(&self, name: &str) -> Option<Client> {
        if name == self.0.registrar {
            return Some(Client::Registrar);
        }
        let device: DeviceId = name.parse().ok()?;
        (device.to_string() == name).then_some(Client::Device(device))
    }

    async fn may_connect(&self, connect: &ConnectInfo) -> bool {
        let Some((name, serial)) = certificate(connect) else { return false };
        if name != connect.client_id().as_ref() as &str {
            return false;
        }
        match self.client(name) {
            Some(Client::Registrar) => serial == self.0.registrar_serial,
            Some(Client::Device(device)) => {
                Self::will_is_its_own(device, connect) && self.0.doorkeeper.admits(device, &serial).await
            }
            None => false,
        }
    }

    /// rmqtt publishes a will without asking the publish policy, so it is judged here.
    fn will_is_its_own(device: DeviceId, connect: &ConnectInfo) -> bool {
        let topic = match connect.last_will() {
            None => return true,
            Some(LastWill::V3(will)) => will.topic.to_string(),
            Some(LastWill::V5(will)) => will.topic.to_string(),
        };
        topic.parse() == Ok(Topic::Up(device, Up::Status))
    }

    fn may_publish(&self, name: &str, message: &Publish) -> bool {
        let topic: &str = &message.topic;
        match self.client(name) {
            Some(Client::Device(device)) => topics::may_publish(device, topic) && is_stamped(message),
            Some(Client::Registrar) => matches!(topic.parse(), Ok(Topic::Down(..))),
            None => false,
        }
    }

    fn may_subscribe(&self, name: &str, filter: &str, group: Option<&str>) -> bool {
        match (self.client(name), group) {
            (Some(Client::Device(device)), None) => topics::may_subscribe(device, filter),
            (Some(Client::Registrar), Some(group)) => format!("$share/{group}/{filter}") == topics::REGISTRAR_FILTER,
            _ => false,
        }
    }

    async fn arrived(&self, session: &Session) {
        let Some(Client::Device(device)) = self.client(&session.id().client_id) else { return };
        let since = session.id().create_time;
        let connection = Connection { since, from: session.id().remote_addr };
        self.0.connected.lock().unwrap_or_else(PoisonError::into_inner).insert(device, connection);
        // The right may have gone between the first look and this connection's place in the table, where a revocation
        // would have found and ended it.
        let Ok(connect) = session.connect_info().await else { return };
        let still_admitted = match certificate(&connect) {
            Some((_, serial)) => self.0.doorkeeper.admits(device, &serial).await,
            None => false,
        };
        if !still_admitted {
            let _ = self.0.unwanted.send(device);
        }
    }

    fn departed(&self, session: &Session, reason: &Reason) {
        let Some(Client::Device(device)) = self.client(&session.id().client_id) else { return };
        let gone = Connection { since: session.id().create_time, from: session.id().remote_addr };
        let mut connected = self.0.connected.lock().unwrap_or_else(PoisonError::into_inner);
        // A device that comes back at once is here already when its old connection goes.
        if connected.get(&device).is_some_and(|current| *current == gone) {
            connected.remove(&device);
            let _ = self.0.left.send(Departure { device, silent: is_silence(reason) });
        }
    }
}

fn is_silence(reason: &Reason) -> bool {
    match reason {
        Reason::ConnectKeepaliveTimeout => true,
        Reason::Reasons(all) => all.iter().any(is_silence),
        _ => false,
    }
}

/// A device's message as it goes on: with the serial of its sender's certificate, and without anything of that kind
/// that the sender wrote.
fn stamped(publish: &Publish, serial: Option<&CertificateSerial>) -> Publish {
    let mut publish = publish.clone();
    let properties = publish.properties.get_or_insert_with(PublishProperties::default);
    properties.user_properties =
        serial.map(|serial| (CERTIFICATE.into(), serial.as_str().into())).into_iter().collect();
    publish
}

fn is_stamped(publish: &Publish) -> bool {
    publish.properties.iter().flat_map(|properties| &properties.user_properties).any(|(name, _)| name == CERTIFICATE)
}

fn certificate(connect: &ConnectInfo) -> Option<(&str, CertificateSerial)> {
    let certificate: &CertInfo = match connect {
        ConnectInfo::V3(_, connect) => connect.cert.as_ref()?,
        ConnectInfo::V5(_, connect) => connect.cert.as_ref()?,
    };
    Some((certificate.common_name.as_deref()?, certificate.serial.as_deref()?.parse().ok()?))
}

#[async_trait]
impl Handler for Gate {
    async fn hook(&self, parameter: &Parameter, earlier: Option<HookResult>) -> ReturnType {
        match parameter {
            Parameter::ClientAuthenticate(connect) => {
                let admitted = self.may_connect(connect).await;
                if !admitted {
                    tracing::debug!(client = %connect.client_id(), "connection refused");
                }
                let answer = if admitted { AuthResult::Allow(false, None) } else { AuthResult::NotAuthorized };
                (false, Some(HookResult::AuthResult(answer)))
            }
            Parameter::MessagePublish(Some(session), _, message) => {
                let Some(Client::Device(_)) = self.client(&session.id().client_id) else { return (true, earlier) };
                let stamp = session.connect_info().await.ok().and_then(|connect| Some(certificate(&connect)?.1));
                (false, Some(HookResult::Publish(stamped(message, stamp.as_ref()))))
            }
            Parameter::MessagePublishCheckAcl(session, message) => {
                let allowed = self.may_publish(&session.id().client_id, message);
                let answer = if allowed { PublishAclResult::allow() } else { PublishAclResult::rejected(false, None) };
                (false, Some(HookResult::PublishAclResult(answer)))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                let group = subscribe.opts.shared_group().map(ToString::to_string);
                let allowed = self.may_subscribe(&session.id().client_id, &subscribe.topic_filter, group.as_deref());
                let answer = if allowed {
                    SubscribeAclResult::new_success(subscribe.opts.qos(), None)
                } else {
                    SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
                };
                (false, Some(HookResult::SubscribeAclResult(answer)))
            }
            Parameter::ClientConnected(session) => {
                self.arrived(session).await;
                (true, earlier)
            }
            Parameter::ClientDisconnected(session, reason) => {
                self.departed(session, reason);
                (true, earlier)
            }
            Parameter::MessageDropped(_, _, message, reason) => {
                tracing::warn!(topic = %message.topic, ?reason, "the device endpoint dropped a message");
                (true, earlier)
            }
            _ => (true, earlier),
        }
    }
}

#[cfg(test)]
mod tests {
    use rmqtt::codec::types::Publish as Packet;

    use super::*;

    #[test]
    fn a_device_cannot_name_another_certificate_than_its_own() {
        let serial = CertificateSerial::from_bytes(&[0x7f, 1]);
        let forged = PublishProperties {
            user_properties: vec![("x".into(), "y".into()), (CERTIFICATE.into(), "0A".into())],
            ..PublishProperties::default()
        };
        for properties in [None, Some(forged)] {
            let packet = Packet {
                dup: false,
                retain: false,
                qos: rmqtt::codec::types::QoS::AtLeastOnce,
                topic: "t".into(),
                packet_id: None,
                payload: "p".into(),
                properties,
            };
            let packet = packet.into();
            let sent = stamped(&packet, Some(&serial));
            assert_eq!(sent.properties.as_ref().unwrap().user_properties, [(CERTIFICATE.into(), "7F01".into())]);
            assert!(is_stamped(&sent) && !is_stamped(&stamped(&packet, None)));
        }
    }
}
