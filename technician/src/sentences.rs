//! Every sentence this program says to a person, in one place, so that another language is another file.

mod copies;
mod finds;
mod lists;

pub(crate) use copies::*;
pub(crate) use finds::*;
pub(crate) use lists::*;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gatelodge_proto::{
    SessionId,
    api::{DeviceView, SessionView},
    payload::{EndReason, Host, Listen, Network, NotLonger, Service, ServiceName, Subnet, Title},
    session::{inner_frame::Target, line::LineState},
};

use crate::forward::Wanted;

pub(crate) const NOT_SIGNED_IN: &str = "you are not signed in";
pub(crate) const NEXT_SIGN_IN: &str = "gatelodge sign-in https://the-address-of-your-portal";
pub(crate) const NEXT_SIGN_IN_AGAIN: &str = "gatelodge sign-in";
pub(crate) const SIGNED_OUT_THERE: &str = "the portal no longer knows this sign-in";
pub(crate) const NEXT_TRY_AGAIN: &str = "try again; if it stays so, tell whoever runs the portal";
pub(crate) const NEXT_CONNECTION: &str = "check this computer's connection and the portal's address";
pub(crate) const NEXT_CA_FILE: &str = "give the portal's CA with --ca-file, or none for a public certificate";
pub(crate) const NO_CLOUD: &str = "which portal do you sign in to?";
pub(crate) const SIGN_IN_DENIED: &str = "the sign-in was refused in the browser";
pub(crate) const SIGN_IN_LATE: &str = "the code was not confirmed in time";
pub(crate) const NEXT_LIST_DEVICES: &str = "gatelodge devices shows every device you may see";
pub(crate) const NEXT_NAME_SERVICE: &str = "name one of the services above, like 8080:panel-web";
pub(crate) const NEXT_NAME_LISTEN: &str = "name one of the ports above, like back:event-receiver=9000";
pub(crate) const NEXT_OTHER_PORT: &str = "choose another local port, like 8081:panel-web, or leave it out";
pub(crate) const NEXT_PROXY: &str =
    "correct --proxy of gatelodge sign-in, or HTTPS_PROXY and ALL_PROXY in the environment";
pub(crate) const NEXT_WHICH_NETWORK: &str = "name one of the networks above with --network";
pub(crate) const NEXT_OTHER_ADDRESS: &str = "name an address in one of the networks above";
pub(crate) const NEXT_OFFER_NETWORK: &str =
    "have a network offered: [[networks]] in the settings of the device's agent";
pub(crate) const NEXT_NAME_NETWORK: &str = "name one of the networks above with --network, or none for all of them";
pub(crate) const TOO_MANY_RANGES: &str = "more than one range of the same kind of addresses is given";
pub(crate) const NEXT_ONE_RANGE: &str = "give --range once for IPv4 and once for IPv6 at most";
pub(crate) const NEXT_OTHER_RANGE: &str =
    "give a larger free range with --range, like 10.128.0.0/9, or fewer networks with --network";
pub(crate) const NEXT_TUN: &str = "see that /dev/net/tun is there (modprobe tun), then try again";
pub(crate) const NEXT_IPROUTE: &str = "see that iproute2 is installed and `ip address` works, then try again";
pub(crate) const NEXT_STATE_FOLDER: &str = "make room there and see that root may write, then try again";
pub(crate) const NAMES_IN_HOSTS: &str = "the names are in /etc/hosts until the session ends";
pub(crate) const WAITING_FOR_CONSENT: &str = "the customer has not allowed this session yet";
pub(crate) const NEXT_WAIT: &str = "wait here, or ask them to open the portal > Requests";
pub(crate) const BROKE_GLASS: &str =
    "break-glass: you enter without an answer of the customer; they and your organisation are told now";
pub(crate) const SESSION_REFUSED: &str = "the customer does not allow this session";
pub(crate) const NEXT_AGREE: &str = "agree with them on the phone, then ask again";
pub(crate) const NO_MORE_TIME: &str = "the customer gives no more time: the session ends as planned";
pub(crate) const NEXT_NO_MORE_TIME: &str = "finish what is open, or agree with them on the phone and ask again";
pub(crate) const NEXT_OPEN_SESSION: &str =
    "gatelodge forward and gatelodge vpn open one; for a colleague's, name it with --session";
pub(crate) const NEXT_OTHER_SESSION: &str = "leave --session out for your own session with the device";
pub(crate) const NOT_ANSWERED_YET: &str =
    "the customer gives more time; the device has not answered yet, and the session lasts longer once it has";
