//! One TCP connection of a program here, ended in user space: smoltcp with one socket, at the address the program
//! dialled. Exists only once the device has connected; memory is its two buffers.

use std::{collections::VecDeque, net::SocketAddr, task::Context};

use bytes::Bytes;
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken},
    socket::tcp::{RecvError, Socket, SocketBuffer, State},
    time::Instant,
    wire::{HardwareAddress, IpCidr},
};

use super::MTU;

/// Bytes that wait in either direction. The program is on this computer: a round trip takes microseconds.
const BUFFER: usize = 256 * 1024;

pub(super) struct Connection {
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
}

/// What the other end has left to read.
pub(super) enum Reading {
    Bytes(Bytes),
    /// Nothing now; the waker is told.
    Nothing,
    /// Nothing more ever: it said so.
    End,
    /// The connection is gone.
    Gone,
}

impl Connection {
    /// Waits at `there` for the SYN that is handed to it next.
    pub(super) fn listen(there: SocketAddr, seed: u64, now: Instant) -> Option<Self> {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface =
            Interface::new(config, &mut Lane { input: None, output: &mut VecDeque::new(), room: 0 }, now);
        let alone = IpCidr::new(there.ip().into(), if there.is_ipv4() { 32 } else { 128 });
        interface.update_ip_addrs(|addresses| {
            // There is room: it is the first.
            let _ = addresses.push(alone);
        });
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.listen(there).ok()?;
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let socket = sockets.add(socket);
        Some(Self { interface, sockets, socket })
    }

    /// Takes a packet; answers go to `output`.
    pub(super) fn take(&mut self, packet: &[u8], output: &mut VecDeque<Vec<u8>>, now: Instant) {
        let mut lane = Lane { input: Some(packet), output, room: 1 };
        self.interface.poll_ingress_single(now, &mut lane, &mut self.sockets);
    }

    /// Puts what is due into `output`, at most `room` packets. False when there is more.
    pub(super) fn send(&mut self, output: &mut VecDeque<Vec<u8>>, room: usize, now: Instant) -> bool {
        let mut lane = Lane { input: None, output, room };
        self.interface.poll_maintenance(now);
        loop {
            let before = lane.room;
            self.interface.poll_egress(now, &mut lane, &mut self.sockets);
            if lane.room == 0 {
                return false;
            }
            if lane.room == before {
                return true;
            }
        }
    }

    /// When [`send`](Self::send) is due without anything happening.
    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        self.interface.poll_at(now, &self.sockets)
    }

    pub(super) fn read(&mut self, most: usize, context: &Context<'_>) -> Reading {
        let socket = self.socket();
        match socket.recv(|bytes| {
            let taken = Bytes::copy_from_slice(&bytes[..bytes.len().min(most)]);
            (taken.len(), taken)
        }) {
            Ok(bytes) if !bytes.is_empty() => Reading::Bytes(bytes),
            Ok(_) => {
                socket.register_recv_waker(context.waker());
                Reading::Nothing
            }
            Err(RecvError::Finished) => Reading::End,
            Err(RecvError::InvalidState) if socket.state() == State::SynReceived => {
                socket.register_recv_waker(context.waker());
                Reading::Nothing
            }
            Err(RecvError::InvalidState) => Reading::Gone,
        }
    }

    /// Takes as many bytes as there is room for; 0 when there is none now, and the waker is told. `None` when it is gone.
    pub(super) fn write(&mut self, bytes: &[u8], context: &Context<'_>) -> Option<usize> {
        let socket = self.socket();
        if !matches!(socket.state(), State::SynReceived | State::Established | State::CloseWait) {
            return None;
        }
        // Before the handshake is over the buffer takes nothing yet.
        let taken = if socket.may_send() { socket.send_slice(bytes).ok()? } else { 0 };
        if taken == 0 {
            socket.register_send_waker(context.waker());
        }
        Some(taken)
    }

    /// Nothing more is written.
    pub(super) fn finish(&mut self) {
        self.socket().close();
    }

    /// Breaks it off; the program sees a reset.
    pub(super) fn abort(&mut self) {
        self.socket().abort();
    }

    /// Whether nothing of it is left. Its last acknowledgement is on a wire that loses nothing, so it does not wait.
    pub(super) fn is_over(&mut self) -> bool {
        matches!(self.socket().state(), State::Closed | State::TimeWait | State::Listen)
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.socket)
    }
}

/// One packet in, some packets out.
struct Lane<'a> {
    input: Option<&'a [u8]>,
    output: &'a mut VecDeque<Vec<u8>>,
    room: usize,
}

struct Input<'a>(&'a [u8]);

struct Output<'a> {
    output: &'a mut VecDeque<Vec<u8>>,
    room: &'a mut usize,
}

impl Device for Lane<'_> {
    type RxToken<'a>
        = Input<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Output<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Input<'_>, Output<'_>)> {
        let input = self.input.take()?;
        Some((Input(input), Output { output: self.output, room: &mut self.room }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Output<'_>> {
        (self.room > 0).then_some(Output { output: self.output, room: &mut self.room })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        // What comes has never been on a wire: this computer's kernel has just made it.
        capabilities.checksum.ipv4 = Checksum::Tx;
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}

impl RxToken for Input<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Output<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        self.output.push_back(packet);
        *self.room = self.room.saturating_sub(1);
        result
    }
}
