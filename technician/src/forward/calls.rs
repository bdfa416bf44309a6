//! The installation's calls: each is a connection, or a flow of datagrams, to a program of this computer.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    FlowId,
    payload::{Protocol, ServiceName},
    session::{
        Datagrams,
        driver::{Incoming, OpenFailure},
        inner_frame::{MAX_PAYLOAD, OpenError, Target},
    },
};
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::mpsc,
    time::Instant,
};

use super::{Flows, Update, serve::Reached};

/// Longest wait for the program.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// A flow of datagrams ends after this time without one either way, as it does on the device.
const IDLE: Duration = Duration::from_secs(120);

/// Where the calls to one of the device's ports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// What the port is called.
    pub name: ServiceName,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The program.
    pub local: SocketAddr,
}

impl Flows {
    /// Takes calls until the session ends. Nothing else of the device's is opened.
    pub(super) async fn answer(&self, mut incoming: mpsc::UnboundedReceiver<Incoming>, backs: &[Back]) {
        while let Some(wanted) = incoming.recv().await {
            let back = match &wanted.open.target {
                Target::Call { listen, .. } => backs.iter().find(|back| back.name == *listen),
                Target::Service(_)
                | Target::Address { .. }
                | Target::Echo { .. }
                | Target::File { .. }
                | Target::Terminal { .. }
                | Target::Discover
                | Target::Certify { .. }
                | Target::Blind => None,
            };
            if let Some(back) = back {
                let (flows, back) = (self.clone(), back.clone());
                self.running.spawn(async move { flows.take(wanted, &back).await });
            } else {
                self.handle.refuse(wanted.stream, OpenError::NotAllowed).await;
            }
        }
        std::future::pending::<()>().await;
    }

    async fn take(&self, mut wanted: Incoming, back: &Back) {
        let (flow, target, begun) = (wanted.open.flow, wanted.open.target.clone(), Instant::now());
        let found = tokio::select! {
            found = tokio::time::timeout(ANSWERS_WITHIN, Program::find(back)) => found,
            () = wanted.given_up() => return,
        };
        let failure = match found {
            Ok(Ok(Program::Tcp(tcp))) => {
                let Some(stream) = self.handle.accept(wanted.stream, begun.elapsed(), String::new()).await else {
                    return;
                };
                self.tell(Update::FlowOpened { target: target.clone(), flow });
                return self.pump(tcp, Reached { stream, flow, target }).await;
            }
            Ok(Ok(Program::Udp(socket))) => {
                let accepted = self.handle.accept_datagrams(wanted.stream, begun.elapsed(), String::new()).await;
                let Some(datagrams) = accepted else { return };
                self.tell(Update::FlowOpened { target: target.clone(), flow });
                return self.exchange(&socket, &datagrams, target, flow).await;
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => OpenError::Refused,
            Ok(Err(_)) => OpenError::Unreachable,
            Err(_) => OpenError::TimedOut,
        };
        self.handle.refuse(wanted.stream, failure).await;
        self.tell(Update::FlowFailed { target, flow, failure: OpenFailure::Target(failure) });
    }

    async fn exchange(&self, socket: &UdpSocket, datagrams: &Datagrams, target: Target, flow: FlowId) {
        let (mut bytes_up, mut bytes_down, mut buffer) = (0, 0, BytesMut::new());
        let mut idle = std::pin::pin!(tokio::time::sleep(IDLE));
        loop {
            buffer.reserve(MAX_PAYLOAD + 1);
            tokio::select! {
                said = datagrams.recv() => {
                    let Some(datagram) = said else { break };
                    bytes_up += datagram.len() as u64;
                    // An error is the answer to an earlier one: nobody listens.
                    if socket.send(&datagram).await.is_err() {
                        break;
                    }
                }
                answered = socket.recv_buf(&mut buffer) => {
                    if answered.is_err() {
                        break;
                    }
                    bytes_down += buffer.len() as u64;
                    datagrams.send(Bytes::copy_from_slice(&buffer));
                    buffer.clear();
                }
                () = idle.as_mut() => break,
            }
            idle.as_mut().reset(Instant::now() + IDLE);
        }
        self.tell(Update::FlowClosed { target, flow, bytes_up, bytes_down });
    }

    fn tell(&self, update: Update) {
        let _ = self.updates.send(update);
    }
}

/// A program that takes calls.
enum Program {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl Program {
    async fn find(back: &Back) -> io::Result<Self> {
        if back.protocol == Protocol::Tcp {
            return TcpStream::connect(back.local).await.map(Self::Tcp);
        }
        let any = match back.local {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(back.local).await?;
        Ok(Self::Udp(socket))
    }
}
