//! A device in this process, on the agent's own key, TLS and link: it offers messages until their receipts come, and
//! writes each receipt into its ledger after it has arrived.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use gatelodge_agent::{
    cloud::{CloudClient, SwappableCertificate, endpoint_tls},
    config,
    state::{Holding, PrivateKey},
};
use gatelodge_cloud::{db::Db, run};
use gatelodge_proto::{
    Clock, DeviceId, Random, Timestamp,
    enrol::{self, Answer, Credentials, Nonce, Proof, Request},
    identity::OnSiteCode,
    link::{Event, Events, Link, Outgoing, Pace, Settings},
    payload::{self, Correlation, Happening, Placed, Position, Receipt, Report},
    topics::{Down, Topic, Up},
};
use serde::Serialize;
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use uuid::Uuid;

use crate::{
    site::{Site, Unit, hex},
    wait::wait_until,
};

/// Messages without a receipt at a time.
const WINDOW: usize = 8;
/// A message without a receipt is offered again after this.
const PATIENCE: Duration = Duration::from_secs(1);

/// An enrolled device.
#[derive(Debug)]
pub struct Speaker {
    unit: Unit,
    key: PrivateKey,
    credentials: Credentials,
    ca_file: std::path::PathBuf,
    position: Position,
    random: Random,
}

/// What a device knows of its messages.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Everything it ever offered.
    pub offered: Vec<Position>,
    /// The receipts that came, in their order; a repeated one counts again.
    pub receipts: Vec<Correlation>,
}

