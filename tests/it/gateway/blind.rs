//! Pages that the portal cannot read: the browser's TLS goes through to the device, by a certificate of the vendor's own
//! CA, which is all that this browser trusts.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use axum::body::Body;
use futures_util::{SinkExt as _, StreamExt as _};
use gatelodge_proto::Random;
use gatelodge_tests::{
    awkward::{Compared, WORDS},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    settings::quoted,
    story::{self, Mails},
    wait::wait_until,
};
use http::{Method, Request, StatusCode, header};
use rcgen::{BasicConstraints, CertificateParams, CidrSubnet, GeneralSubtree, IsCa, KeyPair, NameConstraints};
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

use super::{Answer, Site, Tab, next_bytes};
use crate::moves::found;

/// Far more than the cloud may gather.
const BYTES: usize = 100_000_000;
const WITHIN: Duration = Duration::from_secs(60);

/// A site whose vendor has a CA for such pages, and a browser that trusts that alone.
struct Blind {
    site: Site,
    trust: Arc<ClientConfig>,
    _folder: tempfile::TempDir,
}

impl Blind {
    async fn open(panel_host: u8) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("localhost".into())],
            excluded_subtrees: [CidrSubnet::V4([0; 4], [0; 4]), CidrSubnet::V6([0; 16], [0; 16])]
                .map(GeneralSubtree::IpAddress)
                .into(),
        });
        let ca = params.self_signed(&key)?;
        let mut setup = CloudSetup::default();
        for (setting, file, text) in [
            ("gateway.blind_ca_certificate", "ca.pem", ca.pem()),
            ("gateway.blind_ca_key", "ca.key", key.serialize_pem()),
        ] {
            let path = folder.path().join(file);
            std::fs::write(&path, text)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            setup = setup.set(setting, &quoted(path.to_str().context("a path in UTF-8")?));
        }
        let cloud = TestCloud::start(setup).await?;
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let site = Site::around(cloud, mails, panel_host).await?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone())?;
        let trust = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { site, trust: Arc::new(trust), _folder: folder })
    }

    async fn ask(&mut self, service: &str) -> anyhow::Result<String> {
        let Site { stage, device, .. } = &mut self.site;
        stage.installer.open(&format!("/devices/{device}")).await?;
        stage.installer.reads("cannot read it").await?;
        let fields = [("service", service), ("form", "blind"), ("reason", "Zone 3 reports a fault"), ("minutes", "30")];
        stage.installer.submit(&format!("/devices/{device}/web-page"), &fields).await?;
        let path = stage.installer.path().await?;
        let session = path.strip_prefix("/web-pages/").with_context(|| format!("asking led to {path}"))?.to_owned();
        stage.customer.open("/sessions").await?;
        stage.customer.reads("unread by the portal").await?;
        story::allow(stage).await?;
        Ok(session)
    }

    fn outside(&self, address: &str) -> anyhow::Result<Tab> {
        Ok(Tab { tls: Some(self.trust.clone()), ..self.site.outside(address)? })
    }

    async fn tab(&mut self, service: &str) -> anyhow::Result<(Tab, String)> {
        let session = self.ask(service).await?;
        let (address, ticket) = self.site.ticket(&session).await?;
        ensure!(address.starts_with("https://b-"), "{address}");
        let mut tab = self.outside(&address)?;
        let entered = tab.enter(&ticket, &self.site.stage.cloud.portal()).await?;
        ensure!(entered.status() == StatusCode::SEE_OTHER, "coming in led to {}", entered.status());
        Ok((tab, session))
    }
}

