//! Starting rmqtt inside this program, with every one of its open doors shut: see `Embedded::guarded`.

use std::{io, net::SocketAddr, num::NonZeroU16, path::Path, sync::Arc, time::Duration};

use gatelodge_proto::{DeviceId, topics};
use rmqtt::{
    codec::types::QoS,
    context::ServerContext,
    net::Builder,
    server::MqttServer,
    types::{ClientId, ConnectInfo, Id},
};
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    task::JoinHandle,
};

use super::{
    gate::{Departure, Doorkeeper, Gate, HOOKS},
    rotation::InTurn,
};
use crate::pki::Pki;

const MAX_SESSIONS: isize = 50_000;
/// Payload, topic and properties.
const MAX_PACKET: u32 = 72 * 1024;
/// A burst of every device at once fits; beyond it messages are dropped, and devices offer them again.
const QUEUE: usize = 100_000;
const IN_FLIGHT: NonZeroU16 = NonZeroU16::new(1024).unwrap();
const LISTENER: u16 = 1;

/// Why the embedded endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Somebody else has the port.
    #[error(
        "the device endpoint cannot listen on {address}: another program does already; stop it, or set `mqtt.listen` to another port"
    )]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// Not an address of this machine, or a port below 1024 without the right.
    #[error(
        "the device endpoint cannot listen on {address}: {reason}; set `mqtt.listen` to an address of this machine"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The certificate files.
    #[error("the device endpoint cannot use its certificate: {0}")]
    Certificate(String),
    /// A safeguard does not hold.
    #[error("the device endpoint does not start, because {0}; this is a fault of the program, please report it")]
    Unguarded(&'static str),
}

