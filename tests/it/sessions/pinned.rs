//! A cloud that has turned against its customer: it holds the key that signs grants, every other key and the database,
//! and writes whatever it likes to a real agent on which the customer's key is pinned.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey as _};
use gatelodge_cloud::{
    clock::Clock,
    db::{Db, Tx},
    devices::service as devices,
};
use gatelodge_proto::{
    DeviceId, OrganisationId, Random, SessionId, Timestamp, UserId,
    consent::{Assertion, Blob, Challenge, PinId, Proof, StandingRule},
    grant::{Grant, SignedGrant, Technician},
    opening::{OpenHours, Opening},
    payload::{Consent, DeviceState, Feature, Forgot, Happening, Life, Order, Protocol, Service, SessionOrder},
};
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    passkey::{PRESENT, Passkey, VERIFIED},
    story::Stage,
    wait::wait_until,
};
use serde_json::Value;

use super::{asked, live};
use crate::cast;

const SITE: &str = "lodge.example";
const ORIGIN: &str = "https://lodge.example";
const PATIENCE: Duration = Duration::from_secs(120);
const MINUTE: Duration = Duration::from_secs(60);

/// Everything the cloud has, in other hands.
struct Thief {
    db: Db,
    key: SigningKey,
    device: DeviceId,
    /// The ownership it speaks of, and the one in which the device was enrolled.
    epoch: u64,
    enrolled: u64,
    installer: OrganisationId,
    technician: UserId,
    random: Random,
    relay: String,
    service: Service,
}

impl Thief {
    async fn of(stage: &Stage) -> anyhow::Result<Self> {
        let data = stage.cloud.data_dir();
        let db = Db::open(&format!("sqlite://{}", data.join("gatelodge.db").display()).parse()?).await?;
        let pem = std::fs::read_to_string(data.join("keys/grant.key"))?;
        let key = SigningKey::from_pkcs8_pem(&pem)?;
        let told = stage.agent_status().await?.0;
        let device = told["device"].as_str().context("no device")?.parse()?;
        let epoch = told["epoch"].as_u64().context("no epoch")?;
        let (random, now) = (Random::system(), now());
        let panel = stage.panel_web();
        let service = Service {
            name: "panel-web".parse()?,
            protocol: Protocol::Tcp,
            host: panel.ip().to_string(),
            port: panel.port(),
        };
        Ok(Self {
            db,
            key,
            device,
            epoch,
            enrolled: epoch,
            installer: OrganisationId::make(now, &random),
            technician: UserId::make(now, &random),
            random,
            relay: format!("wss://localhost:{}/relay/v1", stage.cloud.https_port()),
            service,
        })
    }

    /// A session for a key that is the thief's own.
    fn grant(&self) -> Grant {
        let from = now();
        Grant {
            session: SessionId::make(from, &self.random),
            device: self.device,
            epoch: self.epoch,
            technician: Technician {
                user: self.technician,
                name: "Marc Petit".into(),
                organisation: self.installer,
                organisation_name: "Petit Alarmes".into(),
            },
            key_thumbprint: "ab".repeat(32),
            services: vec![self.service.clone()],
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            recording: Vec::new(),
            from,
            until: from + MINUTE * 60,
            lifetime_s: 3600,
            idle_s: 900,
            consent: Consent::Ask,
            reason: Some("yearly check".into()),
            ticket_number: None,
            break_glass: false,
        }
    }

    fn sign(&self, grant: &Grant) -> SignedGrant {
        SignedGrant::sign(grant, &self.key)
    }

    /// Writes the order into the database, as the cloud does, and waits for what becomes of it.
    async fn order(&self, order: Order) -> anyhow::Result<(String, String)> {
        let (now, what) = (now(), format!("{order:?}"));
        let mut tx = self.db.write().await?;
        // The command carries the row's epoch; the row itself stays, or its certificate would be none of this ownership.
        self.set_epoch(&mut tx, self.epoch).await?;
        let sent = devices::send(&mut tx, now, &self.random, self.device, order, now + MINUTE * 5).await?;
        self.set_epoch(&mut tx, self.enrolled).await?;
        tx.commit().await?;
        let id = sent.context("no such device")?;
        wait_until("the device answers the order", PATIENCE, async || {
            let tx = &mut self.db.read().await?;
            let row = gatelodge_cloud::run!(tx, c => sqlx::query_as::<_, (String, Option<String>)>(
                "SELECT state, outcome FROM command WHERE id = $1 AND state <> 'waiting'",
            )
            .bind(id.uuid())
            .fetch_optional(c))?;
            Ok(row.map(|(state, outcome)| (state, outcome.unwrap_or_default())))
        })
        .await
        .context(what)
    }