#[tokio::test]
async fn a_panel_works_and_only_the_device_can_read_it() -> anyhow::Result<()> {
    let mut blind = Blind::open(73).await?;
    let (tab, session) = blind.tab("awkward-web").await?;
    let own = tab.origin();

    let first = tab.get("/").await?;
    assert_eq!(first.status, StatusCode::OK);
    assert!(first.text.contains(WORDS) && first.text.contains(&format!("href=\"{own}/second\"")), "{}", first.text);
    let cookies: Vec<_> =
        first.headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok()).collect();
    assert!(cookies.len() == 2 && !cookies.concat().contains("Domain"), "{cookies:?}");
    let moved = tab.get("/host").await?;
    assert_eq!((moved.status, moved.header("location")), (StatusCode::FOUND, format!("{own}/second").as_str()));
    let kept = tab.ask(Method::GET, "/cookies", &[("cookie", "sid=abc")]).await?;
    assert_eq!(kept.text, "sid=abc", "ours is not the panel's to see");
    let foreign = tab.ask(Method::POST, "/form", &[("origin", "https://evil.example")]).await?;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);

    // A web socket, and a download in bounded memory.
    let request = Request::get(format!("wss://{}/socket", tab.host))
        .header("host", &tab.host)
        .header("origin", &own)
        .header("cookie", &tab.cookie)
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())?;
    let (name, _) = tab.host.rsplit_once(':').context("a port")?;
    let tcp = TcpStream::connect(("127.0.0.1", tab.port)).await?;
    let name = rustls_pki_types::ServerName::try_from(name.to_owned())?;
    let tls = TlsConnector::from(blind.trust.clone()).connect(name, tcp).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await?;
    socket.send(Message::text("zone 3")).await?;
    assert_eq!(socket.next().await.context("an answer")??, Message::text("heard zone 3"));

    let cloud = blind.site.stage.cloud.id().context("the cloud runs")?;
    let before = super::bulk::resident_mib(cloud)?;
    let answer = tab.send(Request::get(format!("/download/{BYTES}")).body(Body::empty())?).await?;
    let (mut body, mut compared) = (Body::new(answer.into_body()).into_data_stream(), Compared::default());
    while let Some(bytes) = next_bytes(&mut body).await? {
        compared.take(&bytes);
    }
    ensure!(compared.right == BYTES && !compared.wrong, "{compared:?}");
    let after = super::bulk::resident_mib(cloud)?;
    ensure!(after < before + 60, "the cloud grew from {before} to {after} MiB");

    // Both histories name the form, and the panel.
    for path in ["/history", &format!("/web-pages/{session}")] {
        blind.site.stage.installer.open(path).await?;
    }
    blind.site.stage.installer.reads("cannot read it").await?;
    blind.site.stage.customer.open("/history").await?;
    blind.site.stage.customer.reads("blind page b-").await?;
    blind.site.stage.customer.reads(&blind.site.panel.web.to_string()).await
}

#[tokio::test]
async fn what_passes_is_nowhere_in_the_portals_memory() -> anyhow::Result<()> {
    let mut blind = Blind::open(74).await?;
    let cloud = blind.site.stage.cloud.id().context("the cloud runs")?;
    let random = Random::system();
    let word = |random: &Random| gatelodge_proto::web::door::label(random.bytes());
    let (unread, read) = (word(&random), word(&random));
    let (tab, session) = blind.tab("awkward-web").await?;
    let send = async |tab: &Tab, canary: &str| -> anyhow::Result<usize> {
        let mut most = 0;
        for _ in 0..4 {
            let body = canary.repeat(40_000);
            let request = Request::post("/form").header("origin", tab.origin());
            let answer = Answer::of(tab.send(request.body(Body::from(body.clone()))?).await?).await?;
            ensure!(answer.text == body, "something else came back");
            most = most.max(found(cloud, canary.as_bytes())?);
        }
        Ok(most)
    };
    ensure!(send(&tab, &unread).await? == 0, "the portal has what it must not read");
    blind.site.stage.customer.open("/sessions").await?;
    blind.site.stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    // Whoever looks this way does find what the portal can read.
    let (tab, _) = blind.site.tab("awkward-web").await?;
    ensure!(send(&tab, &read).await? > 0, "it sees nothing");
    ensure!(found(cloud, unread.as_bytes())? == 0);
    Ok(())
}

