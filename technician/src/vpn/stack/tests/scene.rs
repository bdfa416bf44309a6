//! The stack, and beside it a program with TCP of its own: what the kernel of a technician's computer is in earnest.

use std::{
    net::{IpAddr, Ipv4Addr},
    task::Waker,
};

use gatelodge_proto::payload::{Network, Service};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{Loopback, Medium},
    socket::tcp::{Socket, SocketBuffer, State},
    wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Packet},
};

use super::super::*;
use crate::vpn::plan::{Ranges, Site};

pub(super) const PANEL: &str = "198.18.1.50";

fn plan() -> Arc<Plan> {
    let networks = [("lan", "192.168.1.0/24"), ("lan6", "2001:db8:7::/64")]
        .map(|(name, subnet)| Network { name: name.parse().unwrap(), subnet: subnet.parse().unwrap() });
    let panel =
        Service { name: "panel".parse().unwrap(), protocol: Protocol::Tcp, host: "192.168.1.50".into(), port: 80 };
    let site = Site { label: "villa-rosa", networks: &networks, services: &[panel], real: &[] };
    Plan::make(site, Ranges::usual().unwrap(), &[]).unwrap().into()
}

/// The stack, and a program beside it with TCP of its own.
pub(super) struct Scene {
    pub(super) stack: Stack,
    pub(super) own: IpAddr,
    began: Instant,
    pub(super) now: Instant,
    interface: Interface,
    wire: Loopback,
    pub(super) sockets: SocketSet<'static>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let (plan, now) = (plan(), Instant::now());
        let own = plan.own(Ipv4Addr::LOCALHOST.into()).unwrap();
        let mut wire = Loopback::new(Medium::Ip);
        let mut interface =
            Interface::new(Config::new(HardwareAddress::Ip), &mut wire, smoltcp::time::Instant::from_micros(0));
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(own.into(), 32)).unwrap());
        interface.routes_mut().add_default_ipv4_route(Ipv4Addr::new(198, 18, 0, 1)).unwrap();
        let stack = Stack::new(plan, 7, now);
        Self { stack, own, began: now, now, interface, wire, sockets: SocketSet::new(vec![]) }
    }

    pub(super) fn dial(&mut self, to: &str, port: u16, from: u16) -> SocketHandle {
        let buffer = || SocketBuffer::new(vec![0; 16 * 1024]);
        let mut socket = Socket::new(buffer(), buffer());
        let to: IpAddress = to.parse::<IpAddr>().unwrap().into();
        socket.connect(self.interface.context(), (to, port), from).unwrap();
        self.sockets.add(socket)
    }

    pub(super) fn program(&mut self, socket: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(socket)
    }

    /// Carries packets both ways until nobody has any; gives those for the program.
    pub(super) fn settle(&mut self) -> Vec<Vec<u8>> {
        let mut carried = Vec::new();
        loop {
            let at = smoltcp::time::Instant::from_micros(
                i64::try_from(self.now.duration_since(self.began).as_micros()).unwrap(),
            );
            self.interface.poll_egress(at, &mut self.wire, &mut self.sockets);
            let mut quiet = true;
            while let Some((token, _)) = smoltcp::phy::Device::receive(&mut self.wire, at) {
                let packet = smoltcp::phy::RxToken::consume(token, <[u8]>::to_vec);
                self.stack.handle_packet(&packet, self.now);
                quiet = false;
            }
            while let Some(packet) = self.stack.poll_packet(self.now) {
                let mut lane = To(Some(packet.clone()));
                self.interface.poll_ingress_single(at, &mut lane, &mut self.sockets);
                carried.push(packet);
                quiet = false;
            }
            if quiet {
                return carried;
            }
        }
    }

    /// The program has acknowledged everything, which it may put off a little.
    pub(super) fn acknowledged(&mut self) {
        self.settle();
        self.pass(Duration::from_millis(50));
        self.settle();
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.stack.handle_timeout(self.now);
    }

    pub(super) fn read(&mut self, flow: Flow, most: usize) -> Poll<Result<Option<Bytes>, Gone>> {
        self.stack.poll_read(flow, most, &Context::from_waker(Waker::noop()))
    }

    pub(super) fn write(&mut self, flow: Flow, bytes: &[u8]) -> Poll<Result<usize, Gone>> {
        self.stack.poll_write(flow, bytes, &Context::from_waker(Waker::noop()))
    }

    pub(super) fn datagram(&mut self, flow: Flow) -> Poll<Option<Bytes>> {
        self.stack.poll_datagram(flow, &Context::from_waker(Waker::noop()))
    }

    /// A connection of a program that the device has connected.
    pub(super) fn connected(&mut self, from: u16) -> (SocketHandle, Flow) {
        let socket = self.dial(PANEL, 80, from);
        self.settle();
        let flow = self.stack.poll_wanted().unwrap().flow;
        self.stack.answer(flow, Ok(()), self.now);
        self.settle();
        assert_eq!(self.program(socket).state(), State::Established);
        (socket, flow)
    }

    pub(super) fn udp(&mut self, from: u16, to: &str, port: u16, payload: &[u8]) -> Vec<u8> {
        let packet = packet::udp(SocketAddr::new(self.own, from), SocketAddr::new(to.parse().unwrap(), port), payload);
        self.stack.handle_packet(&packet, self.now);
        packet
    }
}

/// Hands one packet to the program.
struct To(Option<Vec<u8>>);
struct One(Vec<u8>);
struct Nowhere;

impl smoltcp::phy::Device for To {
    type RxToken<'a> = One;
    type TxToken<'a> = Nowhere;
    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(One, Nowhere)> {
        Some((One(self.0.take()?), Nowhere))
    }
    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<Nowhere> {
        None
    }
    fn capabilities(&self) -> smoltcp::phy::DeviceCapabilities {
        let mut capabilities = smoltcp::phy::DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

impl smoltcp::phy::RxToken for One {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl smoltcp::phy::TxToken for Nowhere {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        f(&mut vec![0; length])
    }
}

pub(super) fn icmp(packet: &[u8]) -> (u8, u8, Vec<u8>) {
    let packet = Ipv4Packet::new_checked(packet).unwrap();
    assert!(packet.verify_checksum());
    let icmp = smoltcp::wire::Icmpv4Packet::new_checked(packet.payload()).unwrap();
    assert!(icmp.verify_checksum());
    (icmp.msg_type().into(), icmp.msg_code(), packet.payload()[8..].to_vec())
}
