//! The bytes of SOCKS version 5 (RFC 1928), both ways. Pure; never panics on any input.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use gatelodge_proto::{payload::Host, session::driver::OpenFailure, session::inner_frame::OpenError};

const VERSION: u8 = 5;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The answer to a greeting that offers "no authentication".
pub(super) const NO_AUTHENTICATION: [u8; 2] = [VERSION, 0];
/// The answer to a greeting that does not.
pub(super) const NO_METHOD: [u8; 2] = [VERSION, 0xff];

/// The bytes are not SOCKS version 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a program spoke something else than SOCKS 5 to a SOCKS port")]
pub(super) struct NotSocks5;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// A connection.
    Connect(Place),
    /// A way for datagrams; where the client will send from is not needed.
    Associate,
    /// Something there is no way to do.
    Impossible(Reply),
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) host: Host,
    pub(super) port: u16,
}

/// The answer to a request (section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Succeeded = 0,
    Failed = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    Refused = 5,
    /// "TTL expired", which is what clients show as a time-out.
    TimedOut = 6,
    NoSuchCommand = 7,
    NoSuchAddress = 8,
}

impl From<OpenFailure> for Reply {
    fn from(failure: OpenFailure) -> Self {
        match failure {
            OpenFailure::Target(OpenError::NotAllowed | OpenError::Consent) => Self::NotAllowed,
            OpenFailure::Target(OpenError::Refused) => Self::Refused,
            OpenFailure::Target(OpenError::TimedOut) => Self::TimedOut,
            OpenFailure::Target(OpenError::Unreachable) => Self::NetworkUnreachable,
            OpenFailure::Target(OpenError::NoSuchName) => Self::HostUnreachable,
            OpenFailure::Target(OpenError::Limit | OpenError::Busy | OpenError::Names) | OpenFailure::Over => {
                Self::Failed
            }
        }
    }
}

impl Reply {
    /// The reply's bytes, with the address that the client may want to know.
    pub(super) fn encode(self, bound: SocketAddr) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(&[VERSION, self as u8, 0]);
        put_address(&mut out, bound.ip());
        out.put_u16(bound.port());
        out.freeze()
    }
}

/// Takes a greeting from the front (section 3): whether it offers "no authentication". `None` when it is not whole yet.
pub(super) fn take_greeting(buffer: &mut BytesMut) -> Result<Option<bool>, NotSocks5> {
    let (Some(version), count) = (buffer.first(), buffer.get(1)) else { return Ok(None) };
    if *version != VERSION {
        return Err(NotSocks5);
    }
    let Some(end) = count.map(|count| 2 + usize::from(*count)).filter(|end| *end <= buffer.len()) else {
        return Ok(None);
    };
    Ok(Some(buffer.split_to(end)[2..].contains(&0)))
}

/// Takes a request from the front (section 4). `None` when it is not whole yet.
pub(super) fn take_request(buffer: &mut BytesMut) -> Result<Option<Request>, NotSocks5> {
    if buffer.first().is_some_and(|version| *version != VERSION) {
        return Err(NotSocks5);
    }
    let Some(command) = buffer.get(1).copied() else { return Ok(None) };
    let mut rest = Bytes::copy_from_slice(buffer.get(3..).unwrap_or_default());
    let whole = rest.len();
    let place = match take_place(&mut rest) {
        Taken::Place(place) => Ok(place),
        Taken::NoPlace => Err(Reply::NoSuchAddress),
        Taken::Cut => return Ok(None),
    };
    buffer.advance(3 + whole - rest.len());
    Ok(Some(match (command, place) {
        (1, Ok(place)) => Request::Connect(place),
        // Section 7 lets a client leave the address empty.
        (3, _) => Request::Associate,
        (1, Err(reply)) => Request::Impossible(reply),
        _ => Request::Impossible(Reply::NoSuchCommand),
    }))
}

/// A datagram of a client (section 7): where it goes and what it says. `None` for fragments, which may be dropped, and
/// for what is none.
pub(super) fn datagram(bytes: &Bytes) -> Option<(Place, Bytes)> {
    let [0, 0, 0] = bytes.get(..3)? else { return None };
    let mut rest = bytes.slice(3..);
    match take_place(&mut rest) {
        Taken::Place(place) => Some((place, rest)),
        Taken::NoPlace | Taken::Cut => None,
    }
}

/// What stands before each datagram to a client.
pub(super) fn datagram_head(from: &Place) -> Bytes {
    let mut out = BytesMut::from([0, 0, 0].as_slice());
    match &from.host {
        Host::Address(address) => put_address(&mut out, *address),
        Host::Name(name) => {
            out.put_slice(&[NAME, u8::try_from(name.as_str().len()).unwrap_or(u8::MAX)]);
            out.put_slice(name.as_str().as_bytes());
        }
    }
    out.put_u16(from.port);
    out.freeze()
}

