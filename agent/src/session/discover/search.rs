//! What a look around does next and what it makes of what it hears: who is asked, at which pace, how much at most, and
//! what is told. Pure: sends nothing, and the time is told to it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use gatelodge_proto::{
    identity::MacAddress,
    payload::{Protocol, Subnet},
    session::finds::{Find, FoundBy, MOST_FINDS, Said},
};

use super::{
    Looks,
    mdns::{self, Ask},
    neighbours::Neighbour,
    ssdp,
};
use crate::session::target::forbidden;

/// Between two packets, so that there are 50 a second at most.
pub(super) const PACE: Duration = Duration::from_millis(20);
/// Questions to all, in all.
pub(super) const MOST_QUESTIONS: usize = 128;
/// Connections that are tried, in all.
pub(super) const MOST_PROBES: usize = 1024;
/// Connections that are tried at once.
const PROBES_AT_ONCE: usize = 16;
/// For so long after the last question answers are waited for: UPnP's come within two seconds.
const QUIET: Duration = Duration::from_millis(2500);
/// After this nothing is waited for any more.
const LONGEST: Duration = Duration::from_secs(90);
/// How often a question that follows from no answer is asked: the first may be lost.
const TIMES: usize = 2;
/// Answers that are read, of all and of one.
const MOST_ANSWERS: usize = 2048;
const MOST_OF_ONE: usize = 64;
/// Networks with more addresses are not gone through one by one: who was found there is tried.
const LEAST_PREFIX: u8 = 24;

/// A network of the session, and the device's own address there, where it has one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    pub(super) subnet: Subnet,
    pub(super) own: Option<Ipv4Addr>,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// Look at the table of neighbours.
    Neighbours,
    /// Ask all on the ground of that number by mDNS.
    Mdns(usize, Vec<u8>),
    /// Ask all there by UPnP.
    Ssdp(usize),
    /// Try to connect.
    Probe(SocketAddr),
    /// Nothing before then, unless something is heard.
    At(Duration),
    /// Nothing any more.
    Over,
}

/// A look around.
pub(super) struct Search {
    grounds: Vec<Ground>,
    /// The device's own addresses.
    own: Vec<IpAddr>,
    ports: Vec<u16>,
    questions: VecDeque<(usize, Question)>,
    asked: BTreeSet<Ask>,
    probes: VecDeque<SocketAddr>,
    /// What is not tried (again).
    settled: BTreeSet<SocketAddr>,
    probing: usize,
    sent: Sent,
    next_at: Duration,
    /// When the last answer may come.
    quiet_at: Duration,
    looks_left: u8,
    heard: HashMap<IpAddr, usize>,
    answers: usize,
    known: BTreeMap<(IpAddr, Option<(bool, u16)>), Find>,
    hosts: BTreeSet<IpAddr>,
    macs: BTreeMap<IpAddr, MacAddress>,
    fresh: VecDeque<Find>,
    cut: bool,
}

#[derive(Debug, Clone)]
enum Question {
    Mdns(Ask),
    Ssdp,
}

/// Packets that were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) questions: usize,
    pub(super) probes: usize,
}

impl Search {
    /// On those networks, by the device's own settings.
    pub(super) fn new(grounds: Vec<Ground>, own: Vec<IpAddr>, looks: &Looks) -> Self {
        let mut search = Self {
            grounds,
            own,
            ports: looks.ports.clone(),
            questions: VecDeque::new(),
            asked: BTreeSet::from([Ask::Kinds]),
            probes: VecDeque::new(),
            settled: BTreeSet::new(),
            probing: 0,
            sent: Sent::default(),
            next_at: Duration::ZERO,
            quiet_at: Duration::ZERO,
            looks_left: 2,
            heard: HashMap::new(),
            answers: 0,
            known: BTreeMap::new(),
            hosts: BTreeSet::new(),
            macs: BTreeMap::new(),
            fresh: VecDeque::new(),
            cut: false,
        };
        for service in &looks.known {
            let port = (service.protocol, service.at.port());
            search.settled.insert(service.at);
            search.found(
                FoundBy::Settings,
                service.at.ip(),
                Some(port),
                Said::of(service.name.as_bytes()),
                Said::default(),
            );
        }
        let asks_all: Vec<_> =
            (0..search.grounds.len()).filter(|ground| search.grounds[*ground].own.is_some()).collect();
        for _ in 0..TIMES {
            for ground in &asks_all {
                search.questions.push_back((*ground, Question::Mdns(Ask::Kinds)));
                search.questions.push_back((*ground, Question::Ssdp));
            }
        }
        let all: Vec<_> = search.grounds.iter().flat_map(|ground| each(ground.subnet)).collect();
        for host in all.into_iter().filter(|host| search.is_covered(*host)).collect::<Vec<_>>() {
            search.try_all(host, false);
        }
        search
    }