pub(super) struct Embedded {
    context: ServerContext,
    gate: Gate,
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Embedded {
    pub(super) async fn start(
        listen: SocketAddr,
        pki: &Pki,
        doorkeeper: Arc<dyn Doorkeeper>,
        left: UnboundedSender<Departure>,
    ) -> Result<Self, EmbeddedError> {
        let (unwanted_sender, mut unwanted) = mpsc::unbounded_channel();
        let registrar = format!("{}{}", topics::SERVICE_PREFIX, pki.registrar_name());
        let gate = Gate::new(doorkeeper, registrar, pki.registrar_serial().clone(), left, unwanted_sender);
        // A busy machine is when devices need their endpoint most, so it is never "too busy" to take them.
        let context = ServerContext::new().busy_check_enable(false).mqtt_max_sessions(MAX_SESSIONS).build().await;
        let register = context.extends.hook_mgr().register();
        for hook in HOOKS {
            register.add_priority(hook, u32::MAX, Box::new(gate.clone())).await;
        }
        register.start().await;
        *context.extends.shared_subscription_mut().await = Box::<InTurn>::default();

        let (chain, key) = pki.server_files();
        let settings = Self::settings(listen, chain, key, &pki.device_ca_file());
        Self::guarded(&settings, &context).await?;
        let listener = settings
            .bind()
            .map_err(|error| listen_error(listen, &error))?
            .tls()
            .map_err(|error| EmbeddedError::Certificate(format!("{error:#}")))?;
        let address = listener.local_addr().map_err(|error| listen_error(listen, &error))?;
        let server = MqttServer::new(context.clone()).listener_by_id(listener, LISTENER).build();
        let serving = tokio::spawn(async move {
            if let Err(error) = server.run().await {
                tracing::error!(%error, "the device endpoint ended");
            }
        });
        let ending = tokio::spawn({
            let context = context.clone();
            async move {
                while let Some(device) = unwanted.recv().await {
                    disconnect(&context, device).await;
                }
            }
        });
        Ok(Self { context, gate, address, tasks: [serving, ending] })
    }

    fn settings(listen: SocketAddr, chain: &Path, key: &Path, device_ca: &Path) -> Builder {
        Builder::new()
            .name("devices")
            .laddr(listen)
            .backlog(4096)
            .nodelay(true)
            // Not `reuseport`: a second program on the same port would silently take half of the devices.
            .reuseaddr(Some(true))
            .allow_anonymous(false)
            .allow_zero_keepalive(false)
            .max_keepalive(300)
            .handshake_timeout(Duration::from_secs(15))
            .max_packet_size(MAX_PACKET)
            .max_clientid_len(64)
            .max_topic_levels(8)
            .max_subscriptions(8)
            .max_qos_allowed(QoS::AtLeastOnce)
            .max_mqueue_len(QUEUE)
            .max_inflight(IN_FLIGHT)
            .session_expiry_interval(Duration::from_secs(30))
            .max_session_expiry_interval(Duration::from_secs(300))
            .tls_cross_certificate(true)
            .tls_cert(Some(chain.display().to_string()))
            .tls_key(Some(key.display().to_string()))
            .tls_client_ca_certs(Some(device_ca.display().to_string()))
            .cert_cn_as_username(true)
            .collect_cert_info(true)
    }

    /// rmqtt's defaults let everybody in: anonymous clients, hooks that are not live, the server's own chain as the
    /// clients' CA. None of them may come back by an upgrade or an edit.
    async fn guarded(settings: &Builder, context: &ServerContext) -> Result<(), EmbeddedError> {
        let safeguards = [
            (!settings.allow_anonymous, "it would let clients without a name in"),
            (settings.tls_cross_certificate, "it would not ask for certificates"),
            (
                settings.tls_client_ca_certs.is_some() && settings.tls_client_ca_certs != settings.tls_cert,
                "it would trust clients of the wrong CA",
            ),
            (settings.collect_cert_info, "it would not look at certificates"),
            (settings.max_mqueue_len >= QUEUE, "its queue would drop messages"),
            (settings.nodelay, "its answers would be late"),
            (!context.busy_check_enable, "it would turn devices away when busy"),
            (context.mqtt_max_sessions > 0, "it would take sessions without end"),
            (context.extends.shared_subscription().await.is_supported(), "the registrar would hear nothing"),
            (!stranger_gets_in(context).await, "its access rules are not live"),
        ];
        match safeguards.into_iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(EmbeddedError::Unguarded(reason)),
            None => Ok(()),
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn connected(&self) -> Vec<DeviceId> {
        self.gate.connected()
    }

    pub(super) async fn disconnect(&self, device: DeviceId) {
        disconnect(&self.context, device).await;
    }

    pub(super) fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks the live hooks about a client without a certificate; `allow_anonymous` is on, so that only a hook refuses it.
async fn stranger_gets_in(context: &ServerContext) -> bool {
    let id = Id::from(context.node.id(), ClientId::from_static("stranger"));
    let connect = rmqtt::codec::v5::Connect { username: Some("stranger".into()), ..Default::default() };
    let connect = ConnectInfo::V5(id, Box::new(connect));
    context.extends.hook_mgr().client_authenticate(&connect, true).await.0.success()
}

async fn disconnect(context: &ServerContext, device: DeviceId) {
    let id = Id::from(context.node.id(), ClientId::from(device.to_string()));
    let mut entry = context.extends.shared().await.entry(id);
    if let Err(error) = entry.kick(true, true, true).await {
        tracing::warn!(%error, "a device's connection could not be ended");
    }
}

fn listen_error(address: SocketAddr, error: &rmqtt::Error) -> EmbeddedError {
    match error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(error) if error.kind() == io::ErrorKind::AddrInUse => EmbeddedError::InUse { address },
        Some(error) => EmbeddedError::Listen { address, reason: error.to_string() },
        None => EmbeddedError::Listen { address, reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use gatelodge_proto::{CertificateSerial, Random, Timestamp};

    use super::*;
    use crate::{clock::Clock, pki::Names};

    struct Everybody;

    impl Doorkeeper for Everybody {
        fn admits<'a>(&'a self, _: DeviceId, _: &'a CertificateSerial) -> BoxFuture<'a, bool> {
            Box::pin(std::future::ready(true))
        }
    }

    async fn context(hooks_live: bool) -> ServerContext {
        let context = ServerContext::new().busy_check_enable(false).mqtt_max_sessions(MAX_SESSIONS).build().await;
        let (left, _) = mpsc::unbounded_channel();
        let (unwanted, _) = mpsc::unbounded_channel();
        let serial = CertificateSerial::from_bytes(&[1]);
        let gate = Gate::new(Arc::new(Everybody), "svc-registrar-a".into(), serial, left, unwanted);
        let register = context.extends.hook_mgr().register();
        for hook in HOOKS {
            register.add_priority(hook, u32::MAX, Box::new(gate.clone())).await;
        }
        if hooks_live {
            register.start().await;
        }
        *context.extends.shared_subscription_mut().await = Box::<InTurn>::default();
        context
    }

    fn settings() -> Builder {
        let file = |name: &str| std::path::PathBuf::from(name);
        let listen = "127.0.0.1:0".parse().unwrap();
        Embedded::settings(listen, &file("server.pem"), &file("server.key"), &file("device-ca.pem"))
    }

    async fn why(settings: Builder, context: &ServerContext) -> String {
        match Embedded::guarded(&settings, context).await {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn it_does_not_start_with_an_open_door() {
        let sound = context(true).await;
        assert_eq!(why(settings(), &sound).await, "");
        let doors: [(Builder, &str); 6] = [
            (settings().allow_anonymous(true), "clients without a name"),
            (settings().tls_cross_certificate(false), "not ask for certificates"),
            (settings().tls_client_ca_certs(Some("server.pem")), "wrong CA"),
            (settings().collect_cert_info(false), "not look at certificates"),
            (settings().max_mqueue_len(1000), "drop messages"),
            (settings().nodelay(false), "late"),
        ];
        for (door, reason) in doors {
            let said = why(door, &sound).await;
            assert!(said.contains(reason), "{reason}: {said}");
        }
        let inert = context(false).await;
        assert!(why(settings(), &inert).await.contains("access rules are not live"));
        let deaf = context(true).await;
        *deaf.extends.shared_subscription_mut().await = Box::new(rmqtt::subscribe::DefaultSharedSubscription);
        assert!(why(settings(), &deaf).await.contains("hear nothing"));
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let names = Names { server: vec!["127.0.0.1".into()], node: "a".into() };
        let clock = Clock::set_to(Timestamp::from_seconds(1_800_000_000));
        let pki = Pki::open(dir.path(), &clock, &Random::seeded(1), &names).unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (left, _) = mpsc::unbounded_channel();
        let address = taken.local_addr().unwrap();
        let Err(error) = Embedded::start(address, &pki, Arc::new(Everybody), left).await else {
            panic!("it shares a port")
        };
        assert!(error.to_string().contains("another program does already"), "{error}");
        assert!(error.to_string().contains("mqtt.listen"), "{error}");
    }
}
