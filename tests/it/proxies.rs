//! Everything through an HTTP proxy, a real one, where there is no other way: enrolment, the link to the device endpoint,
//! the relay's carriers, and the technician's requests, each computer in a network namespace of its own. What would go
//! directly is counted, and there is none.

use std::{net::SocketAddr, process::Command, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, routing::get};
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    place::{self, Place},
    portal::Hands,
    ports::free_port,
    squid::{Asks, Squid, USER, address},
    story::{self, Mails, Stage},
    wait::wait_until,
};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(120);
const HOST: &str = "cloud.gatelodge.test";
const WORDS: &str = "all zones closed";
/// The proxy's place as the technician and as the device know it; the cloud is behind it, and known by no other address.
const FROM_OFFICE: &str = "10.1.0.1";
const FROM_DEVICE: &str = "10.2.0.1";

/// Where a program learns of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    BySettings,
    ByEnvironment,
}

struct Scene {
    stage: Stage,
    squid: Squid,
    gate: Arc<Place>,
    cloud: [u16; 2],
    _panel: Place,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// An active device and a technician, both behind the proxy; `None` where this machine has no namespaces or no proxy.
    /// Where `mqtt` is not for the proxy, the device has a way of its own to it, and to nothing else.
    async fn set(asks: Asks, device_told: Told, technician_told: Told, mqtt: bool) -> anyhow::Result<Option<Self>> {
        let what = "everything through HTTP proxies";
        if !place::can_be_had(what)? || !Squid::is_there(what)? {
            return Ok(None);
        }
        let cloud = TestCloud::start(CloudSetup { host: Some(HOST.to_owned()), ..CloudSetup::default() }).await?;
        let (https, endpoint) = (cloud.https_port(), cloud.mqtt_port());
        let (gate, office) = (Arc::new(Place::make("gate")?), Arc::new(Place::make("office")?));
        let (device, panel) = (Place::make("device")?, Place::make("panel")?);
        gate.join(("eth1", "10.1.0.1/24"), &office, ("eth0", "10.1.0.2/24"))?;
        gate.join(("eth2", "10.2.0.1/24"), &device, ("eth0", "10.2.0.2/24"))?;
        device.join(("eth1", "192.168.1.2/24"), &panel, ("eth0", "192.168.1.50/24"))?;
        gate.reaches(&cloud)?;
        let mut rules = vec!["add table ip t; add chain ip t in { type filter hook input priority 0; }".to_owned()];
        for (place, there) in [(&*gate, "127.0.0.1"), (&office, FROM_OFFICE), (&device, FROM_DEVICE)] {
            let known = std::fs::read_to_string(place.hosts())?;
            std::fs::write(place.hosts(), format!("{known}\n{there} {HOST}\n"))?;
            for port in [https, endpoint].into_iter().filter(|_| there != "127.0.0.1") {
                // There is a way, and it is cut.
                gate.passes(format!("{there}:{port}").parse()?, SocketAddr::from(([127, 0, 0, 1], port)))?;
                if mqtt || port == https {
                    rules.push(format!("add rule ip t in ip daddr {there} tcp dport {port} counter drop"));
                }
            }
        }
        gate.run("nft", &[&rules.join("; ")])?;
        let closed = if mqtt { Vec::new() } else { vec![endpoint] };
        let squid = Squid::start(gate.clone(), asks, &closed).await?;

        let mut tasks = JoinSet::new();
        let web = panel.listen(SocketAddr::from(([192, 168, 1, 50], 80)))?;
        tasks.spawn(async move {
            let _ = axum::serve(web, Router::new().route("/", get(async || WORDS))).await;
        });
        let device = Arc::new(device);
        let mut setup = AgentSetup {
            factory: "mac = \"02:42:AC:11:00:0B\"\nserial = \"SN-PROXY-1\"\n".to_owned(),
            place: Some(device.clone()),
            ..AgentSetup::default()
        };
        let proxy = address(FROM_DEVICE, asks);
        match device_told {
            Told::BySettings => setup = setup.set("cloud.proxy", &format!("\"{proxy}\"")),
            Told::ByEnvironment => setup.environment.push(("HTTPS_PROXY".to_owned(), proxy)),
        }
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let folder = tempfile::tempdir()?;
        let setup = setup.with_service("panel", SocketAddr::from(([192, 168, 1, 50], 80)));
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
        let page = stage.agent.page().rsplit(':').next().and_then(|port| port.parse().ok());
        device.shows(page.context("the device's page has no port")?).await?;
        let proxy = address(FROM_OFFICE, asks);
        stage.technician.sits_in(office.clone());
        let told = if technician_told == Told::ByEnvironment { "https_proxy" } else { "GATELODGE_PROXY" };
        stage.technician.hears(told, &proxy);
        Ok(Some(Self { stage, squid, gate, cloud: [https, endpoint], _panel: panel, _tasks: tasks, _folder: folder }))
    }

