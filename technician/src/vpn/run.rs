//! The work of a VPN session: packets between the interface and the stack, flows between the stack and the device.

use std::{
    future::poll_fn,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use gatelodge_proto::session::{
    Arrival, Datagrams, FlowTotals, Stream,
    inner_frame::{Class, Open, ResetCode},
};
use tokio::{sync::Notify, time::Instant};
use tun_rs::AsyncDevice;

use super::stack::{Flow, Gone, Kind, MTU, Stack, Wanted};
use crate::forward::{Flows, Update};

/// Packets taken from the interface before the stack answers them.
const BATCH: usize = 64;

/// The stack, and a way to say that it has something to do.
#[derive(Clone)]
struct Shared {
    stack: Arc<Mutex<Stack>>,
    work: Arc<Notify>,
}

enum Way {
    Bytes(Stream),
    Datagrams(Datagrams),
}

enum Broken {
    Connection,
    Stream,
}

impl From<Gone> for Broken {
    fn from(_: Gone) -> Self {
        Self::Connection
    }
}

impl From<ResetCode> for Broken {
    fn from(_: ResetCode) -> Self {
        Self::Stream
    }
}

/// Carries packets for as long as the interface is there; gives why it is not.
pub(super) async fn carry(device: &AsyncDevice, stack: Stack, flows: &Flows) -> io::Error {
    let shared = Shared { stack: Arc::new(Mutex::new(stack)), work: Arc::default() };
    let mut buffer = vec![0; MTU];
    loop {
        if let Err(error) = shared.serve(device, flows).await {
            return error;
        }
        let timeout = shared.stack().poll_timeout(now());
        let timer = async {
            match timeout {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = device.recv(&mut buffer) => match received {
                Ok(length) => shared.take(device, &mut buffer, length),
                Err(error) => return error,
            },
            () = shared.work.notified() => {}
            () = timer => shared.stack().handle_timeout(now()),
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

impl Shared {
    fn stack(&self) -> MutexGuard<'_, Stack> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A packet, and what more has come meanwhile.
    fn take(&self, device: &AsyncDevice, buffer: &mut [u8], mut length: usize) {
        let (mut stack, now) = (self.stack(), now());
        for _ in 0..BATCH {
            stack.handle_packet(&buffer[..length], now);
            match device.try_recv(buffer) {
                Ok(next) => length = next,
                // An error is met again by whoever waits next.
                Err(_) => return,
            }
        }
    }

    /// Does what the stack wants.
    async fn serve(&self, device: &AsyncDevice, flows: &Flows) -> io::Result<()> {
        loop {
            let wanted = self.stack().poll_wanted();
            let Some(wanted) = wanted else { break };
            let (shared, own) = (self.clone(), flows.clone());
            flows.running.spawn(async move { shared.open(wanted, own).await });
        }
        loop {
            let packet = self.stack().poll_packet(now());
            let Some(packet) = packet else { return Ok(()) };
            device.send(&packet).await?;
        }
    }

    /// Opens a flow at the device and carries it to its end.
    async fn open(self, wanted: Wanted, flows: Flows) {
        let Wanted { flow, target } = wanted;
        let (id, told) = (flows.id(), flows.updates.clone());
        let tell = |update| drop(told.send(update));
        let open = Open { flow: id, target: target.clone(), class: Class::Interactive, credit: 0 };
        let way = match flow.ends.kind {
            Kind::Tcp => flows.handle.open(open).await.map(Way::Bytes),
            Kind::Udp | Kind::Echo => flows.handle.open_datagrams(open).await.map(Way::Datagrams),
        };
        let opened = way.as_ref().map(|_| ()).map_err(|failure| *failure);
        tell(match opened {
            Ok(()) => Update::FlowOpened { target: target.clone(), flow: id },
            Err(failure) => Update::FlowFailed { target: target.clone(), flow: id, failure },
        });
        self.stack().answer(flow, opened, now());
        self.work.notify_one();
        let totals = match way {
            Ok(Way::Bytes(stream)) => self.pump(flow, stream).await,
            Ok(Way::Datagrams(datagrams)) => self.exchange(flow, &datagrams).await,
            Err(_) => return,
        };
        tell(Update::FlowClosed { target, flow: id, bytes_up: totals.received, bytes_down: totals.sent });
    }

    /// A connection and a stream: bytes both ways, half-closes, breaks.
    async fn pump(&self, flow: Flow, stream: Stream) -> FlowTotals {
        let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
        let outcome = {
            let both = async { tokio::try_join!(self.out(flow, &stream, &sent), self.back(flow, &stream, &received)) };
            tokio::select! {
                outcome = both => outcome.map(drop),
                _ = stream.broken() => Err(Broken::Stream),
            }
        };
        match outcome {
            Ok(()) => {}
            Err(Broken::Connection) => stream.reset(ResetCode::Broken),
            Err(Broken::Stream) => {
                self.stack().abort(flow);
                self.work.notify_one();
            }
        }
        FlowTotals { sent: sent.into_inner(), received: received.into_inner() }
    }

    async fn out(&self, flow: Flow, stream: &Stream, sent: &AtomicU64) -> Result<(), Broken> {
        loop {
            let room = stream.room().await?;
            let read = poll_fn(|context| self.stack().poll_read(flow, room, context)).await?;
            let Some(bytes) = read else { return Ok(stream.finish().await?) };
            self.work.notify_one();
            let length = bytes.len() as u64;
            stream.send(bytes).await?;
            sent.fetch_add(length, Ordering::Relaxed);
        }
    }

    async fn back(&self, flow: Flow, stream: &Stream, received: &AtomicU64) -> Result<(), Broken> {
        while let Arrival::Data(bytes) = stream.next().await? {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let taken = poll_fn(|context| self.stack().poll_write(flow, rest, context)).await?;
                rest = &rest[taken..];
                self.work.notify_one();
            }
            received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            stream.consumed(bytes.len()).await?;
        }
        self.stack().finish(flow);
        self.work.notify_one();
        Ok(())
    }

    /// Datagrams both ways until either side has no more.
    async fn exchange(&self, flow: Flow, datagrams: &Datagrams) -> FlowTotals {
        let mut totals = FlowTotals::default();
        loop {
            tokio::select! {
                said = poll_fn(|context| self.stack().poll_datagram(flow, context)) => {
                    let Some(datagram) = said else { return totals };
                    totals.sent += datagram.len() as u64;
                    datagrams.send(datagram);
                }
                heard = datagrams.recv() => {
                    let Some(datagram) = heard else { break };
                    totals.received += datagram.len() as u64;
                    self.stack().put_datagram(flow, &datagram, now());
                    self.work.notify_one();
                }
            }
        }
        self.stack().hung_up(flow);
        self.work.notify_one();
        totals
    }
}
