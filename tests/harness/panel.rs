//! A "panel": what stands for the installation behind a device. A TCP echo and a small web page on a loopback address
//! of their own (`127.0.0.x`), so that only a device told to can be meant.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use axum::{Router, response::Html, routing::get};
use tokio::{net::TcpListener, task::JoinSet};

/// What the panel's web page says; tests look for it at the far end of a session.
pub const WORDS: &str = "Panel of the installation: all zones closed";

/// A running panel; dropping it closes it.
#[derive(Debug)]
pub struct Panel {
    /// Gives back every byte.
    pub echo: SocketAddr,
    /// Serves a page with [`WORDS`].
    pub web: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Panel {
    /// Opens a panel on `127.0.0.{host}`.
    pub async fn start(host: u8) -> anyhow::Result<Self> {
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
        let bind = async || TcpListener::bind((address, 0)).await.context("cannot open the panel");
        let (echo, web) = (bind().await?, bind().await?);
        let (echo_at, web_at) = (echo.local_addr()?, web.local_addr()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(give_back(echo));
        tasks.spawn(async move {
            let pages = Router::new()
                .route("/", get(async || Html(format!("<!doctype html><title>Panel</title><h1>{WORDS}</h1>"))));
            // It ends with the set that holds it.
            let _ = axum::serve(web, pages).await;
        });
        Ok(Self { echo: echo_at, web: web_at, _tasks: tasks })
    }
}

async fn give_back(listener: TcpListener) {
    let mut streams = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        streams.spawn(async move {
            let (mut from, mut to) = stream.split();
            // A broken connection is its caller's affair.
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    #[tokio::test]
    async fn echoes_and_serves_its_page() {
        let panel = Panel::start(9).await.unwrap();
        let mut stream = TcpStream::connect(panel.echo).await.unwrap();
        stream.write_all(b"zone 3").await.unwrap();
        let mut back = [0; 6];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"zone 3");

        let mut stream = TcpStream::connect(panel.web).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: panel\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        assert!(page.contains(WORDS), "{page}");
    }
}
