//! Web pages of panels through the gateway, with the real programs: a technician asks in the portal, the customer allows,
//! and the awkward panel behind the device is used by a browser that says exactly what the test wants it to say.

mod address;
mod blind;
pub(crate) mod browser;
mod bulk;
mod doors;
mod ends;
mod pages;
mod ports;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use gatelodge_proto::web::Duplex;
use gatelodge_tests::{
    agent::AgentSetup,
    awkward::{self, Awkward},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    settings::quoted,
    story::{self, Mails, Stage},
};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A stage with the awkward panel behind its device, played until the customer has confirmed.
struct Site {
    stage: Stage,
    panel: Awkward,
    device: String,
    _folder: tempfile::TempDir,
}

/// One tab of a browser at a panel's origin.
#[derive(Clone)]
struct Tab {
    /// The loopback listener's port, or that of the page.
    port: u16,
    /// What it says as `Host`.
    host: String,
    cookie: String,
    /// At a port of its own it comes with TLS.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Site {
    async fn open(panel_host: u8) -> anyhow::Result<Self> {
        let cloud = TestCloud::start(CloudSetup::default()).await?;
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        Self::around(cloud, mails, panel_host).await
    }

    async fn around(cloud: TestCloud, mails: Mails, panel_host: u8) -> anyhow::Result<Self> {
        let panel = Awkward::start(panel_host).await?;
        let folder = tempfile::tempdir()?;
        let agent = AgentSetup {
            profiles: vec![("named-web", "web_host", quoted(awkward::NAME)), ("locked-web", "scheme", quoted("https"))],
            ..AgentSetup::default()
        };
        let agent = agent.with_service("awkward-web", panel.web).with_service("old-web", panel.old);
        let agent = agent.with_service("named-web", panel.named).with_service("locked-web", panel.locked);
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), agent).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        let device = stage.agent_status().await?.device().context("the device is enrolled")?.to_owned();
        Ok(Self { stage, panel, device, _folder: folder })
    }

    /// The technician asks for a page; gives the session.
    async fn ask(&mut self, service: &str) -> anyhow::Result<String> {
        self.ask_by("service", service).await?;
        let path = self.stage.installer.path().await?;
        let session = path.strip_prefix("/web-pages/").with_context(|| format!("asking led to {path}"))?;
        Ok(session.to_owned())
    }

    /// Sends the form with one field beside the usual ones.
    async fn ask_by(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        let Self { stage, device, .. } = self;
        stage.installer.open(&format!("/devices/{device}")).await?;
        let fields = [(name, value), ("reason", "Zone 3 reports a fault"), ("minutes", "30")];
        stage.installer.submit(&format!("/devices/{device}/web-page"), &fields).await
    }

    /// The same, and the customer allows it.
    async fn allowed(&mut self, service: &str) -> anyhow::Result<String> {
        let session = self.ask(service).await?;
        let allowed = story::allow(&mut self.stage).await?;
        ensure!(allowed == session, "{allowed} was allowed, {session} asked for");
        Ok(session)
    }

    /// The step from the portal: the panel's address, and the ticket.
    async fn ticket(&mut self, session: &str) -> anyhow::Result<(String, String)> {
        ticket(&mut self.stage.installer, session).await
    }

    /// A tab that has come in.
    async fn tab(&mut self, service: &str) -> anyhow::Result<(Tab, String)> {
        let session = self.allowed(service).await?;
        let (address, ticket) = self.ticket(&session).await?;
        let mut tab = self.outside(&address)?;
        let entered = tab.enter(&ticket, &self.stage.cloud.portal()).await?;
        ensure!(entered.status() == StatusCode::SEE_OTHER, "coming in led to {}", entered.status());
        Ok((tab, session))
    }

    /// A tab at that address that has not come in.
    fn outside(&self, address: &str) -> anyhow::Result<Tab> {
        let address: url::Url = address.parse()?;
        let (host, port) = (address.host_str().context("a host")?, address.port().context("a port")?);
        let tls = (address.scheme() == "https").then(|| self.stage.cloud.trusted()).transpose()?;
        Ok(Tab { port, host: format!("{host}:{port}"), cookie: String::new(), tls })
    }
}

async fn ticket(by: &mut Hands, session: &str) -> anyhow::Result<(String, String)> {
    by.open(&format!("/web-pages/{session}")).await?;
    by.submit(&format!("/web-pages/{session}/enter"), &[]).await?;
    let Hands::Plain(visitor) = by else { anyhow::bail!("plain hands only") };
    let page = visitor.page()?;
    let form = page.forms().into_iter().find(|form| form.action.ends_with("/.gatelodge/enter"));
    let form = form.with_context(|| format!("no way on:\n{}", page.text()))?;
    let ticket = form.fields.into_iter().find(|(name, _)| name == "ticket").context("no ticket")?.1;
    ensure!(!page.address.contains(&ticket) && !form.action.contains(&ticket), "the ticket is in an address");
    Ok((form.action, ticket))
}

impl Tab {
    fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    /// Sends a request as it is, beside `Host` and the cookie.
    async fn send(&self, mut request: Request<Body>) -> anyhow::Result<Response<Incoming>> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await.context("the cloud listens")?;
        let io: Box<dyn Duplex> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
                let name = rustls_pki_types::ServerName::try_from(name.to_owned())?;
                Box::new(tokio_rustls::TlsConnector::from(tls.clone()).connect(name, tcp).await?)
            }
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
        tokio::spawn(async move { connection.with_upgrades().await });
        request.headers_mut().insert(header::HOST, self.host.parse()?);
        if !self.cookie.is_empty() {
            request.headers_mut().append(header::COOKIE, self.cookie.parse()?);
        }
        Ok(sender.send_request(request).await?)
    }

    async fn ask(&self, method: Method, path: &str, told: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in told {
            request = request.header(*name, *value);
        }
        Answer::of(self.send(request.body(Body::empty())?).await?).await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path, &[("accept", "text/html")]).await
    }

    /// Comes in, and keeps the cookie.
    async fn enter(&mut self, ticket: &str, origin: &str) -> anyhow::Result<Response<Incoming>> {
        let request = Request::post("/.gatelodge/enter")
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("ticket={ticket}")))?;
        let answer = self.send(request).await?;
        if let Some(cookie) = answer.headers().get(header::SET_COOKIE) {
            let cookie = cookie.to_str()?;
            for wanted in ["__Host-gl-pass", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
                ensure!(cookie.contains(wanted), "the cookie lacks {wanted}: {cookie}");
            }
            cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        }
        Ok(answer)
    }
}

/// A whole answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    trailers: HeaderMap,
    text: String,
}

impl Answer {
    async fn of(answer: Response<Incoming>) -> anyhow::Result<Self> {
        use http_body_util::BodyExt as _;
        let (head, body) = answer.into_parts();
        let body = tokio::time::timeout(Duration::from_secs(30), body.collect()).await??;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok(Self { status: head.status, headers: head.headers, trailers, text })
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The next bytes of a body that goes on.
async fn next_bytes(body: &mut axum::body::BodyDataStream) -> anyhow::Result<Option<Bytes>> {
    let next = tokio::time::timeout(Duration::from_secs(20), body.next()).await.context("nothing comes")?;
    Ok(next.transpose()?)
}
