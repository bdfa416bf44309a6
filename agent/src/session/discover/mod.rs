//! What there is on a session's networks: asks all by mDNS and UPnP, looks at the system's table of neighbours, tries the
//! ports that the device's own settings declare, and tells what it finds as it comes (decision 0023). What is done when
//! is [`search`]'s word; here are the sockets. Nothing that was found is opened.

mod mdns;
mod neighbours;
mod search;
#[cfg(test)]
mod search_tests;
mod ssdp;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use gatelodge_proto::{
    payload::{Network, Protocol, Subnet},
    session::{
        Arrival, FlowTotals, Stream,
        finds::{Find, FindFrame},
        inner_frame::ResetCode,
    },
};
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};

use self::search::{Due, Ground, Search};
use super::target;

/// Shorter than the second after which a system tries again by itself: a place that is silent gets one packet.
const PROBE_WITHIN: Duration = Duration::from_millis(900);
/// The largest answer that is read (RFC 6762 section 17).
const LARGEST: usize = 9_000;
/// Answers that wait to be read; what comes above is dropped.
const WAITING: usize = 64;
/// Steps between two words on how far it is.
const STEPS: usize = 8;

/// What the device's own settings say of looking around.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// TCP ports that are tried.
    pub ports: Vec<u16>,
    /// Services that are known to be there; they are told and never tried.
    pub known: Vec<Known>,
}

/// A service of the device's own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Where.
    pub at: SocketAddr,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// What people call it.
    pub name: String,
}

/// By what somebody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// mDNS.
    Mdns,
    /// UPnP.
    Ssdp,
}

/// What a look around in 192.0.2.0/24 makes of one answer from there.
pub fn heard(by: Heard, bytes: &[u8]) -> Vec<Find> {
    let from = IpAddr::from([192, 0, 2, 50]);
    let ground = Subnet::holding(from, 24).map(|subnet| Ground { subnet, own: None });
    let mut search = Search::new(ground.into_iter().collect(), Vec::new(), &Looks::default());
    match by {
        Heard::Mdns => search.mdns(from, bytes),
        Heard::Ssdp => search.ssdp(from, bytes),
    }
    std::iter::from_fn(|| search.fresh()).collect()
}

type Answer = (Heard, IpAddr, Bytes);

/// As both audit lists show it.
pub(super) fn spelled(networks: &[Network]) -> String {
    let subnets: Vec<_> = networks.iter().map(|network| network.subnet.to_string()).collect();
    format!("look around {}", subnets.join(", "))
}

/// Looks around to the end, or until nobody listens any more.
pub(super) async fn run(networks: &[Network], looks: &Looks, stream: &Stream) -> FlowTotals {
    let mut tells = Tells { stream, totals: FlowTotals::default() };
    let mut around = Around::new(networks);
    let mut search = Search::new(around.grounds.clone(), around.own.clone(), looks);
    let told = tokio::select! {
        told = around.go(&mut search, networks, &mut tells) => told,
        () = nobody_listens(stream) => Err(ResetCode::Cancelled),
    };
    if told.is_ok() && stream.finish().await.is_ok() {
        // A stream that is dropped sooner takes back what was said.
        nobody_listens(stream).await;
    }
    tells.totals
}

/// The other side has nothing to say but that it goes.
async fn nobody_listens(stream: &Stream) {
    while let Ok(Arrival::Data(bytes)) = stream.next().await {
        let _ = stream.consumed(bytes.len()).await;
    }
}

struct Tells<'a> {
    stream: &'a Stream,
    totals: FlowTotals,
}

impl Tells<'_> {
    async fn say(&mut self, frame: &FindFrame) -> Result<(), ResetCode> {
        let mut bytes = frame.encode();
        while !bytes.is_empty() {
            let room = self.stream.room().await?;
            let piece = bytes.split_to(room.min(bytes.len()));
            self.totals.sent += u64::try_from(piece.len()).unwrap_or(0);
            self.stream.send(piece).await?;
        }
        Ok(())
    }
}

/// The sockets on each network.
struct Around {
    grounds: Vec<Ground>,
    own: Vec<IpAddr>,
    sockets: Vec<Option<Sockets>>,
    answers: mpsc::Receiver<Answer>,
    /// Reads the sockets; ends with this.
    _readers: JoinSet<()>,
}

struct Sockets {
    mdns: std::sync::Arc<UdpSocket>,
    ssdp: std::sync::Arc<UdpSocket>,
}

