//! Who may connect, say, hear and leave what: one table, held against the embedded endpoint and against a real
//! Mosquitto with the configuration of `docs/operate/mosquitto`.

use std::{fmt, time::Duration};

use anyhow::Context as _;
use gatelodge_proto::{
    DeviceId,
    link::{Event, Events, Link, Outgoing, PublishError, Refusal, Trouble, Will},
    payload::{self, Correlation, Status},
    topics::{self, Down, Topic, Up},
};
use gatelodge_tests::wait::wait_until;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{Device, Running, SOON, taken_back};
use crate::devices::{device, names};

/// What a device tries.
enum Attempt {
    /// To say something on a topic.
    Say(String),
    /// To hear what a filter names.
    Hear(String),
    /// To leave a will on a topic.
    Leave(String),
    /// To connect under a client id.
    ConnectAs(String),
    /// To connect with a certificate.
    Show(Shown),
    /// To connect while others hold silent connections.
    ComeBesides(usize),
}

#[derive(Clone, Copy)]
enum Shown {
    Nothing,
    /// The right name, signed by somebody else.
    OtherCa,
    /// The right name and CA, unknown to the allow-list: what a stolen copy of the CA could sign.
    NotListed,
    /// Taken back while it is connected.
    TakenBack,
    /// Taken back, in a TLS session that resumes one from before.
    TakenBackResumed,
}

/// How an attempt ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Done.
    Passes,
    /// The endpoint says no.
    Refused,
    /// The endpoint says yes, but nothing of others is heard, nobody else is disturbed, and nothing is done.
    Idle,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passes => "passes",
            Self::Refused => "is refused",
            Self::Idle => "is taken and does nothing",
        })
    }
}

struct Row {
    what: &'static str,
    attempt: Attempt,
    embedded: End,
    mosquitto: End,
}

/// The table, for device `own` beside device `other`.
fn table(own: DeviceId, other: DeviceId, registrar: &str) -> Vec<Row> {
    use Attempt::{ComeBesides, ConnectAs, Hear, Leave, Say, Show};
    use End::{Idle, Passes, Refused};
    let up = |device, kind| Topic::Up(device, kind).to_string();
    let down = |device, kind| Topic::Down(device, kind).to_string();
    let row = |what, attempt, embedded, mosquitto| Row { what, attempt, embedded, mosquitto };
    vec![
        row("its own report", Say(up(own, Up::Report)), Passes, Passes),
        row("another's report", Say(up(other, Up::Report)), Refused, Refused),
        row("another's presence", Say(up(other, Up::Status)), Refused, Refused),
        row("a command to another", Say(down(other, Down::Command)), Refused, Refused),
        row("a command to itself", Say(down(own, Down::Command)), Refused, Refused),
        row(
            "its own name in capitals",
            Say(up(own, Up::Report).replace(&own.to_string(), &own.to_string().to_uppercase())),
            Refused,
            Refused,
        ),
        // The registrar parks it.
        row("a kind that is none", Say(format!("gl/1/d/{own}/up/unknown")), Refused, Passes),
        row("the broker's own topics", Say("$SYS/broker/uptime".into()), Refused, Refused),
        row("any other topic", Say("anything".into()), Refused, Refused),
        row("its own commands", Hear(topics::down_filter(own)), Passes, Passes),
        row("another's commands", Hear(topics::down_filter(other)), Refused, Idle),
        row("another's reports", Hear(up(other, Up::Report)), Refused, Idle),
        row("its own reports", Hear(up(own, Up::Report)), Refused, Idle),
        row("everything of its own", Hear(format!("gl/1/d/{own}/#")), Refused, Idle),
        row("everything", Hear("#".into()), Refused, Idle),
        row("all commands", Hear("gl/1/d/+/down/#".into()), Refused, Idle),
        row("all reports", Hear("gl/1/d/+/up/#".into()), Refused, Idle),
        row("the registrar's share", Hear(topics::REGISTRAR_FILTER.into()), Refused, Idle),
        row("a share of its own commands", Hear(format!("$share/x/{}", topics::down_filter(own))), Refused, Idle),
        row("a share of all commands", Hear("$share/x/gl/1/d/+/down/#".into()), Refused, Idle),
        row("its commands alone", Hear(format!("$exclusive/{}", topics::down_filter(own))), Refused, Idle),
        row("the broker's own topics", Hear("$SYS/#".into()), Refused, Idle),
        row("a will on its own presence", Leave(up(own, Up::Status)), Passes, Passes),
        row("a will on another's presence", Leave(up(other, Up::Status)), Refused, Idle),
        row("a will on another's commands", Leave(down(other, Down::Command)), Refused, Idle),
        row("a will on its own commands", Leave(down(own, Down::Command)), Refused, Idle),
        row("another's client id", ConnectAs(other.to_string()), Refused, Idle),
        row("the registrar's client id", ConnectAs(registrar.to_owned()), Refused, Idle),
        row("no certificate", Show(Shown::Nothing), Refused, Refused),
        row("a certificate of another CA", Show(Shown::OtherCa), Refused, Refused),
        // Mosquitto knows certificates by their CA and its list of bad ones.
        row("a certificate on no list", Show(Shown::NotListed), Refused, Passes),
        row("a certificate that was taken back", Show(Shown::TakenBack), Refused, Refused),
        row("one taken back, resumed", Show(Shown::TakenBackResumed), Refused, Refused),
        row("a device beside 50 silent connections", ComeBesides(50), Passes, Passes),
    ]
}