    /// What is to be done now; asked again after it was done, and whenever something was heard.
    pub(super) fn due(&mut self, now: Duration) -> Due {
        if now >= LONGEST {
            self.cut |= !(self.questions.is_empty() && self.probes.is_empty() && self.probing == 0);
            return Due::Over;
        }
        if self.looks_left == 2 {
            self.looks_left = 1;
            return Due::Neighbours;
        }
        let may_probe = self.probing < PROBES_AT_ONCE && !self.probes.is_empty();
        if self.questions.is_empty() && !may_probe {
            let waits = self.probing > 0 || !self.probes.is_empty();
            return match (waits, self.looks_left) {
                (true, _) => Due::At(LONGEST),
                (false, _) if now < self.quiet_at => Due::At(self.quiet_at),
                // Who was tried is in the table now, whether a port was open or not.
                (false, 1..) => {
                    self.looks_left = 0;
                    Due::Neighbours
                }
                (false, 0) => Due::Over,
            };
        }
        if now < self.next_at {
            return Due::At(self.next_at);
        }
        self.next_at = now + PACE;
        if let Some((ground, question)) = self.questions.pop_front() {
            self.sent.questions += 1;
            self.quiet_at = now + QUIET;
            return match question {
                Question::Ssdp => Due::Ssdp(ground),
                Question::Mdns(ask) => Due::Mdns(ground, ask.bytes().unwrap_or_default()),
            };
        }
        match self.probes.pop_front() {
            Some(at) => {
                self.sent.probes += 1;
                self.probing += 1;
                Due::Probe(at)
            }
            None => Due::At(LONGEST),
        }
    }

    /// The next that is to be told.
    pub(super) fn fresh(&mut self) -> Option<Find> {
        let mut find = self.fresh.pop_front()?;
        find.mac = self.macs.get(&find.address).copied();
        Some(find)
    }

    /// Steps that were taken, and how many there are as far as is known.
    pub(super) fn progress(&self) -> (usize, usize) {
        let done = self.sent.questions + self.sent.probes - self.probing;
        (done, done + self.probing + self.questions.len() + self.probes.len())
    }

    /// Whether there was more than is told.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The packets so far.
    #[cfg(test)]
    pub(super) const fn sent(&self) -> Sent {
        self.sent
    }

    /// Somebody answered by mDNS.
    pub(super) fn mdns(&mut self, from: IpAddr, bytes: &[u8]) {
        if !self.listens_to(from) {
            return;
        }
        let answer = mdns::read(bytes);
        for told in answer.told {
            let covered: Vec<_> = told.addresses.iter().copied().filter(|address| self.is_covered(*address)).collect();
            // Who answers is there; whom it speaks for may be elsewhere.
            let at = if covered.contains(&from) { from } else { covered.first().copied().unwrap_or(from) };
            let protocol = if told.kind.ends_with("_udp") { Protocol::Udp } else { Protocol::Tcp };
            self.found(FoundBy::Mdns, at, Some((protocol, told.port)), told.name, Said::of(told.kind.as_bytes()));
        }
        for ask in answer.next {
            if self.asked.contains(&ask) || ask.bytes().is_none() {
                continue;
            }
            for ground in 0..self.grounds.len() {
                let Ground { subnet, own } = self.grounds[ground];
                if own.is_none() || !subnet.contains(from) {
                    continue;
                }
                if self.sent.questions + self.questions.len() >= MOST_QUESTIONS {
                    self.cut = true;
                    return;
                }
                self.questions.push_back((ground, Question::Mdns(ask.clone())));
            }
            self.asked.insert(ask);
        }
    }

    /// Somebody answered by UPnP.
    pub(super) fn ssdp(&mut self, from: IpAddr, bytes: &[u8]) {
        if !self.listens_to(from) {
            return;
        }
        if let Some(told) = ssdp::read(bytes, from) {
            let port = told.port.map(|port| (Protocol::Tcp, port));
            self.found(FoundBy::Ssdp, from, port, told.name, Said::of(b"UPnP"));
        }
    }

