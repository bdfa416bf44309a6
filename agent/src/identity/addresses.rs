//! The running system's addresses, asked of the kernel by rtnetlink (RTM_GETADDR, rtnetlink(7)).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x0301;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// Kernel answers are at most one page or 16 KiB, whatever is larger.
const ANSWER: usize = 32 * 1024;

/// One address on one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) index: u32,
    pub(super) address: IpAddr,
}

pub(super) fn read() -> io::Result<Vec<Assigned>> {
    // NETLINK_ROUTE is protocol 0, which is what `None` stands for.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let mut request = Vec::with_capacity(24);
    request.extend_from_slice(&24u32.to_ne_bytes());
    request.extend_from_slice(&RTM_GETADDR.to_ne_bytes());
    request.extend_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    // Sequence, port and an empty `ifaddrmsg`: all families, all interfaces.
    request.extend_from_slice(&[0; 16]);
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut found = Vec::new();
    let mut buffer = vec![0; ANSWER];
    loop {
        let (length, _) = rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        if length == 0 || !take(buffer.get(..length).unwrap_or_default(), &mut found) {
            return Ok(found);
        }
    }
}

/// Takes the addresses of one answer; whether another answer follows.
fn take(mut answer: &[u8], found: &mut Vec<Assigned>) -> bool {
    while let Some((kind, body, rest)) = message(answer) {
        match kind {
            RTM_NEWADDR => found.extend(assigned(body)),
            NLMSG_DONE | NLMSG_ERROR => return false,
            _ => {}
        }
        answer = rest;
    }
    true
}

/// The first message of an answer (`nlmsghdr`), its body, and what follows.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(16..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// An `ifaddrmsg` and its attributes. `IFA_LOCAL` is the own address of a point-to-point link.
fn assigned(body: &[u8]) -> Option<Assigned> {
    let family = *body.first()?;
    let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let mut attributes = body.get(8..)?;
    let (mut local, mut address) = (None, None);
    while let Some(length) = attributes.first_chunk().map(|bytes| usize::from(u16::from_ne_bytes(*bytes))) {
        let (Some(kind), Some(value)) = (attributes.get(2..4), attributes.get(4..length)) else { break };
        match u16::from_ne_bytes(*kind.first_chunk()?) {
            IFA_LOCAL => local = ip(family, value),
            IFA_ADDRESS => address = ip(family, value),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Assigned { index, address: local.or(address)? })
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_running_kernel_knows_the_loopback() {
        let found = read().unwrap();
        assert!(found.iter().any(|one| one.address == IpAddr::from([127, 0, 0, 1])), "{found:?}");
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            take(&bytes, &mut Vec::new());
            let _ = assigned(&bytes);
        }
    }
}
