//! `gatelodge forward` with the real programs, device and panel each in a network namespace of its own: several ports at
//! once, datagrams, IPv6, SOCKS 5, a panel that calls back; and a host beside the session's networks that never sees a
//! packet.

use std::{net::SocketAddr, process::Command, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, routing::get};
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, Said, TestCloud},
    place::{self, Place},
    portal::Hands,
    ports::free_port,
    process::Process,
    story::{self, Mails, Stage},
    wait::wait_until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

const PATIENCE: Duration = Duration::from_secs(60);
const WORDS: &str = "all zones closed";
const PANEL: &str = "192.168.1.50";
const PANEL_6: &str = "fd77:1::50";
/// The device has a way to it, and no network of its settings holds it.
const VAULT: &str = "10.9.9.66";

struct Scene {
    stage: Stage,
    vault: Place,
    device: Arc<Place>,
    panel: Place,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// A device that is active, between its panel and a vault; `None` where this machine has no namespaces.
    async fn set() -> anyhow::Result<Option<Self>> {
        if !place::can_be_had("what a session reaches, over real interfaces")? {
            return Ok(None);
        }
        let cloud = TestCloud::start(CloudSetup::default()).await?;
        let (device, panel, vault) = (Place::make("device")?, Place::make("panel")?, Place::make("vault")?);
        device.join(("eth0", "192.168.1.2/24"), &panel, ("eth0", "192.168.1.50/24"))?;
        device.join(("eth1", "10.9.9.2/24"), &vault, ("eth0", "10.9.9.66/24"))?;
        for (place, address) in [(&device, "fd77:1::2/64"), (&panel, "fd77:1::50/64")] {
            place.ip(&["address", "add", address, "dev", "eth0", "nodad"])?;
        }
        // Whatever is for none of the device's own networks goes to the vault, in every spelling, and is counted there.
        for (place, interface, address) in [(&device, "eth1", "fd99::2/64"), (&vault, "eth0", "fd99::66/64")] {
            place.ip(&["address", "add", address, "dev", interface, "nodad"])?;
        }
        device.ip(&["route", "add", "default", "via", VAULT])?;
        device.ip(&["-6", "route", "add", "default", "via", "fd99::66"])?;
        let count = "add table inet t; add chain inet t in { type filter hook prerouting priority 0; }; \
                     add rule inet t in iifname eth0 meta l4proto tcp counter; \
                     add rule inet t in iifname eth0 meta l4proto udp counter; \
                     add rule inet t in iifname eth0 icmp type echo-request counter";
        vault.run("nft", &[count])?;
        let known = std::fs::read_to_string(device.hosts())?;
        let names = format!("{VAULT} vault.test rebound.test\n{PANEL} rebound.test\n169.254.9.66 local.test\n");
        std::fs::write(device.hosts(), format!("{known}\n{names}"))?;
        std::fs::write(device.hosts().with_file_name("resolv.conf"), "nameserver 127.0.0.1\n")?;
        device.reaches(&cloud)?;
        let mut tasks = JoinSet::new();
        open_panel(&panel, &mut tasks)?;

        let device = Arc::new(device);
        let at = |port| anyhow::Ok(SocketAddr::new(PANEL.parse()?, port));
        let setup = AgentSetup {
            factory: "mac = \"02:42:AC:11:00:0A\"\nserial = \"SN-REACH-1\"\n".to_owned(),
            networks: vec![("lan".into(), "192.168.1.0/24".into()), ("lan-6".into(), "fd77:1::/64".into())],
            udp_services: vec![("panel-log".to_owned(), at(514)?)],
            listens: vec![
                ("event-receiver".into(), "tcp", 9000, "192.168.1.0/24".into()),
                ("event-log".into(), "udp", 9514, "fd77:1::/64".into()),
            ],
            place: Some(device.clone()),
            ..AgentSetup::default()
        };
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let folder = tempfile::tempdir()?;
        let setup = setup.with_service("panel", at(80)?);
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
        let page = stage.agent.page().rsplit(':').next().and_then(|port| port.parse().ok());
        device.shows(page.context("the device's page has no port")?).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        story::sign_in_technician(&mut stage).await?;
        Ok(Some(Self { stage, vault, device, panel, _tasks: tasks, _folder: folder }))
    }

