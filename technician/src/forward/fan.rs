//! Many flows of datagrams behind one local socket: a flow for each key, made by the first datagram for it.

use std::{collections::HashMap, hash::Hash, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use gatelodge_proto::session::inner_frame::Target;
use tokio::{net::UdpSocket, sync::mpsc, time::Instant};

use super::{Flows, Update};

/// A flow ends after this time without a datagram either way, as it does on the device.
const IDLE: Duration = Duration::from_secs(120);
/// Datagrams that wait while their flow is being opened; later ones are lost.
const WAITING: usize = 64;
/// Flows at once behind one socket.
const MOST: usize = 128;

/// Where answers go.
pub(super) struct Back {
    pub(super) peer: SocketAddr,
    /// What stands before each.
    pub(super) head: Bytes,
}

pub(super) struct Fan<K> {
    flows: Flows,
    socket: Arc<UdpSocket>,
    open: HashMap<K, mpsc::Sender<Bytes>>,
}

impl<K: Eq + Hash> Fan<K> {
    pub(super) fn new(flows: Flows, socket: Arc<UdpSocket>) -> Self {
        Self { flows, socket, open: HashMap::new() }
    }

    /// Sends a datagram to the target by the key's flow. It is lost when there are too many flows already.
    pub(super) fn pass(&mut self, key: K, target: &Target, datagram: Bytes, back: impl FnOnce() -> Back) {
        self.open.retain(|_, flow| !flow.is_closed());
        if let Some(flow) = self.open.get(&key) {
            let _ = flow.try_send(datagram);
            return;
        }
        if self.open.len() >= MOST {
            return;
        }
        let (flow, waiting) = mpsc::channel(WAITING);
        let _ = flow.try_send(datagram);
        self.open.insert(key, flow);
        let carried = carry(self.flows.clone(), target.clone(), waiting, self.socket.clone(), back());
        self.flows.running.spawn(carried);
    }
}

/// Until the device ends the flow, the local side is gone, or nobody speaks.
async fn carry(flows: Flows, target: Target, mut waiting: mpsc::Receiver<Bytes>, socket: Arc<UdpSocket>, back: Back) {
    let Ok((datagrams, flow)) = flows.reach_datagrams(&target).await else { return };
    let (mut bytes_up, mut bytes_down) = (0, 0);
    let mut idle = std::pin::pin!(tokio::time::sleep(IDLE));
    loop {
        tokio::select! {
            datagram = waiting.recv() => {
                let Some(datagram) = datagram else { break };
                bytes_down += datagram.len() as u64;
                datagrams.send(datagram);
            }
            datagram = datagrams.recv() => {
                let Some(datagram) = datagram else { break };
                bytes_up += datagram.len() as u64;
                let answer = if back.head.is_empty() { datagram } else { [&*back.head, &datagram].concat().into() };
                if let Err(error) = socket.send_to(&answer, back.peer).await {
                    tracing::debug!(%error, "an answer is lost");
                }
            }
            () = idle.as_mut() => break,
        }
        idle.as_mut().reset(Instant::now() + IDLE);
    }
    let _ = flows.updates.send(Update::FlowClosed { target, flow, bytes_up, bytes_down });
}
