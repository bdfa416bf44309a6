//! A whole agent against a real Mosquitto; the registrar's part is spoken by a link of our own.

use std::{net::TcpListener, path::Path, process::Child, time::Duration};

use gatelodge_proto::{
    CommandId, DeviceId, Random, Timestamp,
    enrol::Credentials,
    link::{Event as LinkEvent, Events, Link, Message, Outgoing, Settings},
    payload::{
        self, Certificate, Command, CommandResult, Consent, DeviceState, Life, Order, Outcome, Placed, Receipt, Renew,
        Report, Status as Presence,
    },
    topics::{Down, Topic, Up},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use tokio::task::JoinHandle;

use super::*;
use crate::{
    cloud::{SwappableCertificate, endpoint_tls},
    config,
    status::Status,
};

const SOON: Duration = Duration::from_secs(20);

struct Site {
    folder: tempfile::TempDir,
    ca: Issuer<'static, KeyPair>,
    ca_pem: String,
    mqtt: u16,
    page: u16,
    broker: Option<Child>,
    clock: Clock,
    device: DeviceId,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn mosquitto() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join("mosquitto"))
        .find(|file| file.is_file());
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "mosquitto is needed: apt-get install mosquitto");
    found
}

impl Site {
    /// `None` where there is no Mosquitto, which CI does not accept.
    fn new() -> Option<Self> {
        mosquitto()?;
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca_pem = params.self_signed(&key).unwrap().pem();
        let clock = Clock::system();
        let device = DeviceId::make(clock.now(), &Random::system());
        let mut site = Self {
            folder: tempfile::tempdir().unwrap(),
            ca: Issuer::new(params, key),
            ca_pem,
            mqtt: free_port(),
            page: free_port(),
            broker: None,
            clock,
            device,
        };
        let server = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        site.write("server.pem", &params.signed_by(&server, &site.ca).unwrap().pem());
        site.write("server.key", &server.serialize_pem());
        site.write("ca.pem", &site.ca_pem);
        site.write(
            "acl",
            "user svc-registrar\ntopic readwrite gl/1/#\n\npattern write gl/1/d/%u/up/#\npattern read gl/1/d/%u/down/#\n",
        );
        let at = |name: &str| site.folder.path().join(name).display().to_string();
        site.write(
            "mosquitto.conf",
            &format!(
                "user root\nper_listener_settings true\nset_tcp_nodelay true\nlistener {} 127.0.0.1\ncafile {}\n\
                 certfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n\
                 use_username_as_clientid true\nallow_anonymous false\nacl_file {}\n",
                site.mqtt,
                at("ca.pem"),
                at("server.pem"),
                at("server.key"),
                at("acl"),
            ),
        );
        site.write(
            "agent.toml",
            &format!(
                "state_dir = \"{}\"\ncloud.url = \"https://127.0.0.1:9\"\ncloud.ca_file = \"{}\"\n\
                 link.first_retry_ms = 50\nlocal_page.listen = \"127.0.0.1:{}\"\n\
                 identity.factory_file = \"{}\"\nenrolment.method = \"factory_secret\"\n",
                at("state"),
                at("ca.pem"),
                site.page,
                at("factory.toml"),
            ),
        );
        site.write("factory.toml", "serial = \"AX-1\"\nmac = \"02:42:AC:11:00:02\"\nid_code = \"RR52-AFY2-T1GJ\"\n");
        site.start_broker();
        Some(site)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn start_broker(&mut self) {
        let child = std::process::Command::new(mosquitto().unwrap())
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        self.broker = Some(child.unwrap());
    }

    fn kill_broker(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.kill().unwrap();
            broker.wait().unwrap();
        }
    }

