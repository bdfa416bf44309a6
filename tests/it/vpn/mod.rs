//! `gatelodge vpn` over real interfaces: a technician's computer, a device and a panel, each in a network namespace of
//! its own. The technician's own network has the same numbers as the site's.

mod leftovers;
mod reach;

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    place::{self, Place},
    portal::Hands,
    process::Process,
    story::{self, Mails, Stage},
};
use serde_json::Value;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(60);
/// The same at the site and in the office.
const SUBNET: &str = "192.168.1.0/24";
const PANEL: &str = "192.168.1.50";
const SUBNET_6: &str = "2001:db8:7::/64";
const PANEL_6: &str = "2001:db8:7::50";
/// It has an address, and answers nothing.
const SILENT: &str = "192.168.1.66";
/// It answers pings, and to port 7 nothing.
const SHY: &str = "192.168.1.67";
const WORDS: &[u8] = b"all zones closed";

struct Scene {
    stage: Stage,
    office: Place,
    /// Kept for its network.
    _printer: Place,
    device: Arc<Place>,
    site: Place,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// A running `gatelodge vpn`.
struct Vpn {
    process: Process,
    session: String,
    open: Value,
}

impl Scene {
    /// A device that is active, in front of its panel; `None` where this machine has no namespaces.
    async fn set() -> anyhow::Result<Option<Self>> {
        if !place::can_be_had("the technician's VPN over real interfaces")? {
            return Ok(None);
        }
        let cloud = TestCloud::start(CloudSetup::default()).await?;
        let (office, printer) = (Place::make("office")?, Place::make("printer")?);
        let (device, panel) = (Place::make("device")?, Place::make("panel")?);
        office.join(("lan0", "192.168.1.7/24"), &printer, ("lan0", "192.168.1.50/24"))?;
        device.join(("eth0", "192.168.1.2/24"), &panel, ("eth0", "192.168.1.50/24"))?;
        for address in [SILENT, SHY] {
            panel.ip(&["address", "add", &format!("{address}/24"), "dev", "eth0"])?;
        }
        for (place, address) in [(&device, "2001:db8:7::2/64"), (&panel, "2001:db8:7::50/64")] {
            place.ip(&["address", "add", address, "dev", "eth0", "nodad"])?;
        }
        let silence = "add table ip t; add chain ip t in { type filter hook input priority 0; }; \
                       add rule ip t in ip daddr 192.168.1.66 drop; \
                       add rule ip t in ip daddr 192.168.1.67 tcp dport 7 drop";
        panel.run("nft", &[silence])?;
        office.reaches(&cloud)?;
        device.reaches(&cloud)?;
        let tasks = open_panel(&panel)?;

        let device = Arc::new(device);
        let setup = AgentSetup {
            factory: "mac = \"02:42:AC:11:00:09\"\nserial = \"SN-VPN-1\"\n".to_owned(),
            networks: vec![("lan".to_owned(), SUBNET.to_owned()), ("lan6".to_owned(), SUBNET_6.to_owned())],
            listens: vec![("event-receiver".to_owned(), "tcp", 9000, SUBNET.to_owned())],
            udp_services: vec![("panel-log".to_owned(), SocketAddr::new(PANEL.parse()?, 514))],
            place: Some(device.clone()),
            ..AgentSetup::default()
        };
        let setup = setup.with_service("panel", SocketAddr::new(PANEL.parse()?, 80));
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let folder = tempfile::tempdir()?;
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
        let page = stage.agent.page().rsplit(':').next().and_then(|port| port.parse().ok());
        device.shows(page.context("the device's page has no port")?).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        story::sign_in_technician(&mut stage).await?;
        Ok(Some(Self { stage, office, _printer: printer, device, site: panel, _tasks: tasks, _folder: folder }))
    }

    /// Starts `gatelodge vpn` in the office, has the customer allow it, and waits until it carries.
    async fn vpn(&mut self, more: &[&str]) -> anyhow::Result<Vpn> {
        let verb = ["vpn", "villa-rosa", "--json", "--reason", "programming of the panel"];
        let command = self.stage.technician.command(verb.into_iter().chain(more.iter().copied()))?;
        let mut process = Process::start("gatelodge vpn", &mut self.office.command(&command))?;
        let allowed = story::allow(&mut self.stage).await;
        let session = allowed.with_context(|| format!("gatelodge vpn wrote:\n{}", process.log()))?;
        let opened = process.wait_for_line("\"event\":\"open\"", PATIENCE).await;
        let open = opened.with_context(|| format!("the agent wrote:\n{}", self.stage.agent.log()))?;
        Ok(Vpn { process, session, open: serde_json::from_str(&open)? })
    }

    fn connect(&self, to: &str, port: u16) -> std::io::Result<TcpStream> {
        let to = SocketAddr::new(to.parse().unwrap(), port);
        self.office.inside(|| TcpStream::connect_timeout(&to, Duration::from_secs(5)))
    }

    fn udp(&self, to: &str, port: u16) -> std::io::Result<UdpSocket> {
        let to = SocketAddr::new(to.parse().unwrap(), port);
        self.office.inside(|| {
            let socket = UdpSocket::bind(SocketAddr::new([0; 4].into(), 0))?;
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            socket.connect(to)?;
            Ok(socket)
        })
    }
}

impl Vpn {
    /// The panel's address in the office.
    fn panel(&self) -> &str {
        let services = self.open["services"].as_array().unwrap();
        services.iter().find(|service| service["name"] == "panel").unwrap()["address"].as_str().unwrap()
    }

    /// Where that address of the site is in the office.
    fn here(&self, at_site: &str) -> String {
        let (IpAddr::V4(panel), IpAddr::V4(other)) = (self.panel().parse().unwrap(), at_site.parse().unwrap()) else {
            panic!("the site has IPv4 addresses")
        };
        let [a, b, c, _] = panel.octets();
        format!("{a}.{b}.{c}.{}", other.octets()[3])
    }

    fn name(&self) -> String {
        format!("panel.{}", self.open["domain"].as_str().unwrap())
    }
}

/// The panel: gives back bytes on port 80 after its words, and datagrams on port 514.
fn open_panel(panel: &Place) -> anyhow::Result<JoinSet<()>> {
    use tokio::io::AsyncWriteExt as _;
    let at = |address: &str, port| SocketAddr::new(address.parse().unwrap(), port);
    let udp = panel.datagrams(at(PANEL, 514))?;
    let mut tasks = JoinSet::new();
    for tcp in [panel.listen(at(PANEL, 80))?, panel.listen(at(PANEL_6, 80))?] {
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((mut stream, _)) = tcp.accept().await {
                streams.spawn(async move {
                    let _ = stream.write_all(WORDS).await;
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
    }
    tasks.spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let _ = udp.send_to(&buffer[..length], from).await;
        }
    });
    Ok(tasks)
}

/// Reads the panel's words.
fn greeted(stream: &mut TcpStream) -> std::io::Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut words = vec![0; WORDS.len()];
    stream.read_exact(&mut words)?;
    Ok(words == WORDS)
}

/// Sends bytes there and back; whether they are the same.
fn echoed(mut stream: TcpStream, bytes: &[u8]) -> std::io::Result<bool> {
    let mut writer = stream.try_clone()?;
    std::thread::scope(|scope| {
        let sent = scope.spawn(move || {
            writer.write_all(bytes)?;
            writer.shutdown(std::net::Shutdown::Write)
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back)?;
        sent.join().unwrap()?;
        Ok(back == bytes)
    })
}
