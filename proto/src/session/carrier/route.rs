//! What the system says of the way that a connection to the relay takes. Nothing is sent to find out.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use tokio::net::TcpStream;

/// What there is to see of the network here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The address from which a connection to the relay, or to the proxy before it, would begin now; none without a way
    /// there.
    pub source: Option<IpAddr>,
    /// Where the last one led: what was seen of the way elsewhere says nothing of this one.
    pub to: SocketAddr,
    /// Whether the address from which the last one began is still this computer's.
    pub stands: bool,
}

/// Between which addresses a connection is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    from: SocketAddr,
    to: SocketAddr,
}

impl Route {
    pub(super) fn of(tcp: &TcpStream) -> io::Result<Self> {
        Ok(Self { from: tcp.local_addr()?, to: tcp.peer_addr()? })
    }

    /// None where there is no telling, as without descriptors.
    pub(super) fn look(self) -> Option<Sight> {
        let mut own = self.from;
        own.set_port(0);
        let stands = match UdpSocket::bind(own) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => false,
            Err(_) => return None,
        };
        let any: IpAddr = if self.to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let asked = UdpSocket::bind((any, 0)).ok()?;
        // Connecting is where the system chooses; a socket for datagrams sends nothing by it.
        let source = asked.connect(self.to).and_then(|()| asked.local_addr()).ok().map(|chosen| chosen.ip());
        Some(Sight { source, to: self.to, stands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_address_stands_and_one_that_is_gone_does_not() {
        let local = |text: &str| text.parse::<SocketAddr>().unwrap();
        let route = |from| Route { from: local(from), to: local("127.0.0.1:443") };
        let (source, to) = (Some(Ipv4Addr::LOCALHOST.into()), local("127.0.0.1:443"));
        assert_eq!(route("127.0.0.1:50000").look(), Some(Sight { source, to, stands: true }));
        assert_eq!(route("192.0.2.77:50000").look(), Some(Sight { source, to, stands: false }));
    }
}
