//! A session of this product, on the programs as they are shipped: cloud, agent, technician, customer's consent and all.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use gatelodge_tests::{
    agent::AgentSetup,
    chaos::{Chaos, Faults, Setup},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    ports::free_port,
    story::{self, Forward, Mails, Stage},
    wait::wait_until,
};

use super::{
    peers::{LOAD_PORT, run},
    processor,
    tunnel::Tunnel,
};

/// The name of the far end among the device's services.
const SERVICE: &str = "load";
/// The device's web address in the story.
const DEVICE: &str = "villa-rosa";
/// An installation's network, and the far end in it.
const SUBNET: &str = "198.18.79.0/24";
const PLACE: Ipv4Addr = Ipv4Addr::new(198, 18, 79, 50);
const INTERFACE: &str = "gl-bench2";
const UP_WITHIN: Duration = Duration::from_secs(30);

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carriers {
    /// Web sockets, which get through everywhere.
    WebSockets,
    /// Raw frames, where they get through.
    Raw,
}

/// A network that only this computer is in, for the time that this lives.
pub(super) struct Installation {
    /// Where the far end stands in it.
    pub(super) load: SocketAddr,
}

impl Installation {
    pub(super) fn make() -> anyhow::Result<Self> {
        let _ = run("ip", &["link", "delete", INTERFACE]);
        run("ip", &["link", "add", INTERFACE, "type", "veth", "peer", "name", &format!("{INTERFACE}p")])?;
        let made = Self { load: (PLACE, LOAD_PORT).into() };
        run("ip", &["address", "add", &format!("{PLACE}/24"), "dev", INTERFACE])?;
        run("ip", &["link", "set", INTERFACE, "up"])?;
        Ok(made)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = run("ip", &["link", "delete", INTERFACE]);
    }
}

/// The product, with a device that a technician may reach.
pub(super) struct Ours {
    stage: Stage,
    name: &'static str,
    _folder: tempfile::TempDir,
    _wire: Option<Chaos>,
}

/// A session that carries bytes.
pub(super) struct Open {
    pub(super) tunnel: Tunnel,
    pub(super) id: String,
    /// The device's end of it.
    pub(super) process: u32,
}

impl Ours {
    /// Plays the story up to a signed-in technician, on these carriers. With `delay`, both ends reach the relay over a
    /// wire that holds every byte so long, each way.
    pub(super) async fn open(
        agent: &Path,
        load: SocketAddr,
        carriers: Carriers,
        delay: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let setup = AgentSetup { program: Some(agent.to_owned()), ..AgentSetup::default() }
            .with_service(SERVICE, load)
            .set("remote_access.opens_per_second", "1000000");
        let networks = if load.ip() == PLACE { vec![("lan".to_owned(), SUBNET.to_owned())] } else { Vec::new() };
        let setup = AgentSetup { networks, ..setup };
        let raw = if carriers == Carriers::Raw { "true" } else { "false" };
        let (mut cloud, mut wire) = (CloudSetup::default().set("sessions.raw_carriers", raw), None);
        if let Some(delay) = delay {
            let port = free_port()?;
            cloud.front = Some(port);
            wire = Some((port, delay));
        }
        let cloud = TestCloud::start(cloud).await?;
        let wire = match wire {
            None => None,
            Some((port, delay)) => {
                let to = cloud.addresses()?.https.to_string();
                let faults = Faults { delay, ..Faults::default() };
                Some(Chaos::start(Setup { listen: super::peers::local(port), faults, ..Setup::to(to) }).await?)
            }
        };
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        story::sign_in_technician(&mut stage).await?;
        let name = if carriers == Carriers::Raw { "session on raw carriers" } else { "session" };
        Ok(Self { stage, name, _folder: folder, _wire: wire })
    }

    /// The customer looks at who is inside.
    pub(super) async fn watch(&mut self) -> anyhow::Result<()> {
        self.stage.customer.open("/sessions").await
    }

    /// The customer presses Stop there.
    pub(super) async fn stop(&mut self, session: &str) -> anyhow::Result<()> {
        self.stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await
    }

    /// The relay is gone at once, as by a power cut.
    pub(super) fn kill_relay(&mut self) -> anyhow::Result<()> {
        self.stage.cloud.kill()
    }

    /// Starts the relay again; gives when it listens.
    pub(super) async fn serve_again(&mut self) -> anyhow::Result<Instant> {
        self.stage.cloud.serve().await?;
        Ok(Instant::now())
    }

    /// A session that is a network interface of this computer. In the middle of its way is the technician's process:
    /// the one that turns packets into streams.
    pub(super) async fn vpn(&mut self) -> anyhow::Result<Tunnel> {
        let mut process = self.stage.technician.start(["vpn", DEVICE, "--json", "--reason", "Programming"])?;
        story::allow(&mut self.stage).await.with_context(|| format!("vpn wrote:\n{}", process.log()))?;
        let open = process.wait_for_line("\"event\":\"open\"", UP_WITHIN).await?;
        let open: serde_json::Value = serde_json::from_str(&open)?;
        let here = open["services"][0]["address"].as_str().context("the far end has an address here")?;
        let tunnel = Tunnel {
            name: "interface",
            at: SocketAddr::new(here.parse()?, LOAD_PORT),
            roots: vec![process.id()],
            middle: Some(process.id()),
            _held: Box::new(process),
        };
        Ok(tunnel)
    }

    /// A session to the far end.
    pub(super) async fn session(&mut self) -> anyhow::Result<Open> {
        let Forward { process, port, session: id } = story::forward(&mut self.stage, SERVICE).await?;
        let (cloud, agent) =
            (self.stage.cloud.id().context("the cloud runs")?, self.stage.agent.id().context("the agent runs")?);
        let at = super::peers::local(port);
        wait_until("the session carries bytes", Duration::from_secs(30), async || {
            Ok(super::load::round_trips(at, 1).await.ok())
        })
        .await
        .with_context(|| format!("forward wrote:\n{}\nthe agent:\n{}", process.log(), self.stage.agent.log()))?;
        let session = processor::descendants(agent).into_iter().next().context("the agent has no session process")?;
        let roots = vec![cloud, agent, process.id()];
        let tunnel = Tunnel { name: self.name, at, roots, middle: Some(cloud), _held: Box::new(process) };
        Ok(Open { tunnel, id, process: session })
    }
}
