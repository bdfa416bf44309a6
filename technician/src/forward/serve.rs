//! What local ports do while a session runs: each connection, and each program that sends datagrams, is a flow.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    FlowId,
    session::{
        Datagrams, Stream,
        driver::OpenFailure,
        inner_frame::{Class, MAX_PAYLOAD, Open, OpenError, Target},
        pump,
    },
};
use tokio::net::{TcpStream, UdpSocket};

use super::{
    Flows, Listener, Update,
    fan::{Back, Fan},
    listen::{Socket, accept},
    socks5,
};

impl Flows {
    /// Takes connections and datagrams until the session ends.
    pub(crate) async fn serve(&self, listeners: &[Listener]) {
        let each = listeners.iter().map(|listener| async {
            match &listener.socket {
                Socket::Tcp(tcp, target) => loop {
                    let (tcp, _) = accept(tcp).await;
                    let (flows, target) = (self.clone(), target.clone());
                    self.running.spawn(async move { flows.carry(tcp, target).await });
                },
                Socket::Udp(udp, target) => self.relay(udp, target).await,
                Socket::Socks5(tcp) => loop {
                    let (tcp, peer) = accept(tcp).await;
                    let flows = self.clone();
                    self.running.spawn(async move { socks5::serve(&flows, tcp, peer).await });
                },
            }
        });
        futures_util::future::join_all(each).await;
    }

    async fn carry(&self, tcp: TcpStream, target: Target) {
        match self.reach(target).await {
            Ok(reached) => self.pump(tcp, reached).await,
            // A closed port looks closed here as well as there.
            Err(_) => drop(tcp.set_zero_linger()),
        }
    }

    /// Opens a stream and tells so.
    pub(super) async fn reach(&self, target: Target) -> Result<Reached, OpenFailure> {
        let flow = self.id();
        let open = Open { flow, target: target.clone(), class: Class::Interactive, credit: 0 };
        let opened = if self.covers(&target) { self.handle.open(open).await } else { Err(NOT_COVERED) };
        self.told(&target, flow, opened.as_ref().err())?;
        opened.map(|stream| Reached { stream, flow, target })
    }

    /// Carries a connection until both ends are done, and tells so.
    pub(super) async fn pump(&self, tcp: TcpStream, Reached { stream, flow, target }: Reached) {
        let totals = pump(tcp, stream).await;
        let (bytes_up, bytes_down) = (totals.received, totals.sent);
        let _ = self.updates.send(Update::FlowClosed { target, flow, bytes_up, bytes_down });
    }

    /// Opens a flow of datagrams and tells so.
    pub(super) async fn reach_datagrams(&self, target: &Target) -> Result<(Datagrams, FlowId), OpenFailure> {
        let flow = self.id();
        let open = Open { flow, target: target.clone(), class: Class::Interactive, credit: 0 };
        let opened = if self.covers(target) { self.handle.open_datagrams(open).await } else { Err(NOT_COVERED) };
        self.told(target, flow, opened.as_ref().err())?;
        opened.map(|datagrams| (datagrams, flow))
    }

    fn told(&self, target: &Target, flow: FlowId, failure: Option<&OpenFailure>) -> Result<(), OpenFailure> {
        let target = target.clone();
        let Some(failure) = failure.copied() else {
            let _ = self.updates.send(Update::FlowOpened { target, flow });
            return Ok(());
        };
        let _ = self.updates.send(Update::FlowFailed { target, flow, failure });
        Err(failure)
    }

    /// Whether the device may be asked for it at all: one of version 1 knows services only, and names no network. What
    /// its networks do not cover is the device's to refuse, so that both histories have it.
    fn covers(&self, target: &Target) -> bool {
        match target {
            // Whether the device lets a session have a terminal is in its ACCEPT.
            Target::Service(_) | Target::Terminal { .. } => true,
            Target::Address { .. } | Target::Echo { .. } => !self.networks.is_empty(),
            Target::Call { .. } | Target::File { .. } | Target::Discover | Target::Certify { .. } | Target::Blind => {
                false
            }
        }
    }

    /// Datagrams to a local port: a flow for each program that sends.
    async fn relay(&self, udp: &Arc<UdpSocket>, target: &Target) {
        let mut fan: Fan<SocketAddr> = Fan::new(self.clone(), udp.clone());
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(MAX_PAYLOAD + 1);
            match udp.recv_buf_from(&mut buffer).await {
                Ok((_, peer)) => {
                    let datagram = Bytes::copy_from_slice(&buffer);
                    fan.pass(peer, target, datagram, || Back { peer, head: Bytes::new() });
                }
                // What an earlier answer came back with; the port itself is well.
                Err(error) => tracing::debug!(%error, "a local program does not take its datagrams"),
            }
            buffer.clear();
        }
    }
}

/// A stream to a target.
pub(super) struct Reached {
    pub(super) stream: Stream,
    pub(super) flow: FlowId,
    pub(super) target: Target,
}

/// What a device says to such a target, said here.
const NOT_COVERED: OpenFailure = OpenFailure::Target(OpenError::NotAllowed);
