//! Whether an address answers: pings by an unprivileged ICMP socket where the system lets this process have one
//! (`net.ipv4.ping_group_range`), else by a TCP connection that nobody means: refused or taken, somebody is there.
//! Never sends faster than [`MOST_A_SECOND`], and listens to the one address alone.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use gatelodge_proto::session::{Datagrams, FlowTotals};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};
use tokio::{
    net::{TcpStream, UdpSocket},
    task::JoinSet,
    time::Instant,
};

use super::udp;

const MOST_A_SECOND: u32 = 20;
/// The echo service (RFC 862): hosts refuse it, and a panel that takes one connection is not kept busy by it.
const PROBED: u16 = 7;
const PROBE_WITHIN: Duration = Duration::from_secs(2);
const PROBES_AT_ONCE: usize = 4;
/// Type, code, checksum, identifier; sequence number and data follow, and they are what travels.
const HEAD: usize = 6;
const LARGEST: usize = 65_535;

/// A way to ask one address.
pub(super) enum Echo {
    /// By ICMP, which the system numbers and sums up.
    Icmp(UdpSocket, IpAddr),
    /// By TCP.
    Probe(IpAddr),
}

impl Echo {
    /// The best way that this process may use.
    pub(super) fn to(address: IpAddr) -> Self {
        match icmp(address) {
            Ok(socket) => Self::Icmp(socket, address),
            Err(error) => {
                tracing::debug!(%error, "no ICMP socket; pings are answered by TCP");
                Self::Probe(address)
            }
        }
    }

    pub(super) const fn peer(&self) -> IpAddr {
        match self {
            Self::Icmp(_, address) | Self::Probe(address) => *address,
        }
    }

    /// Answers until the flow ends or nobody asks any more. A datagram is a sequence number and data, both ways.
    pub(super) async fn carry(self, datagrams: Datagrams) -> FlowTotals {
        match self {
            Self::Icmp(socket, address) => ping(&socket, address, &datagrams).await,
            Self::Probe(address) => probe(address, &datagrams).await,
        }
    }
}

fn icmp(address: IpAddr) -> io::Result<UdpSocket> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::DGRAM, flags, Some(protocol))?;
    connect(&socket, &SocketAddr::new(address, 0))?;
    // The same calls as for UDP: a connected socket of datagrams.
    UdpSocket::from_std(socket.into())
}

/// How many more may be sent now.
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn new() -> Self {
        Self { left: MOST_A_SECOND, since: Instant::now() }
    }

    fn take(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self::new();
        }
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }
}

async fn ping(socket: &UdpSocket, address: IpAddr, datagrams: &Datagrams) -> FlowTotals {
    let (request, reply) = if address.is_ipv4() { (8, 0) } else { (128, 129) };
    let (mut totals, mut allowance, mut buffer) = (FlowTotals::default(), Allowance::new(), vec![0; LARGEST]);
    loop {
        tokio::select! {
            asked = tokio::time::timeout(udp::IDLE, datagrams.recv()) => {
                let Ok(Some(message)) = asked else { return totals };
                if !allowance.take() {
                    continue;
                }
                totals.received += message.len() as u64;
                let mut packet = vec![request, 0, 0, 0, 0, 0];
                packet.extend_from_slice(&message);
                if let Err(error) = socket.send(&packet).await {
                    tracing::debug!(%error, "a ping could not be sent");
                }
            }
            message = answer(socket, reply, &mut buffer) => {
                totals.sent += message.len() as u64;
                datagrams.send(message);
            }
        }
    }
}

/// The next answer. Cancelling loses nothing.
async fn answer(socket: &UdpSocket, reply: u8, buffer: &mut [u8]) -> Bytes {
    loop {
        match socket.recv(buffer).await {
            Ok(length) => {
                if let Some((head, message)) = buffer[..length].split_at_checked(HEAD)
                    && head[0] == reply
                {
                    return Bytes::copy_from_slice(message);
                }
            }
            // Of an earlier ping: that nobody is there, and silence says so too.
            Err(error) => tracing::debug!(%error, "a ping failed"),
        }
    }
}

async fn probe(address: IpAddr, datagrams: &Datagrams) -> FlowTotals {
    let (mut totals, mut allowance, mut probes) = (FlowTotals::default(), Allowance::new(), JoinSet::new());
    loop {
        tokio::select! {
            asked = tokio::time::timeout(udp::IDLE, datagrams.recv()) => {
                let Ok(Some(message)) = asked else { return totals };
                if probes.len() < PROBES_AT_ONCE && allowance.take() {
                    totals.received += message.len() as u64;
                    probes.spawn(async move { is_there(address).await.then_some(message) });
                }
            }
            Some(Ok(Some(message))) = probes.join_next() => {
                totals.sent += message.len() as u64;
                datagrams.send(message);
            }
        }
    }
}

async fn is_there(address: IpAddr) -> bool {
    let connect = TcpStream::connect((address, PROBED));
    match tokio::time::timeout(PROBE_WITHIN, connect).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.kind() == io::ErrorKind::ConnectionRefused,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_that_refuses_is_there() {
        assert!(is_there("127.0.0.1".parse().unwrap()).await);
    }

    #[tokio::test]
    async fn an_answer_is_heard_after_a_ping_that_failed() {
        let host = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (socket, address) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), host.local_addr().unwrap());
        drop(host);
        socket.connect(address).await.unwrap();
        socket.send(b"nobody is there").await.unwrap();
        socket.ready(tokio::io::Interest::ERROR).await.unwrap();
        let host = UdpSocket::bind(address).await.unwrap();
        for packet in [&[8, 0, 0, 0, 0, 0, 7][..], &[0, 0], &[0, 0, 0, 0, 0, 0, 9]] {
            host.send_to(packet, socket.local_addr().unwrap()).await.unwrap();
        }
        let heard = tokio::time::timeout(PROBE_WITHIN, answer(&socket, 0, &mut [0; 64])).await;
        assert_eq!(heard.unwrap(), [9].as_slice(), "the answer alone, and in spite of the error");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_to_its_allowance() {
        let mut allowance = Allowance::new();
        let taken = (0..1000).filter(|_| allowance.take()).count();
        assert_eq!(taken, MOST_A_SECOND as usize);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(allowance.take());
    }
}
