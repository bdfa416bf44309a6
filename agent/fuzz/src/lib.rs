//! What whoever is on a device's network may send it while it looks around, as functions over bytes: each says whether
//! something was found, and panics when a promise does not hold. `fuzz_targets` feeds them to libFuzzer,
//! `tests/it/fuzz.rs` feeds them the committed corpora and mutants of them.

use std::net::IpAddr;

use gatelodge_agent::session::{Heard, heard};

/// Feeds bytes to a decoder; whether they were good.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is that of its folder in `corpus`.
pub const TARGETS: [(&str, Target); 2] = [("mdns_answer", mdns_answer), ("ssdp_answer", ssdp_answer)];

/// An answer by mDNS.
pub fn mdns_answer(data: &[u8]) -> bool {
    finds(Heard::Mdns, data)
}

/// An answer by UPnP.
pub fn ssdp_answer(data: &[u8]) -> bool {
    finds(Heard::Ssdp, data)
}

/// What is found is in the network that is looked at, and can be read as it is.
fn finds(by: Heard, data: &[u8]) -> bool {
    let finds = heard(by, data);
    for find in &finds {
        assert!(matches!(find.address, IpAddr::V4(address) if address.octets()[..3] == [192, 0, 2]));
        assert!(!find.name.as_str().chars().any(|c| c.is_control() || c == '<'), "{:?}", find.name);
    }
    !finds.is_empty()
}
