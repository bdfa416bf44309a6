//! The running system's addresses, asked of the kernel (RTM_GETADDR).

use std::{io, net::IpAddr};

use super::rtnetlink::{attributes, dump, ip};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
/// An `ifaddrmsg`.
const QUESTION: u8 = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// One address on one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) index: u32,
    pub(super) address: IpAddr,
}

pub(super) fn read() -> io::Result<Vec<Assigned>> {
    let mut found = Vec::new();
    dump(RTM_GETADDR, QUESTION, |kind, body| {
        if kind == RTM_NEWADDR {
            found.extend(assigned(body));
        }
    })?;
    Ok(found)
}

/// An `ifaddrmsg` and its attributes. `IFA_LOCAL` is the own address of a point-to-point link.
fn assigned(body: &[u8]) -> Option<Assigned> {
    let family = *body.first()?;
    let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let (mut local, mut address) = (None, None);
    for (kind, value) in attributes(body.get(8..)?) {
        match kind {
            IFA_LOCAL => local = ip(family, value),
            IFA_ADDRESS => address = ip(family, value),
            _ => {}
        }
    }
    Some(Assigned { index, address: local.or(address)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::rtnetlink::take, *};

    #[test]
    fn the_running_kernel_knows_the_loopback() {
        let found = read().unwrap();
        assert!(found.iter().any(|one| one.address == IpAddr::from([127, 0, 0, 1])), "{found:?}");
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            take(&bytes, &mut |_, body| {
                let _ = assigned(body);
            });
            let _ = assigned(&bytes);
        }
    }
}
