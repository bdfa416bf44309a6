//! With whom the device's system has spoken lately: the kernel's neighbour table, IPv4 and IPv6 (RTM_GETNEIGH). Sends
//! nothing to the network.

use std::{io, net::IpAddr};

use gatelodge_proto::identity::MacAddress;

use crate::identity::rtnetlink::{attributes, dump, ip};

const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
/// An `ndmsg`.
const QUESTION: u8 = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// Reachable, stale, delayed, probed or permanent: somebody was there. Not incomplete, failed or without a table.
const WAS_THERE: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
/// Entries that are looked at; a kernel keeps 1024 at most unless told otherwise.
const MOST: usize = 4096;

/// Somebody on a network of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) address: IpAddr,
    pub(super) mac: MacAddress,
}

/// Asks the kernel; waits for nobody else.
pub(super) fn read() -> io::Result<Vec<Neighbour>> {
    let mut found = Vec::new();
    dump(RTM_GETNEIGH, QUESTION, |kind, body| {
        if kind == RTM_NEWNEIGH && found.len() < MOST {
            found.extend(neighbour(body));
        }
    })?;
    Ok(found)
}

/// An `ndmsg` and its attributes.
fn neighbour(body: &[u8]) -> Option<Neighbour> {
    let family = *body.first()?;
    let state = u16::from_ne_bytes(*body.get(8..)?.first_chunk()?);
    let (mut address, mut mac) = (None, None);
    for (kind, value) in attributes(body.get(usize::from(QUESTION)..)?) {
        match kind {
            NDA_DST => address = ip(family, value),
            NDA_LLADDR => mac = <[u8; 6]>::try_from(value).ok().and_then(|bytes| MacAddress::from_bytes(bytes).ok()),
            _ => {}
        }
    }
    (state & WAS_THERE != 0).then_some(Neighbour { address: address?, mac: mac? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(state: u16, address: [u8; 4], mac: &[u8]) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 0, 3, 0, 0, 0];
        body.extend_from_slice(&state.to_ne_bytes());
        body.extend_from_slice(&[0, 1]);
        for (kind, value) in [(NDA_DST, &address[..]), (NDA_LLADDR, mac)] {
            body.extend_from_slice(&u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            body.extend_from_slice(&kind.to_ne_bytes());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body
    }

    #[test]
    fn who_answered_once_is_a_neighbour() {
        let mac = [0x00, 0x1b, 0x44, 0x11, 0x3a, 0xb7];
        let there = neighbour(&body(0x04, [192, 168, 1, 50], &mac)).unwrap();
        assert_eq!(
            (there.address.to_string(), there.mac.to_string()),
            ("192.168.1.50".into(), "00:1B:44:11:3A:B7".into())
        );
        for (state, mac) in [(0x01, &mac[..]), (0x20, &mac), (0x40, &mac), (0x04, &[]), (0x04, &[0xff; 6])] {
            assert_eq!(neighbour(&body(state, [192, 168, 1, 50], mac)), None, "{state} {mac:?}");
        }
    }

    proptest! {
        #[test]
        fn no_entry_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = neighbour(&bytes);
        }
    }
}