/// The two devices of the table, and what the second notices of the first's attempts.
struct Stage<'a> {
    cloud: &'a Running,
    own: Device,
    other: Device,
    link: Link,
    events: Events,
    seq: u64,
}

impl<'a> Stage<'a> {
    async fn set(cloud: &'a Running) -> Self {
        let (own, other) = (cloud.device(1).await, cloud.device(2).await);
        let (link, mut events) = cloud.connect(&other);
        super::connected(&mut events).await;
        Self { cloud, own, other, link, events, seq: 0 }
    }

    async fn try_all(&mut self) -> Vec<String> {
        let registrar = format!("{}{}", topics::SERVICE_PREFIX, self.cloud.kits().pki.registrar_name());
        let mut wrong = Vec::new();
        for row in table(self.own.id(), self.other.id(), &registrar) {
            let expected = if self.cloud.mosquitto.is_some() { row.mosquitto } else { row.embedded };
            let verb = match &row.attempt {
                Attempt::Say(_) => "to say: ",
                Attempt::Hear(_) => "to hear: ",
                _ => "",
            };
            match self.end_of(row.attempt).await {
                Ok(end) if end == expected => {}
                Ok(end) => wrong.push(format!("{verb}{}: {end:?}, but {expected:?} is right", row.what)),
                Err(error) => wrong.push(format!("{verb}{}: {error:#}", row.what)),
            }
        }
        wrong
    }