    async fn set_epoch(&self, tx: &mut Tx, epoch: u64) -> anyhow::Result<()> {
        gatelodge_cloud::change!(tx, c => sqlx::query("UPDATE device SET epoch = $2 WHERE id = $1")
            .bind(self.device.uuid())
            .bind(i64::try_from(epoch)?)
            .execute(c))?;
        Ok(())
    }

    async fn open(&self, grant: &SignedGrant, proof: Option<Proof>) -> anyhow::Result<(String, String)> {
        let (grant, proof) = (grant.clone(), proof.map(Box::new));
        let order = SessionOrder { grant, proof, relay: self.relay.clone(), ticket: "00".repeat(16), recording: None };
        self.order(Order::OpenSession(Box::new(order))).await
    }

    async fn opens_nothing(&self, what: &str, grant: &SignedGrant, proof: Option<Proof>) -> anyhow::Result<()> {
        let (state, outcome) = self.open(grant, proof).await?;
        ensure!(state == "refused", "{what}: {state} {outcome}");
        Ok(())
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}

async fn told(stage: &Stage) -> anyhow::Result<Value> {
    Ok(stage.agent_status().await?.0)
}

async fn fingerprint(stage: &Stage) -> anyhow::Result<Option<String>> {
    Ok(told(stage).await?["consent"]["pinned"]["fingerprint"].as_str().map(str::to_owned))
}

/// The customer's passkey, offered by the cloud that was honest then, compared and confirmed at the device.
async fn pin(stage: &Stage, thief: &Thief, key: &Passkey) -> anyhow::Result<()> {
    let public = key.public()?;
    let digits = public.fingerprint();
    assert_eq!(thief.order(Order::OfferKey { key: public }).await?.0, "done");
    assert_eq!(fingerprint(stage).await?, None, "an offer is no pin");
    let other = stage.agent.say(["consent", "pin-key", "--digits", "11111 22222 33333 44444 55555 66666"]).await?;
    assert!(other.refused(1)?.contains("not those"));
    stage.agent.say(["consent", "pin-key", "--digits", &digits]).await?.ok()?;
    wait_until("the key is pinned", PATIENCE, async || {
        Ok((fingerprint(stage).await?.as_deref() == Some(&digits)).then_some(()))
    })
    .await
}

/// With one byte of what the browser says changed.
fn altered(mut assertion: Assertion) -> anyhow::Result<Assertion> {
    let client = String::from_utf8(assertion.client.bytes().to_vec())?;
    assertion.client = Blob::new(client.replace("false}", "false }").into_bytes())?;
    Ok(assertion)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_holds_every_key_opens_nothing_without_the_customers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mut stage = live::ready(cloud, folder.path(), AgentSetup::default()).await?;
    let mut thief = Thief::of(&stage).await?;
    let (customer, own) = (Passkey::make(SITE, ORIGIN)?, Passkey::make(SITE, ORIGIN)?);
    pin(&stage, &thief, &customer).await?;

    // A grant with nothing, and with every proof that is at hand.
    let grant = thief.grant();
    let signed = thief.sign(&grant);
    let challenge = Challenge::of_grant(&signed);
    let passkey = |assertion| Some(Proof::Passkey { assertion });
    thief.opens_nothing("no proof", &signed, None).await?;
    thief.opens_nothing("its own key", &signed, Some(own.proof(&signed)?)).await?;
    let other = thief.sign(&thief.grant());
    thief.opens_nothing("of another grant", &signed, Some(customer.proof(&other)?)).await?;
    let wider = Grant { lifetime_s: 3600, until: grant.until + MINUTE * 600, ..grant.clone() };
    thief.opens_nothing("of a shorter one", &thief.sign(&wider), Some(customer.proof(&signed)?)).await?;
    thief.opens_nothing("UV missing", &signed, passkey(customer.sign(&challenge, PRESENT)?)).await?;
    thief.opens_nothing("altered", &signed, passkey(altered(customer.sign(&challenge, VERIFIED)?)?)).await?;
    let customer = customer.at("evil.example", "https://evil.example");
    thief.opens_nothing("another site's", &signed, Some(customer.proof(&signed)?)).await?;
    let customer = customer.at(SITE, "https://evil.example");
    thief.opens_nothing("on another page", &signed, Some(customer.proof(&signed)?)).await?;
    let customer = customer.at(SITE, ORIGIN);

    // Rules that the customer has signed, for something else.
    let pin_id = told(&stage).await?["consent"]["pinned"]["pin"].as_str().context("no pin")?.parse()?;
    let rule = StandingRule {
        device: thief.device,
        epoch: thief.epoch,
        pin: pin_id,
        made_at: now(),
        installer: thief.installer,
        services: vec![thief.service.name.clone()],
        networks: Vec::new(),
        listens: Vec::new(),
        features: vec![Feature::Web],
        consent: Consent::Always,
        opening: Opening::default(),
        longest_minutes: 60,
        valid_until: now() + MINUTE * 600,
    };
    let no_hour = OpenHours { zone: "Europe/Paris".parse()?, windows: Vec::new() };
    let closed = Opening { hours: Some(no_hour), ..Opening::default() };
    for (what, rule) in [
        ("another installer's", StandingRule { installer: OrganisationId::make(now(), &thief.random), ..rule.clone() }),
        ("at another hour", StandingRule { opening: closed, ..rule.clone() }),
        ("asking", StandingRule { consent: Consent::Ask, ..rule.clone() }),
        ("over", StandingRule { valid_until: now(), ..rule.clone() }),
        ("other services", StandingRule { services: vec!["nas".parse()?], ..rule.clone() }),
        ("shorter", StandingRule { longest_minutes: 30, ..rule.clone() }),
        ("an earlier pinning's", StandingRule { pin: PinId::make(&thief.random), ..rule.clone() }),
    ] {
        let proof = Proof::Standing { rule: customer.rule(&rule)? };
        thief.opens_nothing(what, &signed, Some(proof)).await?;
    }
    let terminal = thief.sign(&Grant { features: vec![Feature::Terminal], ..thief.grant() });
    let proof = Proof::Standing { rule: customer.rule(&rule)? };
    thief.opens_nothing("more than the rule names", &terminal, Some(proof)).await?;
    let mut forged = customer.rule(&rule)?;
    forged.text = StandingRule { longest_minutes: 6000, ..rule.clone() }.text();
    thief.opens_nothing("a rule with another text", &signed, Some(Proof::Standing { rule: forged })).await?;

    // What is shown is not pressed, also after a restart.
    assert_eq!(thief.order(Order::ConsentWanted { draft: signed.clone() }).await?.0, "done");
    thief.opens_nothing("shown", &signed, None).await?;
    stage.agent.kill()?;
    stage.agent.run()?;
    let restarted = thief.opens_nothing("after a restart", &signed, None).await;
    restarted.with_context(|| format!("the agent:\n{}", stage.agent.log()))?;

    // The key goes by no word of the cloud.
    let digits = customer.public()?.fingerprint();
    let (state, why) = thief.order(Order::OfferKey { key: own.public()? }).await?;
    assert!(state == "refused" && why.contains("pinned"), "{state} {why}");
    let statement = Challenge::of_release(thief.device, pin_id);
    let (state, _) = thief.order(Order::ReleaseKey { assertion: own.sign(&statement, VERIFIED)? }).await?;
    assert_eq!(state, "refused");
    let released = DeviceState {
        epoch: thief.epoch + 1,
        version: 1000,
        life: Life::Active,
        customer: None,
        installer: None,
        web_address: None,
        consent: Consent::Always,
        opening: Opening::default(),
    };
    assert_eq!(thief.order(Order::State(released)).await?.0, "done");
    thief.epoch += 1;
    let signed = thief.sign(&thief.grant());
    let owned = thief.opens_nothing("in another ownership", &signed, None).await;
    owned.with_context(|| format!("the agent:\n{}", stage.agent.log()))?;
    thief.opens_nothing("its own key, then", &signed, Some(own.proof(&signed)?)).await?;
    let (state, _) = thief.order(Order::OfferKey { key: own.public()? }).await?;
    assert_eq!((state.as_str(), fingerprint(&stage).await?), ("refused", Some(digits)));
    assert_eq!(told(&stage).await?["sessions"], Value::Array(Vec::new()), "nobody was ever in");

    // The true customer's signature opens, once.
    let grant = thief.grant();
    let signed = thief.sign(&grant);
    let proof = customer.proof(&signed)?;
    let (state, outcome) = thief.open(&signed, Some(proof.clone())).await?;
    assert_eq!(state, "done", "{outcome}");
    wait_until("the session is over, whose ticket no relay takes", PATIENCE, async || {
        Ok(told(&stage).await?["sessions"].as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await?;
    let (state, why) = thief.open(&signed, Some(proof.clone())).await?;
    assert!(state == "refused" && why.contains("no second one"), "replayed: {state} {why}");
    stage.agent.kill()?;
    stage.agent.run()?;
    thief.opens_nothing("replayed to an agent that has started anew", &signed, Some(proof)).await?;
    let longer = thief.sign(&Grant { until: grant.until + MINUTE, ..grant });
    thief.opens_nothing("its extension, as a session", &longer, Some(customer.proof(&longer)?)).await?;

    lost(&stage, &thief, &customer).await
}

/// A lost passkey: a person at the device takes its key away and pins another, under which the lost one says nothing.
async fn lost(stage: &Stage, thief: &Thief, lost: &Passkey) -> anyhow::Result<()> {
    let told_by_doctor = || async { Ok::<_, anyhow::Error>(stage.agent.say(["doctor"]).await?.out) };
    let digits = lost.public()?.fingerprint();
    assert!(stage.agent.say(["status"]).await?.ok()?.contains("the customer's key: its signature"));
    assert!(told_by_doctor().await?.contains(&digits));
    stage.agent.say(["consent", "remove-key", "--yes"]).await?.ok()?;
    wait_until("the key is gone", PATIENCE, async || Ok(fingerprint(stage).await?.is_none().then_some(()))).await?;
    assert!(stage.agent.say(["status"]).await?.ok()?.contains("the portal's word and this device's own switch"));
    assert!(told_by_doctor().await?.contains("no key of the customer is pinned"));

    let found = Passkey::make(SITE, ORIGIN)?;
    pin(stage, thief, &found).await?;
    let signed = thief.sign(&thief.grant());
    thief.opens_nothing("the lost key", &signed, Some(lost.proof(&signed)?)).await?;
    let (state, outcome) = thief.open(&signed, Some(found.proof(&signed)?)).await?;
    ensure!(state == "done", "the new key's: {outcome}");
    Ok(())
}

#[tokio::test]
async fn what_becomes_of_the_key_stands_in_the_history_of_its_owner() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (other, _) = cast.active(&marc, "villa-blu", "blu@example.com", Consent::Ask).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let (key, pin) = (Passkey::make(SITE, ORIGIN)?.public()?, PinId::make(&Random::system()));
        let draft = Challenge::of_rule("e30");
        let pressed = |allowed| Happening::ConsentPressed { session, draft, allowed };
        cast.happens(other.id, pressed(true)).await?;
        cast.happens(prop.id, Happening::KeyDeclined { key: key.clone().into() }).await?;
        cast.happens(prop.id, Happening::KeyPinned { pin, key: key.into() }).await?;
        cast.happens(prop.id, pressed(false)).await?;
        cast.happens(prop.id, Happening::KeyForgotten { pin, by: Forgot::Device }).await?;
        let history = cast.history(rosa.member().organisation_id, prop.id).await?;
        let mut told: Vec<_> = history
            .iter()
            .map(String::as_str)
            .filter(|what| what.starts_with("key_") || what.ends_with("_on_device"))
            .collect();
        told.sort_unstable();
        assert_eq!(told, ["key_declined", "key_forgotten", "key_pinned", "session_refused_on_device"]);
    }
    Ok(())
}