    /// Starts `gatelodge forward`, has the customer read what is asked for and allow it, and waits until it carries.
    async fn forward(&mut self, forwards: &[String], reads: &[&str]) -> anyhow::Result<Process> {
        let verb = ["forward", "villa-rosa", "--json", "--reason", "programming of the panel"];
        let arguments = verb.into_iter().chain(forwards.iter().map(String::as_str));
        let mut process = self.stage.technician.start(arguments)?;
        let customer = &mut self.stage.customer;
        for words in reads {
            let shown = wait_until(format!("the request reads `{words}`"), PATIENCE, async || {
                customer.open("/requests").await?;
                Ok(customer.text().await?.contains(words).then_some(()))
            });
            shown.await.with_context(|| format!("forward wrote:\n{}", process.log()))?;
        }
        let allowed = story::allow(&mut self.stage).await;
        allowed.with_context(|| format!("forward wrote:\n{}", process.log()))?;
        let opened = process.wait_for_line("\"event\":\"open\"", PATIENCE).await;
        opened.with_context(|| format!("the agent wrote:\n{}", self.stage.agent.log()))?;
        Ok(process)
    }
}

/// A web page on port 80, bytes back on 7 and datagrams back on 514.
fn open_panel(panel: &Place, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
    for address in [PANEL, PANEL_6] {
        let at = |port| anyhow::Ok(SocketAddr::new(address.parse()?, port));
        let (web, echo, log) = (panel.listen(at(80)?)?, panel.listen(at(7)?)?, panel.datagrams(at(514)?)?);
        tasks.spawn(async move {
            let _ = axum::serve(web, Router::new().route("/", get(async || WORDS))).await;
        });
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((mut stream, _)) = echo.accept().await {
                streams.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        tasks.spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((length, from)) = log.recv_from(&mut buffer).await {
                let _ = log.send_to(&buffer[..length], from).await;
            }
        });
    }
    Ok(())
}

/// What `curl` says by a SOCKS 5 port.
async fn curl(port: u16, page: &str) -> anyhow::Result<Said> {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "30",
        "--socks5-hostname",
        &format!("127.0.0.1:{port}"),
        page,
    ]);
    for name in ["no_proxy", "NO_PROXY"] {
        command.env_remove(name);
    }
    Said::of(command).await
}

/// Spellings of places that no session reaches, or not this one, and what a SOCKS port answers to each (RFC 1928 section
/// 6): 2 is for what may not be reached, 4 for what has no address, 8 for what is no place.
const SPELLINGS: &[(&str, u8)] = &[
    ("10.9.9.66", 2),
    ("vault.test", 2),
    ("local.test", 2),
    ("0xa.9.9.66", 8),
    ("0x0a090942", 8),
    ("168364354", 8),
    ("10.9.2370", 8),
    ("012.011.011.0102", 8),
    ("::ffff:10.9.9.66", 2),
    ("::10.9.9.66", 2),
    ("::ffff:0:10.9.9.66", 2),
    ("64:ff9b::10.9.9.66", 2),
    ("2002:a09:942::1", 2),
    ("2001:0:4136:e378:8000:63bf:f5f6:f6bd", 2),
    ("fd99::66", 2),
    ("fe80::66", 2),
    ("169.254.169.254", 2),
    ("127.0.0.1", 2),
    ("::1", 2),
    ("0.0.0.0", 2),
    ("::", 2),
    ("224.0.0.1", 2),
    ("ff02::1", 2),
    ("255.255.255.255", 2),
    ("192.168.1.2", 2),
    ("8.8.8.8", 2),
    ("2001:db8::1", 2),
    ("nobody.test", 4),
];

/// What the SOCKS port answers to a CONNECT to port 80 there, an address as one and anything else as a name.
async fn socks(port: u16, place: &str) -> anyhow::Result<u8> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.write_all(&[5, 1, 0]).await?;
    let mut request = vec![5, 1, 0];
    match place.parse() {
        Ok(std::net::IpAddr::V4(address)) => request.extend([&[1], &address.octets()[..]].concat()),
        Ok(std::net::IpAddr::V6(address)) => request.extend([&[4], &address.octets()[..]].concat()),
        Err(_) => request.extend([&[3, u8::try_from(place.len())?], place.as_bytes()].concat()),
    }
    request.extend([0, 80]);
    tcp.write_all(&request).await?;
    let mut answer = [0; 4];
    tokio::time::timeout(PATIENCE, tcp.read_exact(&mut answer)).await??;
    Ok(answer[3])
}

