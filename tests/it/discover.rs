//! `gatelodge discover` with the real programs, in front of a real responder for mDNS, a UPnP device and a neighbour
//! that says nothing, in network namespaces. What the device sends is counted by the kernel, packet by packet.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use axum::{Router, routing::get};
use gatelodge_tests::{
    agent::AgentSetup,
    avahi::{Avahi, Published},
    browser::{Screen, Setup, Theme},
    cloud::{CloudSetup, TestCloud},
    place::{self, Place},
    portal::Hands,
    process::Process,
    story::{self, Mails, Person, Stage},
    wait::wait_until,
};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::gateway::browser::{browser, press_into_new_tab, signed_in};

const PATIENCE: Duration = Duration::from_secs(120);
const WITHOUT: &str = "looking around on a real network";
/// A small network and one where a computer answers at each address.
const LAN: &str = "192.168.1.32/27";
const HALL: &str = "192.168.2.0/24";
/// Says by mDNS that it has a page; its port 10001 is a service of the device's settings.
const PANEL: &str = "192.168.1.50";
/// Answers UPnP's searches, and has a page that nobody tells of.
const STORE: &str = "192.168.1.60";
/// Answers nothing; its network card is there.
const SILENT: &str = "192.168.1.61";
const PORTS: [u16; 5] = [8081, 10001, 10002, 10003, 10004];
/// Decision 0023: connections and questions, at most.
const MOST_PROBES: u64 = 1024;
const MOST_QUESTIONS: u64 = 128;
const WORDS: &str = "all zones closed";

struct Scene {
    stage: Stage,
    device: Arc<Place>,
    _site: Arc<Place>,
    _avahi: Avahi,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// Packets that the device sent, by where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sent {
    /// First packets of connections to declared ports,
    lan: u64,
    hall: u64,
    /// to a service that the settings name,
    known: u64,
    /// and anything else that is no answer and no question to all.
    other: u64,
    /// Questions to all,
    lan_asked: u64,
    hall_asked: u64,
}

impl Scene {
    async fn set() -> anyhow::Result<Option<Self>> {
        if !place::can_be_had(WITHOUT)? || !Avahi::is_there(WITHOUT)? {
            return Ok(None);
        }
        let cloud = TestCloud::start(CloudSetup::default()).await?;
        let (device, site) = (Arc::new(Place::make("device")?), Arc::new(Place::make("site")?));
        device.join(("eth0", "192.168.1.34/27"), &site, ("eth0", "192.168.1.50/27"))?;
        device.join(("eth1", "192.168.2.2/24"), &site, ("eth1", "192.168.2.3/24"))?;
        // These are not Avahi's own, which answers from the last address of its interface.
        for (address, interface) in [(STORE, "eth0"), (SILENT, "eth0"), (HALL, "eth1")] {
            site.ip(&["route", "add", "local", address, "dev", interface])?;
        }
        site.run(
            "nft",
            &["add table ip t; add chain ip t in { type filter hook input priority 0; }; \
                           add rule ip t in ip daddr 192.168.1.61 drop"],
        )?;
        count(&device)?;
        device.reaches(&cloud)?;
        let published = [Published { name: "Panel-Rosa", kind: "_http._tcp", port: 8081 }];
        let avahi = Avahi::start(site.clone(), "panel", &published).await?;
        let tasks = open_site(&site)?;

        let ports = PORTS.map(|port| port.to_string()).join(", ");
        let setup = AgentSetup {
            factory: "mac = \"02:42:AC:11:00:0D\"\nserial = \"SN-FINDS-1\"\n".to_owned(),
            networks: vec![("lan".into(), LAN.into()), ("hall".into(), HALL.into())],
            place: Some(device.clone()),
            ..AgentSetup::default()
        };
        let setup = setup
            .set("web.enabled", "true")
            .set("discovery.enabled", "true")
            .set("discovery.ports", &format!("[{ports}]"));
        let setup = setup.with_service("bus", SocketAddr::new(PANEL.parse()?, 10001));
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let folder = tempfile::tempdir()?;
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
        let page = stage.agent.page().rsplit(':').next().and_then(|port| port.parse().ok());
        device.shows(page.context("the device's page has no port")?).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        story::sign_in_technician(&mut stage).await?;
        Ok(Some(Self { stage, device, _site: site, _avahi: avahi, _tasks: tasks, _folder: folder }))
    }