    fn certificate(&self, name: &str, from: Timestamp, until: Timestamp, csr: &str) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params.distinguished_name = rcgen::DistinguishedName::new();
        request.params.distinguished_name.push(DnType::CommonName, name);
        request.params.not_before = from.date_time();
        request.params.not_after = until.date_time();
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.signed_by(&self.ca).unwrap().pem()
    }

    /// Gives the agent a certificate that is `old` days into its 90.
    fn enrol(&self, old: u32) -> PrivateKey {
        let day = Duration::from_secs(24 * 3600);
        let from = self.clock.now() - day * old;
        let key = PrivateKey::make().unwrap();
        let chain = self.certificate(&self.device.to_string(), from, from + day * 90, &key.request().unwrap());
        let credentials = Credentials {
            device: self.device,
            epoch: 1,
            chain,
            device_ca: self.ca_pem.clone(),
            session_ca: self.ca_pem.clone(),
            grant_key: String::new(),
            mqtt: format!("127.0.0.1:{}", self.mqtt),
        };
        let state = StateDir::open(&self.folder.path().join("state")).unwrap();
        state.hold(&Holding::Enrolled { key: key.clone(), credentials: Box::new(credentials) }).unwrap();
        key
    }

    fn run(&self) -> Running {
        let stop = CancellationToken::new();
        let path = self.folder.path().join("agent.toml");
        let config = config::read(Some(Path::new(&path)), std::iter::empty()).unwrap();
        let task = tokio::spawn(run(config, self.clock.clone(), Random::system(), stop.clone(), || {}));
        Running { stop, task }
    }

    async fn registrar(&self) -> Registrar {
        let key = PrivateKey::make().unwrap();
        let now = self.clock.now();
        let day = Duration::from_secs(24 * 3600);
        let chain = self.certificate("svc-registrar", now - day, now + day, &key.request().unwrap());
        let certificate = SwappableCertificate::new(&chain, &key).unwrap();
        let tls = endpoint_tls(Some(&self.folder.path().join("ca.pem")), certificate).unwrap();
        let endpoint = format!("127.0.0.1:{}", self.mqtt).parse().unwrap();
        let mut settings = Settings::registrar(endpoint, "registrar", tls);
        settings.subscriptions = vec!["gl/1/d/+/up/#".into()];
        settings.pace.first = Duration::from_millis(50);
        let (link, events) = Link::open(settings, Random::system());
        let mut registrar = Registrar { link, events, device: self.device };
        loop {
            if let LinkEvent::Connected = registrar.event().await {
                return registrar;
            }
        }
    }

    async fn status(&self) -> Option<Status> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.page)).await.ok()?;
        stream.write_all(b"GET /status.json HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    async fn status_until(&self, fits: impl Fn(&Status) -> bool) -> Status {
        let looked = async {
            loop {
                if let Some(status) = self.status().await.filter(|status| fits(status)) {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, looked).await.expect("the status comes about")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill_broker();
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

struct Registrar {
    link: Link,
    events: Events,
    device: DeviceId,
}

impl Registrar {
    async fn event(&mut self) -> LinkEvent {
        tokio::time::timeout(SOON, self.events.next()).await.expect("an event in time").unwrap()
    }

    /// The next message of a kind; others pass by.
    async fn next(&mut self, kind: Up) -> Message {
        loop {
            if let LinkEvent::Message(mut message) = self.event().await {
                let matches = message.topic == Topic::Up(self.device, kind).to_string();
                if matches {
                    return message;
                }
                message.payload.clear();
                message.acknowledgement.acknowledge();
            }
        }
    }

    async fn next_body<T: serde::de::DeserializeOwned>(&mut self, kind: Up) -> Placed<T> {
        let message = self.next(kind).await;
        let placed = payload::decode(&message.payload).unwrap();
        message.acknowledgement.acknowledge();
        placed
    }

    async fn say<T: serde::Serialize>(&self, kind: Down, body: &T) {
        let topic = Topic::Down(self.device, kind);
        self.link.publish(Outgoing::json(topic, payload::encode(body))).await.unwrap();
    }

    async fn receipt(&self, position: payload::Position) {
        self.say(Down::Receipt, &Receipt { boot_id: position.boot_id, seq: position.seq, parked: None }).await;
    }

    async fn order(&mut self, command: &Command) -> Outcome {
        self.say(Down::Command, command).await;
        loop {
            let result: Placed<CommandResult> = self.next_body(Up::Result).await;
            self.receipt(result.position).await;
            if result.body.command == command.id {
                return result.body.outcome;
            }
        }
    }
}

fn command(now: Timestamp, epoch: u64, order: Order) -> Command {
    let deadline = now + Duration::from_secs(60);
    Command { id: CommandId::make(now, &Random::system()), issued_at: now, deadline, epoch, order }
}

fn state(version: u64, life: Life) -> DeviceState {
    DeviceState {
        epoch: 1,
        version,
        life,
        customer: Some("Anna Rossi".into()),
        installer: Some("Petit Alarmes".into()),
        web_address: None,
        consent: Consent::Ask,
    }
}

#[tokio::test]
async fn a_report_is_offered_until_its_receipt_through_a_killed_broker() {
    let Some(mut site) = Site::new() else { return };
    site.enrol(1);
    // The registrar first: presence is not retained, so what is said before it listens is never heard.
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let online: Presence = payload::decode(&registrar.next(Up::Status).await.payload).unwrap();
    assert!(online.online);
    let first: Placed<Report> = registrar.next_body(Up::Report).await;
    assert_eq!(first.body.serial.as_str(), "AX-1");
    assert_eq!(first.body.mac.to_string(), "02:42:AC:11:00:02");

    // The endpoint acknowledged it, and dies before the registrar has committed.
    drop(registrar);
    site.kill_broker();
    site.start_broker();
    let mut registrar = site.registrar().await;
    let again: Placed<Report> = registrar.next_body(Up::Report).await;
    assert_eq!(again, first, "the very same message, at the same place in history");
    registrar.receipt(again.position).await;
    let code: Placed<payload::Event> = registrar.next_body(Up::Event).await;
    assert!(matches!(code.body.what, payload::Happening::OnSiteCodeShown { .. }));
    registrar.receipt(code.position).await;
    site.status_until(|status| status.waiting_messages == 0).await;
    agent.stop().await;

    let offline: Presence = payload::decode(&registrar.next(Up::Status).await.payload).unwrap();
    assert!(!offline.online, "a stopped agent says so");
}

#[tokio::test]
async fn commands_are_carried_out_once_and_the_state_shows() {
    let Some(site) = Site::new() else { return };
    site.enrol(1);
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let report: Placed<Report> = registrar.next_body(Up::Report).await;
    registrar.receipt(report.position).await;

    let now = site.clock.now();
    let shown = |status: &Status| status.on_site_code.as_ref().map(|shown| shown.code.clone());
    let first = shown(&site.status_until(|status| status.on_site_code.is_some()).await);
    let renew = command(now, 1, Order::RenewOnSiteCode);
    assert_eq!(registrar.order(&renew).await, Outcome::Done);
    let second = shown(&site.status_until(|status| shown(status) != first).await);
    assert_eq!(registrar.order(&renew).await, Outcome::Done, "asked twice, answered twice");
    assert_eq!(shown(&site.status().await.unwrap()), second, "and carried out once");

    let active = command(now, 1, Order::State(state(2, Life::Active)));
    assert_eq!(registrar.order(&active).await, Outcome::Done);
    let older = command(now, 1, Order::State(state(1, Life::Enrolled)));
    assert_eq!(registrar.order(&older).await, Outcome::Done);
    let status = site.status_until(|status| status.registration.is_some()).await;
    let shown = status.registration.unwrap();
    assert_eq!((shown.life, shown.version), (Life::Active, 2), "an older word changes nothing");
    assert_eq!(status.on_site_code, None, "an active device shows no code");

    let mut late = command(now, 1, Order::RenewOnSiteCode);
    late.deadline = now - Duration::from_secs(1);
    assert!(matches!(registrar.order(&late).await, Outcome::Refused { reason } if reason.starts_with("late")));
    let foreign = command(now, 7, Order::RenewOnSiteCode);
    assert!(
        matches!(registrar.order(&foreign).await, Outcome::Refused { reason } if reason.starts_with("wrong epoch"))
    );
    agent.stop().await;

    let agent = site.run();
    let status = site.status_until(|status| status.registration.is_some()).await;
    assert_eq!(status.registration.unwrap().customer.as_deref(), Some("Anna Rossi"), "it survives a restart");
    agent.stop().await;
}

#[tokio::test]
async fn an_old_certificate_is_renewed_and_taken_into_use() {
    let Some(site) = Site::new() else { return };
    let key = site.enrol(75);
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let renew: Placed<Renew> = registrar.next_body(Up::Renew).await;
    registrar.receipt(renew.position).await;
    let now = site.clock.now();
    let until = now + Duration::from_secs(90 * 24 * 3600);
    let name = site.device.to_string();

    let other = PrivateKey::make().unwrap();
    let foreign = site.certificate(&name, now, until, &other.request().unwrap());
    registrar.say(Down::Certificate, &Certificate { chain: foreign }).await;
    let chain = site.certificate(&name, now, until, &renew.body.csr);
    registrar.say(Down::Certificate, &Certificate { chain: chain.clone() }).await;

    let seconds = until.seconds();
    site.status_until(|status| status.certificate_until.is_some_and(|until| until.seconds() == seconds)).await;
    let online: Presence = payload::decode(&registrar.next(Up::Status).await.payload).unwrap();
    assert!(online.online, "it connects anew with the new certificate");
    agent.stop().await;
    let state = StateDir::open(&site.folder.path().join("state")).unwrap();
    match state.holding().unwrap() {
        Some(Holding::Enrolled { credentials, key: held }) => {
            assert_eq!((credentials.chain, held), (chain, key), "the foreign certificate was not taken");
        }
        other => panic!("not enrolled any more: {other:?}"),
    }
}

#[tokio::test]
async fn retired_means_no_further_connection() {
    let Some(site) = Site::new() else { return };
    site.enrol(1);
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let report: Placed<Report> = registrar.next_body(Up::Report).await;
    registrar.receipt(report.position).await;
    let now = site.clock.now();
    registrar.say(Down::Command, &command(now, 1, Order::State(state(3, Life::Retired)))).await;
    site.status_until(|status| status.stage == Stage::Retired).await;
    agent.stop().await;
    let state = StateDir::open(&site.folder.path().join("state")).unwrap();
    assert!(matches!(state.holding().unwrap(), Some(Holding::Retired)));
}

#[test]
fn the_private_key_fits_the_tls_stack() {
    assert!(matches!(PrivateKey::make().unwrap().der().unwrap(), PrivateKeyDer::Pkcs8(_)));
}
