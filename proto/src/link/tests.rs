//! The link against a real Mosquitto with mutual TLS and the access rules of docs.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::*;
use crate::{
    DeviceId, Timestamp,
    payload::Correlation,
    topics::{Down, Topic, Up},
};

const SOON: Duration = Duration::from_secs(20);

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl Ca {
    fn make(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// Mosquitto in a folder that goes away.
struct Mosquitto {
    dir: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
    server_ca: Ca,
    device_ca: Ca,
}

impl Mosquitto {
    /// `None` where the machine has none, which CI does not accept.
    fn start() -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "mosquitto is needed: apt-get install mosquitto");
            eprintln!("skipped: mosquitto is not installed");
            return None;
        };
        let (server_ca, device_ca) = (Ca::make("server CA"), Ca::make("device CA"));
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (certificate, key) = server_ca.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("server.pem", &certificate.pem());
        write("server.key", &key.serialize_pem());
        write("device-ca.pem", &device_ca.pem);
        write(
            "acl",
            "user svc-registrar-a\ntopic readwrite gl/1/#\n\npattern write gl/1/d/%u/up/#\npattern read gl/1/d/%u/down/#\n",
        );
        let path = |name: &str| dir.path().join(name).display().to_string();
        write(
            "mosquitto.conf",
            &format!(
                "user root\nper_listener_settings true\nset_tcp_nodelay true\nlistener {port} 127.0.0.1\n\
                 cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n\
                 use_username_as_clientid true\nallow_anonymous false\nacl_file {}\n",
                path("device-ca.pem"),
                path("server.pem"),
                path("server.key"),
                path("acl"),
            ),
        );
        let mut broker = Self { dir, port, process: None, server_ca, device_ca };
        broker.run(&program);
        Some(broker)
    }

    fn run(&mut self, program: &Path) {
        let config = self.dir.path().join("mosquitto.conf");
        let child =
            Command::new(program).arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.process = Some(child);
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint { host: "127.0.0.1".into(), port: self.port }
    }

    fn tls(&self, issuer: &Ca, name: &str) -> Arc<ClientConfig> {
        tls(&self.server_ca, issuer, name)
    }

    fn device(&self, device: DeviceId) -> Settings {
        quick(Settings::device(self.endpoint(), device, self.tls(&self.device_ca, &device.to_string()), None))
    }

    fn registrar(&self) -> Settings {
        let mut settings =
            Settings::registrar(self.endpoint(), "registrar-a", self.tls(&self.device_ca, "svc-registrar-a"));
        settings.subscriptions = vec!["gl/1/d/+/up/#".into()];
        quick(settings)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("mosquitto"))
        .find(|file| file.is_file())
}

fn tls(trusted: &Ca, issuer: &Ca, name: &str) -> Arc<ClientConfig> {
    let (certificate, key) = issuer.issue(name, ExtendedKeyUsagePurpose::ClientAuth);
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn quick(mut settings: Settings) -> Settings {
    settings.pace =
        Pace { first: Duration::from_millis(50), cap: Duration::from_millis(200), stable: Duration::from_secs(60) };
    settings
}

fn device_id(seed: u64) -> DeviceId {
    DeviceId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(seed))
}

fn open(settings: Settings) -> (Link, Events) {
    Link::open(settings, Random::seeded(1))
}

async fn next(events: &mut Events) -> Event {
    tokio::time::timeout(SOON, events.next()).await.expect("an event in time").expect("the link lives")
}

/// Skips failed attempts, as before the broker listens.
async fn connected(events: &mut Events) {
    loop {
        if let Event::Connected = next(events).await {
            return;
        }
    }
}

async fn message(events: &mut Events) -> Message {
    loop {
        if let Event::Message(message) = next(events).await {
            return message;
        }
    }
}

#[tokio::test]
async fn a_message_and_its_answer_cross_with_their_properties() {
    let Some(broker) = Mosquitto::start() else { return };
    let device = device_id(1);
    let (registrar, mut at_registrar) = open(broker.registrar());
    let (agent, mut at_agent) = open(broker.device(device));
    connected(&mut at_registrar).await;
    connected(&mut at_agent).await;

    let correlation = Correlation { boot_id: uuid::Uuid::from_u128(7), seq: 9 };
    let report = Outgoing::json(Topic::Up(device, Up::Report), "{}")
        .answered_on(Topic::Down(device, Down::Receipt), correlation)
        .expiring(Duration::from_secs(60));
    agent.publish(report).await.unwrap();

    let seen = message(&mut at_registrar).await;
    assert_eq!(seen.topic, Topic::Up(device, Up::Report).to_string());
    assert_eq!(seen.parsed_correlation(), Some(correlation));
    assert_eq!(seen.content_type.as_deref(), Some("application/json"));
    let answer = seen.response_topic.clone().unwrap().parse().unwrap();
    seen.acknowledgement.acknowledge();
    registrar.publish(Outgoing::json(answer, "{\"ok\":1}").correlated(correlation)).await.unwrap();

    let receipt = message(&mut at_agent).await;
    assert_eq!(receipt.payload.as_ref(), b"{\"ok\":1}");
    assert_eq!(receipt.parsed_correlation(), Some(correlation));
}

