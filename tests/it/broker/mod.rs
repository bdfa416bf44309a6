//! The device endpoint with real clients over mutual TLS, and the registrar behind it.

mod access;
mod certificates;
mod messages;
mod taken_back;

use std::{path::PathBuf, sync::Arc, time::Duration};

use gatelodge_cloud::{
    config,
    devices::{self, service},
    jobs::Worker,
    kits::Kits,
};
use gatelodge_proto::{
    DeviceId, Random,
    enrol::Credentials,
    link::{Endpoint, Event, Events, Link, Outgoing, Pace, Refusal, Settings},
    payload::{self, Placed, Position, Report},
    topics::{self, Down, Topic, Up},
};
use gatelodge_tests::{database::Kind, kits::TestKits, mosquitto::Mosquitto, wait::wait_until};
use rcgen::KeyPair;
use rustls::{ClientConfig, RootCertStore, client::Resumption};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use tokio_util::sync::CancellationToken;

use crate::devices::{Deaf, Key, catalogue, enrolled, import, names, row};

const SOON: Duration = Duration::from_secs(120);

/// A cloud that hears devices.
struct Running {
    test: TestKits,
    stop: CancellationToken,
    /// Where devices connect, when it is not this program.
    mosquitto: Option<Mosquitto>,
}

impl Running {
    async fn start() -> Self {
        let test = TestKits::in_real_time(Kind::Sqlite).await.unwrap().expect("SQLite is everywhere");
        Self::start_on(test, None).await
    }

    /// With the configuration for operators; `None` where no Mosquitto is installed.
    async fn on_mosquitto() -> Option<Self> {
        let mosquitto = Mosquitto::prepare().unwrap()?;
        let mut test = TestKits::in_real_time(Kind::Sqlite).await.unwrap().expect("SQLite is everywhere");
        let mut config = (*test.kits.config).clone();
        config.mqtt.endpoint = config::Endpoint::External;
        config.mqtt.broker = Some(mosquitto.broker());
        config.mqtt.public = Some(mosquitto.public());
        test.kits.config = Arc::new(config);
        Some(Self::start_on(test, Some(mosquitto)).await)
    }

    async fn start_on(test: TestKits, mut mosquitto: Option<Mosquitto>) -> Self {
        let kits = &test.kits;
        catalogue(kits).await;
        service::start(kits, Arc::new(Deaf)).await.unwrap();
        let stop = CancellationToken::new();
        let handlers = devices::jobs::jobs(kits);
        let worker = Worker::new(kits.db.clone(), kits.clock.clone(), kits.jobs.clone(), handlers);
        tokio::spawn(worker.run(stop.clone()));
        if let Some(mosquitto) = &mut mosquitto {
            let registrar = format!("{}{}", topics::SERVICE_PREFIX, kits.pki.registrar_name());
            mosquitto.start(&test.data_dir.path().join("keys"), &registrar).await.unwrap();
        }
        let connected =
            wait_until("the registrar is connected", SOON, async || Ok(kits.endpoint.is_connected().then_some(())));
        connected.await.unwrap();
        Self { test, stop, mosquitto }
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

    fn keys(&self) -> PathBuf {
        self.test.data_dir.path().join("keys")
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
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            profiles: Vec::new(),
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