#[tokio::test]
async fn one_browser_comes_in_once_and_a_name_that_nobody_has_gets_no_answer() -> anyhow::Result<()> {
    let mut blind = Blind::open(75).await?;
    let portal = blind.site.stage.cloud.portal();
    let session = blind.ask("awkward-web").await?;
    let (address, first) = blind.site.ticket(&session).await?;
    let (_, second) = blind.site.ticket(&session).await?;
    let mut tab = blind.outside(&address)?;
    let closed = tab.get("/").await?;
    assert!(closed.status == StatusCode::FORBIDDEN && closed.text.contains("from the portal"), "{}", closed.text);
    for (ticket, origin) in [(first.as_str(), portal.as_str()), ("x", &portal), (&second, "https://evil.example")] {
        let refused = tab.enter(ticket, origin).await?;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{ticket} {origin}");
    }
    assert_eq!(tab.enter(&second, &portal).await?.status(), StatusCode::SEE_OTHER);
    assert_eq!(tab.get("/second").await?.status, StatusCode::OK);
    let mut thief = blind.outside(&address)?;
    assert_eq!(thief.enter(&second, &portal).await?.status(), StatusCode::FORBIDDEN, "used");
    let taken = thief.ask(Method::GET, "/", &[("accept-language", "fr")]).await?;
    assert!(taken.status == StatusCode::FORBIDDEN && taken.text.contains("un autre navigateur"), "{}", taken.text);

    // The portal itself has no answer at that name, by whatever way a request comes in.
    let other = Tab { port: blind.site.stage.cloud.addresses()?.https.port(), host: "localhost".into(), ..tab.clone() };
    let other = Tab { tls: Some(blind.site.stage.cloud.trusted()?), ..other };
    let mut request = Request::get("/second").body(Body::empty())?;
    request.headers_mut().insert("x-forwarded-host", tab.host.parse()?);
    assert_ne!(other.send(request).await?.status(), StatusCode::FORBIDDEN, "the portal's own name is the portal's");

    // A name of the same form that nobody has: a TLS alert, and no page.
    let unknown = format!("b-{}.localhost", "a".repeat(26));
    let config = blind.trust.clone();
    let tcp = TcpStream::connect(("127.0.0.1", tab.port)).await?;
    let refused = TlsConnector::from(config).connect(unknown.try_into()?, tcp).await.unwrap_err().to_string();
    assert!(refused.contains("UnrecognisedName"), "{refused}");
    // What is no TLS at all is not held either.
    let mut plain = TcpStream::connect(("127.0.0.1", tab.port)).await?;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    let mut said = Vec::new();
    tokio::time::timeout(WITHIN, plain.read_to_end(&mut said)).await??;
    assert!(!said.starts_with(b"HTTP"), "{said:?}");

    // Signed out at the portal, the page is closed.
    blind.site.stage.installer.open("/").await?;
    blind.site.stage.installer.submit("/sign-out", &[]).await?;
    wait_until("the page closes", WITHIN, async || Ok(tab.get("/second").await.is_err().then_some(()))).await
}

#[tokio::test]
async fn the_customer_stops_and_the_page_breaks_off() -> anyhow::Result<()> {
    let mut blind = Blind::open(76).await?;
    let (tab, session) = blind.tab("awkward-web").await?;
    let request = Request::get("/events").body(Body::empty())?;
    let mut events = Body::new(tab.send(request).await?.into_body()).into_data_stream();
    assert!(next_bytes(&mut events).await?.is_some());
    blind.site.stage.customer.open("/sessions").await?;
    blind.site.stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    let broke = tokio::time::timeout(WITHIN, async {
        loop {
            match next_bytes(&mut events).await {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    });
    assert!(broke.await?, "the stream of events ended as if it were whole");
    wait_until("nobody answers any more", WITHIN, async || Ok(tab.get("/second").await.is_err().then_some(()))).await?;
    // Every row of the device is there, and none is left open.
    let customer = &mut blind.site.stage.customer;
    customer.wait_for("/history", "The session ended: by the customer", WITHIN).await?;
    for what in ["blind page b-", "tcp 127."] {
        customer.wait_for("/history", &format!("Closed {what}"), WITHIN).await?;
        let rows = customer.text().await?;
        let count = |word: &str| rows.matches(&format!("{word} {what}")).count();
        ensure!(count("Opened") == count("Closed"), "{what}:\n{rows}");
    }
    Ok(())
}

#[tokio::test]
async fn a_ca_that_could_sign_any_name_keeps_the_cloud_from_starting() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut setup = CloudSetup::default();
    for (setting, file, text) in [
        ("gateway.blind_ca_certificate", "ca.pem", params.self_signed(&key)?.pem()),
        ("gateway.blind_ca_key", "ca.key", key.serialize_pem()),
    ] {
        let path = folder.path().join(file);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        setup = setup.set(setting, &quoted(path.to_str().context("a path in UTF-8")?));
    }
    let refused = format!("{:#}", TestCloud::start(setup).await.unwrap_err());
    assert!(refused.contains("name constraints") && refused.contains("ca.pem"), "{refused}");
    Ok(())
}
