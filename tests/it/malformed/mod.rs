//! Input that no honest program sends, as raw bytes against the real cloud: each table says how it is answered. Nothing
//! is ever answered as a fault of ours, nothing panics, and the cloud serves on.

mod http;
mod mqtt;
mod slow;
mod websocket;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use futures_util::future::join_all;
use gatelodge_tests::cloud::{CloudSetup, TestCloud};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Longer than any limit of the cloud on a connection that says nothing useful.
const PATIENCE: Duration = Duration::from_secs(45);

/// How bytes are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The connection ends without a word.
    Cut,
    /// An HTTP status, and the code of the problem in the body where there is one.
    Status(u16, Option<String>),
}

/// What is right for a row.
#[derive(Debug, Clone, Copy)]
enum Right {
    /// The connection ends, with or without a 400 before.
    Refused,
    /// This status.
    Status(u16),
    /// This status with a problem (RFC 9457) of this code.
    Problem(u16, &'static str),
}

impl Right {
    fn is(self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Refused, Answer::Cut | Answer::Status(400, _)) => true,
            (Self::Status(right), Answer::Status(status, _)) => right == *status,
            (Self::Problem(right, code), Answer::Status(status, Some(told))) => right == *status && code == told,
            _ => false,
        }
    }
}

async fn started() -> anyhow::Result<(TestCloud, SocketAddr)> {
    // Whichever test comes first decides; they all choose alike.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let plain = cloud.addresses()?.loopback.context("the plain listener is on")?;
    Ok((cloud, plain))
}

/// A TLS connection to the portal's port, where the relay is.
async fn tls(cloud: &TestCloud) -> anyhow::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(cloud.addresses()?.https).await?;
    let tls = TlsConnector::from(cloud.trusted()?).connect(ServerName::try_from("localhost")?, tcp).await?;
    Ok(tls)
}

/// Sends every row's bytes at once, each on a connection of its own, and gives the rows that were answered wrongly.
async fn try_all(address: SocketAddr, rows: Vec<(&'static str, Vec<u8>, Right)>) -> Vec<String> {
    let tried = rows.into_iter().map(async |(what, bytes, right)| match ask(address, &bytes).await {
        Ok(answer) if right.is(&answer) => None,
        Ok(answer) => Some(format!("{what}: {answer:?}, but {right:?} is right")),
        Err(error) => Some(format!("{what}: {error:#}")),
    });
    join_all(tried).await.into_iter().flatten().collect()
}

async fn ask(address: SocketAddr, bytes: &[u8]) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    // Whoever has heard enough closes before everything is sent.
    let _ = stream.write_all(bytes).await;
    timeout(PATIENCE, answer(&mut stream)).await.context("the connection stays open without an answer")
}

async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut heard = Vec::new();
    loop {
        if let Some(answer) = whole_answer(&heard) {
            return answer;
        }
        if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
            return Answer::Cut;
        }
    }
}

/// The first answer in these bytes, once all of it is there.
fn whole_answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let body = bytes.get(end + 4..end + 4 + length.unwrap_or(0))?;
    let problem = serde_json::from_slice::<serde_json::Value>(body).ok();
    Some(Answer::Status(status, problem.and_then(|problem| Some(problem["code"].as_str()?.to_owned()))))
}

/// The cloud still answers, has found nothing wrong with itself, and is the process that was started.
async fn serves_on(cloud: &TestCloud) -> anyhow::Result<()> {
    let ready = reqwest::get(format!("{}/readyz", cloud.portal())).await?;
    anyhow::ensure!(ready.status() == 200, "it is not ready: {}\n{}", ready.status(), cloud.log());
    let log = cloud.log();
    for word in ["panicked", "ERROR"] {
        anyhow::ensure!(!log.contains(word), "its log has `{word}`:\n{log}");
    }
    Ok(())
}
