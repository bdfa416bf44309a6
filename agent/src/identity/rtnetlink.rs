//! What the kernel lists by rtnetlink (rtnetlink(7)): one question, its answers, their attributes. Changes nothing.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x0301;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// Kernel answers are at most one page or 16 KiB, whatever is larger.
const ANSWER: usize = 32 * 1024;
const HEADER: u8 = 16;

/// Asks for everything of a kind, whose question is `body` zeros long after the header; all families, all interfaces.
pub(crate) fn dump(kind: u16, body: u8, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
    // NETLINK_ROUTE is protocol 0, which is what `None` stands for.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let length = HEADER + body;
    let mut request = Vec::with_capacity(length.into());
    request.extend_from_slice(&u32::from(length).to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    // Sequence, port and an empty body.
    request.resize(length.into(), 0);
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0; ANSWER];
    loop {
        let (length, _) = rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        if length == 0 || !take(buffer.get(..length).unwrap_or_default(), &mut each) {
            return Ok(());
        }
    }
}

/// Takes the messages of one answer; whether another answer follows.
pub(crate) fn take(mut answer: &[u8], each: &mut impl FnMut(u16, &[u8])) -> bool {
    while let Some((kind, body, rest)) = message(answer) {
        match kind {
            NLMSG_DONE | NLMSG_ERROR => return false,
            kind => each(kind, body),
        }
        answer = rest;
    }
    true
}

/// The first message of an answer (`nlmsghdr`), its body, and what follows.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(usize::from(HEADER)..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The attributes (`rtattr`) of a message.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..4)?.first_chunk()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// An address of that family.
pub(crate) fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}
