//! IP packets of the interface: what one that comes says, and those that are made without a connection: RST, ICMP,
//! UDP. Fragments and what is neither TCP, UDP nor ping are not understood, and nobody here needs them.

use std::net::{IpAddr, SocketAddr};

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpProtocol, IpRepr, Ipv4Packet,
        Ipv6Packet, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber, UdpPacket, UdpRepr,
    },
};

const HOPS: u8 = 64;
/// Of a packet that could not be delivered, what its sender is shown (RFC 1812 section 4.3.2.3).
const QUOTED: usize = 548;
/// Type, code and checksum.
const ICMP_START: usize = 4;
/// Where sequence number and data of a ping begin, after its identifier.
const ECHO_MESSAGE: usize = 6;
const UDP_HEADER: usize = 8;

/// A packet from a program here.
pub(super) struct Packet<'a> {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) body: Body<'a>,
}

pub(super) enum Body<'a> {
    Tcp(TcpPacket<&'a [u8]>),
    Udp {
        from: u16,
        to: u16,
        payload: &'a [u8],
    },
    /// A ping: `message` is its sequence number and data.
    Echo {
        ident: u16,
        message: &'a [u8],
    },
}

/// Why a packet did not arrive, as ICMP tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreachable {
    Host,
    Port,
    /// It is not allowed.
    Prohibited,
}

pub(super) fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    let (from, to, protocol, payload): (IpAddr, IpAddr, _, _) = match bytes.first()? >> 4 {
        4 => {
            let packet = Ipv4Packet::new_checked(bytes).ok()?;
            if packet.more_frags() || packet.frag_offset() != 0 {
                return None;
            }
            (packet.src_addr().into(), packet.dst_addr().into(), packet.next_header(), packet.payload())
        }
        6 => {
            let packet = Ipv6Packet::new_checked(bytes).ok()?;
            (packet.src_addr().into(), packet.dst_addr().into(), packet.next_header(), packet.payload())
        }
        _ => return None,
    };
    let body = match protocol {
        IpProtocol::Tcp => Body::Tcp(TcpPacket::new_checked(payload).ok()?),
        IpProtocol::Udp => {
            let udp = UdpPacket::new_checked(payload).ok()?;
            Body::Udp { from: udp.src_port(), to: udp.dst_port(), payload: udp.payload() }
        }
        IpProtocol::Icmp if from.is_ipv4() => {
            let icmp = Icmpv4Packet::new_checked(payload).ok()?;
            if icmp.msg_type() != Icmpv4Message::EchoRequest {
                return None;
            }
            Body::Echo { ident: icmp.echo_ident(), message: payload.get(ECHO_MESSAGE..)? }
        }
        IpProtocol::Icmpv6 if from.is_ipv6() => {
            let icmp = Icmpv6Packet::new_checked(payload).ok()?;
            if icmp.msg_type() != Icmpv6Message::EchoRequest {
                return None;
            }
            Body::Echo { ident: icmp.echo_ident(), message: payload.get(ECHO_MESSAGE..)? }
        }
        _ => return None,
    };
    Some(Packet { from, to, body })
}

/// A packet with a body of that length, filled in by `body`. The two addresses are of one family.
fn ip(from: IpAddr, to: IpAddr, protocol: IpProtocol, length: usize, body: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let head = IpRepr::new(from.into(), to.into(), protocol, length, HOPS);
    let mut bytes = vec![0; head.buffer_len()];
    head.emit(&mut bytes, &ChecksumCapabilities::default());
    body(&mut bytes[head.header_len()..]);
    bytes
}

/// Longest UDP payload in a packet of that size.
pub(super) const fn udp_room(from: IpAddr, packet: usize) -> usize {
    let head = if from.is_ipv4() { 20 } else { 40 };
    packet - head - UDP_HEADER
}

pub(super) fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let repr = UdpRepr { src_port: from.port(), dst_port: to.port() };
    let (source, destination): (IpAddress, IpAddress) = (from.ip().into(), to.ip().into());
    ip(from.ip(), to.ip(), IpProtocol::Udp, UDP_HEADER + payload.len(), |body| {
        let caps = ChecksumCapabilities::default();
        let fill = |place: &mut [u8]| place.copy_from_slice(payload);
        repr.emit(&mut UdpPacket::new_unchecked(body), &source, &destination, payload.len(), fill, &caps);
    })
}

/// The answer to a ping: `message` is sequence number and data.
pub(super) fn echo_reply(from: IpAddr, to: IpAddr, ident: u16, message: &[u8]) -> Vec<u8> {
    let kind = if from.is_ipv4() { Icmpv4Message::EchoReply.into() } else { Icmpv6Message::EchoReply.into() };
    icmp(from, to, kind, 0, &[&ident.to_be_bytes(), message].concat())
}

/// Says that `original`, which went to `from`, did not get there.
pub(super) fn unreachable(from: IpAddr, to: IpAddr, why: Unreachable, original: &[u8]) -> Vec<u8> {
    // RFC 792 and RFC 1812 section 5.2.7.1; RFC 4443 section 3.1.
    let (kind, code) = match (from, why) {
        (IpAddr::V4(_), Unreachable::Host) => (Icmpv4Message::DstUnreachable.into(), 1),
        (IpAddr::V4(_), Unreachable::Port) => (Icmpv4Message::DstUnreachable.into(), 3),
        (IpAddr::V4(_), Unreachable::Prohibited) => (Icmpv4Message::DstUnreachable.into(), 13),
        (IpAddr::V6(_), Unreachable::Host) => (Icmpv6Message::DstUnreachable.into(), 3),
        (IpAddr::V6(_), Unreachable::Port) => (Icmpv6Message::DstUnreachable.into(), 4),
        (IpAddr::V6(_), Unreachable::Prohibited) => (Icmpv6Message::DstUnreachable.into(), 1),
    };
    icmp(from, to, kind, code, &[&[0; 4], &original[..original.len().min(QUOTED)]].concat())
}

/// An ICMP message; `rest` follows its checksum.
fn icmp(from: IpAddr, to: IpAddr, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let protocol = if from.is_ipv4() { IpProtocol::Icmp } else { IpProtocol::Icmpv6 };
    ip(from, to, protocol, ICMP_START + rest.len(), |body| {
        body[..2].copy_from_slice(&[kind, code]);
        body[ICMP_START..].copy_from_slice(rest);
        match (from, to) {
            (IpAddr::V6(from), IpAddr::V6(to)) => Icmpv6Packet::new_unchecked(body).fill_checksum(&from, &to),
            _ => Icmpv4Packet::new_unchecked(body).fill_checksum(),
        }
    })
}

/// Refuses a segment (RFC 9293 section 3.10.7.1): none for an RST.
pub(super) fn rst(from: SocketAddr, to: SocketAddr, segment: &TcpPacket<&[u8]>) -> Option<Vec<u8>> {
    if segment.rst() {
        return None;
    }
    let (seq_number, ack_number) = if segment.ack() {
        (segment.ack_number(), None)
    } else {
        (TcpSeqNumber(0), Some(segment.seq_number() + segment.segment_len()))
    };
    let repr = TcpRepr {
        src_port: from.port(),
        dst_port: to.port(),
        control: TcpControl::Rst,
        seq_number,
        ack_number,
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let (source, destination): (IpAddress, IpAddress) = (from.ip().into(), to.ip().into());
    Some(ip(from.ip(), to.ip(), IpProtocol::Tcp, repr.buffer_len(), |body| {
        repr.emit(&mut TcpPacket::new_unchecked(body), &source, &destination, &ChecksumCapabilities::default());
    }))
}
