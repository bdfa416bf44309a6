//! Both ends change their networks while bytes are on their way, each computer in a network namespace of its own; and
//! what the relay and other sessions hold in memory meanwhile: no byte of what is carried.

use std::{net::SocketAddr, os::unix::fs::FileExt as _, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use gatelodge_proto::Random;
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    place::{self, Place},
    portal::Hands,
    ports::free_port,
    process::Process,
    story::{self, Mails, Stage},
    wait::wait_until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::sessions::unbroken::{MIB, Transfer};

const PATIENCE: Duration = Duration::from_secs(120);
const HOST: &str = "cloud.gatelodge.test";
/// Says at this place in the log why a carrier is given up.
const LINE: &str = "gatelodge_proto::session::line";
const PANELS: [&str; 2] = ["192.168.1.50", "fd77:1::50"];

struct Scene {
    stage: Stage,
    office: Arc<Place>,
    device: Arc<Place>,
    /// Where the cloud is, between the two.
    middle: Place,
    _panel: Place,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Technician and device, each by a wire of its own to where the cloud is; `None` where there are no namespaces.
    async fn set(what: &str) -> anyhow::Result<Option<Self>> {
        if !place::can_be_had(what)? {
            return Ok(None);
        }
        let cloud = TestCloud::start(CloudSetup { host: Some(HOST.to_owned()), ..CloudSetup::default() }).await?;
        let (middle, office) = (Place::make("middle")?, Arc::new(Place::make("office")?));
        let (device, panel) = (Arc::new(Place::make("device")?), Place::make("panel")?);
        middle.join(("eth1", "10.1.0.1/24"), &office, ("eth0", "10.1.0.2/24"))?;
        middle.join(("eth2", "10.2.0.1/24"), &device, ("eth0", "10.2.0.2/24"))?;
        device.join(("eth1", "192.168.1.2/24"), &panel, ("eth0", "192.168.1.50/24"))?;
        for (place, interface, address) in [(&*device, "eth1", "fd77:1::2/64"), (&panel, "eth0", "fd77:1::50/64")] {
            place.ip(&["address", "add", address, "dev", interface, "nodad"])?;
        }
        middle.reaches(&cloud)?;
        for (place, there) in [(&office, "10.1.0.1"), (&device, "10.2.0.1")] {
            let known = std::fs::read_to_string(place.hosts())?;
            std::fs::write(place.hosts(), format!("{known}\n{there} {HOST}\n"))?;
            for port in [cloud.https_port(), cloud.mqtt_port()] {
                middle.passes(format!("{there}:{port}").parse()?, SocketAddr::from(([127, 0, 0, 1], port)))?;
            }
        }
        let mut tasks = JoinSet::new();
        for address in PANELS {
            let echo = panel.listen(SocketAddr::new(address.parse()?, 7))?;
            tasks.spawn(async move {
                let mut streams = JoinSet::new();
                while let Ok((mut stream, _)) = echo.accept().await {
                    streams.spawn(async move {
                        let (mut from, mut to) = stream.split();
                        let _ = tokio::io::copy(&mut from, &mut to).await;
                    });
                }
            });
        }
        let setup = AgentSetup {
            factory: "mac = \"02:42:AC:11:00:0C\"\nserial = \"SN-MOVES-1\"\n".to_owned(),
            networks: vec![("lan-6".into(), "fd77:1::/64".into())],
            place: Some(device.clone()),
            environment: vec![("GATELODGE_AGENT_LOG".into(), format!("info,{LINE}=debug"))],
            ..AgentSetup::default()
        };
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let folder = tempfile::tempdir()?;
        let setup = setup.with_service("panel", SocketAddr::new(PANELS[0].parse()?, 7));
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
        let page = stage.agent.page().rsplit(':').next().and_then(|port| port.parse().ok());
        device.shows(page.context("the device's page has no port")?).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        stage.technician.sits_in(office.clone());
        stage.technician.hears("GATELODGE_LOG", &format!("error,{LINE}=debug"));
        story::sign_in_technician(&mut stage).await?;
        Ok(Some(Self { stage, office, device, middle, _panel: panel, _tasks: tasks, _folder: folder }))
    }

    /// A session with a local port for each way to the panel, which the tests see too.
    async fn forward(&mut self) -> anyhow::Result<(Process, String, [u16; 2])> {
        let ports = [free_port()?, free_port()?];
        let forwards = [format!("{}:panel", ports[0]), format!("{}:[{}]:7", ports[1], PANELS[1])];
        let verb = ["forward", "villa-rosa", "--json", "--reason", "programming of the panel"];
        let mut process = self.stage.technician.start(verb.into_iter().chain(forwards.iter().map(String::as_str)))?;
        let allowed = story::allow(&mut self.stage).await;
        let session = allowed.with_context(|| format!("forward wrote:\n{}", process.log()))?;
        let opened = process.wait_for_line("\"event\":\"open\"", PATIENCE).await;
        opened.with_context(|| format!("the agent wrote:\n{}", self.stage.agent.log()))?;
        for port in ports {
            self.office.shows(port).await?;
        }
        Ok((process, session, ports))
    }
}

/// Takes the address away and gives another one, as another network does.
fn moves(place: &Place, from: &str, to: &str) -> anyhow::Result<()> {
    place.ip(&["address", "del", from, "dev", "eth0"])?;
    place.ip(&["address", "add", to, "dev", "eth0"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_go_on_when_both_ends_change_their_networks() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set("sessions whose ends change their networks").await? else { return Ok(()) };
    // Each way out is a slow wire with a queue before it.
    for place in [&scene.office, &scene.device] {
        let slow = "qdisc add dev eth0 root tbf rate 200mbit burst 128kb limit 2000000";
        if let Err(error) = place.run("tc", &slow.split(' ').collect::<Vec<_>>()) {
            // A kernel without token buckets moves its computers all the same.
            ensure!(format!("{error:#}").contains("kind is unknown"), "{error:#}");
        }
    }
    let (process, _, ports) = scene.forward().await?;
    let transfers = ports.map(|port| Transfer::start(port, 24 * MIB));
    for transfer in &transfers {
        transfer.reaches(2 * MIB).await?;
    }
    moves(&scene.office, "10.1.0.2/24", "10.1.0.77/24")?;
    for transfer in &transfers {
        transfer.reaches(8 * MIB).await.with_context(|| process.log())?;
    }
    moves(&scene.device, "10.2.0.2/24", "10.2.0.88/24")?;
    for transfer in &transfers {
        transfer.reaches(14 * MIB).await.with_context(|| scene.stage.agent.log())?;
    }
    moves(&scene.office, "10.1.0.77/24", "10.1.0.2/24")?;
    moves(&scene.device, "10.2.0.88/24", "10.2.0.2/24")?;
    for transfer in transfers {
        let whole = transfer.ends_whole().await;
        whole.with_context(|| format!("{}\nthe agent:\n{}", process.log(), scene.stage.agent.log()))?;
    }
    ensure!(process.log().contains("\"event\":\"back\""), "no connection was lost:\n{}", process.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_and_one_that_comes_are_seen_and_not_found_out_by_pings() -> anyhow::Result<()> {
    const CHANGED: &str = "the network under a carrier has changed";
    let Some(mut scene) = Scene::set("sessions whose ends go from one network to another").await? else {
        return Ok(());
    };
    scene.middle.join(("eth3", "10.3.0.1/24"), &scene.office, ("wlan0", "10.3.0.2/24"))?;
    scene.middle.join(("eth4", "10.4.0.1/24"), &scene.device, ("wwan0", "10.4.0.2/24"))?;
    scene.office.ip(&["link", "set", "wlan0", "down"])?;
    // The cloud's address there is not the wire's, which goes as a whole.
    scene.middle.ip(&["address", "add", "10.1.0.1/32", "dev", "lo"])?;
    let (mut process, _, ports) = scene.forward().await?;
    let transfers = ports.map(|port| Transfer::start(port, 12 * MIB));
    for transfer in &transfers {
        transfer.reaches(2 * MIB).await?;
    }

    // The technician's cable is pulled, and a while later there is another network.
    scene.office.ip(&["link", "delete", "eth0"])?;
    process.wait_for_line(CHANGED, PATIENCE).await?;
    let failed = || process.log().matches("the relay is not reached").count() >= 5;
    wait_until("attempts fail, and pauses grow", PATIENCE, async || Ok(failed().then_some(()))).await?;
    scene.office.ip(&["link", "set", "wlan0", "up"])?;
    scene.office.ip(&["route", "add", "default", "via", "10.3.0.1"])?;
    process.wait_for_line("there is another way to the relay", PATIENCE).await?;
    for transfer in &transfers {
        transfer.reaches(6 * MIB).await.with_context(|| process.log())?;
    }

    // The device prefers another network from now on. The one before stays, with its address, and carries nothing.
    let table = "add table ip old; add chain ip old in { type filter hook input priority 0; }; \
                 add rule ip old in ip saddr 10.2.0.2 drop";
    scene.middle.run("nft", &[table])?;
    scene.device.ip(&["route", "add", "10.2.0.1", "via", "10.4.0.1"])?;
    let agent = &scene.stage.agent;
    let seen = wait_until("the device sees it", PATIENCE, async || Ok(agent.log().contains(CHANGED).then_some(())));
    seen.await.with_context(|| agent.log())?;
    for transfer in transfers {
        let whole = transfer.ends_whole().await;
        whole.with_context(|| format!("{}\nthe agent:\n{}", process.log(), agent.log()))?;
    }
    for log in [process.log(), agent.log()] {
        ensure!(log.matches(CHANGED).count() == 1, "one change, one carrier given up:\n{log}");
        ensure!(!log.contains("does not answer"), "a PING was missed:\n{log}");
    }
    Ok(())
}

/// How often the words are in what the process may write to.
pub(crate) fn found(id: u32, words: &[u8]) -> anyhow::Result<usize> {
    let maps = std::fs::read_to_string(format!("/proc/{id}/maps")).context("the process has no map")?;
    let memory = std::fs::File::open(format!("/proc/{id}/mem")).context("its memory cannot be read")?;
    let (finder, mut count) = (memchr::memmem::Finder::new(words), 0);
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).context("no range")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut region = vec![0; usize::try_from(to - from)?];
        // What is given back meanwhile cannot be read.
        let Ok(read) = memory.read_at(&mut region, from) else { continue };
        count += finder.find_iter(&region[..read]).count();
    }
    Ok(count)
}

/// The device's process of that session.
fn process_of(session: &str) -> anyhow::Result<u32> {
    let ids = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is = |id: &u32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.ends_with(format!("sessions/{session}\0").as_bytes())
    };
    ids.into_iter().find(is).with_context(|| format!("session {session} has no process"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_carries_is_in_no_memory_but_its_own_ends() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set("what relay and other sessions hold in memory").await? else { return Ok(()) };
    let sessions = [scene.forward().await?, scene.forward().await?];
    let random = Random::system();
    let canaries: [[u8; 32]; 2] = [random.bytes(), random.bytes()];
    let mut streams = Vec::new();
    let mut running = JoinSet::new();
    for ((_, _, ports), canary) in sessions.iter().zip(canaries) {
        let (mut reader, mut writer) = TcpStream::connect(("127.0.0.1", ports[0])).await?.into_split();
        let words = canary.repeat(2048);
        running.spawn(async move { while writer.write_all(&words).await.is_ok() {} });
        // One round is read to the end, then what comes is left lying, so that every buffer on the way is full of it.
        let mut back = vec![0; 64 * 2048 * 32];
        tokio::time::timeout(PATIENCE, reader.read_exact(&mut back)).await.context("the echo is slow")??;
        ensure!(back.chunks(32).all(|words| words == canary), "something else came back");
        streams.push(reader);
    }
    let cloud = scene.stage.cloud.id().context("the cloud runs")?;
    let ends = [process_of(&sessions[0].1)?, process_of(&sessions[1].1)?];
    for _ in 0..5 {
        for (number, canary) in canaries.iter().enumerate() {
            ensure!(found(cloud, canary)? == 0, "the relay has what session {number} carries");
            ensure!(found(ends[1 - number], canary)? == 0, "another session has what session {number} carries");
            ensure!(found(sessions[1 - number].0.id(), canary)? == 0, "so has its technician's program");
        }
        for reader in &mut streams {
            let mut back = vec![0; 1 << 20];
            tokio::time::timeout(PATIENCE, reader.read_exact(&mut back)).await.context("the echo is slow")??;
        }
    }
    // Whoever looks this way does find what is there.
    for (number, canary) in canaries.iter().enumerate() {
        ensure!(found(ends[number], canary)? > 0 && found(sessions[number].0.id(), canary)? > 0, "it sees nothing");
        ensure!(
            found(cloud, sessions[number].1.replace('-', "").as_bytes())?
                + found(cloud, sessions[number].1.as_bytes())?
                > 0
        );
    }
    Ok(())
}