    /// The system's table of neighbours.
    pub(super) fn neighbours(&mut self, table: &[Neighbour]) {
        for Neighbour { address, mac } in table {
            if self.is_covered(*address) && (self.macs.len() < MOST_FINDS || self.hosts.contains(address)) {
                self.macs.insert(*address, *mac);
                self.found(FoundBy::Neighbour, *address, None, Said::default(), Said::default());
            }
        }
    }

    /// A connection that was tried came about, or not.
    pub(super) fn probed(&mut self, at: SocketAddr, open: bool) {
        self.probing = self.probing.saturating_sub(1);
        if open {
            self.found(FoundBy::Port, at.ip(), Some((Protocol::Tcp, at.port())), Said::default(), Said::default());
        }
    }

    /// Nothing more is read of who says too much.
    fn listens_to(&mut self, from: IpAddr) -> bool {
        if !self.is_covered(from) || self.answers >= MOST_ANSWERS {
            return false;
        }
        let of_one = self.heard.entry(from).or_default();
        *of_one += 1;
        let few = *of_one <= MOST_OF_ONE;
        self.answers += usize::from(few);
        few
    }

    /// Whether the session reaches it: in its networks, and neither the device itself nor one that no session reaches.
    fn is_covered(&self, address: IpAddr) -> bool {
        let on = |ground: &Ground| ground.subnet.contains(address) && !is_for_all(ground.subnet, address);
        forbidden(address).is_none() && !self.own.contains(&address) && self.grounds.iter().any(on)
    }

    fn found(&mut self, by: FoundBy, address: IpAddr, port: Option<(Protocol, u16)>, name: Said, what: Said) {
        if !self.is_covered(address) {
            return;
        }
        let key = (address, port.map(|(protocol, port)| (protocol == Protocol::Udp, port)));
        let find = Find { address, port, by, name, what, mac: None };
        match self.known.get(&key) {
            // Said better, once: who changes its name all the time is told once.
            Some(before) if before.by <= by => {}
            None if self.known.len() >= MOST_FINDS => self.cut = true,
            // That somebody is there is told by what there is.
            None if port.is_none() && by == FoundBy::Neighbour && self.hosts.contains(&address) => {}
            Some(_) | None => {
                self.known.insert(key, find.clone());
                self.fresh.push_back(find);
            }
        }
        if self.hosts.len() < MOST_FINDS && self.hosts.insert(address) {
            self.try_all(address, true);
        }
    }

    /// Every declared port of a host, each once; of who is known to be there before others.
    fn try_all(&mut self, host: IpAddr, first: bool) {
        for port in self.ports.clone() {
            let at = SocketAddr::new(host, port);
            if !self.settled.insert(at) {
                if first && let Some(place) = self.probes.iter().position(|probe| *probe == at) {
                    let _ = self.probes.remove(place);
                    self.probes.push_front(at);
                }
                continue;
            }
            if self.sent.probes + self.probes.len() >= MOST_PROBES {
                self.cut = true;
                // Who is there is worth more than who may be.
                if !first || self.probes.pop_back().is_none() {
                    continue;
                }
            }
            if first { self.probes.push_front(at) } else { self.probes.push_back(at) }
        }
    }
}

/// The addresses of a small IPv4 network, one by one.
fn each(subnet: Subnet) -> impl Iterator<Item = IpAddr> {
    let first = match subnet.first() {
        IpAddr::V4(first) if subnet.prefix() >= LEAST_PREFIX => Some(first.to_bits()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    let count = first.map_or(0, |_| 1_u32 << (32 - u32::from(subnet.prefix())));
    (0..count).map(move |place| Ipv4Addr::from_bits(first.unwrap_or_default() + place).into())
}

/// Whether an address is the network's own or everybody's in it (RFC 919).
fn is_for_all(subnet: Subnet, address: IpAddr) -> bool {
    let (IpAddr::V4(first), IpAddr::V4(address)) = (subnet.first(), address) else { return false };
    let last = first.to_bits() | u32::MAX.checked_shr(subnet.prefix().into()).unwrap_or(0);
    subnet.prefix() < 31 && (address == first || address.to_bits() == last)
}
