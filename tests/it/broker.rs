//! The access table of the embedded device endpoint, with real clients over mutual TLS, and the registrar behind it.

use std::{sync::Arc, time::Duration};

use gatelodge_cloud::{
    config,
    devices::{self, service},
    jobs::Worker,
    kits::Kits,
};
use gatelodge_proto::{
    DeviceId, Random,
    enrol::Credentials,
    link::{Endpoint, Event, Events, Link, Outgoing, Pace, PublishError, Refusal, Settings, Trouble, Will},
    payload::{self, Command, Order, Placed, Position, Receipt, Report, Status},
    topics::{self, Down, Topic, Up},
};
use gatelodge_tests::{database::Kind, kits::TestKits, mosquitto::Mosquitto, wait::wait_until};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore, client::Resumption};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use tokio_util::sync::CancellationToken;

use crate::devices::{Deaf, Key, catalogue, device, enrolled, import, names, row};

const SOON: Duration = Duration::from_secs(20);

/// A cloud that hears devices.
struct Running {
    test: TestKits,
    stop: CancellationToken,
}

impl Running {
    async fn start() -> Self {
        Self::start_on(TestKits::in_real_time(Kind::Sqlite).await.unwrap().expect("SQLite is everywhere")).await
    }

    async fn start_on(test: TestKits) -> Self {
        let kits = &test.kits;
        catalogue(kits).await;
        service::start(kits, Arc::new(Deaf)).await.unwrap();
        let stop = CancellationToken::new();
        let handlers = devices::jobs::jobs(kits);
        let worker = Worker::new(kits.db.clone(), kits.clock.clone(), kits.jobs.clone(), handlers);
        tokio::spawn(worker.run(stop.clone()));
        let connected =
            wait_until("the registrar is connected", SOON, async || Ok(kits.endpoint.is_connected().then_some(())));
        connected.await.unwrap();
        Self { test, stop }
    }

    fn kits(&self) -> &Kits {
        &self.test.kits
    }

    /// Unit number `n`, enrolled.
    async fn device(&self, n: u8) -> Device {
        import(self.kits(), &[row(&names(n), "factory_secret")]).await;
        let key = Key::make();
        let credentials = enrolled(key.enrol_by_secret(self.kits(), &names(n)).await.unwrap());
        Device { n, key, credentials }
    }

    fn endpoint(&self) -> Endpoint {
        self.kits().endpoint.public_address(&self.kits().config).parse().unwrap()
    }

    fn open(&self, device: DeviceId, tls: Arc<ClientConfig>, change: impl FnOnce(&mut Settings)) -> (Link, Events) {
        let mut settings = Settings::device(self.endpoint(), device, tls, None);
        settings.pace =
            Pace { first: Duration::from_millis(50), cap: Duration::from_millis(200), stable: Duration::from_secs(60) };
        change(&mut settings);
        Link::open(settings, Random::system())
    }

    fn connect(&self, device: &Device) -> (Link, Events) {
        self.open(device.id(), self.tls(device), |_| {})
    }

    fn tls(&self, device: &Device) -> Arc<ClientConfig> {
        self.tls_with(Some((&device.credentials.chain, &device.key.0)))
    }

    fn tls_with(&self, identity: Option<(&str, &KeyPair)>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.kits().pki.server_ca().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }

