//! Local ports, bound before the customer is asked: a port that is taken is found out first.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use gatelodge_proto::payload::{Service, ServiceName};
use tokio::net::{TcpListener, TcpStream};

use super::Forward;

/// An open local port and the service behind it.
#[derive(Debug)]
pub struct Listener {
    /// The service.
    pub service: ServiceName,
    /// Where it is open.
    pub local: SocketAddr,
    tcp: TcpListener,
}

/// A local port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{local} cannot be opened for {service}: {source}")]
pub struct BindError {
    /// Where.
    pub local: SocketAddr,
    /// For what.
    pub service: ServiceName,
    /// Why.
    pub source: io::Error,
}

/// Opens a local port. Without a wish, the service's own port when it can be had, else any.
pub async fn bind(forward: &Forward, services: &[Service]) -> Result<Listener, BindError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let own = services
        .iter()
        .find(|service| service.name == forward.service)
        .map_or(any, |service| SocketAddr::from((Ipv4Addr::LOCALHOST, service.port)));
    let wished = forward.local.unwrap_or(own);
    let bound = match TcpListener::bind(wished).await {
        Err(_) if forward.local.is_none() => TcpListener::bind(any).await,
        bound => bound,
    };
    let failed = |source| BindError { local: wished, service: forward.service.clone(), source };
    let tcp = bound.map_err(failed)?;
    let local = tcp.local_addr().map_err(failed)?;
    Ok(Listener { service: forward.service.clone(), local, tcp })
}

impl Listener {
    /// The next connection. What goes wrong with one is no reason to stop taking others.
    pub(super) async fn accept(&self) -> TcpStream {
        loop {
            match self.tcp.accept().await {
                Ok((tcp, _)) => return tcp,
                Err(error) => {
                    tracing::warn!(%error, local = %self.local, "a connection could not be taken");
                    // Mostly out of file descriptors; asking again at once would only burn.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
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
            protocol: gatelodge_proto::payload::Protocol::Tcp,
            host: "192.168.1.50".into(),
            port: taken.local_addr().unwrap().port(),
        };
        let name = service.name.clone();
        let wished = Forward { local: Some(taken.local_addr().unwrap()), service: name.clone() };
        let refused = bind(&wished, &[]).await.unwrap_err();
        assert_eq!(refused.local, taken.local_addr().unwrap());
        let unwished = bind(&Forward { local: None, service: name }, &[service]).await.unwrap();
        assert!(unwished.local.ip().is_loopback());
        assert_ne!(unwished.local, taken.local_addr().unwrap());
    }
}
