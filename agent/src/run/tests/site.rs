//! A device's surroundings: a folder, a real Mosquitto, and a link that speaks the registrar's part.

use ed25519_dalek::SigningKey;
use gatelodge_proto::grant::GrantKey;

use super::*;

const SOON: Duration = Duration::from_secs(20);

pub(super) struct Site {
    pub(super) folder: tempfile::TempDir,
    ca: Issuer<'static, KeyPair>,
    ca_pem: String,
    mqtt: u16,
    page: u16,
    broker: Option<Child>,
    pub(super) clock: Clock,
    pub(super) device: DeviceId,
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
    pub(super) fn new() -> Option<Self> {
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

    pub(super) fn start_broker(&mut self) {
        let child = std::process::Command::new(mosquitto().unwrap())
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        self.broker = Some(child.unwrap());
    }

    pub(super) fn kill_broker(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.kill().unwrap();
            broker.wait().unwrap();
        }
    }

    pub(super) fn certificate(&self, name: &str, from: Timestamp, until: Timestamp, csr: &str) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params.distinguished_name = rcgen::DistinguishedName::new();
        request.params.distinguished_name.push(DnType::CommonName, name);
        request.params.not_before = from.date_time();
        request.params.not_after = until.date_time();
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.signed_by(&self.ca).unwrap().pem()
    }

    /// Gives the agent a certificate that is `old` days into its 90.
    pub(super) fn enrol(&self, old: u32) -> PrivateKey {
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
            grant_key: GrantKey::of(&grant_key()).to_string(),
            mqtt: format!("127.0.0.1:{}", self.mqtt),
        };
        let state = StateDir::open(&self.folder.path().join("state")).unwrap();
        state.hold(&Holding::Enrolled { key: key.clone(), credentials: Box::new(credentials) }).unwrap();
        key
    }

    pub(super) fn run(&self) -> Running {
        let stop = CancellationToken::new();
        let path = self.folder.path().join("agent.toml");
        let config = config::read(Some(Path::new(&path)), std::iter::empty()).unwrap();
        let task = tokio::spawn(run(config, self.clock.clone(), Random::system(), stop.clone(), || {}));
        Running { stop, task }
    }

    pub(super) async fn registrar(&self) -> Registrar {
        let key = PrivateKey::make().unwrap();
        let now = self.clock.now();
        let day = Duration::from_secs(24 * 3600);
        let chain = self.certificate("svc-registrar", now - day, now + day, &key.request().unwrap());
        let certificate = SwappableCertificate::new(&chain, &key).unwrap();
        let tls = endpoint_tls(Some(&self.folder.path().join("ca.pem")), certificate, &self.clock).unwrap();
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

    /// An agent that runs on a new certificate, its first report receipted.
    pub(super) async fn reported(&self) -> (Registrar, Running) {
        self.enrol(1);
        let mut registrar = self.registrar().await;
        let agent = self.run();
        let report: Placed<Report> = registrar.next_body(Up::Report).await;
        registrar.receipt(report.position).await;
        (registrar, agent)
    }

    pub(super) async fn status(&self) -> Option<Status> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.page)).await.ok()?;
        stream.write_all(b"GET /status.json HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    pub(super) async fn status_until(&self, fits: impl Fn(&Status) -> bool) -> Status {
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

pub(super) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

pub(super) struct Registrar {
    link: Link,
    events: Events,
    pub(super) device: DeviceId,
}

impl Registrar {
    pub(super) async fn event(&mut self) -> LinkEvent {
        tokio::time::timeout(SOON, self.events.next()).await.expect("an event in time").unwrap()
    }

    /// The next message of a kind; others pass by.
    pub(super) async fn next(&mut self, kind: Up) -> Message {
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

    pub(super) async fn next_body<T: serde::de::DeserializeOwned>(&mut self, kind: Up) -> Placed<T> {
        let message = self.next(kind).await;
        let placed = payload::decode(&message.payload).unwrap();
        message.acknowledgement.acknowledge();
        placed
    }

    pub(super) async fn say<T: serde::Serialize>(&self, kind: Down, body: &T) {
        let topic = Topic::Down(self.device, kind);
        self.link.publish(Outgoing::json(topic, payload::encode(body))).await.unwrap();
    }

    pub(super) async fn receipt(&self, position: payload::Position) {
        self.say(Down::Receipt, &Receipt { boot_id: position.boot_id, seq: position.seq, parked: None }).await;
    }

    pub(super) async fn order(&mut self, command: &Command) -> Outcome {
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

/// With what the cloud signs its grants.
pub(super) fn grant_key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

pub(super) fn command(now: Timestamp, epoch: u64, order: Order) -> Command {
    let deadline = now + Duration::from_secs(60);
    Command { id: CommandId::make(now, &Random::system()), issued_at: now, deadline, epoch, order }
}

pub(super) fn state(version: u64, life: Life) -> DeviceState {
    DeviceState {
        epoch: 1,
        version,
        life,
        customer: Some("Anna Rossi".into()),
        installer: Some("Petit Alarmes".into()),
        web_address: None,
        consent: Consent::Ask,
        opening: gatelodge_proto::opening::Opening::default(),
    }
}
