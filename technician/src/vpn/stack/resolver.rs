//! Answers DNS questions (RFC 1035) for the names of a session, and refuses all others: nobody's other questions are
//! this program's affair. Pure; one question, one answer, over UDP.

use std::net::IpAddr;

use super::super::plan::{Plan, TOP};

const HEADER: usize = 12;
const MAX_NAME: usize = 255;
/// Seconds that an answer may be kept: the session may end at any time.
const KEPT: u32 = 5;
const A: u16 = 1;
const AAAA: u16 = 28;
const IN: u16 = 1;

#[derive(Clone, Copy)]
enum Code {
    NoError = 0,
    FormErr = 1,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
}

/// The answer to a question; none to what is no question at all.
pub(super) fn answer(query: &[u8], plan: &Plan) -> Option<Vec<u8>> {
    let (header, rest) = query.split_at_checked(HEADER)?;
    if header[2] & 0x80 != 0 {
        return None;
    }
    if header[2] & 0x78 != 0 {
        return Some(reply(header, &[], Code::NotImp, None));
    }
    let questions = u16::from_be_bytes([header[4], header[5]]);
    let Some((name, kind, question)) = question(rest).filter(|_| questions == 1) else {
        return Some(reply(header, &[], Code::FormErr, None));
    };
    let inside = name == TOP || name.strip_suffix(TOP).is_some_and(|rest| rest.ends_with('.'));
    if !inside {
        return Some(reply(header, question, Code::Refused, None));
    }
    let found: Vec<_> = plan.names().filter(|(own, _)| *own == name).map(|(_, address)| address).collect();
    let domain = plan.domain();
    let on_the_way = name == TOP || name == domain;
    let address =
        found.iter().copied().find(|address| (kind == A && address.is_ipv4()) || (kind == AAAA && address.is_ipv6()));
    let code = if found.is_empty() && !on_the_way { Code::NxDomain } else { Code::NoError };
    Some(reply(header, question, code, address))
}

/// Name in lower case, type, and the bytes of the question; only of the class IN.
fn question(bytes: &[u8]) -> Option<(String, u16, &[u8])> {
    let (mut name, mut at) = (String::new(), 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        let label = bytes.get(at + 1..at + 1 + length).filter(|_| length < 64)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        if name.len() > MAX_NAME {
            return None;
        }
    }
    let tail = bytes.get(at..at + 4)?;
    let (kind, class) = (u16::from_be_bytes([tail[0], tail[1]]), u16::from_be_bytes([tail[2], tail[3]]));
    (class == IN).then(|| (name, kind, &bytes[..at + 4]))
}

fn reply(header: &[u8], question: &[u8], code: Code, address: Option<IpAddr>) -> Vec<u8> {
    // An answer, with authority, to a question whose wish for recursion it repeats.
    let flags = [0x84 | (header[2] & 1), code as u8];
    let mut out = Vec::with_capacity(HEADER + question.len() + 28);
    out.extend_from_slice(&header[..2]);
    out.extend_from_slice(&flags);
    for count in [u16::from(!question.is_empty()), u16::from(address.is_some()), 0, 0] {
        out.extend_from_slice(&count.to_be_bytes());
    }
    out.extend_from_slice(question);
    let Some(address) = address else { return out };
    // The name of the question, by its place.
    out.extend_from_slice(&[0xC0, 12]);
    let (kind, octets) = match address {
        IpAddr::V4(address) => (A, address.octets().to_vec()),
        IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
    };
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&IN.to_be_bytes());
    out.extend_from_slice(&KEPT.to_be_bytes());
    out.extend_from_slice(&u16::try_from(octets.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&octets);
    out
}
