//! Local ports, bound before the customer is asked: a port that is taken is found out first.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use gatelodge_proto::{
    payload::{Host, Protocol, Service},
    session::inner_frame::Target,
};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::{Forward, Wanted};

/// An open local port and what is behind it.
#[derive(Debug)]
pub struct Listener {
    /// What is behind it.
    pub wanted: Wanted,
    /// Where it is open.
    pub local: SocketAddr,
    pub(super) socket: Socket,
}

#[derive(Debug)]
pub(super) enum Socket {
    /// Each connection is a flow to the target.
    Tcp(TcpListener, Target),
    /// Each program that sends has a flow to the target.
    Udp(Arc<UdpSocket>, Target),
    /// Each connection says where to.
    Socks5(TcpListener),
}

/// A local port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{local} cannot be opened for {wanted}: {source}")]
pub struct BindError {
    /// Where.
    pub local: SocketAddr,
    /// For what.
    pub wanted: Wanted,
    /// Why.
    pub source: io::Error,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => name.fmt(f),
            Self::Place { protocol, host: Host::Address(address), port } => {
                write!(f, "{} {}", protocol.word(), SocketAddr::new(*address, *port))
            }
            Self::Place { protocol, host: Host::Name(name), port } => {
                write!(f, "{} {}:{port}", protocol.word(), name.as_str())
            }
            Self::Socks5 => f.write_str("socks5"),
            Self::Back(name) => write!(f, "back:{name}"),
        }
    }
}

/// Opens a local port. Without a wish, the target's own port when it can be had, else any.
pub async fn bind(forward: &Forward, services: &[Service]) -> Result<Listener, BindError> {
    let wanted = &forward.wanted;
    let (protocol, own) = match wanted {
        Wanted::Service(name) => services
            .iter()
            .find(|service| service.name == *name)
            .map_or((Protocol::Tcp, 0), |service| (service.protocol, service.port)),
        Wanted::Place { protocol, port, .. } => (*protocol, *port),
        Wanted::Socks5 | Wanted::Back(_) => (Protocol::Tcp, 0),
    };
    let wished = forward.local.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, own)));
    let bound = match open(wanted, protocol, wished).await {
        Err(_) if forward.local.is_none() => open(wanted, protocol, (Ipv4Addr::LOCALHOST, 0).into()).await,
        bound => bound,
    };
    let failed = |source| BindError { local: wished, wanted: wanted.clone(), source };
    let socket = bound.map_err(failed)?;
    let local = match &socket {
        Socket::Tcp(tcp, _) | Socket::Socks5(tcp) => tcp.local_addr(),
        Socket::Udp(udp, _) => udp.local_addr(),
    };
    Ok(Listener { wanted: wanted.clone(), local: local.map_err(failed)?, socket })
}

async fn open(wanted: &Wanted, protocol: Protocol, at: SocketAddr) -> io::Result<Socket> {
    let target = match wanted {
        Wanted::Service(name) => Target::Service(name.clone()),
        Wanted::Place { protocol, host, port } => {
            Target::Address { protocol: *protocol, host: host.clone(), port: *port }
        }
        Wanted::Socks5 => return Ok(Socket::Socks5(TcpListener::bind(at).await?)),
        // The program listens by itself, and this one calls it.
        Wanted::Back(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    Ok(match protocol {
        Protocol::Tcp => Socket::Tcp(TcpListener::bind(at).await?, target),
        Protocol::Udp => Socket::Udp(UdpSocket::bind(at).await?.into(), target),
    })
}

/// The next connection. What goes wrong with one is no reason to stop taking others.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                // Mostly out of file descriptors; asking again at once would only burn.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wished_port_is_taken_or_refused_and_an_unwished_one_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service {
            name: "panel".parse().unwrap(),
            protocol: Protocol::Tcp,
            host: "192.168.1.50".into(),
            port: taken.local_addr().unwrap().port(),
        };
        let wanted = Wanted::Service(service.name.clone());
        let wished = Forward { local: Some(taken.local_addr().unwrap()), wanted: wanted.clone() };
        let refused = bind(&wished, &[]).await.unwrap_err();
        assert_eq!(refused.local, taken.local_addr().unwrap());
        let unwished =
            bind(&Forward { local: None, wanted: wanted.clone() }, std::slice::from_ref(&service)).await.unwrap();
        assert!(unwished.local.ip().is_loopback());
        assert_ne!(unwished.local, taken.local_addr().unwrap());
        // The same number is another port in UDP.
        let udp = Service { protocol: Protocol::Udp, ..service };
        let unwished = bind(&Forward { local: None, wanted }, &[udp]).await.unwrap();
        assert_eq!(unwished.local.port(), taken.local_addr().unwrap().port());
    }
}