    async fn end_of(&mut self, attempt: Attempt) -> anyhow::Result<End> {
        match attempt {
            Attempt::Say(topic) => self.say(topic).await,
            Attempt::Hear(filter) => self.hear(filter).await,
            Attempt::Leave(topic) => self.leave(&topic).await,
            Attempt::ConnectAs(client_id) => self.connect_as(client_id).await,
            Attempt::Show(shown) => self.show(shown).await,
            Attempt::ComeBesides(silent) => self.come_besides(silent).await,
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Another device's reports get their receipts over the connection it has had all along, and it hears nothing else.
    async fn nobody_is_disturbed(&mut self) -> anyhow::Result<()> {
        // In a share of two, one of two messages goes astray.
        for _ in 0..2 {
            let seq = self.next_seq();
            let (position, report) = self.other.report(seq);
            self.link.publish(report).await?;
            receipt(&mut self.events, self.other.id(), position.into()).await?;
        }
        let row = device(self.cloud.kits(), &names(self.other.n)).await;
        anyhow::ensure!(row.id == self.other.id(), "another device took its place");
        Ok(())
    }

    /// The first device reports over `link` and gets its receipt; what else it hears must be its own.
    async fn reports(&mut self, link: &Link, events: &mut Events) -> anyhow::Result<()> {
        let seq = self.next_seq();
        let (position, report) = self.own.report(seq);
        link.publish(report).await?;
        receipt(events, self.own.id(), position.into()).await
    }

    async fn say(&mut self, topic: String) -> anyhow::Result<End> {
        let (link, mut events) = self.cloud.connect(&self.own);
        connected(&mut events).await?;
        let seq = self.next_seq();
        let (position, report) = self.own.report(seq);
        let is_own = report.topic == topic;
        let end = match link.publish(Outgoing { topic, ..report }).await {
            Ok(()) => End::Passes,
            Err(PublishError::Refused { reason, .. }) if reason == "NotAuthorized" => End::Refused,
            Err(error) => return Err(error.into()),
        };
        if is_own {
            receipt(&mut events, self.own.id(), position.into()).await?;
        }
        self.reports(&link, &mut events).await?;
        link.close().await;
        self.nobody_is_disturbed().await?;
        Ok(end)
    }

    async fn hear(&mut self, filter: String) -> anyhow::Result<End> {
        let own = topics::down_filter(self.own.id());
        let is_own = filter == own;
        let (link, mut events) = self.cloud.open(self.own.id(), self.cloud.tls(&self.own), |settings| {
            settings.subscriptions = if is_own { vec![own] } else { vec![filter, own] };
        });
        let end = match heard(&mut events).await? {
            Event::Refused { refusal: Refusal::Subscription(_), .. } => End::Refused,
            Event::Connected => {
                self.nobody_is_disturbed().await?;
                let payload = payload::encode(&"not for you");
                self.cloud
                    .kits()
                    .endpoint
                    .publish(Outgoing::json(Topic::Down(self.other.id(), Down::Receipt), payload))
                    .await?;
                // What was there to be heard came before the receipt.
                self.reports(&link, &mut events).await?;
                if is_own { End::Passes } else { End::Idle }
            }
            other => anyhow::bail!("{other:?}"),
        };
        link.close().await;
        if let End::Idle | End::Passes = end {
            let Event::Message(message) = heard(&mut self.events).await? else {
                anyhow::bail!("it lost its connection")
            };
            message.acknowledgement.acknowledge();
        }
        Ok(end)
    }

    async fn leave(&mut self, topic: &str) -> anyhow::Result<End> {
        let online = async |wanted: bool, of: &Device| {
            wait_until(format!("presence is {wanted}"), SOON, async || {
                Ok((device(self.cloud.kits(), &names(of.n)).await.online == wanted).then_some(()))
            })
            .await
        };
        let status = |online| payload::encode(&Status { online, boot_id: uuid::Uuid::from_u128(5) });
        let others = Topic::Up(self.other.id(), Up::Status);
        self.link.publish(Outgoing::json(others, status(true))).await?;
        online(true, &self.other).await?;
        let will = Will { topic: topic.parse()?, payload: status(false).into(), delay: Duration::ZERO };
        let (link, mut events) =
            self.cloud.open(self.own.id(), self.cloud.tls(&self.own), |settings| settings.will = Some(will));
        match heard(&mut events).await? {
            Event::Refused { refusal: Refusal::NotAuthorized, .. } => return Ok(End::Refused),
            Event::Connected => {}
            other => anyhow::bail!("{other:?}"),
        }
        link.publish(Outgoing::json(Topic::Up(self.own.id(), Up::Status), status(true))).await?;
        online(true, &self.own).await?;
        drop(events);
        let own = Topic::Up(self.own.id(), Up::Status).to_string();
        if topic == own {
            online(false, &self.own).await?;
            return Ok(End::Passes);
        }
        // The broker has done with the lost connection before it lets the same name in again.
        let (link, mut events) = self.cloud.connect(&self.own);
        connected(&mut events).await?;
        self.reports(&link, &mut events).await?;
        link.close().await;
        self.nobody_is_disturbed().await?;
        anyhow::ensure!(device(self.cloud.kits(), &names(self.other.n)).await.online, "the other is shown as gone");
        Ok(End::Idle)
    }

    async fn connect_as(&mut self, client_id: String) -> anyhow::Result<End> {
        let (link, mut events) =
            self.cloud.open(self.own.id(), self.cloud.tls(&self.own), |settings| settings.client_id = client_id);
        let end = match heard(&mut events).await? {
            Event::Refused { refusal: Refusal::NotAuthorized, .. } => End::Refused,
            Event::Connected => {
                self.reports(&link, &mut events).await?;
                End::Idle
            }
            other => anyhow::bail!("{other:?}"),
        };
        self.nobody_is_disturbed().await?;
        link.close().await;
        Ok(end)
    }

    async fn show(&mut self, shown: Shown) -> anyhow::Result<End> {
        let (cloud, own) = (self.cloud, &self.own);
        let end = |lets_in| Ok(if lets_in { End::Passes } else { End::Refused });
        let tls = match shown {
            Shown::Nothing => cloud.tls_with(None),
            Shown::OtherCa => {
                let key = KeyPair::generate()?;
                cloud.tls_with(Some((&signed_by_another(own.id(), &key)?, &key)))
            }
            Shown::NotListed => {
                let csr = gatelodge_cloud::pki::Csr::parse(&own.key.csr())?;
                let issued = cloud.kits().pki.sign_device(own.id(), &csr, cloud.kits().now())?;
                cloud.tls_with(Some((&issued.chain, &own.key.0)))
            }
            Shown::TakenBack => return end(taken_back::lets_in(cloud, &cloud.device(3).await).await?),
            Shown::TakenBackResumed => return end(taken_back::lets_in_resumed(cloud, &cloud.device(4).await).await?),
        };
        let (link, mut events) = cloud.open(own.id(), tls, |_| {});
        let end = entry(&mut events).await?;
        link.close().await;
        Ok(end)
    }

    async fn come_besides(&mut self, silent: usize) -> anyhow::Result<End> {
        let endpoint = self.cloud.endpoint();
        let mut held = Vec::new();
        for number in 0..silent {
            let mut stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
            if number % 2 == 0 {
                // The beginning of a ClientHello.
                stream.write_all(&[0x16, 3, 1, 0, 200, 1]).await?;
            }
            held.push(stream);
        }
        let (link, mut events) = self.cloud.connect(&self.own);
        connected(&mut events).await?;
        self.reports(&link, &mut events).await?;
        link.close().await;
        drop(held);
        Ok(End::Passes)
    }
}

pub(super) async fn heard(events: &mut Events) -> anyhow::Result<Event> {
    let event = tokio::time::timeout(SOON, events.next()).await.context("nothing is heard")?;
    event.context("the link has ended")
}

pub(super) async fn connected(events: &mut Events) -> anyhow::Result<()> {
    let event = heard(events).await?;
    anyhow::ensure!(matches!(event, Event::Connected), "not connected: {event:?}");
    Ok(())
}

/// Waits for one receipt; whatever else is heard must be the device's own.
async fn receipt(events: &mut Events, device: DeviceId, wanted: Correlation) -> anyhow::Result<()> {
    loop {
        match heard(events).await? {
            Event::Message(message) => {
                let topic: Topic = message.topic.parse()?;
                anyhow::ensure!(matches!(topic, Topic::Down(owner, _) if owner == device), "it heard {topic}");
                let found = message.parsed_correlation() == Some(wanted);
                message.acknowledgement.acknowledge();
                if found {
                    return Ok(());
                }
            }
            other => anyhow::bail!("no receipt: {other:?}"),
        }
    }
}

/// Whether a client gets in. Brokers break a bad handshake off; whether the alert arrives before the reset is chance.
async fn entry(events: &mut Events) -> anyhow::Result<End> {
    for _ in 0..3 {
        match heard(events).await? {
            Event::Connected => return Ok(End::Passes),
            Event::Refused { refusal: Refusal::NotAuthorized | Refusal::Certificate(_), .. } => {
                return Ok(End::Refused);
            }
            Event::Disconnected { trouble: Trouble::Lost(_) | Trouble::Closed(_) | Trouble::TakenOver, .. } => {}
            other => anyhow::bail!("{other:?}"),
        }
    }
    Ok(End::Refused)
}

fn signed_by_another(device: DeviceId, key: &KeyPair) -> anyhow::Result<String> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "Gatelodge device CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(ca, KeyPair::generate()?);
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, device.to_string());
    Ok(params.signed_by(key, &issuer)?.pem())
}

#[tokio::test]
async fn the_access_table_holds_on_the_embedded_endpoint() {
    let cloud = Running::start().await;
    let wrong = Stage::set(&cloud).await.try_all().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_access_table_holds_on_mosquitto() {
    let Some(cloud) = Running::on_mosquitto().await else { return };
    let wrong = Stage::set(&cloud).await.try_all().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
