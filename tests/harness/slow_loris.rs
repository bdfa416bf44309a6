//! Clients that begin and never finish: they hold a connection for as long as the server lets them, with a byte now and
//! then so that it does not look idle.

use std::time::Duration;

use anyhow::Context as _;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{cloud::TestCloud, wait::measure_for};

const DRIP: Duration = Duration::from_secs(1);
/// A TLS record that announces 512 bytes of ClientHello, and eleven of them.
const CLIENT_HELLO: [u8; 11] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

/// Where a client never gets to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In the headers of a request.
    Headers,
    /// In the body of a request.
    Body,
    /// In the TLS handshake with the portal.
    Handshake,
    /// In the TLS handshake with the device endpoint.
    Mqtt,
    /// On the relay's web socket, before its first frame.
    WebSocket,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Headers, Self::Body, Self::Handshake, Self::Mqtt, Self::WebSocket];

    fn drip(self) -> &'static [u8] {
        match self {
            Self::Headers | Self::Body => b"a",
            Self::Handshake | Self::Mqtt => &[0],
            // A ping without a payload, masked.
            Self::WebSocket => &[0x89, 0x80, 0, 0, 0, 0],
        }
    }
}

/// A client that holds its connection.
#[derive(Debug)]
pub struct SlowClient {
    way: Way,
    held: JoinHandle<()>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl SlowClient {
    /// Connects, begins, and goes on dripping until it is thrown out.
    pub async fn begin(cloud: &TestCloud, way: Way) -> anyhow::Result<Self> {
        let addresses = cloud.addresses()?;
        let plain = addresses.loopback.context("the plain listener is on")?;
        let mut stream: Box<dyn Stream> = match way {
            Way::Headers | Way::Body => Box::new(TcpStream::connect(plain).await?),
            Way::Handshake => Box::new(TcpStream::connect(addresses.https).await?),
            Way::Mqtt => Box::new(TcpStream::connect(("127.0.0.1", cloud.mqtt_port())).await?),
            Way::WebSocket => {
                let tcp = TcpStream::connect(addresses.https).await?;
                Box::new(TlsConnector::from(cloud.trusted()?).connect(ServerName::try_from("localhost")?, tcp).await?)
            }
        };
        match way {
            Way::Headers => stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await?,
            Way::Body => {
                let head = "POST /api/v1/password/forgotten HTTP/1.1\r\nHost: localhost\r\n";
                let rest = "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
                stream.write_all(format!("{head}{rest}").as_bytes()).await?;
            }
            Way::Handshake | Way::Mqtt => stream.write_all(&CLIENT_HELLO).await?,
            Way::WebSocket => {
                let head = "GET /relay/v1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
                let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
                stream.write_all(format!("{head}{key}").as_bytes()).await?;
                stream.flush().await?;
                let mut first = [0; 12];
                stream.read_exact(&mut first).await?;
                anyhow::ensure!(first == *b"HTTP/1.1 101", "no web socket: {}", String::from_utf8_lossy(&first));
            }
        }
        stream.flush().await?;
        let held = tokio::spawn(async move {
            let mut heard = [0; 1024];
            loop {
                tokio::select! {
                    read = stream.read(&mut heard) => if read.unwrap_or(0) == 0 { return },
                    () = measure_for(DRIP) => {
                        if stream.write_all(way.drip()).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Ok(Self { way, held })
    }

    /// Whether it still holds its connection.
    pub fn holds(&self) -> bool {
        !self.held.is_finished()
    }

    /// Waits until the server has thrown it out.
    pub async fn thrown_out(self, within: Duration) -> anyhow::Result<()> {
        let way = self.way;
        timeout(within, self.held).await.with_context(|| format!("{way:?}: it still holds after {within:?}"))??;
        Ok(())
    }
}