    /// Looks around on a network to the end, for a program; its lines.
    async fn look(&mut self, network: &str) -> anyhow::Result<Vec<Value>> {
        let verb = ["--json", "discover", "villa-rosa", "--network", network, "--reason", "zone 4"];
        let mut process = self.stage.technician.start(verb)?;
        story::allow(&mut self.stage).await.with_context(|| process.log())?;
        let status = process.wait(PATIENCE).await?;
        ensure!(status.success(), "discover ended with {status}:\n{}\n{}", process.log(), self.stage.agent.log());
        Ok(process.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn sent(&self) -> anyhow::Result<Sent> {
        let told: Value = serde_json::from_str(&self.device.run("nft", &["-j", "list", "counters"])?)?;
        let of = |name: &str| {
            let mut counters = told["nftables"].as_array().into_iter().flatten();
            let counter = counters.find_map(|row| Some(&row["counter"]).filter(|counter| counter["name"] == name));
            counter.and_then(|counter| counter["packets"].as_u64()).with_context(|| format!("no counter {name}"))
        };
        Ok(Sent {
            lan: of("lan")?,
            hall: of("hall")?,
            known: of("known")?,
            other: of("other")?,
            lan_asked: of("lan_asked")?,
            hall_asked: of("hall_asked")?,
        })
    }
}

/// Counts what the device sends to its networks.
fn count(device: &Place) -> anyhow::Result<()> {
    let ports = PORTS.map(|port| port.to_string()).join(", ");
    let mut rules = vec!["add table ip t".to_owned()];
    rules.extend(
        ["lan", "hall", "known", "other", "lan_asked", "hall_asked"].map(|name| format!("add counter ip t {name}")),
    );
    rules.push("add chain ip t out { type filter hook output priority 0; }".to_owned());
    rules.extend(
        [
            "oifname lo accept".to_owned(),
            "ip daddr 192.168.1.50 tcp dport 10001 counter name known accept".to_owned(),
            format!("oifname eth0 tcp flags & (syn | ack) == syn tcp dport {{ {ports} }} counter name lan accept"),
            format!("oifname eth1 tcp flags & (syn | ack) == syn tcp dport {{ {ports} }} counter name hall accept"),
            "tcp flags & (syn | ack) != syn accept".to_owned(),
        ]
        .map(|rule| format!("add rule ip t out {rule}")),
    );
    for (interface, counter) in [("eth0", "lan_asked"), ("eth1", "hall_asked")] {
        for (group, port) in [("224.0.0.251", 5353), ("239.255.255.250", 1900)] {
            let to = format!("oifname {interface} ip daddr {group} udp dport {port}");
            rules.push(format!("add rule ip t out {to} counter name {counter} accept"));
        }
    }
    rules.push("add rule ip t out counter name other".to_owned());
    device.run("nft", &[&rules.join("; ")]).map(drop)
}

/// The pages of the site, and what answers UPnP's searches.
fn open_site(site: &Place) -> anyhow::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    for address in [PANEL, STORE] {
        let listener = site.listen(SocketAddr::new(address.parse()?, 8081))?;
        tasks.spawn(async move {
            let _ = axum::serve(listener, Router::new().route("/", get(async || WORDS))).await;
        });
    }
    let group: Ipv4Addr = "239.255.255.250".parse()?;
    let hears = site.datagrams(SocketAddr::new(group.into(), 1900))?;
    hears.join_multicast_v4(group, PANEL.parse()?).context("cannot join UPnP's group")?;
    let says = site.datagrams(SocketAddr::new(STORE.parse()?, 0))?;
    tasks.spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = hears.recv_from(&mut buffer).await {
            if buffer[..length].starts_with(b"M-SEARCH * HTTP/1.1\r\n") {
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nST: upnp:rootdevice\r\n\
                     LOCATION: http://{STORE}:49152/description.xml\r\nSERVER: Linux UPnP/1.0 Store-300\r\n\
                     USN: uuid:4d696e69-444c-164e-9d41-001b44113ab7::upnp:rootdevice\r\n\r\n"
                );
                let _ = says.send_to(answer.as_bytes(), from).await;
            }
        }
    });
    Ok(tasks)
}

