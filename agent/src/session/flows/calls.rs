//! The installation's calls: ports of this device that are open while a session lives, each call a flow to a program of
//! the technician's. A port is open on the device's own address towards those who may call, and to them alone.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Weak, atomic::Ordering},
};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    payload::Listen,
    session::{
        Datagrams, Stream,
        driver::OpenFailure,
        inner_frame::{Class, MAX_PAYLOAD, Open},
    },
};
use tokio::{net::TcpListener, sync::mpsc};

use super::{
    Arc, Duration, FlowId, FlowOutcome, FlowTotals, Flows, Happening, HashMap, Instant, OpenError, Protocol,
    ServiceName, Shared, Target, TcpStream, UdpSocket,
    callers::{Callers, Knocks, OF_ONE, Place},
    outcome, pump, udp,
};

/// Longest wait for the technician's answer to a call.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// Calls of a session, all in all: each is two rows in both histories for ever.
const MOST: usize = 4096;
/// Datagrams that wait while their call is answered; later ones are lost.
const WAITING: usize = 64;
/// What goes wrong with one call is no reason to take no others; mostly descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// A port that is open for calls.
pub(in crate::session) struct Door {
    listen: Listen,
    socket: Socket,
}

enum Socket {
    Tcp(TcpListener),
    Udp(Arc<UdpSocket>),
}

impl Socket {
    async fn open(protocol: Protocol, at: SocketAddr) -> io::Result<Self> {
        Ok(match protocol {
            Protocol::Tcp => Self::Tcp(TcpListener::bind(at).await?),
            Protocol::Udp => Self::Udp(Arc::new(UdpSocket::bind(at).await?)),
        })
    }
}

impl Door {
    /// Opens the port on each of the device's own addresses that is among those who may call, else on the one from which
    /// this device speaks to them. What can be opened is; what cannot, is in the log with its address.
    pub(in crate::session) async fn open(listen: &Listen, own: &[IpAddr]) -> Vec<Self> {
        let mut at: Vec<_> = own.iter().copied().filter(|address| listen.from.contains(*address)).collect();
        if at.is_empty() {
            match towards(listen.from.first()) {
                Ok(address) => at.push(address),
                Err(error) => {
                    tracing::warn!(%error, listen = %listen.name, from = %listen.from, "no address to be called at");
                }
            }
        }
        let mut doors = Vec::new();
        for address in at {
            let at = SocketAddr::new(address, listen.port);
            match Socket::open(listen.protocol, at).await {
                Ok(socket) => doors.push(Self { listen: listen.clone(), socket }),
                Err(error) => {
                    tracing::warn!(%error, listen = %listen.name, %at, "a port for calls cannot be opened");
                }
            }
        }
        doors
    }

    /// What it is called.
    pub(in crate::session) const fn name(&self) -> &ServiceName {
        &self.listen.name
    }
}

