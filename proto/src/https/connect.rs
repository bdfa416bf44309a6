//! A connection for requests: TCP, directly or through a proxy, and TLS on it. Plain HTTP is for this machine alone, where
//! no proxy leads.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    Random,
    session::carrier::{Proxy, ProxyError},
};

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) proxy: Option<Proxy>,
    pub(super) random: Random,
    pub(super) own: Option<IpAddr>,
    pub(super) within: Duration,
}

/// There is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    #[error("the address has no host that can be reached")]
    Address,
    #[error("no TCP connection")]
    Tcp(#[source] io::Error),
    #[error("no way through the proxy")]
    Proxy(#[source] ProxyError),
    #[error("no TLS")]
    Tls(#[source] io::Error),
    #[error("no connection within {} seconds", .0.as_secs())]
    Late(Duration),
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<Wire, NoConnection> {
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or(NoConnection::Address)?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tcp = match self.proxy.as_ref().filter(|_| secure) {
            Some(proxy) => proxy.connect(host, port, &self.random).await.map_err(NoConnection::Proxy)?,
            None => dial(host, port, self.own).await.map_err(NoConnection::Tcp)?,
        };
        tcp.set_nodelay(true).map_err(NoConnection::Tcp)?;
        if !secure {
            return Ok(Wire::Plain(tcp));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| NoConnection::Address)?;
        let tls = TlsConnector::from(self.tls.clone()).connect(name, tcp).await.map_err(NoConnection::Tls)?;
        Ok(Wire::Tls(Box::new(tls)))
    }
}

async fn dial(host: &str, port: u16, own: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(own) = own else { return TcpStream::connect((host, port)).await };
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for at in lookup_host((host, port)).await?.filter(|at| at.is_ipv4() == own.is_ipv4()) {
        let socket = if own.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind((own, 0).into())?;
        match socket.connect(at).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connected = tokio::time::timeout(connector.within, connector.connect(&uri)).await;
            connected.unwrap_or(Err(NoConnection::Late(connector.within))).map(TokioIo::new)
        })
    }
}

/// The bytes under HTTP.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Hands a call on to whichever wire it is.
macro_rules! by {
    ($wire:expr, $pinned:ident => $call:expr) => {
        match $wire.get_mut() {
            Wire::Plain(tcp) => {
                let $pinned = Pin::new(tcp);
                $call
            }
            Wire::Tls(tls) => {
                let $pinned = Pin::new(tls.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        by!(self, wire => wire.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        by!(self, wire => wire.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        by!(self, wire => wire.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        by!(self, wire => wire.poll_shutdown(cx))
    }
}