/// The find at that place, among the lines of a look around.
fn at<'a>(lines: &'a [Value], address: &str, port: Option<u16>) -> anyhow::Result<&'a Value> {
    let is =
        |line: &&Value| line["event"] == "found" && line["address"] == address && line["port"] == Value::from(port);
    lines.iter().rfind(is).with_context(|| format!("{address} {port:?} was not found: {lines:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_tells_what_is_beside_it_and_sends_no_more_than_was_declared() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };

    // Who is not allowed to look around sends nothing.
    let verb = ["discover", "villa-rosa", "--network", "lan", "--reason", "zone 4"];
    let mut refused = scene.stage.technician.start(verb)?;
    story::refuse(&mut scene.stage).await.with_context(|| refused.log())?;
    let status = refused.wait(PATIENCE).await?;
    ensure!(!status.success() && refused.log().contains("does not allow this session"), "{status}: {}", refused.log());
    assert_eq!(scene.sent()?, Sent::default());

    let lines = scene.look("lan").await?;
    let panel = at(&lines, PANEL, Some(8081))?;
    assert_eq!(
        (&panel["name"], &panel["what"], &panel["by"]),
        (&"Panel-Rosa".into(), &"_http._tcp".into(), &"mdns".into())
    );
    let store = at(&lines, STORE, Some(49152))?;
    assert_eq!((&store["name"], &store["by"]), (&"Linux UPnP/1.0 Store-300".into(), &"ssdp".into()));
    assert_eq!(at(&lines, STORE, Some(8081))?["by"], "port");
    assert_eq!(at(&lines, PANEL, Some(10001))?["by"], "settings");
    let silent = at(&lines, SILENT, None)?;
    ensure!(silent["by"] == "neighbour" && silent["mac"].is_string(), "{silent}");
    let last = lines.iter().find(|line| line["event"] == "looked").context("it does not end")?;
    assert_eq!(last["cut"], false);

    let sent = scene.sent()?;
    // 30 addresses, of which one is the device's own; the bus is told and not tried.
    ensure!(sent.lan >= 29 * 5 - 1 && sent.lan <= MOST_PROBES, "{sent:?}");
    ensure!((4..=MOST_QUESTIONS).contains(&sent.lan_asked), "{sent:?}");
    assert_eq!(sent, Sent { lan: sent.lan, lan_asked: sent.lan_asked, ..Sent::default() });
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_around_ends_where_it_may_send_no_more() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let lines = scene.look("hall").await?;
    let last = lines.iter().find(|line| line["event"] == "looked").context("it does not end")?;
    assert_eq!(last["cut"], true, "253 addresses with 5 ports are more than may be tried");
    let sent = scene.sent()?;
    assert_eq!(sent, Sent { hall: MOST_PROBES, hall_asked: sent.hall_asked, ..Sent::default() });
    ensure!(sent.hall_asked <= MOST_QUESTIONS, "{sent:?}");
    Ok(())
}

/// The number of the row of a table that has these words.
fn number(process: &Process, words: &str) -> Option<usize> {
    let log = process.log();
    let mut rows = log.lines().filter(|line| line.contains(words));
    rows.find_map(|row| row.split_whitespace().next()?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_opens_what_was_found_in_the_same_session() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let verb = ["discover", "villa-rosa", "--network", "lan", "--reason", "zone 4"];
    let (mut process, mut keyboard) = scene.stage.technician.start_at_keyboard(verb)?;
    let session = story::allow(&mut scene.stage).await.with_context(|| process.log())?;
    let number = wait_until("the panel is in the list", PATIENCE, async || Ok(number(&process, "Panel-Rosa"))).await;
    let number = number.with_context(|| process.log())?;
    writeln!(keyboard, "999")?;
    process.wait_for_line("That number is none of those", PATIENCE).await?;
    writeln!(keyboard, "{number}")?;
    let line = process.wait_for_line("127.0.0.1:", PATIENCE).await?;
    let local = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).context("no address")?;
    let page = reqwest::get(format!("http://{local}/")).await.with_context(|| process.log())?.text().await?;
    assert_eq!(page, WORDS);
    let is_it = |told: &story::Told| {
        let sessions = told.0["sessions"].as_array()?;
        (sessions.len() == 1 && sessions[0].to_string().contains(&session)).then_some(())
    };
    scene.stage.agent_says("has that one session", is_it).await?;
    writeln!(keyboard)?;
    let status = process.wait(PATIENCE).await?;
    ensure!(status.success(), "{status}: {}", process.log());
    for words in [format!("look around {LAN}"), format!("tcp {PANEL}:8081")] {
        let kept = wait_until(format!("the history reads `{words}`"), PATIENCE, async || {
            Ok(scene.stage.customer.file("/history.csv").await?.contains(&words).then_some(()))
        });
        kept.await?;
    }
    Ok(())
}

/// A technician asks in the portal what there is, opens two pages of it in that one session, and the customer ends both.
async fn in_the_portal(technician: Setup, customer: Setup) -> anyhow::Result<()> {
    let Some(mut scene) = Scene::set().await? else { return Ok(()) };
    let stage = &mut scene.stage;
    let portal = stage.cloud.portal();
    let Some(installer) = signed_in(&portal, technician, story::INSTALLER.person).await? else { return Ok(()) };
    let Some(customer) = signed_in(&portal, customer, story::CUSTOMER).await? else { return Ok(()) };
    stage.english = technician.language == "en";
    let english = stage.english;
    (stage.installer, stage.customer) = (installer, customer);
    let say = |english_words: &'static str, french: &'static str| if english { english_words } else { french };
    let device = stage.agent_status().await?.device().context("the device is enrolled")?.to_owned();

    let home = format!("/devices/{device}");
    stage.installer.open(&home).await?;
    stage.installer.look("finds-ask").await?;
    stage
        .installer
        .submit(&format!("{home}/finds"), &[("network", "lan"), ("reason", "Zone 4"), ("minutes", "30")])
        .await?;
    let path = stage.installer.path().await?;
    let session = path.strip_prefix("/finds/").with_context(|| format!("asking led to {path}"))?.to_owned();
    story::allow(stage).await?;
    let wall = browser(&stage.installer)?;
    wall.wait_for_words(say("The customer allows it", "Le client l’autorise")).await?;
    stage.installer.look("finds-allowed").await?;
    stage.installer.submit(&format!("/finds/{session}/begin"), &[]).await?;
    let wall = browser(&stage.installer)?;
    for words in ["Panel-Rosa", "Linux UPnP/1.0 Store-300", SILENT, say("has looked everywhere", "a regardé partout")]
    {
        wall.wait_for_words(words).await.with_context(|| stage.agent.log())?;
    }
    stage.installer.look("finds-done").await?;

    // Two pages of two neighbours, each at an origin of its own, in the one session that the customer allowed.
    let list = wall.client.window().await?;
    let mut pages = Vec::new();
    for address in [PANEL, STORE] {
        let row = format!(
            "form[action='/finds/{session}/open']:has(input[value='{address}']):has(input[value='8081']) button"
        );
        press_into_new_tab(&stage.installer, &row).await?;
        let tab = browser(&stage.installer)?;
        tab.wait_for_words(WORDS).await?;
        pages.push(tab.client.current_url().await?);
        tab.client.switch_to_window(list.clone()).await?;
    }
    ensure!(pages[0].host_str() != pages[1].host_str(), "{pages:?}");
    ensure!(pages.iter().all(|page| page.host_str().is_some_and(|host| host.starts_with("s-"))), "{pages:?}");
    let told = stage.agent_status().await?.0["sessions"].clone();
    ensure!(told.as_array().is_some_and(|open| open.len() == 1), "{told}");

    // Who is somebody else finds nothing there.
    let mut other = Hands::plain(&portal, "en")?;
    let Person { email, password, .. } = story::CUSTOMER;
    other.open("/sign-in").await?;
    other.submit("/sign-in", &[("email", email), ("password", password)]).await?;
    ensure!(other.open(&format!("/finds/{session}")).await.is_err() || !other.text().await?.contains("Panel-Rosa"));

    stage.customer.open("/sessions").await?;
    stage.customer.look("finds-inside").await?;
    stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    let tab = browser(&stage.installer)?;
    tab.wait_for_words(say("The session is over", "La session est terminée")).await?;
    stage.installer.look("finds-over").await?;
    for page in pages {
        let over = wait_until(format!("{page} is over"), PATIENCE, async || {
            tab.open(page.as_str()).await?;
            Ok(tab.text().await?.contains(say("The session is over", "La session est terminée")).then_some(()))
        });
        over.await?;
    }
    for words in [format!("look around {LAN}"), format!("tcp {PANEL}:8081"), format!("tcp {STORE}:8081")] {
        let kept = wait_until(format!("the history reads `{words}`"), PATIENCE, async || {
            Ok(other.file("/history.csv").await?.contains(&words).then_some(()))
        });
        kept.await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_technician_opens_what_was_found_in_the_portal_at_a_desk() -> anyhow::Result<()> {
    let desk = Setup { screen: Screen::Desk, theme: Theme::Light, language: "en" };
    let phone = Setup { screen: Screen::Phone, theme: Theme::Dark, language: "en" };
    in_the_portal(desk, phone).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_technician_opens_what_was_found_in_the_portal_with_a_phone_in_french() -> anyhow::Result<()> {
    let phone = Setup { screen: Screen::Phone, theme: Theme::Dark, language: "fr" };
    let desk = Setup { screen: Screen::Desk, theme: Theme::Light, language: "fr" };
    in_the_portal(phone, desk).await
}

#[tokio::test]
async fn a_device_that_does_not_offer_it_is_not_asked_to_look_around() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let setup = AgentSetup { networks: vec![("lan".into(), LAN.into())], ..AgentSetup::default() };
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), setup).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    let said = stage.technician.run(["discover", "villa-rosa", "--reason", "zone 4"]).await?;
    ensure!(!said.success && said.err.contains("does not tell what there is on its networks"), "{}", said.err);
    ensure!(said.err.contains("discovery.enabled = true"), "{}", said.err);
    stage.customer.open("/requests").await?;
    ensure!(!stage.customer.actions().await?.iter().any(|action| action.ends_with("/allow")), "somebody was asked");
    Ok(())
}
