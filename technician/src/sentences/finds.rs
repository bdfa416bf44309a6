//! The words of what a device finds.

use gatelodge_proto::session::finds::FoundBy;

pub(crate) const NEXT_OFFER_DISCOVERY: &str =
    "have it offered: discovery.enabled = true in the settings of the device's agent";
pub(crate) const NEXT_DISCOVER: &str = "try again; gatelodge sessions says whether the session was ended";
pub(crate) const NOTHING_FOUND: &str =
    "Nothing was found: nobody answers, and no port is declared that could be tried.";
pub(crate) const MORE_THAN_TOLD: &str = "There is more than is told; name one network with --network.";
pub(crate) const WHICH_TO_OPEN: &str = "Number to open on this computer (Enter ends the session): ";
pub(crate) const NO_SUCH_NUMBER: &str = "That number is none of those with a port.";

pub(crate) fn no_discovery(device: &str) -> String {
    format!("{device} does not tell what there is on its networks")
}

pub(crate) fn no_networks(device: &str) -> String {
    format!("{device} lets sessions reach services only, and no network")
}

pub(crate) fn open_with_forward(device: &str, place: &str) -> String {
    let place = place.strip_prefix("tcp ").unwrap_or(place);
    format!("gatelodge forward {device} {place} opens one on this computer.")
}

pub(crate) fn found_so_far(count: usize) -> String {
    match count {
        0 => "looking around".to_owned(),
        count => format!("{count} found"),
    }
}

pub(crate) const fn found_by(by: FoundBy) -> &'static str {
    match by {
        FoundBy::Settings => "settings",
        FoundBy::Mdns => "mDNS",
        FoundBy::Ssdp => "UPnP",
        FoundBy::Port => "open port",
        FoundBy::Neighbour => "neighbour",
    }
}