/// This device's own address on the way there; nothing is sent.
fn towards(there: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match there {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect((there, 9))?;
    Ok(socket.local_addr()?.ip())
}

impl Flows {
    /// Takes calls until [`wind_up`](Self::wind_up).
    pub(in crate::session) fn take_calls(&mut self, doors: Vec<Door>) {
        for Door { listen, socket } in doors {
            let calls = Calls {
                shared: self.shared.clone(),
                listen,
                running: self.running.clone(),
                most: usize::from(self.limits.streams),
                between: Duration::from_secs(1) / self.limits.opens_per_second.max(1),
            };
            match socket {
                Socket::Tcp(listener) => self.doors.spawn(async move { calls.connections(listener).await }),
                Socket::Udp(socket) => self.doors.spawn(async move { calls.datagrams(socket).await }),
            };
        }
    }
}

/// What a port's calls have in common.
struct Calls {
    shared: Arc<Shared>,
    listen: Listen,
    running: super::TaskTracker,
    /// Flows of the session at once.
    most: usize,
    /// From one call taken to the next.
    between: Duration,
}

impl Calls {
    async fn connections(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((tcp, caller)) => {
                    let place =
                        self.may(caller).then(|| Callers::connection(&self.shared.callers, caller.ip(), self.most()));
                    let Some(place) = place.flatten() else {
                        tracing::info!(%caller, listen = %self.listen.name, "a call is not taken");
                        drop(tcp.set_zero_linger());
                        continue;
                    };
                    let (shared, listen) = (self.shared.clone(), self.listen.clone());
                    self.running.spawn(async move {
                        shared.connect_call(tcp, &listen, caller).await;
                        drop(place);
                    });
                    tokio::time::sleep(self.between).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a call could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn datagrams(self, socket: Arc<UdpSocket>) {
        let mut open: HashMap<SocketAddr, (mpsc::Sender<Bytes>, Weak<Place>)> = HashMap::new();
        let (mut knocks, mut buffer) = (Knocks::default(), BytesMut::new());
        loop {
            buffer.reserve(MAX_PAYLOAD + 1);
            match socket.recv_buf_from(&mut buffer).await {
                Ok((_, caller)) => {
                    let datagram = buffer.split().freeze();
                    open.retain(|_, (call, _)| !call.is_closed());
                    if let Some((call, place)) = open.get(&caller) {
                        place.upgrade().inspect(|place| place.heard());
                        let _ = call.try_send(datagram);
                        continue;
                    }
                    if !self.may(caller) {
                        continue;
                    }
                    let place = |knocked| Callers::datagrams(&self.shared.callers, caller.ip(), self.most(), knocked);
                    let Some(place) = place(false).or_else(|| place(knocks.again(caller))) else {
                        tracing::debug!(%caller, listen = %self.listen.name, "a call is not taken");
                        continue;
                    };
                    let place = Arc::new(place);
                    let (call, waiting) = mpsc::channel(WAITING);
                    let _ = call.try_send(datagram);
                    open.insert(caller, (call, Arc::downgrade(&place)));
                    let (shared, listen, socket) = (self.shared.clone(), self.listen.clone(), socket.clone());
                    self.running.spawn(async move {
                        shared.datagram_call(waiting, &socket, &listen, caller, &place).await;
                    });
                    tokio::time::sleep(self.between).await;
                }
                // What the network said to an earlier answer.
                Err(error) => tracing::debug!(%error, "a datagram of a call is lost"),
            }
        }
    }

    /// Who may not call leaves no row: anybody could fill the history.
    fn may(&self, caller: SocketAddr) -> bool {
        self.listen.from.contains(caller.ip()) && self.shared.calls.load(Ordering::Relaxed) < MOST
    }

    /// Calls have a quarter of the session's places, so that the technician's own flows always find one.
    fn most(&self) -> usize {
        (self.most / 4).max(OF_ONE)
    }
}

impl Shared {
    async fn connect_call(&self, tcp: TcpStream, listen: &Listen, caller: SocketAddr) {
        let (open, begun) = (self.calling(listen, caller), Instant::now());
        let flow = open.flow;
        match self.answered(self.handle.open(open), flow, listen, caller).await {
            Some(stream) => {
                let stream: Stream = stream;
                let totals = pump(tcp, stream).await;
                self.closed(flow, totals, begun).await;
            }
            // To the caller it is a port where nobody listens, as far as a connection that stands can show it.
            None => drop(tcp.set_zero_linger()),
        }
    }

    async fn datagram_call(
        &self,
        mut waiting: mpsc::Receiver<Bytes>,
        socket: &UdpSocket,
        listen: &Listen,
        caller: SocketAddr,
        place: &Place,
    ) {
        let (open, begun) = (self.calling(listen, caller), Instant::now());
        let flow = open.flow;
        let answered = self.answered(self.handle.open_datagrams(open), flow, listen, caller).await;
        let Some(datagrams): Option<Datagrams> = answered else { return };
        let mut totals = FlowTotals::default();
        let mut idle = std::pin::pin!(tokio::time::sleep(udp::IDLE));
        loop {
            tokio::select! {
                said = waiting.recv() => {
                    let Some(datagram) = said else { break };
                    totals.sent += datagram.len() as u64;
                    datagrams.send(datagram);
                }
                answer = datagrams.recv() => {
                    let Some(datagram) = answer else { break };
                    totals.received += datagram.len() as u64;
                    place.answered();
                    if let Err(error) = socket.send_to(&datagram, caller).await {
                        tracing::debug!(%error, "a datagram is lost");
                    }
                }
                () = place.displaced() => break,
                () = idle.as_mut() => break,
            }
            idle.as_mut().reset(Instant::now() + udp::IDLE);
        }
        self.closed(flow, totals, begun).await;
    }

    fn calling(&self, listen: &Listen, caller: SocketAddr) -> Open {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let target = Target::Call { listen: listen.name.clone(), caller };
        Open { flow: self.ids.flow(), target, class: Class::Interactive, credit: 0 }
    }

    /// The technician's answer, once the history has it.
    async fn answered<T>(
        &self,
        answer: impl Future<Output = Result<T, OpenFailure>>,
        flow: FlowId,
        listen: &Listen,
        caller: SocketAddr,
    ) -> Option<T> {
        let late = Err(OpenFailure::Target(OpenError::TimedOut));
        let answer = tokio::time::timeout(ANSWERED_WITHIN, answer).await.unwrap_or(late);
        let outcome = match &answer {
            Ok(_) => FlowOutcome::Opened,
            Err(OpenFailure::Target(error)) => outcome(*error),
            Err(OpenFailure::Over) => return None,
        };
        let target = format!("call of {} {caller} to {} (port {})", listen.protocol.word(), listen.name, listen.port);
        let told = self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        answer.ok().filter(|_| told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_opened_takes_no_other_with_it() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = Listen {
            name: "events".parse().unwrap(),
            protocol: Protocol::Tcp,
            port: taken.local_addr().unwrap().port(),
            from: "127.0.0.0/8".parse().unwrap(),
        };
        let own = [Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into(), Ipv4Addr::new(10, 0, 0, 1).into()];
        let doors = Door::open(&listen, &own).await;
        let at = |door: &Door| match &door.socket {
            Socket::Tcp(listener) => listener.local_addr().unwrap().ip(),
            Socket::Udp(_) => panic!("it is TCP"),
        };
        assert_eq!(doors.iter().map(at).collect::<Vec<_>>(), [own[1]]);
        assert!(Door::open(&listen, &own[..1]).await.is_empty());
    }
}