#[tokio::test]
async fn the_endpoint_stops_at_the_receive_limit_until_messages_are_acknowledged() {
    let Some(broker) = Mosquitto::start() else { return };
    let device = device_id(1);
    let mut settings = broker.registrar();
    settings.receive_maximum = 2;
    let (_registrar, mut at_registrar) = open(settings);
    let (agent, mut at_agent) = open(broker.device(device));
    connected(&mut at_registrar).await;
    connected(&mut at_agent).await;
    for number in 0..4 {
        agent.publish(Outgoing::json(Topic::Up(device, Up::Event), number.to_string())).await.unwrap();
    }
    let (first, second) = (message(&mut at_registrar).await, message(&mut at_registrar).await);
    let third = tokio::time::timeout(Duration::from_millis(300), at_registrar.next()).await;
    assert!(third.is_err(), "a third message came before an acknowledgement: {third:?}");
    first.acknowledgement.acknowledge();
    second.acknowledgement.acknowledge();
    assert_eq!(message(&mut at_registrar).await.payload.as_ref(), b"2");
    assert_eq!(message(&mut at_registrar).await.payload.as_ref(), b"3");
}

#[tokio::test]
async fn after_a_broken_connection_it_subscribes_anew() {
    let Some(mut broker) = Mosquitto::start() else { return };
    let device = device_id(1);
    let (agent, mut at_agent) = open(broker.device(device));
    connected(&mut at_agent).await;
    broker.kill();
    let Event::Disconnected { .. } = next(&mut at_agent).await else { panic!("a killed broker is a disconnection") };
    assert_eq!(
        agent.publish(Outgoing::json(Topic::Up(device, Up::Event), "lost")).await,
        Err(PublishError::NotConnected)
    );
    broker.run(&program().unwrap());
    connected(&mut at_agent).await;

    let (registrar, mut at_registrar) = open(broker.registrar());
    connected(&mut at_registrar).await;
    registrar.publish(Outgoing::json(Topic::Down(device, Down::Command), "again")).await.unwrap();
    assert_eq!(message(&mut at_agent).await.payload.as_ref(), b"again");
}

#[tokio::test]
async fn a_foreign_topic_is_refused_by_its_reason_code() {
    let Some(broker) = Mosquitto::start() else { return };
    let (agent, mut at_agent) = open(broker.device(device_id(1)));
    connected(&mut at_agent).await;
    let foreign = Outgoing::json(Topic::Up(device_id(2), Up::Report), "{}");
    let refused = agent.publish(foreign).await.unwrap_err();
    assert!(matches!(&refused, PublishError::Refused { reason, .. } if reason == "NotAuthorized"), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused_and_named() {
    let Some(broker) = Mosquitto::start() else { return };
    let device = device_id(1);
    let mut settings = broker.device(device);
    settings.tls = broker.tls(&Ca::make("rogue CA"), &device.to_string());
    let (_agent, mut at_agent) = open(settings);
    loop {
        match next(&mut at_agent).await {
            Event::Refused { refusal: Refusal::Certificate(alert), .. } => {
                assert_eq!(alert, "UnknownCA");
                return;
            }
            Event::Disconnected { trouble: Trouble::Unreachable(_), .. } => {}
            other => panic!("not refused for its certificate: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_endpoint_of_another_ca_is_not_trusted() {
    let Some(broker) = Mosquitto::start() else { return };
    let mut settings = broker.device(device_id(1));
    settings.tls = tls(&Ca::make("another CA"), &broker.device_ca, &device_id(1).to_string());
    let (_agent, mut at_agent) = open(settings);
    loop {
        match next(&mut at_agent).await {
            Event::Disconnected { trouble: Trouble::NotTrusted(_), .. } => return,
            Event::Disconnected { trouble: Trouble::Unreachable(_), .. } => {}
            other => panic!("trusted, or failed otherwise: {other:?}"),
        }
    }
}

#[tokio::test]
async fn only_a_vanished_client_leaves_its_will() {
    let Some(broker) = Mosquitto::start() else { return };
    let (_registrar, mut at_registrar) = open(broker.registrar());
    connected(&mut at_registrar).await;
    let will_of = |seed: u64| Will {
        topic: Topic::Up(device_id(seed), Up::Status),
        payload: format!("gone {seed}").into(),
        delay: Duration::ZERO,
    };
    for (seed, polite) in [(1, true), (2, false)] {
        let mut settings = broker.device(device_id(seed));
        settings.will = Some(will_of(seed));
        let (agent, mut at_agent) = open(settings);
        connected(&mut at_agent).await;
        if polite {
            agent.close().await;
            assert!(at_agent.next().await.is_none(), "a closed link ends its events");
        }
        drop(at_agent);
    }
    assert_eq!(message(&mut at_registrar).await.payload.as_ref(), b"gone 2");
}

#[tokio::test]
async fn reconnecting_on_order_is_no_failure() {
    let Some(broker) = Mosquitto::start() else { return };
    let (agent, mut at_agent) = open(broker.device(device_id(1)));
    connected(&mut at_agent).await;
    agent.reconnect();
    let Event::Connected = next(&mut at_agent).await else { panic!("an ordered reconnect shows as connected only") };
}
