//! The session's interface, routes and names on this computer, taken back when it ends. A killed process loses the
//! interface with its routes by itself; what else it left is taken back at the next start ([`state`]).
//!
//! Needs the right to configure networks (CAP_NET_ADMIN). Changes no route that was there before.

mod hosts;
mod ip;
mod names;
mod state;

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use gatelodge_proto::payload::Subnet;
use tun_rs::{AsyncDevice, DeviceBuilder};

pub use self::names::Names;
use self::state::{Folder, Kept, State};
use super::{
    plan::{Plan, Unplanned},
    stack::MTU,
};

/// CAP_NET_ADMIN (capabilities(7)).
const NET_ADMIN: u32 = 12;
const INTERFACE: &str = "gatelodge";

/// Where things are on this computer.
#[derive(Debug, Clone)]
pub struct Places {
    run: PathBuf,
    hosts: PathBuf,
    resolv: PathBuf,
    nsswitch: PathBuf,
    resolved: PathBuf,
}

impl Places {
    /// As on every Linux, below `root`.
    pub fn under(root: &Path) -> Self {
        let at = |path| root.join(path);
        Self {
            run: at("run/gatelodge"),
            hosts: at("etc/hosts"),
            resolv: at("etc/resolv.conf"),
            nsswitch: at("etc/nsswitch.conf"),
            resolved: at("run/systemd/resolve"),
        }
    }
}

/// This computer cannot be prepared for the session.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The process may not.
    #[error("only an administrator of this computer may add a network interface")]
    NotAllowed,
    /// `ip` failed.
    #[error("`ip {what}` failed: {why}")]
    Ip {
        /// What it was asked.
        what: String,
        /// What it said.
        why: String,
    },
    /// No TUN interface.
    #[error("a network interface cannot be made: {0}")]
    Interface(#[source] io::Error),
    /// The state cannot be kept.
    #[error("what the session changes cannot be written down in {}: {error}", .folder.display())]
    State {
        /// Where.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no place for the site.
    #[error(transparent)]
    Unplanned(#[from] Unplanned),
}

/// What is taken on this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Addresses in use or routed somewhere.
    pub subnets: Vec<Subnet>,
    /// Labels of other sessions in names.
    pub labels: Vec<String>,
}

/// The ground that a session stands on. Dropping it gives everything back.
pub struct Ground {
    /// Where the site is.
    pub plan: Plan,
    /// The interface's name.
    pub interface: String,
    /// Who knows the site's names.
    pub names: Names,
    places: Places,
    folder: Folder,
    device: AsyncDevice,
    kept: Kept,
}

impl Ground {
    /// Takes back what killed sessions have left, then makes an interface, routes and names for the plan that `plan` makes
    /// of what is taken. `also_taken` are addresses that must stay reachable as they are.
    pub fn take(
        places: Places,
        also_taken: &[IpAddr],
        plan: impl FnOnce(&Taken) -> Result<Plan, Unplanned>,
    ) -> Result<Self, SystemError> {
        if !may_configure() {
            return Err(SystemError::NotAllowed);
        }
        let unkept = |error| SystemError::State { folder: places.run.clone(), error };
        let folder = Folder::at(&places.run).map_err(unkept)?;
        let turn = folder.turn().map_err(unkept)?;
        let live = folder.sweep(&turn, |stale| hosts::take_out(&places.hosts, &stale.interface)).map_err(unkept)?;

        let mut subnets = ip::taken()?;
        subnets.extend(live.iter().flat_map(|state| state.blocks.iter().copied()));
        subnets.extend(also_taken.iter().copied().chain(nameservers(&places.resolv)).filter_map(ip::single));
        let labels = live.iter().map(|state| state.label.clone()).collect();
        let plan = plan(&Taken { subnets, labels })?;

        let used: Vec<_> = ip::names()?.into_iter().chain(live.into_iter().map(|state| state.interface)).collect();
        let interface = (0..=used.len())
            .map(|number| format!("{INTERFACE}{number}"))
            .find(|name| !used.contains(name))
            .unwrap_or_else(|| INTERFACE.to_owned());
        let state = State {
            pid: std::process::id(),
            interface: interface.clone(),
            label: plan.label.clone(),
            blocks: plan.blocks().collect(),
        };
        let kept = folder.keep(&turn, &state).map_err(unkept)?;
        let device =
            DeviceBuilder::new().name(&interface).enable(false).build_async().map_err(SystemError::Interface)?;
        let names = Names::Nobody(String::new());
        let mut ground = Self { plan, interface, names, places, folder, device, kept };
        let prepared = ground.configure();
        // Giving back waits for the turn.
        drop(turn);
        prepared.map(|()| ground)
    }

    /// The interface's packets.
    pub fn device(&self) -> &AsyncDevice {
        &self.device
    }

    fn configure(&mut self) -> Result<(), SystemError> {
        let name = self.interface.as_str();
        for link in &self.plan.links {
            let address = format!("{}/{}", link.own, link.block.prefix());
            ip::change(
                &[&[family(link.own), "address", "add", &address, "dev", name], no_detection(link.own)].concat(),
            )?;
        }
        ip::change(&["link", "set", "dev", name, "mtu", &MTU.to_string(), "up"])?;
        for route in self.plan.routes() {
            let first = route.first();
            let own = self.plan.own(first).map(|own| own.to_string()).unwrap_or_default();
            let route = route.to_string();
            ip::change(&[family(first), "route", "add", &route, "dev", name, "src", &own])?;
        }
        self.names = names::make_known(&self.plan, name, &self.places);
        Ok(())
    }
}

impl Drop for Ground {
    /// The interface goes with its descriptor, and routes and systemd-resolved's word with the interface.
    fn drop(&mut self) {
        let given_back = self.folder.turn().and_then(|_turn| {
            hosts::take_out(&self.places.hosts, &self.interface)?;
            self.kept.forget()
        });
        if let Err(error) = given_back {
            tracing::warn!(%error, interface = self.interface, "not everything could be taken back; the next start tries again");
        }
    }
}

const fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "-4" } else { "-6" }
}

/// Nobody else is on the interface who could have the same IPv6 address.
const fn no_detection(address: IpAddr) -> &'static [&'static str] {
    if address.is_ipv4() { &[] } else { &["nodad"] }
}

fn may_configure() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 1 << NET_ADMIN != 0)
}

fn nameservers(resolv: &Path) -> Vec<IpAddr> {
    let text = std::fs::read_to_string(resolv).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok()).collect()
}
