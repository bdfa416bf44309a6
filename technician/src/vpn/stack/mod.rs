//! TCP, UDP and ping of the programs on this computer, ended in user space. Pure: packets, answers and time in; packets,
//! flows to open and bytes out. Opens nothing itself.
//!
//! A SYN is held until the device has connected: a closed port is closed here too, a silent host is silent, and nothing
//! is kept for either but the packet. Memory is bounded by [`MOST_CONNECTIONS`] and [`MOST_CONVERSATIONS`].

mod connection;
mod conversation;
mod flow;
mod packet;
mod resolver;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use gatelodge_proto::{
    payload::Protocol,
    session::{
        driver::OpenFailure,
        inner_frame::{OpenError, Target},
    },
};
use smoltcp::wire::TcpPacket;

pub use self::flow::{Ends, Flow, Gone, Kind, Wanted};
use self::{
    connection::{Connection, Reading},
    conversation::Conversation,
    flow::{Numbered, OfFlow as _},
    packet::{Body, Packet, Unreachable, parse},
};
use super::plan::Plan;

/// Largest packet of the interface. Nothing of it leaves this computer, so it may be large, and large ones cost less.
pub const MTU: usize = 9000;
/// TCP connections at once, with those whose SYN is held.
const MOST_CONNECTIONS: usize = 256;
/// Flows of datagrams at once. Less than half of the streams that a device carries: connections need some too. The one
/// that was silent longest makes room for another.
const MOST_CONVERSATIONS: usize = 24;
/// Packets that wait for the interface.
const MOST_OUTPUT: usize = 64;
/// What one connection may send before it is the next one's turn.
const TURN: usize = 16;
const DNS_PORT: u16 = 53;
/// No timer is shorter.
const SOON: Duration = Duration::from_millis(1);

/// The machine.
pub struct Stack {
    plan: Arc<Plan>,
    began: Instant,
    seed: u64,
    /// SYNs whose answer is not known yet, each the first of its connection.
    held: HashMap<Ends, Numbered<Vec<u8>>>,
    connections: HashMap<Ends, Numbered<Connection>>,
    conversations: HashMap<Ends, Numbered<Conversation>>,
    flows: u64,
    /// Connections that may have something to send, each once.
    turns: VecDeque<Ends>,
    waiting: HashSet<Ends>,
    wanted: VecDeque<Wanted>,
    output: VecDeque<Vec<u8>>,
}

impl Stack {
    /// For one session. `seed` makes sequence numbers.
    pub fn new(plan: Arc<Plan>, seed: u64, now: Instant) -> Self {
        Self {
            plan,
            began: now,
            seed,
            held: HashMap::new(),
            connections: HashMap::new(),
            conversations: HashMap::new(),
            flows: 0,
            turns: VecDeque::new(),
            waiting: HashSet::new(),
            wanted: VecDeque::new(),
            output: VecDeque::new(),
        }
    }

    /// Takes a packet from the interface.
    pub fn handle_packet(&mut self, bytes: &[u8], now: Instant) {
        let Some(Packet { from, to, body }) = parse(bytes) else { return };
        // Only this computer's own programs: it may pass packets on for others, who are nobody to the customer.
        if self.plan.own(from) != Some(from) || from.is_ipv4() != to.is_ipv4() {
            return;
        }
        match body {
            Body::Tcp(segment) => {
                let from = SocketAddr::new(from, segment.src_port());
                let to = SocketAddr::new(to, segment.dst_port());
                self.segment(Ends { kind: Kind::Tcp, from, to }, &segment, bytes, now);
            }
            Body::Udp { from: port, to: DNS_PORT, payload } if self.plan.is_resolver(to) => {
                if let Some(answer) = resolver::answer(payload, &self.plan) {
                    let (from, to) = (SocketAddr::new(from, port), SocketAddr::new(to, DNS_PORT));
                    self.put(packet::udp(to, from, &answer));
                }
            }
            Body::Udp { from: source, to: port, payload } => {
                let (from, to) = (SocketAddr::new(from, source), SocketAddr::new(to, port));
                let target = self.plan.target(Protocol::Udp, to.ip(), port);
                self.datagram(Ends { kind: Kind::Udp, from, to }, target, payload, bytes, now);
            }
            Body::Echo { ident, message } => {
                let (from, to) = (SocketAddr::new(from, ident), SocketAddr::new(to, 0));
                let target = self.plan.echo(to.ip());
                self.datagram(Ends { kind: Kind::Echo, from, to }, target, message, bytes, now);
            }
        }
    }

    /// What became of a [`Wanted`].
    pub fn answer(&mut self, flow: Flow, opened: Result<(), OpenFailure>, now: Instant) {
        let ends = flow.ends;
        let first = match ends.kind {
            Kind::Tcp => self.held.remove_if(flow),
            Kind::Udp | Kind::Echo if opened.is_err() => {
                self.conversations.remove_if(flow).map(|conversation| conversation.first.clone())
            }
            Kind::Udp | Kind::Echo => None,
        };
        match (first, opened) {
            (Some(syn), Ok(())) => self.connect(flow, &syn, now),
            (Some(first), Err(failure)) => self.refuse(ends, failure, &first),
            // It is not wanted any more.
            (None, _) => {}
        }
    }

