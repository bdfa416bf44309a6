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
    codec::{cert::CertInfo, v5::SubscribeAckReason},
    hook::{Handler, HookResult, Parameter, ReturnType, Type},
    session::Session,
    types::{AuthResult, ConnectInfo, LastWill, PublishAclResult, Reason, SubscribeAclResult},
};
use tokio::sync::mpsc::UnboundedSender;

/// Decides whether a certificate connects, at every connection; the endpoint asks nobody else. A resumed TLS session
/// shows the certificate of its first handshake, so this answer, not the handshake, is what keeps a revoked one out.
pub trait Doorkeeper: Send + Sync + 'static {
    /// Whether `serial` is a certificate that `device` may connect with now.
    fn admits<'a>(&'a self, device: DeviceId, serial: &'a CertificateSerial) -> BoxFuture<'a, bool>;
}

/// The hooks that the policy needs; all of them must be live before the listener is.
pub(super) const HOOKS: [Type; 6] = [
    Type::ClientAuthenticate,
    Type::MessagePublishCheckAcl,
    Type::ClientSubscribeCheckAcl,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::MessageDropped,
];

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

    fn may_publish(&self, name: &str, topic: &str) -> bool {
        match self.client(name) {
            Some(Client::Device(device)) => topics::may_publish(device, topic),
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
            Parameter::MessagePublishCheckAcl(session, message) => {
                let allowed = self.may_publish(&session.id().client_id, &message.topic);
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
