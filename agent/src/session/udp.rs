//! A flow of datagrams to one target: a connected socket of its own, both ways, until nobody has spoken for a while.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::session::{Datagrams, FlowTotals, inner_frame::MAX_PAYLOAD};
use tokio::{io::Interest, net::UdpSocket, time::Instant};

/// A flow ends after this time without a datagram either way (RFC 4787 section 4.3).
pub(super) const IDLE: Duration = Duration::from_secs(120);

/// A socket that hears and speaks to that address only.
pub(super) async fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// Carries datagrams until one side ends the flow, the target says that nobody listens there, or nobody speaks.
pub(super) async fn carry(socket: UdpSocket, flow: Datagrams) -> FlowTotals {
    let (mut totals, mut buffer) = (FlowTotals::default(), BytesMut::new());
    let mut idle = std::pin::pin!(tokio::time::sleep(IDLE));
    loop {
        tokio::select! {
            ready = socket.ready(Interest::READABLE | Interest::ERROR) => {
                if let Some(error) = ready.err().or_else(|| refusal(&socket)) {
                    tracing::debug!(%error, "a target refuses datagrams");
                    return totals;
                }
                // One byte more than is carried, to know what was longer. Nothing is held while nobody speaks.
                buffer.reserve(MAX_PAYLOAD + 1);
                match socket.try_recv_buf(&mut buffer) {
                    Ok(length) => {
                        totals.sent += length as u64;
                        flow.send(Bytes::copy_from_slice(&buffer));
                        buffer.clear();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        buffer = BytesMut::new();
                        continue;
                    }
                    Err(_) => return totals,
                }
            }
            datagram = flow.recv() => {
                let Some(datagram) = datagram else { return totals };
                totals.received += datagram.len() as u64;
                match socket.send(&datagram).await {
                    Ok(_) => {}
                    // What the target's side said to an earlier one.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return totals,
                    Err(error) => tracing::debug!(%error, "a datagram is lost"),
                }
            }
            () = idle.as_mut() => return totals,
        }
        idle.as_mut().reset(Instant::now() + IDLE);
    }
}

/// What the network has said to an earlier datagram, like "nobody listens there" (ICMP port unreachable).
fn refusal(socket: &UdpSocket) -> Option<io::Error> {
    let said = || socket.take_error()?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
    socket.try_io(Interest::ERROR, said).ok()
}