    /// The next flow to open.
    pub fn poll_wanted(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// The next packet for the interface.
    pub fn poll_packet(&mut self, now: Instant) -> Option<Vec<u8>> {
        let at = self.at(now);
        while self.output.is_empty()
            && let Some(ends) = self.turns.pop_front()
        {
            self.waiting.remove(&ends);
            let Some(Numbered { it: connection, .. }) = self.connections.get_mut(&ends) else { continue };
            if !connection.send(&mut self.output, TURN, at) {
                self.turn(ends);
            } else if connection.is_over() {
                self.connections.remove(&ends);
            }
        }
        self.output.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), once there are no packets left.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let at = self.at(now);
        let sends = self.connections.values_mut().filter_map(|connection| connection.it.due(at)).min();
        let sends = sends.map(|due| {
            let left = due.total_micros().saturating_sub(at.total_micros());
            now + Duration::from_micros(u64::try_from(left).unwrap_or(0)).max(SOON)
        });
        let idle = self.conversations.iter().map(|(ends, conversation)| conversation.it.until(ends.kind)).min();
        sends.into_iter().chain(idle).min()
    }

    /// Time has come to what [`poll_timeout`](Self::poll_timeout) said.
    pub fn handle_timeout(&mut self, now: Instant) {
        let at = self.at(now);
        let due = |connection: &mut Numbered<Connection>| connection.it.due(at).is_some_and(|due| due <= at);
        let late: Vec<_> =
            self.connections.iter_mut().filter_map(|(ends, connection)| due(connection).then_some(*ends)).collect();
        for ends in late {
            self.turn(ends);
        }
        self.conversations.retain(|ends, conversation| conversation.it.until(ends.kind) > now);
    }

    /// What a program has sent on its connection, at most `most` bytes; `None` when it sends no more.
    pub fn poll_read(&mut self, flow: Flow, most: usize, context: &Context<'_>) -> Poll<Result<Option<Bytes>, Gone>> {
        let Some(connection) = self.connections.of(flow) else { return Poll::Ready(Err(Gone)) };
        match connection.read(most, context) {
            Reading::Bytes(bytes) => {
                // Its window may have opened.
                self.turn(flow.ends);
                Poll::Ready(Ok(Some(bytes)))
            }
            Reading::Nothing => Poll::Pending,
            Reading::End => Poll::Ready(Ok(None)),
            Reading::Gone => Poll::Ready(Err(Gone)),
        }
    }

    /// Hands bytes to a program's connection; gives how many it took.
    pub fn poll_write(&mut self, flow: Flow, bytes: &[u8], context: &Context<'_>) -> Poll<Result<usize, Gone>> {
        match self.connections.of(flow).and_then(|connection| connection.write(bytes, context)) {
            Some(0) if !bytes.is_empty() => Poll::Pending,
            Some(taken) => {
                self.turn(flow.ends);
                Poll::Ready(Ok(taken))
            }
            None => Poll::Ready(Err(Gone)),
        }
    }

    /// The device sends no more on that connection.
    pub fn finish(&mut self, flow: Flow) {
        if let Some(connection) = self.connections.of(flow) {
            connection.finish();
            self.turn(flow.ends);
        }
    }

    /// The flow is broken off; a program with a connection sees a reset.
    pub fn abort(&mut self, flow: Flow) {
        drop(self.conversations.remove_if(flow));
        if let Some(connection) = self.connections.of(flow) {
            connection.abort();
            self.turn(flow.ends);
        }
    }

    /// The device has ended a flow of datagrams. When nobody has ever answered in it, nobody listens there: it ends those
    /// for which nobody speaks at the same time as this side does.
    pub fn hung_up(&mut self, flow: Flow) {
        if let Some(conversation) = self.conversations.remove_if(flow)
            && !conversation.was_heard
            && flow.ends.kind == Kind::Udp
        {
            self.refuse(flow.ends, OpenError::Refused.into(), &conversation.first);
        }
    }

    /// The next datagram that a program has sent; `None` when the flow is over.
    pub fn poll_datagram(&mut self, flow: Flow, context: &Context<'_>) -> Poll<Option<Bytes>> {
        match self.conversations.of(flow) {
            Some(conversation) => conversation.poll(context).map(Some),
            None => Poll::Ready(None),
        }
    }