    /// The device is enrolled and activated, and the technician reaches the panel.
    async fn play(&mut self) -> anyhow::Result<()> {
        let stage = &mut self.stage;
        story::play_until(stage, 4, |_| {}).await?;
        story::sign_in_technician(stage).await?;
        // What was named at the sign-in is kept; only the environment is said each time.
        stage.technician.hears("GATELODGE_PROXY", "");
        let port = free_port()?;
        let local = format!("{port}:panel");
        let mut process = stage.technician.start(["forward", "villa-rosa", &local, "--json", "--reason", "check"])?;
        let allowed = story::allow(stage).await;
        allowed.with_context(|| format!("forward wrote:\n{}", process.log()))?;
        let opened = process.wait_for_line("\"event\":\"open\"", PATIENCE).await;
        opened.with_context(|| format!("forward wrote:\n{}\nthe agent:\n{}", process.log(), stage.agent.log()))?;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "30"]);
        curl.arg(format!("http://127.0.0.1:{port}/"));
        let page = stage.technician.said(curl).await?.ok()?;
        anyhow::ensure!(page == WORDS, "the panel said `{page}`");
        Ok(())
    }

    /// What went directly, in packets.
    fn direct(&self) -> anyhow::Result<String> {
        let listed = self.gate.command(Command::new("nft").args(["list", "table", "ip", "t"])).output()?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let counters: Vec<_> = listed.lines().filter(|line| line.contains("counter")).collect();
        anyhow::ensure!(!counters.is_empty(), "nothing was counted: {listed}");
        Ok(counters.into_iter().filter(|line| !line.contains("counter packets 0 ")).collect())
    }
}

async fn everything_through(asks: Asks, device: Told, technician: Told) -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set(asks, device, technician, true).await? else { return Ok(()) };
    let played = scene.play().await;
    played
        .with_context(|| format!("the proxy was asked:\n{}\nand says:\n{}", scene.squid.asked(), scene.squid.log()))?;
    let asked = scene.squid.asked();
    let user = if asks == Asks::Nothing { "-" } else { USER };
    for port in scene.cloud {
        let through = |line: &&str| line.contains("/200 CONNECT") && line.ends_with(&format!("{HOST}:{port} {user}"));
        // A line is written at the end of its connection, and the link lives on.
        if port == scene.cloud[0] {
            anyhow::ensure!(asked.lines().filter(through).count() > 1, "{port} was not asked for:\n{asked}");
        }
    }
    anyhow::ensure!(!asked.contains("/403"), "the proxy refused:\n{asked}");
    // The device's link is up, and there is no other way.
    scene.stage.agent_says("is online", |told| told.is_settled().then_some(())).await?;
    anyhow::ensure!(scene.direct()?.is_empty(), "packets went directly: {}", scene.direct()?);
    scene.stage.agent.kill()?;
    let link = format!("/200 CONNECT {HOST}:{} {user}", scene.cloud[1]);
    let told = wait_until("the proxy has written down the link", PATIENCE, async || {
        Ok(scene.squid.asked().lines().any(|line| line.ends_with(&link)).then_some(()))
    });
    told.await.with_context(|| scene.squid.asked())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_through_a_proxy_that_asks_nothing() -> anyhow::Result<()> {
    everything_through(Asks::Nothing, Told::ByEnvironment, Told::ByEnvironment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_through_a_proxy_that_asks_by_basic() -> anyhow::Result<()> {
    everything_through(Asks::Basic, Told::ByEnvironment, Told::BySettings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_through_a_proxy_that_asks_by_digest() -> anyhow::Result<()> {
    everything_through(Asks::Digest, Told::BySettings, Told::ByEnvironment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_proxy_refuses_mqtt_the_device_links_without_it() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set(Asks::Digest, Told::BySettings, Told::BySettings, false).await? else {
        return Ok(());
    };
    scene.play().await.with_context(|| scene.squid.asked())?;
    let refused = format!("/403 CONNECT {HOST}:{}", scene.cloud[1]);
    anyhow::ensure!(scene.squid.asked().contains(&refused), "{}", scene.squid.asked());
    anyhow::ensure!(scene.direct()?.is_empty(), "requests went directly: {}", scene.direct()?);
    Ok(())
}