pub(crate) const NEXT_EACH_ALONE: &str =
    "leave the local port out, or name each service with a port of its own, like 8080:panel-web";
pub(crate) const WHY: &str = "Why do you need the session? The customer reads it (Enter for no reason): ";
pub(crate) const AWAY: &str = "connection lost, trying again; what is open goes on when it is back";
pub(crate) const ENDING: &str = "ending the session";
pub(crate) const SIGNED_OUT: &str = "Signed out. The sign-in on this computer is gone.";
pub(crate) const WAS_SIGNED_OUT: &str = "You were not signed in.";

pub(crate) fn confirm_in_browser(address: &str, code: &str, minutes: u32) -> String {
    format!(
        "Open this address in a browser and confirm that it shows the same code (good for {minutes} minutes):\n\n  \
         {address}\n  {code}\n"
    )
}

pub(crate) fn signed_in(name: &str, email: &str, organisation: &str) -> String {
    format!("Signed in as {name} ({email}) for {organisation}.")
}

pub(crate) fn unreachable(host: &str) -> String {
    format!("the portal at {host} cannot be reached")
}

pub(crate) fn no_device(wanted: &str) -> String {
    format!("there is no device `{wanted}` among yours")
}

pub(crate) fn several_devices(wanted: &str) -> String {
    format!("`{wanted}` names more than one device")
}

pub(crate) fn no_service(device: &str, wanted: &ServiceName) -> String {
    format!("{device} has no service `{wanted}`")
}

pub(crate) fn several_at(preset: &Title, local: SocketAddr) -> String {
    format!("{preset} is several services, which cannot all be at {local}")
}

pub(crate) fn in_no_network(device: &str, wanted: &Wanted) -> String {
    format!("{wanted} is in no network of {device}")
}

pub(crate) fn which_network(device: &str, wanted: &Wanted) -> String {
    format!("say in which network of {device} {wanted} is")
}

pub(crate) fn no_listen(device: &str, wanted: &ServiceName) -> String {
    format!("the installation of {device} calls at no port `{wanted}`")
}

pub(crate) fn calls(listen: &Listen, local: SocketAddr) -> String {
    format!("calls of {} to {} (port {}) reach {local} here", listen.from, listen.name, listen.port)
}

pub(crate) fn deaf(name: &ServiceName) -> String {
    format!("the device does not listen for {name}: its port is in use, or its address is gone; its log says more")
}

pub(crate) fn no_network(device: &str, wanted: &ServiceName) -> String {
    format!("{device} has no network `{wanted}`")
}

pub(crate) fn mapped(network: &Network, here: Subnet) -> String {
    format!("{} at the site ({}) is {here} here", network.subnet, network.name)
}

pub(crate) fn service_here(service: &Service, name: &str, here: IpAddr) -> String {
    let Service { name: own, protocol, port, .. } = service;
    format!("{own} is {name}, {}, {} port {port}", here, protocol.word())
}

pub(crate) fn real(address: IpAddr) -> String {
    format!("{address} has its own number here too")
}

pub(crate) fn not_real(address: IpAddr, here: Option<IpAddr>) -> String {
    match here {
        Some(here) => format!("{address} is in use on this computer and means what it meant before; take {here}"),
        None => format!("{address} is in use on this computer, or is no address of this site"),
    }
}

pub(crate) fn no_names(why: &str) -> String {
    format!("there are no names, only addresses: {why}")
}

pub(crate) fn offers(services: &[String]) -> String {
    if services.is_empty() { "it offers none".to_owned() } else { services.join(", ") }
}

pub(crate) fn target(target: &Target) -> String {
    match target {
        Target::Service(name) => name.to_string(),
        Target::Address { protocol, host, port } => match host {
            Host::Address(IpAddr::V6(address)) => format!("{} [{address}]:{port}", protocol.word()),
            Host::Address(IpAddr::V4(_)) | Host::Name(_) => format!("{} {host}:{port}", protocol.word()),
        },
        Target::Echo { address } => format!("ping {address}"),
        Target::Call { listen, caller } => format!("call of {caller} to {listen}"),
        Target::File { path: Some(path), .. } => path.to_string(),
        Target::File { path: None, .. } => "folders".to_owned(),
        Target::Discover => "look around".to_owned(),
        Target::Certify { name } => format!("blind page {name}"),
        Target::Blind => "blind page".to_owned(),
        Target::Terminal { .. } => "terminal".to_owned(),
    }
}

