//! Terminals in the portal, with the real programs: a technician asks in the portal, the customer allows, and a browser
//! that says exactly what the test wants it to say is at the terminal.

mod doors;
mod ends;
mod shown;
mod story;

use anyhow::{Context as _, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use gatelodge_tests::{agent::AgentSetup, cloud::CloudSetup, portal::Hands, story as play};
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

use super::{SOON, Scene, scene_on, with_terminal};

/// A scene with the device's id.
struct Desk {
    scene: Scene,
    device: String,
}

/// A browser's socket.
struct Line {
    socket: WebSocketStream<TcpStream>,
    /// Everything that was shown.
    shown: Vec<u8>,
    /// Whether it tells what it has drawn.
    draws: bool,
}

/// What a browser hears.
#[derive(Debug)]
enum Heard {
    Shown,
    Word(Value),
}

impl Desk {
    async fn open(agent: AgentSetup) -> anyhow::Result<Self> {
        Self::open_on(CloudSetup::default(), agent).await
    }

    async fn open_on(cloud: CloudSetup, agent: AgentSetup) -> anyhow::Result<Self> {
        let scene = scene_on(cloud, agent).await?;
        let device = scene.stage.agent_status().await?.device().context("the device is enrolled")?.to_owned();
        Ok(Self { scene, device })
    }

    /// The technician asks; gives the session.
    async fn ask(&mut self) -> anyhow::Result<String> {
        let hands = &mut self.scene.stage.installer;
        hands.open(&format!("/devices/{}", self.device)).await?;
        let fields = [("reason", "Log files"), ("minutes", "30")];
        hands.submit(&format!("/devices/{}/terminal", self.device), &fields).await?;
        let path = hands.path().await?;
        let session = path.strip_prefix("/terminals/");
        Ok(session.with_context(|| format!("asking led to {path}"))?.to_owned())
    }

    /// The same, and the customer allows it.
    async fn allowed(&mut self) -> anyhow::Result<String> {
        let session = self.ask().await?;
        let allowed = play::allow(&mut self.scene.stage).await?;
        ensure!(allowed == session, "{allowed} was allowed, {session} asked for");
        Ok(session)
    }

    async fn ticket(&self, session: &str) -> anyhow::Result<String> {
        ticket(&self.scene.stage.installer, session).await
    }

    fn portal(&self) -> String {
        self.scene.stage.cloud.portal()
    }

    /// A socket of the technician's browser that has shown its ticket.
    async fn line(&self, session: &str) -> anyhow::Result<Line> {
        let ticket = self.ticket(session).await?;
        let mut line = self.knock(&self.scene.stage.installer, session, &self.portal()).await?;
        line.say(&format!("ticket {ticket} 80 24")).await?;
        Ok(line)
    }

    /// A terminal with a prompt.
    async fn terminal(&mut self) -> anyhow::Result<(Line, String)> {
        let session = self.allowed().await?;
        let mut line = self.line(&session).await?;
        line.until("$ ").await.with_context(|| self.logs())?;
        Ok((line, session))
    }

    /// A socket without a word; the status, where there is none.
    async fn knock(&self, by: &Hands, session: &str, origin: &str) -> anyhow::Result<Line> {
        let Hands::Plain(visitor) = by else { bail!("plain hands only") };
        let portal: url::Url = self.portal().parse()?;
        let (host, port) = (portal.host_str().context("a host")?, portal.port().context("a port")?);
        let request = Request::get(format!("ws://{host}:{port}/terminals/{session}/socket"))
            .header("host", format!("{host}:{port}"))
            .header("cookie", visitor.cookie()?)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = if origin.is_empty() { request } else { request.header("origin", origin) };
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.context("the cloud listens")?;
        match tokio_tungstenite::client_async(request.body(())?, tcp).await {
            Ok((socket, _)) => Ok(Line { socket, shown: Vec::new(), draws: true }),
            Err(Error::Http(answer)) => bail!("{}", answer.status()),
            Err(error) => Err(error.into()),
        }
    }

    async fn is_kept_out(&self, by: &Hands, session: &str, origin: &str) -> anyhow::Result<StatusCode> {
        match self.knock(by, session, origin).await {
            Ok(_) => bail!("{origin} has a socket"),
            Err(error) => Ok(error.to_string().split(' ').next().unwrap_or_default().parse()?),
        }
    }

    fn logs(&self) -> String {
        let stage = &self.scene.stage;
        format!("the agent:\n{}\nthe cloud:\n{}", stage.agent.log(), stage.cloud.log())
    }
}

async fn ticket(by: &Hands, session: &str) -> anyhow::Result<String> {
    let Hands::Plain(visitor) = by else { bail!("plain hands only") };
    let size = [("columns", "80"), ("rows", "24")];
    let (status, told) = visitor.fetch(&format!("/terminals/{session}/enter"), &size).await?;
    ensure!(status == 200, "{status}: {told}");
    let told: Value = serde_json::from_str(&told)?;
    Ok(told["ticket"].as_str().context("no ticket")?.to_owned())
}

impl Line {
    async fn say(&mut self, words: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(words)).await?)
    }

    async fn types(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::binary(text.as_bytes().to_vec())).await?)
    }

    async fn next(&mut self) -> anyhow::Result<Heard> {
        // Pings alone are nothing.
        tokio::time::timeout(SOON, self.hears()).await.context("nothing is heard")?
    }

    async fn hears(&mut self) -> anyhow::Result<Heard> {
        loop {
            match self.socket.next().await.context("the socket is closed")?? {
                Message::Binary(bytes) => {
                    self.shown.extend_from_slice(&bytes);
                    if self.draws {
                        self.say(&format!("shown {}", bytes.len())).await?;
                    }
                    return Ok(Heard::Shown);
                }
                Message::Text(text) => return Ok(Heard::Word(serde_json::from_str(&text)?)),
                Message::Ping(_) | Message::Pong(_) => {}
                other => bail!("{other:?}"),
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Reads until it has shown these words.
    async fn until(&mut self, words: &str) -> anyhow::Result<()> {
        while !self.text().contains(words) {
            if let Heard::Word(word) = self.next().await.with_context(|| format!("no `{words}` in {}", self.text()))?
                && word["says"] == "over"
            {
                bail!("over before `{words}`: {word}");
            }
        }
        Ok(())
    }

    /// Types a line and reads until it has shown these words.
    async fn run(&mut self, line: &str, words: &str) -> anyhow::Result<()> {
        self.shown.clear();
        self.types(&format!("{line}\r")).await?;
        self.until(words).await
    }

    /// The last word, in a sentence.
    async fn over(&mut self) -> anyhow::Result<Value> {
        loop {
            if let Heard::Word(word) = self.next().await?
                && word["says"] == "over"
            {
                return Ok(word);
            }
        }
    }

    async fn ends_by(&mut self, words: &str) -> anyhow::Result<()> {
        let over = self.over().await.with_context(|| format!("it should have said `{words}`"))?;
        ensure!(over["what"].as_str().is_some_and(|what| what.contains(words)), "{over}");
        Ok(())
    }
}