    /// A datagram for a program.
    pub fn put_datagram(&mut self, flow: Flow, datagram: &[u8], now: Instant) {
        let Some(conversation) = self.conversations.of(flow) else { return };
        conversation.heard(now);
        let Ends { kind, from, to } = flow.ends;
        if datagram.len() > packet::udp_room(to.ip(), MTU) {
            tracing::debug!(bytes = datagram.len(), "a datagram is larger than the interface's packets and is lost");
            return;
        }
        self.put(match kind {
            Kind::Echo => packet::echo_reply(to.ip(), from.ip(), from.port(), datagram),
            Kind::Udp | Kind::Tcp => packet::udp(to, from, datagram),
        });
    }

    fn segment(&mut self, ends: Ends, segment: &TcpPacket<&[u8]>, bytes: &[u8], now: Instant) {
        let at = self.at(now);
        if let Some(connection) = self.connections.get_mut(&ends) {
            connection.it.take(bytes, &mut self.output, at);
            self.turn(ends);
        } else if !segment.syn() || segment.ack() || segment.rst() {
            let was_held = segment.rst() && self.held.remove(&ends).is_some();
            if !was_held && let Some(packet) = packet::rst(ends.to, ends.from, segment) {
                self.put(packet);
            }
        } else if !self.held.contains_key(&ends) {
            match self.plan.target(Protocol::Tcp, ends.to.ip(), ends.to.port()) {
                Some(target) if self.held.len() + self.connections.len() < MOST_CONNECTIONS => {
                    let flow = self.want(ends, target);
                    self.held.insert(ends, Numbered { number: flow.number, it: bytes.to_vec() });
                }
                // It asks again in a second.
                Some(_) => {}
                None => self.refuse(ends, OpenError::NotAllowed.into(), bytes),
            }
        }
    }

    fn datagram(&mut self, ends: Ends, target: Option<Target>, payload: &[u8], bytes: &[u8], now: Instant) {
        if let Some(conversation) = self.conversations.get_mut(&ends) {
            conversation.it.say(payload, now);
            return;
        }
        let Some(target) = target else { return self.refuse(ends, OpenError::NotAllowed.into(), bytes) };
        if self.conversations.len() >= MOST_CONVERSATIONS
            && let Some(oldest) = self.silent_longest()
        {
            self.conversations.remove(&oldest);
        }
        let mut conversation = Conversation::new(bytes, now);
        conversation.say(payload, now);
        let flow = self.want(ends, target);
        self.conversations.insert(ends, Numbered { number: flow.number, it: conversation });
    }

    fn want(&mut self, ends: Ends, target: Target) -> Flow {
        self.flows += 1;
        let flow = Flow { ends, number: self.flows };
        self.wanted.push_back(Wanted { flow, target });
        flow
    }

    fn silent_longest(&self) -> Option<Ends> {
        let until = |(ends, conversation): &(&Ends, &Numbered<Conversation>)| conversation.it.until(ends.kind);
        self.conversations.iter().min_by_key(until).map(|(ends, _)| *ends)
    }

    fn connect(&mut self, flow: Flow, syn: &[u8], now: Instant) {
        let (Flow { ends, number }, at) = (flow, self.at(now));
        if let Some(mut connection) = Connection::listen(ends.to, self.seed.wrapping_add(number), at) {
            connection.take(syn, &mut self.output, at);
            self.connections.insert(ends, Numbered { number, it: connection });
            self.turn(ends);
        }
    }

    /// Tells the program what it would see if it stood beside the device.
    fn refuse(&mut self, ends: Ends, failure: OpenFailure, bytes: &[u8]) {
        let unreachable = |why| Some(packet::unreachable(ends.to.ip(), ends.from.ip(), why, bytes));
        let packet = match failure {
            OpenFailure::Target(OpenError::Refused | OpenError::Busy) => match parse(bytes).map(|packet| packet.body) {
                Some(Body::Tcp(segment)) => packet::rst(ends.to, ends.from, &segment),
                Some(Body::Udp { .. } | Body::Echo { .. }) | None => unreachable(Unreachable::Port),
            },
            // Silence; after a limit the program's next try may be in luck.
            OpenFailure::Target(OpenError::TimedOut | OpenError::Limit | OpenError::Names) => None,
            OpenFailure::Target(OpenError::Unreachable | OpenError::NoSuchName) | OpenFailure::Over => {
                unreachable(Unreachable::Host)
            }
            OpenFailure::Target(OpenError::NotAllowed | OpenError::Consent) => unreachable(Unreachable::Prohibited),
        };
        if let Some(packet) = packet {
            self.put(packet);
        }
    }

    /// What is made without a connection has no flow control: past the bound it is lost, as on a wire.
    fn put(&mut self, packet: Vec<u8>) {
        if self.output.len() < MOST_OUTPUT {
            self.output.push_back(packet);
        }
    }

    fn turn(&mut self, ends: Ends) {
        if self.waiting.insert(ends) {
            self.turns.push_back(ends);
        }
    }

    fn at(&self, now: Instant) -> smoltcp::time::Instant {
        let since = now.saturating_duration_since(self.began);
        smoltcp::time::Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests;