pub(crate) fn no_terminal(device: &str) -> String {
    format!("{device} lets no session have a terminal")
}

pub(crate) const NEXT_OFFER_TERMINAL: &str =
    "whoever looks after the device sets terminal.enabled and terminal.user in its settings";
pub(crate) const SHELL_JSON: &str = "a terminal's own output is no JSON";
pub(crate) const NEXT_SHELL_JSON: &str = "leave --json out";
pub(crate) const LONG_COMMAND: &str = "the command is longer than 4096 characters, or has a NUL";
pub(crate) const NEXT_LONG_COMMAND: &str = "put it into a script on the device";
pub(crate) const NEXT_AFTER_SHELL: &str = "do what it says, then open another terminal";

/// What a technician reads before there is a terminal.
pub(crate) fn recorded(device: &DeviceView, way_out: &str) -> String {
    let customer = device.customer.as_deref().unwrap_or("the customer");
    format!("This terminal is recorded; {customer} and your organisation can replay it. Leave it by {way_out}")
}

pub(crate) fn ends_in(seconds: u32) -> String {
    match seconds.div_ceil(60) {
        1 => "the session ends within a minute".to_owned(),
        minutes => format!("the session ends in {minutes} minutes"),
    }
}

pub(crate) const fn line(state: LineState) -> &'static str {
    match state {
        LineState::Away { .. } => AWAY,
        LineState::Up { .. } => "the connection is back",
    }
}

pub(crate) fn exposed(mode: u32) -> String {
    format!("the file with your sign-in can be read by other users of this computer (mode {mode:o})")
}

pub(crate) fn asked(device: &DeviceView, ago: Duration) -> String {
    format!("{} ({}), asked {}", device.name, device.id_code, since(ago))
}

fn since(ago: Duration) -> String {
    match ago.as_secs() / 60 {
        0 => "just now".to_owned(),
        1 => "1 minute ago".to_owned(),
        minutes => format!("{minutes} minutes ago"),
    }
}

pub(crate) fn left(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s left"),
        _ => format!("{} min left", seconds / 60),
    }
}

pub(crate) fn away(since: Duration) -> String {
    format!("connection lost, trying again ({} s)", since.as_secs())
}

pub(crate) fn back(after: Duration) -> String {
    format!("the connection is back after {} s", after.as_secs())
}

pub(crate) fn ends_soon(seconds: u64) -> String {
    format!(
        "the session ends in {}",
        if seconds >= 120 { format!("{} minutes", (seconds + 30) / 60) } else { format!("{seconds} seconds") }
    )
}

/// What to do when more time is needed, in one line.
pub(crate) fn how_to_extend(device: &str) -> String {
    format!("for more time: gatelodge extend {device}")
}

pub(crate) fn goes_on(seconds: u64) -> String {
    format!("the session goes on: {}", left(seconds))
}

pub(crate) fn asked_for_more(minutes: u32) -> String {
    let more = if minutes == 1 { "1 more minute".to_owned() } else { format!("{minutes} more minutes") };
    format!("asked the customer for {more}; wait here, or have them open the portal > Requests")
}

pub(crate) fn several_open(device: &str) -> String {
    format!("you have several sessions open with {device}")
}

/// One of several sessions, to be told from the others.
pub(crate) fn one_open(session: &SessionView) -> String {
    let until = session.until.map(|until| format!(", until {until}")).unwrap_or_default();
    let reason = session.reason.as_ref().map(|reason| format!(", \"{reason}\"")).unwrap_or_default();
    format!("{} (asked {}{until}{reason})", session.id, session.requested_at)
}

/// How to say which of several sessions is meant.
pub(crate) fn which_session(device: &str, one: SessionId) -> String {
    format!("choose one of them: gatelodge extend {device} --session {one}")
}

pub(crate) fn none_open(device: &str) -> String {
    format!("you have no session open with {device}")
}

pub(crate) fn not_open(session: SessionId, device: &str) -> String {
    format!("the session {session} is not open with {device}")
}

/// How a session goes on that has been given more time; `longest` where its device has cut that.
pub(crate) fn goes_on_until(seconds: u64, longest: bool) -> String {
    let cut = if longest { "; the device's own settings let it last no longer than that" } else { "" };
    format!("{}{cut}", goes_on(seconds))
}

