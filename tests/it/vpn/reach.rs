//! What the programs of the technician's computer meet: the site as it is, beside their own network.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use gatelodge_tests::cloud::Said;

use super::{PANEL, PATIENCE, SHY, SILENT, SUBNET, Scene, echoed, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn the_site_is_beside_the_technicians_own_network() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let vpn = scene.vpn(&[]).await?;
    assert_eq!(vpn.open["networks"][0]["site"], SUBNET);
    let (panel, silent) = (vpn.panel().to_owned(), vpn.here(SILENT));
    let log = || format!("{}\nthe agent:\n{}", vpn.process.log(), scene.stage.agent.log());

    let mut stream = scene.connect(&panel, 80).with_context(log)?;
    assert!(greeted(&mut stream)?);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    assert!(echoed(stream, &bytes)?, "every byte came back, and the half-close went through");

    let lan6 = vpn.open["networks"][1]["here"].as_str().context("the IPv6 network is somewhere")?;
    let panel6 = lan6.replace("/64", "50");
    assert!(greeted(&mut scene.connect(&panel6, 80).with_context(log)?)?, "IPv6 goes the same way");
    let closed = scene.connect(&panel6, 81).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::ConnectionRefused, "{closed}\n{}", log());

    let closed = scene.connect(&panel, 81).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::ConnectionRefused, "{closed}\n{}", log());
    let nobody = scene.connect(&silent, 80).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::TimedOut, "{nobody}\n{}", log());

    let udp = scene.udp(&panel, 514)?;
    for size in [1, 100, 8000] {
        udp.send(&bytes[..size])?;
        let mut back = vec![0; 9000];
        let length = udp.recv(&mut back).with_context(log)?;
        assert_eq!(&back[..length], &bytes[..size]);
    }
    let udp = scene.udp(&panel, 515)?;
    udp.send(b"anybody?")?;
    let refused = udp.recv(&mut [0; 16]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}\n{}", log());

    // First the device may have no ICMP socket and asks by TCP, then it may.
    let shy = vpn.here(SHY);
    assert!(ping(&scene, &panel)?, "{}", log());
    assert!(!ping(&scene, &silent)? && !ping(&scene, &shy)?, "{}", log());
    scene.device.inside(|| std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0"))?;
    assert!(ping(&scene, &shy)? && ping(&scene, &panel)?, "{}", log());
    assert!(!ping(&scene, &silent)?, "{}", log());

    // The technician's own network has the same numbers, and is as near as before.
    let route = scene.office.ip(&["route", "get", PANEL])?;
    assert!(route.contains("dev lan0"), "{route}");
    let own = scene.connect(PANEL, 80).unwrap_err();
    assert_eq!(own.kind(), ErrorKind::ConnectionRefused, "the printer has no such port");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_lead_to_the_site_while_the_session_lives() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let vpn = scene.vpn(&[]).await?;
    let mut ask = std::process::Command::new("getent");
    ask.args(["ahostsv4", &vpn.name()]);
    let found = Said::of(scene.office.command(&ask)).await?.ok()?;
    assert!(found.starts_with(vpn.panel()), "{found}");

    // Whoever asks the session itself is answered, too.
    let resolver = vpn.open["resolver"].as_str().context("a resolver is named")?.to_owned();
    let udp = scene.udp(&resolver, 53)?;
    let mut question = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in vpn.name().split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    udp.send(&question)?;
    let mut answer = vec![0; 512];
    let length = udp.recv(&mut answer)?;
    let address: [u8; 4] = answer[length - 4..length].try_into()?;
    assert_eq!(IpAddr::from(address).to_string(), vpn.panel());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sites_with_the_same_numbers_at_once() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let (one, two) = (scene.vpn(&[]).await?, scene.vpn(&[]).await?);
    assert_ne!(one.panel(), two.panel());
    assert_ne!(one.open["domain"], two.open["domain"]);
    assert_ne!(one.open["interface"], two.open["interface"]);
    for vpn in [&one, &two] {
        assert!(greeted(&mut scene.connect(vpn.panel(), 80)?)?, "{}", vpn.process.log());
    }
    drop(one);
    assert!(greeted(&mut scene.connect(two.panel(), 80)?)?, "{}", two.process.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_number_where_it_is_free_and_not_where_it_is_in_use() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let used = scene.vpn(&["--real"]).await?;
    assert_eq!(used.open["real"].as_array().map(Vec::len), Some(0), "the office's own network has it");
    drop(used);
    scene.office.ip(&["link", "set", "lan0", "down"])?;
    scene.office.ip(&["address", "flush", "dev", "lan0"])?;
    let free = scene.vpn(&["--real"]).await?;
    assert_eq!(free.open["real"][0], PANEL);
    assert!(greeted(&mut scene.connect(PANEL, 80)?)?, "{}", free.process.log());
    assert!(greeted(&mut scene.connect(free.panel(), 80)?)?, "and under its other one");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_calls_back_reaches_a_program_at_the_same_port() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let program = scene.office.listen(SocketAddr::from(([0; 4], 9000)))?;
    let vpn = scene.vpn(&["--back", "event-receiver"]).await?;
    assert_eq!(vpn.open["backs"][0]["local"], "127.0.0.1:9000");
    let device = SocketAddr::from(([192, 168, 1, 2], 9000));
    let mut call = scene.site.inside(|| std::net::TcpStream::connect(device))?;
    let (mut taken, _) =
        tokio::time::timeout(PATIENCE, program.accept()).await.with_context(|| vpn.process.log())??;
    std::io::Write::write_all(&mut call, b"zone 3 open")?;
    let mut words = [0; 11];
    tokio::time::timeout(PATIENCE, tokio::io::AsyncReadExt::read_exact(&mut taken, &mut words)).await??;
    assert_eq!(&words, b"zone 3 open");
    assert!(greeted(&mut scene.connect(vpn.panel(), 80)?)?, "and the site is there as before");
    Ok(())
}

/// Whether an address answers one of two pings within two seconds each.
fn ping(scene: &Scene, to: &str) -> anyhow::Result<bool> {
    let to = SocketAddr::new(to.parse()?, 0);
    let answered = scene.office.inside(|| {
        // Only a group that is named here may; the namespace is the test's own.
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0")?;
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            Some(rustix::net::ipproto::ICMP),
        )?;
        rustix::net::connect(&socket, &to)?;
        let socket = std::net::UdpSocket::from(socket);
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        for number in 1..=2 {
            socket.send(&[8, 0, 0, 0, 0, 0, 0, number, b'p', b'i', b'n', b'g'])?;
            let mut answer = [0; 64];
            match socket.recv(&mut answer) {
                Ok(length) => return Ok(answer[0] == 0 && answer[6..length] == [0, number, b'p', b'i', b'n', b'g']),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    });
    Ok(answered?)
}