    async fn release(&self, id: DeviceId) {
        let kits = self.kits();
        let mut tx = kits.db.write().await.unwrap();
        service::register(&mut tx, id).await.unwrap();
        service::activate(&mut tx, id).await.unwrap();
        service::release(&mut tx, kits.now(), &kits.random, id).await.unwrap();
        tx.commit().await.unwrap();
        kits.jobs.ring();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Device {
    n: u8,
    key: Key,
    credentials: Credentials,
}

impl Device {
    const fn id(&self) -> DeviceId {
        self.credentials.device
    }

    fn report(&self, seq: u64) -> (Position, Outgoing) {
        let names = names(self.n);
        let position = Position { boot: 1, boot_id: uuid::Uuid::from_u128(5), seq };
        let body = Report {
            id_code: Some(names.id_code),
            mac: names.mac,
            serial: names.serial,
            serial_source: "factory".into(),
            model: "AX".into(),
            firmware: "1".into(),
            agent_version: "0.1.0".into(),
            observed_at: gatelodge_proto::Timestamp::EPOCH,
            epoch: 1,
            interfaces: Vec::new(),
            services: Vec::new(),
        };
        let outgoing = Outgoing::json(Topic::Up(self.id(), Up::Report), payload::encode(&Placed { position, body }));
        (position, outgoing.answered_on(Topic::Down(self.id(), Down::Receipt), position.into()))
    }
}

async fn next(events: &mut Events) -> Event {
    tokio::time::timeout(SOON, events.next()).await.expect("an event in time").expect("the link lives")
}

async fn connected(events: &mut Events) {
    match next(events).await {
        Event::Connected => {}
        other => panic!("not connected: {other:?}"),
    }
}

async fn refused(events: &mut Events) -> Refusal {
    // Two clients of one name would throw each other out for ever.
    for _ in 0..20 {
        match next(events).await {
            Event::Refused { refusal, .. } => return refusal,
            Event::Disconnected { .. } => {}
            other => panic!("not refused: {other:?}"),
        }
    }
    panic!("neither refused nor let in")
}

/// The endpoint breaks such handshakes off; whether its alert arrives before the connection is reset is chance.
async fn kept_out(events: &mut Events) {
    for _ in 0..3 {
        match next(events).await {
            Event::Refused { refusal: Refusal::Certificate(_), .. } | Event::Disconnected { .. } => {}
            other => panic!("it got further than the handshake: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_report_gets_its_receipt_when_it_is_committed_and_not_before() {
    let cloud = Running::start().await;
    let device_1 = cloud.device(1).await;
    let (link, mut events) = cloud.connect(&device_1);
    connected(&mut events).await;
    // While somebody else holds the database nothing can be committed.
    let held = cloud.kits().db.write().await.unwrap();
    let (position, report) = device_1.report(1);
    link.publish(report).await.expect("the endpoint acknowledges at once; that is no receipt");
    let early = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
    assert!(early.is_err(), "a receipt came before the commit: {early:?}");
    drop(held);
    let Event::Message(message) = next(&mut events).await else { panic!("the receipt comes") };
    let receipt: Receipt = payload::decode(&message.payload).unwrap();
    assert_eq!(receipt, Receipt { boot_id: position.boot_id, seq: 1, parked: None });
    assert_eq!(message.parsed_correlation(), Some(position.into()));
    assert!(device(cloud.kits(), &names(1)).await.reported_at.is_some());
}

/// Report, receipt, presence and a command, whoever the endpoint is.
async fn message_story(cloud: &Running) {
    let kits = cloud.kits();
    let device_1 = cloud.device(1).await;
    let (link, mut events) = cloud.connect(&device_1);
    connected(&mut events).await;
    let (position, report) = device_1.report(1);
    for _ in 0..2 {
        link.publish(report.clone()).await.unwrap();
        let Event::Message(message) = next(&mut events).await else { panic!("the receipt comes") };
        assert_eq!(message.parsed_correlation(), Some(position.into()));
        message.acknowledgement.acknowledge();
    }
    let online = Status { online: true, boot_id: position.boot_id };
    link.publish(Outgoing::json(Topic::Up(device_1.id(), Up::Status), payload::encode(&online))).await.unwrap();
    let mut orders = Vec::new();
    while !orders.contains(&Order::RenewOnSiteCode) {
        if orders.len() == 1 {
            // The first is where the device stands; now that it is there, another one comes at once.
            let mut tx = kits.db.write().await.unwrap();
            let deadline = kits.now() + Duration::from_secs(60);
            service::send(&mut tx, kits.now(), &kits.random, device_1.id(), Order::RenewOnSiteCode, deadline)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            kits.jobs.ring();
        }
        let Event::Message(message) = next(&mut events).await else { panic!("the command comes") };
        let command: Command = payload::decode(&message.payload).unwrap();
        message.acknowledgement.acknowledge();
        orders.push(command.order);
    }
    assert!(matches!(orders[0], Order::State(_)), "{orders:?}");
    let foreign = Outgoing { topic: Topic::Down(device_1.id(), Down::Command).to_string(), ..report };
    let outcome = link.publish(foreign).await;
    assert!(matches!(outcome, Err(PublishError::Refused { .. })), "{outcome:?}");
}

#[tokio::test]
async fn the_message_story_on_the_embedded_endpoint() {
    message_story(&Running::start().await).await;
}

#[tokio::test]
async fn the_message_story_on_mosquitto() {
    let Some(mut mosquitto) = Mosquitto::prepare().unwrap() else { return };
    let mut test = TestKits::in_real_time(Kind::Sqlite).await.unwrap().expect("SQLite is everywhere");
    let mut config = (*test.kits.config).clone();
    config.mqtt.endpoint = config::Endpoint::External;
    config.mqtt.broker = Some(mosquitto.broker());
    config.mqtt.public = Some(mosquitto.public());
    test.kits.config = Arc::new(config);
    let registrar = format!("{}{}", topics::SERVICE_PREFIX, test.kits.pki.registrar_name());
    mosquitto.start(&test.data_dir.path().join("keys"), &registrar).await.unwrap();
    message_story(&Running::start_on(test).await).await;
}

#[tokio::test]
async fn a_device_speaks_and_hears_under_its_own_name_only() {
    let cloud = Running::start().await;
    let (one, other) = (cloud.device(1).await, cloud.device(2).await);
    let (link, mut events) = cloud.connect(&one);
    connected(&mut events).await;
    let (_, own) = one.report(1);
    let topics = [
        Topic::Up(other.id(), Up::Report).to_string(),
        Topic::Down(one.id(), Down::Command).to_string(),
        format!("gl/1/d/{}/up/report", one.id().to_string().to_uppercase()),
        format!("gl/1/d/{}/up/unknown", one.id()),
        "$SYS/broker/uptime".to_owned(),
        "anything".to_owned(),
    ];
    for topic in topics {
        let outcome = link.publish(Outgoing { topic: topic.clone(), ..own.clone() }).await;
        assert!(
            matches!(&outcome, Err(PublishError::Refused { reason, .. }) if reason == "NotAuthorized"),
            "{topic}: {outcome:?}"
        );
    }
    link.publish(own).await.unwrap();

    let filters = [
        topics::down_filter(other.id()),
        "#".to_owned(),
        "gl/1/d/+/down/#".to_owned(),
        format!("gl/1/d/{}/#", one.id()),
        Topic::Up(one.id(), Up::Report).to_string(),
        topics::REGISTRAR_FILTER.to_owned(),
        format!("$share/x/{}", topics::down_filter(one.id())),
        format!("$exclusive/{}", topics::down_filter(one.id())),
        "$SYS/#".to_owned(),
    ];
    for filter in filters {
        let (_link, mut events) =
            cloud.open(one.id(), cloud.tls(&one), |settings| settings.subscriptions = vec![filter.clone()]);
        let refusal = refused(&mut events).await;
        assert!(matches!(refusal, Refusal::Subscription(_)), "{filter}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_will_goes_to_the_devices_own_status_or_the_device_does_not_get_in() {
    let cloud = Running::start().await;
    let (one, other) = (cloud.device(1).await, cloud.device(2).await);
    let open = |topic: Topic| {
        let payload = payload::encode(&Status { online: false, boot_id: uuid::Uuid::from_u128(5) }).into();
        let will = Will { topic, payload, delay: Duration::ZERO };
        cloud.open(one.id(), cloud.tls(&one), |settings| settings.will = Some(will))
    };
    for topic in [
        Topic::Up(other.id(), Up::Status),
        Topic::Down(other.id(), Down::Command),
        Topic::Down(one.id(), Down::Command),
        Topic::Up(one.id(), Up::Report),
    ] {
        let (_link, mut events) = open(topic);
        assert_eq!(refused(&mut events).await, Refusal::NotAuthorized, "{topic}");
    }
    let (link, mut events) = open(Topic::Up(one.id(), Up::Status));
    connected(&mut events).await;
    let online = Status { online: true, boot_id: uuid::Uuid::from_u128(5) };
    link.publish(Outgoing::json(Topic::Up(one.id(), Up::Status), payload::encode(&online))).await.unwrap();
    let is_online = async |wanted: bool| {
        let reached = wait_until(format!("presence is {wanted}"), SOON, async || {
            Ok((device(cloud.kits(), &names(1)).await.online == wanted).then_some(()))
        });
        reached.await.unwrap();
    };
    is_online(true).await;
    drop(events);
    is_online(false).await;
}

#[tokio::test]
async fn nobody_takes_the_place_of_another() {
    let cloud = Running::start().await;
    let (one, other) = (cloud.device(1).await, cloud.device(2).await);
    let (_link, mut at_other) = cloud.connect(&other);
    connected(&mut at_other).await;
    let (_thief, mut at_thief) = cloud.open(other.id(), cloud.tls(&one), |_| {});
    assert_eq!(refused(&mut at_thief).await, Refusal::NotAuthorized);
    let (_registrar, mut at_registrar) = cloud.open(one.id(), cloud.tls(&one), |settings| {
        settings.client_id = format!("svc-{}", cloud.kits().pki.registrar_name());
    });
    assert_eq!(refused(&mut at_registrar).await, Refusal::NotAuthorized);
    let disturbed = tokio::time::timeout(Duration::from_millis(300), at_other.next()).await;
    assert!(disturbed.is_err(), "the other device lost its connection: {disturbed:?}");
}

#[tokio::test]
async fn without_a_certificate_of_the_device_ca_nobody_gets_in() {
    let cloud = Running::start().await;
    let one = cloud.device(1).await;
    let (_bare, mut at_bare) = cloud.open(one.id(), cloud.tls_with(None), |_| {});
    kept_out(&mut at_bare).await;

    // The right name from the wrong CA.
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.distinguished_name.push(DnType::CommonName, "Gatelodge device CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(ca, KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, one.id().to_string());
    let key = KeyPair::generate().unwrap();
    let chain = params.signed_by(&key, &issuer).unwrap().pem();
    let (_rogue, mut at_rogue) = cloud.open(one.id(), cloud.tls_with(Some((&chain, &key))), |_| {});
    kept_out(&mut at_rogue).await;

    // The right CA and name, but not on the allow-list: what a stolen backup of the CA could sign.
    let csr = gatelodge_cloud::pki::Csr::parse(&one.key.csr()).unwrap();
    let issued = cloud.kits().pki.sign_device(one.id(), &csr, cloud.kits().now()).unwrap();
    let tls = cloud.tls_with(Some((&issued.chain, &one.key.0)));
    let (_unlisted, mut at_unlisted) = cloud.open(one.id(), tls, |_| {});
    assert_eq!(refused(&mut at_unlisted).await, Refusal::NotAuthorized);
}

#[tokio::test]
async fn a_revoked_device_is_closed_within_seconds_and_stays_out() {
    let cloud = Running::start().await;
    let one = cloud.device(1).await;
    // With resumption on, so that the endpoint could take the old handshake for good.
    let mut tls = Arc::unwrap_or_clone(cloud.tls(&one));
    tls.resumption = Resumption::default();
    let (_link, mut events) = cloud.open(one.id(), Arc::new(tls), |_| {});
    connected(&mut events).await;
    cloud.release(one.id()).await;
    let closed = tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("closed within 5 s");
    assert!(matches!(closed, Some(Event::Disconnected { .. } | Event::Refused { .. })), "{closed:?}");
    for _ in 0..3 {
        match next(&mut events).await {
            Event::Refused { refusal, .. } => assert_eq!(refusal, Refusal::NotAuthorized),
            Event::Disconnected { trouble: Trouble::Lost(_) | Trouble::Closed(_), .. } => {}
            other => panic!("it came back: {other:?}"),
        }
    }
    assert_eq!(refused(&mut events).await, Refusal::NotAuthorized);
}

#[tokio::test]
async fn the_old_certificate_is_good_until_the_new_one_connects() {
    let cloud = Running::start().await;
    let one = cloud.device(1).await;
    let (link, mut events) = cloud.connect(&one);
    connected(&mut events).await;
    let next_key = Key::make();
    let position = Position { boot: 1, boot_id: uuid::Uuid::from_u128(5), seq: 9 };
    let renew = Placed { position, body: payload::Renew { csr: next_key.csr() } };
    link.publish(Outgoing::json(Topic::Up(one.id(), Up::Renew), payload::encode(&renew))).await.unwrap();
    let chain = loop {
        if let Event::Message(message) = next(&mut events).await
            && message.topic.ends_with("/down/certificate")
        {
            break payload::decode::<payload::Certificate>(&message.payload).unwrap().chain;
        }
    };
    link.close().await;
    let (again, mut at_again) = cloud.connect(&one);
    connected(&mut at_again).await;
    again.close().await;
    let (_renewed, mut at_renewed) = cloud.open(one.id(), cloud.tls_with(Some((&chain, &next_key.0))), |_| {});
    connected(&mut at_renewed).await;
    let (_old, mut at_old) = cloud.connect(&one);
    assert_eq!(refused(&mut at_old).await, Refusal::NotAuthorized);
}

#[tokio::test]
async fn silent_sockets_do_not_keep_devices_out() {
    let cloud = Running::start().await;
    let one = cloud.device(1).await;
    let address = cloud.kits().endpoint.address().unwrap();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let (_link, mut events) = cloud.connect(&one);
    connected(&mut events).await;
    drop(silent);
}