enum Taken {
    Place(Place),
    /// Whole, and nothing that can be reached.
    NoPlace,
    Cut,
}

fn take_place(rest: &mut Bytes) -> Taken {
    let Ok(kind) = rest.try_get_u8() else { return Taken::Cut };
    let host = match kind {
        IPV4 => rest.try_get_u32().ok().map(|bits| Some(Host::Address(Ipv4Addr::from_bits(bits).into()))),
        IPV6 => rest.try_get_u128().ok().map(|bits| Some(Host::Address(Ipv6Addr::from_bits(bits).into()))),
        NAME => {
            let length = rest.try_get_u8().map(usize::from);
            length.ok().filter(|length| *length <= rest.len()).map(|length| {
                let name = rest.split_to(length);
                std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok())
            })
        }
        // Nobody knows how long its address is; there is nothing more to read.
        _ => return Taken::NoPlace,
    };
    let (Some(host), Ok(port)) = (host, rest.try_get_u16()) else { return Taken::Cut };
    match host {
        Some(host) => Taken::Place(Place { host, port }),
        None => Taken::NoPlace,
    }
}

fn put_address(out: &mut BytesMut, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.put_u8(IPV4);
            out.put_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.put_u8(IPV6);
            out.put_slice(&address.octets());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn any_place() -> impl Strategy<Value = Place> {
        let host = prop_oneof![
            any::<IpAddr>().prop_map(Host::Address),
            "[a-z][a-z0-9]{0,20}(\\.[a-z]{1,20}){0,3}".prop_map(|name| name.parse().unwrap()),
        ];
        (host, any::<u16>()).prop_map(|(host, port)| Place { host, port })
    }

    proptest! {
        #[test]
        fn a_request_is_read_however_its_bytes_arrive_and_what_follows_is_left(
            place in any_place(), methods in vec(any::<u8>(), 0..9), cut in 0usize..40, tail in vec(any::<u8>(), 0..9)
        ) {
            let mut wire = vec![5, u8::try_from(methods.len()).unwrap()];
            wire.extend(&methods);
            let greeting = wire.len();
            wire.extend([5, 1, 0]);
            wire.extend(&datagram_head(&place)[3..]);
            let whole = wire.len();
            wire.extend(&tail);
            let cut = cut.min(wire.len());
            let mut buffer = BytesMut::from(&wire[..cut]);
            let first = take_greeting(&mut buffer).unwrap();
            prop_assert_eq!(first.is_some(), cut >= greeting);
            if first.is_some() {
                prop_assert_eq!(take_request(&mut buffer).unwrap().is_some(), cut >= whole);
            }
            let mut buffer = BytesMut::from(wire.as_slice());
            prop_assert_eq!(take_greeting(&mut buffer).unwrap(), Some(methods.contains(&0)));
            prop_assert_eq!(take_request(&mut buffer).unwrap(), Some(Request::Connect(place)));
            prop_assert_eq!(&buffer[..], &tail[..]);
        }

        #[test]
        fn a_datagram_keeps_its_place_and_its_words(place in any_place(), words in vec(any::<u8>(), 0..50)) {
            let whole = [&*datagram_head(&place), &words].concat();
            prop_assert_eq!(datagram(&whole.into()), Some((place, words.into())));
        }

        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300), version in prop_oneof![Just(5u8), any::<u8>()]) {
            let mut wire = vec![version];
            wire.extend(&bytes);
            let _ = take_greeting(&mut BytesMut::from(wire.as_slice()));
            let _ = take_request(&mut BytesMut::from(wire.as_slice()));
            let _ = datagram(&bytes.into());
        }
    }

    #[test]
    fn what_cannot_be_done_is_said_by_its_number() {
        let ask = |bytes: &[u8]| take_request(&mut BytesMut::from(bytes)).unwrap();
        let place = [1, 192, 168, 1, 50, 0, 80];
        assert_eq!(ask(&[&[5, 2, 0], &place[..]].concat()), Some(Request::Impossible(Reply::NoSuchCommand)), "BIND");
        assert_eq!(ask(&[5, 1, 0, 9]), Some(Request::Impossible(Reply::NoSuchAddress)));
        assert_eq!(ask(&[5, 1, 0, 3, 3, b'1', b'.', b'1', 0, 80]), Some(Request::Impossible(Reply::NoSuchAddress)));
        assert_eq!(ask(&[5, 3, 0, 1, 0, 0, 0, 0, 0, 0]), Some(Request::Associate));
        assert_eq!(take_greeting(&mut BytesMut::from(b"GET / HTTP/1.1".as_slice())), Err(NotSocks5));
        assert_eq!(datagram(&Bytes::from_static(&[0, 0, 1, 1, 1, 2, 3, 4, 0, 80])), None, "a fragment");
        assert_eq!(*Reply::Refused.encode("127.0.0.1:80".parse().unwrap()), [5, 5, 0, 1, 127, 0, 0, 1, 0, 80]);
    }
}