impl Around {
    fn new(networks: &[Network]) -> Self {
        let interfaces = crate::identity::interfaces(Path::new("/"));
        let own: Vec<_> = interfaces.into_iter().flat_map(|interface| interface.addresses).collect();
        let (tells, answers) = mpsc::channel(WAITING);
        let mut readers = JoinSet::new();
        let (mut grounds, mut sockets) = (Vec::new(), Vec::new());
        for network in networks {
            let here = own.iter().find_map(|address| match address {
                IpAddr::V4(address) if network.subnet.contains((*address).into()) => Some(*address),
                IpAddr::V4(_) | IpAddr::V6(_) => None,
            });
            let opened = here.and_then(|here| {
                Sockets::open(here).inspect_err(|error| tracing::warn!(%error, "nobody can be asked on a network")).ok()
            });
            if let Some(Sockets { mdns, ssdp }) = &opened {
                readers.spawn(read(mdns.clone(), Heard::Mdns, tells.clone()));
                readers.spawn(read(ssdp.clone(), Heard::Ssdp, tells.clone()));
            }
            grounds.push(Ground { subnet: network.subnet, own: here.filter(|_| opened.is_some()) });
            sockets.push(opened);
        }
        Self { grounds, own, sockets, answers, _readers: readers }
    }

    async fn go(&mut self, search: &mut Search, networks: &[Network], tells: &mut Tells<'_>) -> Result<(), ResetCode> {
        let began = Instant::now();
        let (mut probes, mut said) = (JoinSet::new(), 0);
        loop {
            while let Some(find) = search.fresh() {
                tells.say(&FindFrame::Found(find)).await?;
            }
            let (done, of) = search.progress();
            if done >= said + STEPS {
                said = done;
                let count = |steps: usize| u32::try_from(steps).unwrap_or(u32::MAX);
                tells.say(&FindFrame::Progress { done: count(done), of: count(of) }).await?;
            }
            let until = match search.due(began.elapsed()) {
                Due::Over => return tells.say(&FindFrame::Done { cut: search.is_cut() }).await,
                Due::Neighbours => {
                    match neighbours::read() {
                        Ok(table) => search.neighbours(&table),
                        Err(error) => tracing::warn!(%error, "the neighbours cannot be read"),
                    }
                    continue;
                }
                Due::Mdns(ground, question) => {
                    self.ask(ground, Heard::Mdns, &question).await;
                    continue;
                }
                Due::Ssdp(ground) => {
                    self.ask(ground, Heard::Ssdp, ssdp::SEARCH).await;
                    continue;
                }
                Due::Probe(at) => {
                    // As before any dial: an address may have become the device's own meanwhile.
                    let may = target::allow(networks, at.ip()).is_ok();
                    probes.spawn(async move { (at, may && is_open(at).await) });
                    continue;
                }
                Due::At(until) => until,
            };
            tokio::select! {
                Some((by, from, bytes)) = self.answers.recv() => match by {
                    Heard::Mdns => search.mdns(from, &bytes),
                    Heard::Ssdp => search.ssdp(from, &bytes),
                },
                Some(Ok((at, open))) = probes.join_next() => search.probed(at, open),
                () = tokio::time::sleep_until(began + until) => {}
            }
        }
    }

    async fn ask(&self, ground: usize, by: Heard, question: &[u8]) {
        let Some(Some(Sockets { mdns, ssdp })) = self.sockets.get(ground) else { return };
        let (socket, (group, port)) = match by {
            Heard::Mdns => (mdns, mdns::GROUP),
            Heard::Ssdp => (ssdp, ssdp::GROUP),
        };
        if let Err(error) = socket.send_to(question, (Ipv4Addr::from(group), port)).await {
            tracing::debug!(%error, "a question could not be sent");
        }
    }
}

impl Sockets {
    /// Bound to the device's own address there, which is also the way that questions to all take.
    fn open(here: Ipv4Addr) -> io::Result<Self> {
        let open = |hops| {
            let socket = std::net::UdpSocket::bind((here, 0))?;
            socket.set_nonblocking(true)?;
            socket.set_multicast_loop_v4(false)?;
            socket.set_multicast_ttl_v4(hops)?;
            UdpSocket::from_std(socket).map(std::sync::Arc::new)
        };
        // RFC 6762 section 11; UPnP Device Architecture 2.0, section 1.3.2.
        Ok(Self { mdns: open(255)?, ssdp: open(2)? })
    }
}

async fn read(socket: std::sync::Arc<UdpSocket>, by: Heard, tells: mpsc::Sender<Answer>) {
    let mut buffer = vec![0; LARGEST];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                let _ = tells.try_send((by, from.ip(), bytes));
            }
            // What an earlier question came back with; the socket itself is well.
            Err(error) => tracing::debug!(%error, "an answer could not be read"),
        }
    }
}

async fn is_open(at: SocketAddr) -> bool {
    matches!(tokio::time::timeout(PROBE_WITHIN, TcpStream::connect(at)).await, Ok(Ok(_)))
}