/// A device that speaks until it is told to stop.
#[derive(Debug)]
pub struct Speaking {
    device: DeviceId,
    ledger: Arc<Mutex<Ledger>>,
    more: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Speaker {
    /// Makes a key and gets its certificate.
    pub async fn enrol(site: &Site, unit: Unit, random: &Random) -> anyhow::Result<Self> {
        let ca_file = site.cloud.server_ca();
        let settings = config::Cloud {
            url: site.cloud.device_url().parse()?,
            ca_file: Some(ca_file.clone()),
            relay_url: None,
            proxy: None,
        };
        let cloud = CloudClient::new(&settings, &Clock::system())?;
        let key = PrivateKey::make()?;
        let nonce: Nonce = cloud.post(enrol::NONCE_PATH, &serde_json::json!({})).await?;
        let answer = hex(&enrol::factory_answer(&unit.secret, &nonce.nonce, &key.thumbprint()?));
        let request = Request {
            csr: key.request()?,
            id_code: Some(unit.id_code),
            mac: unit.mac,
            serial: unit.serial.clone(),
            model: "AX".into(),
            agent_version: "0.1.0".into(),
            proof: Proof::FactorySecret { nonce: nonce.nonce, answer },
        };
        let answer: Answer = cloud.post(enrol::PATH, &request).await?;
        let Answer::Enrolled(credentials) = answer else { bail!("the device is not enrolled: {answer:?}") };
        let boot_id = uuid::Builder::from_random_bytes(random.bytes()).into_uuid();
        let position = Position { boot: 1, boot_id, seq: 0 };
        Ok(Self { unit, key, credentials: *credentials, ca_file, position, random: random.clone() })
    }

    /// Its id.
    pub const fn device(&self) -> DeviceId {
        self.credentials.device
    }

    /// What a real agent keeps of such an enrolment.
    pub fn into_holding(self) -> Holding {
        Holding::Enrolled { key: self.key, credentials: Box::new(self.credentials) }
    }

    /// Its certificate chain and its key, in PEM: what a proxy needs to stand in its place.
    pub fn identity(&self) -> anyhow::Result<(String, String)> {
        let key = serde_json::to_value(&self.key)?;
        Ok((self.credentials.chain.clone(), key.as_str().context("a key is text")?.to_owned()))
    }

    /// Connects there instead of where the cloud says.
    #[must_use]
    pub fn by_way_of(mut self, address: std::net::SocketAddr) -> Self {
        self.credentials.mqtt = format!("localhost:{}", address.port());
        self
    }

    /// Connects; retries come fast.
    pub fn connect(&self) -> anyhow::Result<(Link, Events)> {
        let certificate = SwappableCertificate::new(&self.credentials.chain, &self.key)?;
        let tls = endpoint_tls(Some(&self.ca_file), certificate, &Clock::system())?;
        let mut settings = Settings::device(self.credentials.mqtt.parse()?, self.device(), tls, None);
        settings.pace =
            Pace { first: Duration::from_millis(20), cap: Duration::from_millis(100), stable: Duration::from_secs(60) };
        Ok(Link::open(settings, self.random.clone()))
    }

    /// The next message: every third tells of a code that the device shows, the others report.
    pub fn next_message(&mut self) -> (Position, Outgoing) {
        self.position.seq += 1;
        let at = Timestamp::from_seconds(1_800_000_000);
        if self.position.seq.is_multiple_of(3) {
            let what = Happening::OnSiteCodeShown { code: OnSiteCode::make(&self.random) };
            return self.placed(Up::Event, payload::Event { at, what });
        }
        let report = Report {
            id_code: Some(self.unit.id_code),
            mac: self.unit.mac,
            serial: self.unit.serial.clone(),
            serial_source: "factory".into(),
            model: "AX".into(),
            firmware: format!("1.{}", self.position.seq),
            agent_version: "0.1.0".into(),
            observed_at: at,
            epoch: self.credentials.epoch,
            interfaces: Vec::new(),
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            profiles: Vec::new(),
        };
        self.placed(Up::Report, report)
    }

    fn placed(&self, kind: Up, body: impl Serialize) -> (Position, Outgoing) {
        let (position, device) = (self.position, self.device());
        let outgoing = Outgoing::json(Topic::Up(device, kind), payload::encode(&Placed { position, body }));
        (position, outgoing.answered_on(Topic::Down(device, Down::Receipt), position.into()))
    }

    /// Says one thing and waits for its receipt.
    pub async fn say(&mut self, link: &Link, events: &mut Events, within: Duration) -> anyhow::Result<Position> {
        let (position, message) = self.next_message();
        link.publish(message).await?;
        let heard = async {
            while let Some(event) = events.next().await {
                if let Some(correlation) = receipt(event)
                    && correlation == position.into()
                {
                    return Ok(position);
                }
            }
            bail!("the link is closed")
        };
        tokio::time::timeout(within, heard).await.context("no receipt came")?
    }

    /// Speaks without an end, as fast as receipts come.
    pub fn speak(self) -> anyhow::Result<Speaking> {
        let (link, events) = self.connect()?;
        let (more, wanted) = watch::channel(true);
        let (device, ledger) = (self.device(), Arc::<Mutex<Ledger>>::default());
        let task = tokio::spawn(speak(self, link, events, Arc::clone(&ledger), wanted));
        Ok(Speaking { device, ledger, more, task })
    }
}

/// What the message confirms, if it is a receipt.
fn receipt(event: Event) -> Option<Correlation> {
    let Event::Message(message) = event else { return None };
    let is_receipt = message.topic.ends_with("/down/receipt");
    let receipt = is_receipt.then(|| payload::decode::<Receipt>(&message.payload).ok()).flatten();
    message.acknowledgement.acknowledge();
    receipt.map(|receipt| Correlation { boot_id: receipt.boot_id, seq: receipt.seq })
}

async fn speak(
    mut speaker: Speaker,
    link: Link,
    mut events: Events,
    ledger: Arc<Mutex<Ledger>>,
    mut wanted: watch::Receiver<bool>,
) {
    let mut waiting = BTreeMap::<u64, (Instant, Outgoing)>::new();
    loop {
        while *wanted.borrow() && waiting.len() < WINDOW {
            let (position, message) = speaker.next_message();
            ledger.lock().unwrap_or_else(PoisonError::into_inner).offered.push(position);
            waiting.insert(position.seq, (Instant::now(), message));
        }
        if waiting.is_empty() && !*wanted.borrow() {
            link.close().await;
            return;
        }
        let now = Instant::now();
        if link.is_connected() {
            for (again_at, message) in waiting.values_mut().filter(|(again_at, _)| *again_at <= now) {
                *again_at = now + PATIENCE;
                // A connection that broke meanwhile shows itself by an event.
                let _ = link.offer(message.clone()).await;
            }
        }
        let next = waiting.values().map(|(again_at, _)| *again_at).min().unwrap_or(now + PATIENCE);
        tokio::select! {
            event = events.next() => match event {
                None => return,
                Some(Event::Connected) => waiting.values_mut().for_each(|(again_at, _)| *again_at = now),
                Some(event) => if let Some(correlation) = receipt(event) {
                    ledger.lock().unwrap_or_else(PoisonError::into_inner).receipts.push(correlation);
                    waiting.remove(&correlation.seq);
                }
            },
            () = tokio::time::sleep_until(next.max(now + Duration::from_millis(20))) => {}
            Ok(()) = wanted.changed() => {}
        }
    }
}

impl Speaking {
    /// Its id.
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// What it knows so far.
    pub fn ledger(&self) -> Ledger {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says nothing new, waits for every receipt that is still due, and parts.
    pub async fn settle(&mut self, within: Duration) -> anyhow::Result<Ledger> {
        self.more.send_replace(false);
        let device = self.device;
        wait_until(format!("{device} has all its receipts"), within, async || {
            Ok(self.task.is_finished().then_some(()))
        })
        .await?;
        Ok(self.ledger())
    }

    /// Holds its ledger against the database: what was receipted is there, nothing is there that was not said, and
    /// each thing was done once.
    pub async fn audit(&self, db: &Db) -> anyhow::Result<usize> {
        // The ledger first: what the cloud takes in meanwhile is only more.
        let ledger = self.ledger();
        let device = self.device;
        let mut tx = db.read().await?;
        let rows: Vec<(Uuid, i64, String)> = run!(&mut tx, c => sqlx::query_as(
            "SELECT boot_id, seq, kind FROM device_message WHERE device_id = $1",
        )
        .bind(device.uuid())
        .fetch_all(c))?;
        // One statement sees one moment: more may be committed between two.
        let (codes, shown, newest, last): (i64, i64, Option<i64>, Option<i64>) = run!(&mut tx, c => sqlx::query_as(
            "SELECT (SELECT count(*) FROM on_site_code WHERE device_id = $1), \
             (SELECT count(*) FROM device_message WHERE device_id = $1 AND kind = 'event'), \
             (SELECT report_seq FROM device WHERE id = $1), \
             (SELECT max(seq) FROM device_message WHERE device_id = $1 AND kind = 'report')",
        )
        .bind(device.uuid())
        .fetch_one(c))?;
        drop(tx);
        let offered = self.ledger().offered;
        for receipt in &ledger.receipts {
            let kept =
                rows.iter().any(|(boot, seq, _)| *boot == receipt.boot_id && u64::try_from(*seq) == Ok(receipt.seq));
            ensure!(kept, "{device} has a receipt for {receipt}, and the database knows nothing of it");
        }
        for (boot, seq, kind) in &rows {
            let said = offered.iter().any(|at| at.boot_id == *boot && u64::try_from(*seq) == Ok(at.seq));
            ensure!(said, "the database has a {kind} {boot}:{seq} that {device} never sent");
        }
        ensure!(codes == shown, "{device} showed {shown} codes, and {codes} were written");
        ensure!(newest == last, "the newest report of {device} is {last:?}, and the row says {newest:?}");
        Ok(ledger.receipts.len())
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.task.abort();
    }
}