/// Sends a datagram, heads and all, and gives the answer.
async fn answered(to: (&str, u16), datagram: &[u8]) -> anyhow::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(to).await?;
    socket.send(datagram).await?;
    let mut answer = vec![0; 65_536];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await.context("no answer")??;
    answer.truncate(length);
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ports_at_once_reach_what_the_session_covers_and_nothing_beside_it() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let mut ports = [0; 6];
    for port in &mut ports {
        *port = free_port()?;
    }
    let [web, log, echo, place_log, web_6, socks] = ports;
    let forwards = [
        format!("{web}:panel"),
        format!("{log}:panel-log"),
        format!("{echo}:{PANEL}:7"),
        format!("{place_log}:{PANEL}:514/udp"),
        format!("{web_6}:[{PANEL_6}]:80"),
        format!("socks5:{socks}"),
        "--network=lan".to_owned(),
    ];
    let asked = ["The whole network 192.168.1.0/24 is asked for", "The whole network fd77:1::/64 is asked for"];
    let process = scene.forward(&forwards, &asked).await?;
    let logs = || format!("{}\nthe agent:\n{}", process.log(), scene.stage.agent.log());

    for port in [web, web_6] {
        let page = reqwest::get(format!("http://127.0.0.1:{port}/")).await.with_context(logs)?.text().await?;
        assert_eq!(page, WORDS);
    }
    for port in [log, place_log] {
        for length in [1, 1400, 9000] {
            assert_eq!(answered(("127.0.0.1", port), &vec![7; length]).await.with_context(logs)?, vec![7; length]);
        }
    }
    let mut tcp = TcpStream::connect(("127.0.0.1", echo)).await?;
    tcp.write_all(b"last words").await?;
    tcp.shutdown().await?;
    let mut back = String::new();
    tcp.read_to_string(&mut back).await?;
    assert_eq!(back, "last words", "a half-close goes through");

    for page in [format!("http://{PANEL}/"), format!("http://[{PANEL_6}]/")] {
        assert_eq!(curl(socks, &page).await?.ok()?, WORDS, "{}", logs());
    }
    let mut way = TcpStream::connect(("127.0.0.1", socks)).await?;
    way.write_all(&[5, 1, 0]).await?;
    way.read_exact(&mut [0; 2]).await?;
    way.write_all(&[5, 3, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut bound = [0; 10];
    way.read_exact(&mut bound).await?;
    assert_eq!(bound[..8], [5, 0, 0, 1, 127, 0, 0, 1], "{}", logs());
    let datagram = [&[0, 0, 0, 1, 192, 168, 1, 50, 2, 2], b"zone 3".as_slice()].concat();
    let by = ("127.0.0.1", u16::from_be_bytes([bound[8], bound[9]]));
    assert_eq!(answered(by, &datagram).await.with_context(logs)?, datagram);

    for (place, reply) in [
        (format!("{PANEL}:81"), "(5)"),
        (format!("{VAULT}:80"), "(2)"),
        ("192.168.1.2:80".to_owned(), "(2)"),
        ("panel.invalid:80".to_owned(), "(4)"),
    ] {
        let refused = curl(socks, &format!("http://{place}/")).await?;
        assert!(refused.ok().is_err_and(|error| error.to_string().contains(reply)), "{place}: {}", logs());
    }
    let (customer, installer) = (&mut scene.stage.customer, &mut scene.stage.installer);
    for hands in [customer, installer] {
        let told = wait_until("the history tells of it", PATIENCE, async || {
            hands.open("/devices").await?;
            let device = hands.links().await?.into_iter().find(|link| link.starts_with("/devices/") && link.len() > 40);
            hands.open(&device.context("no device is listed")?).await?;
            let text = hands.text().await?;
            let told = ["Was refused tcp 10.9.9.66:80", "Opened udp 192.168.1.50:514", "Opened tcp [fd77:1::50]:80"];
            Ok(told.iter().all(|words| text.contains(words)).then_some(()))
        });
        told.await.with_context(logs)?;
    }
    assert_eq!(curl(socks, "http://rebound.test/").await?.ok()?, WORDS, "of a name's addresses, those at the site");
    for (place, reply) in SPELLINGS {
        assert_eq!(self::socks(socks, place).await?, *reply, "{place}: {}", logs());
    }
    let seen = scene.vault.command(Command::new("nft").args(["list", "table", "inet", "t"])).output()?;
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert_eq!(seen.matches("counter packets 0 bytes 0").count(), 3, "{seen}");
    // It counts what comes.
    scene.device.inside(|| std::net::UdpSocket::bind("0.0.0.0:0")?.send_to(b"?", (VAULT, 9)).map(drop))?;
    let seen = scene.vault.command(Command::new("nft").args(["list", "table", "inet", "t"])).output()?;
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert_eq!(seen.matches("counter packets 0 bytes 0").count(), 2, "{seen}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_calls_back_reaches_the_technicians_computer_and_nobody_else_does() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let device = |port| SocketAddr::from(([192, 168, 1, 2], port));
    let dial = |place: &Place, at: SocketAddr| place.inside(|| std::net::TcpStream::connect_timeout(&at, PATIENCE));
    scene.vault.ip(&["route", "add", "192.168.1.0/24", "via", "10.9.9.2"])?;
    let before = dial(&scene.panel, device(9000)).unwrap_err();
    assert_eq!(before.kind(), std::io::ErrorKind::ConnectionRefused, "no session, no port");

    let (program, log) = (TcpListener::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let forwards =
        [format!("back:event-receiver={}", program.local_addr()?), format!("back:event-log={}", log.local_addr()?)];
    let asked = [
        "whatever in 192.168.1.0/24 connects to port tcp 9000 (event-receiver) of this device reaches a program there",
        "whatever in fd77:1::/64 connects to port udp 9514 (event-log)",
    ];
    let process = scene.forward(&forwards, &asked).await?;
    let logs = || format!("{}\nthe agent:\n{}", process.log(), scene.stage.agent.log());

    let call = dial(&scene.panel, device(9000)).with_context(logs)?;
    call.set_nonblocking(true)?;
    let mut call = TcpStream::from_std(call)?;
    let (mut taken, _) = tokio::time::timeout(PATIENCE, program.accept()).await.with_context(logs)??;
    call.write_all(b"zone 3 open").await?;
    call.shutdown().await?;
    let mut said = String::new();
    taken.read_to_string(&mut said).await?;
    assert_eq!(said, "zone 3 open");
    taken.write_all(b"noted").await?;
    drop(taken);
    said.clear();
    call.read_to_string(&mut said).await?;
    assert_eq!(said, "noted");

    let panel = scene.panel.datagrams(SocketAddr::new(PANEL_6.parse()?, 9514))?;
    panel.send_to(b"zone 4 open", "[fd77:1::2]:9514").await?;
    let mut heard = [0; 64];
    let (length, from) = tokio::time::timeout(PATIENCE, log.recv_from(&mut heard)).await.with_context(logs)??;
    assert_eq!(&heard[..length], b"zone 4 open");
    log.send_to(b"noted", from).await?;
    let (length, _) = tokio::time::timeout(PATIENCE, panel.recv_from(&mut heard)).await.with_context(logs)??;
    assert_eq!(&heard[..length], b"noted");

    // Beside the network that may call: at the port, and at the device's other address.
    let stranger = dial(&scene.vault, device(9000)).and_then(|mut tcp| std::io::Read::read(&mut tcp, &mut [0; 1]));
    assert_eq!(stranger.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset, "{}", logs());
    let other = dial(&scene.vault, SocketAddr::from(([10, 9, 9, 2], 9000))).unwrap_err();
    assert_eq!(other.kind(), std::io::ErrorKind::ConnectionRefused, "{}", logs());

    for hands in [&mut scene.stage.customer, &mut scene.stage.installer] {
        let told = wait_until("the history tells of the calls", PATIENCE, async || {
            hands.open("/devices").await?;
            let device = hands.links().await?.into_iter().find(|link| link.starts_with("/devices/") && link.len() > 40);
            hands.open(&device.context("no device is listed")?).await?;
            let text = hands.text().await?;
            let told = ["Opened call of tcp 192.168.1.50:", "Opened call of udp [fd77:1::50]:9514 to event-log"];
            Ok(told.iter().all(|words| text.contains(words)).then_some(()))
        });
        told.await.with_context(logs)?;
    }
    process.signal(rustix::process::Signal::INT)?;
    let closed = wait_until("the port is closed with the session", PATIENCE, async || {
        let refused =
            dial(&scene.panel, device(9000)).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        Ok(refused.then_some(()))
    });
    closed.await
}