pub(crate) const fn after_not_longer(why: NotLonger) -> &'static str {
    match why {
        NotLonger::Longest => "finish what is open; when this session has ended, ask for another",
        NotLonger::Off | NotLonger::Consent | NotLonger::Grant | NotLonger::Proof => {
            "talk to the customer, or have somebody look at the device, then ask again"
        }
        NotLonger::Owner | NotLonger::NotOpen => NEXT_LIST_DEVICES,
    }
}

pub(crate) const fn not_longer(why: NotLonger) -> &'static str {
    match why {
        NotLonger::Longest => {
            "the customer gives more time, but the device's own settings let the session last no longer"
        }
        NotLonger::Off => "the device gives no more time: remote access is switched off on the device itself",
        NotLonger::Consent => "the device gives no more time: as it knows the customer's rule, nobody may enter",
        NotLonger::Owner => "the device gives no more time: it has changed hands meanwhile",
        NotLonger::NotOpen => "the device gives no more time: the session is not open there any more",
        NotLonger::Proof => {
            "the device gives no more time: the customer's key is pinned on it, and has not signed a later end"
        }
        NotLonger::Grant => {
            "the device gives no more time: it does not accept what the cloud has signed; its log says more"
        }
    }
}

pub(crate) const fn ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Technician => "the session is over: you ended it",
        EndReason::Customer => "the session is over: the customer pressed Stop",
        EndReason::Device => "the session is over: it was stopped on the device",
        EndReason::Expired => "the session is over: its time has passed",
        EndReason::Idle => "the session is over: nothing happened for a while",
        EndReason::Revoked => "the session is over: the right to it was taken back",
        EndReason::RelayLost => "the session is over: the connection was lost",
        EndReason::NeverJoined => "the device did not come to the session",
        EndReason::Refused => "the device and this computer could not agree on the session",
        EndReason::DeviceOff => "the device refuses the session: remote access is switched off on the device itself",
        EndReason::DeviceConsent => "the device refuses the session: as it knows the customer's rule, nobody may enter",
        EndReason::DeviceOwner => "the device refuses the session: it has changed hands meanwhile",
        EndReason::DeviceServices => {
            "the device refuses the session: its own settings list nothing of what was asked for"
        }
        EndReason::DeviceBusy => "the device refuses the session: it carries as many as it can",
        EndReason::DeviceClock => "the device refuses the session: by its own clock it was asked too late",
        EndReason::DeviceFault => "the device tried to open the session and could not",
        EndReason::DeviceProof => {
            "the device refuses the session: the customer's key is pinned on it, and has not signed this session"
        }
    }
}

pub(crate) const fn after_end(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Technician => "ask for another when you need it; gatelodge forward and gatelodge vpn open one",
        EndReason::Customer | EndReason::Device | EndReason::Revoked => "talk to the customer, then ask for another",
        EndReason::Expired | EndReason::Idle => "ask for another; --minutes sets how long it may last",
        EndReason::RelayLost => "check the connection of both sides, then ask for another",
        EndReason::NeverJoined => "see with gatelodge devices whether it is online, then ask again",
        EndReason::Refused => "make sure that the device's agent is current; its log says more",
        EndReason::DeviceOff => "have somebody at the device set remote_access.enabled, then ask again",
        EndReason::DeviceConsent => "talk to the customer; ask again once their rule allows it",
        EndReason::DeviceOwner => NEXT_LIST_DEVICES,
        EndReason::DeviceServices => "have somebody at the device add them to its settings, then ask again",
        EndReason::DeviceBusy => "end a session of this device, then ask again; gatelodge sessions shows them",
        EndReason::DeviceClock => "have somebody at the device set its clock, then ask again",
        EndReason::DeviceFault => "ask again; if it stays so, the device's log says why",
        EndReason::DeviceProof => "ask again; the customer answers with the passkey, or presses Allow on the device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_like_a_person_says_them() {
        assert_eq!([0, 999, 1_500, 2_340_000].map(rate), ["0 B/s", "999 B/s", "1.5 kB/s", "2.3 MB/s"]);
        assert_eq!([59, 119, 120, 3_540].map(left), ["59 s left", "119 s left", "2 min left", "59 min left"]);
        assert_eq!(since(Duration::from_secs(130)), "2 minutes ago");
        assert_eq!(limited(2_000_000, "device"), "limited to 2.0 MB/s by the device");
        assert_eq!([300, 60].map(ends_soon), ["the session ends in 5 minutes", "the session ends in 60 seconds"]);
    }
}
