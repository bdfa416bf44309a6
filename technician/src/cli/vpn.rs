//! `vpn`: a site's networks on this computer, for whatever program connects to them.

use std::{net::IpAddr, path::Path};

use clap::Args;
use gatelodge_proto::{
    api::DeviceView,
    payload::{Network, ServiceName, Subnet},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    SignedIn,
    live_line::{LiveLine, Ready},
    session::{self, Asking, Reach, Twice},
};
use crate::{
    forward::Calls,
    output::{Exit, Failure, Output},
    pick, sentences,
    vpn::{
        self,
        plan::{Plan, Ranges, Site, label},
        system::{Ground, Names, Places, SystemError},
    },
};

#[derive(Debug, Args)]
pub(super) struct VpnArguments {
    /// The device: its name, web address or ID code
    device: String,
    /// A network of the device; all of them when left out
    #[arg(long = "network", value_name = "NAME")]
    networks: Vec<ServiceName>,
    /// Let addresses keep their own numbers here too, where nothing on this computer has them: those named, else those of
    /// the services
    #[arg(long, value_name = "ADDRESS", num_args = 0.., require_equals = true, value_delimiter = ',')]
    real: Option<Vec<IpAddr>>,
    /// Where the site's addresses are put on this computer, one for IPv4 and one for IPv6; 198.18.0.0/15 and
    /// fd6c:9a41:d27e::/48 when left out
    #[arg(long = "range", value_name = "SUBNET")]
    ranges: Vec<Subnet>,
    /// Let the installation call this computer: what connects to that port of the device reaches the program at the same
    /// port here, or at LOCAL (9000, or an address with a port)
    #[arg(long = "back", value_name = "NAME[=LOCAL]")]
    backs: Vec<Calls>,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn vpn(arguments: VpnArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    let networks = networks(device, &arguments.networks)?;
    let ranges = ranges(&arguments.ranges)?;
    let backs = session::backs(device, &arguments.backs)?;
    let real = match arguments.real {
        None => Vec::new(),
        Some(named) if named.is_empty() => addresses(device),
        Some(named) => named,
    };
    // Before anything changes on this computer: from here on Ctrl-C leaves it as it was.
    let asked = arguments.asking.ask(Twice::Waits, output).await?;
    // Everything that can fail on this computer does so before a customer is asked.
    let ground = Ground::take(Places::under(Path::new("/")), &by.cloud.addresses().await, |taken| {
        let site =
            Site { label: &label(device, &taken.labels), networks: &networks, services: &device.services, real: &real };
        Plan::make(site, ranges, &taken.subnets)
    })
    .map_err(|error| unprepared(&error, device))?;
    let reach = Reach {
        services: device.services.iter().map(|service| service.name.clone()).collect(),
        networks: networks.into_iter().map(|network| network.name).collect(),
        backs: backs.clone(),
        features: Vec::new(),
    };
    session::hold(by, device, reach, asked, output, async |ours, interrupted| {
        let line = LiveLine::new(
            device,
            ready(&ground, session::told(device, &backs)),
            ours.join.until,
            by.clock.clone(),
            output,
        );
        let (updates, told) = mpsc::unbounded_channel();
        let running = vpn::run(ours, &ground, interrupted.cancelled(), updates);
        let (ending, ()) = tokio::join!(running, line.follow(told));
        ending
    })
    .await
}

fn networks(device: &DeviceView, wanted: &[ServiceName]) -> Result<Vec<Network>, Failure> {
    if let Some(unknown) = wanted.iter().find(|name| !device.networks.iter().any(|network| network.name == **name)) {
        let names: Vec<_> = device.networks.iter().map(|network| network.name.to_string()).collect();
        return Err(Failure::new(
            Exit::Usage,
            sentences::no_network(&device.name, unknown),
            sentences::NEXT_NAME_NETWORK,
        )
        .about("networks", sentences::offers(&names)));
    }
    let all = wanted.is_empty();
    Ok(device.networks.iter().filter(|network| all || wanted.contains(&network.name)).cloned().collect())
}

fn ranges(given: &[Subnet]) -> Result<Ranges, Failure> {
    let usual = Ranges::usual();
    let of = |v4: bool| given.iter().copied().filter(|range| range.first().is_ipv4() == v4).collect::<Vec<_>>();
    let one = |given: Vec<Subnet>, usual: Option<Subnet>| match given[..] {
        [] => usual,
        [one] => Some(one),
        _ => None,
    };
    let (v4, v6) = (one(of(true), usual.map(|usual| usual.v4)), one(of(false), usual.map(|usual| usual.v6)));
    v4.zip(v6)
        .map(|(v4, v6)| Ranges { v4, v6 })
        .ok_or_else(|| Failure::new(Exit::Usage, sentences::TOO_MANY_RANGES, sentences::NEXT_ONE_RANGE))
}

/// The literal addresses of the services that only a site can have: any other is somebody's on the internet, and a device
/// that names it must not take it over on this computer unless the technician names it too.
fn addresses(device: &DeviceView) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = device.services.iter().filter_map(|service| service.host.parse().ok()).collect();
    addresses.retain(is_private);
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// RFC 1918 and RFC 4193.
const fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

fn unprepared(error: &SystemError, device: &DeviceView) -> Failure {
    let name = pick::named(device);
    let next = match error {
        SystemError::NotAllowed => format!("sudo gatelodge vpn {name}"),
        SystemError::Unplanned(_) => sentences::NEXT_OTHER_RANGE.to_owned(),
        SystemError::Interface(_) => sentences::NEXT_TUN.to_owned(),
        SystemError::Ip { .. } => sentences::NEXT_IPROUTE.to_owned(),
        SystemError::State { .. } => sentences::NEXT_STATE_FOLDER.to_owned(),
    };
    Failure::new(Exit::Failed, error.to_string(), next)
}

/// Where everything is, for people and programs.
fn ready(ground: &Ground, (calls, told): (Vec<String>, Value)) -> Ready {
    let plan = &ground.plan;
    let mut lines = Vec::new();
    for mapping in &plan.mappings {
        lines.push(sentences::mapped(&mapping.network, mapping.block));
    }
    for (service, address) in plan.services() {
        let name = format!("{}.{}", service.name, plan.domain());
        lines.push(sentences::service_here(service, &name, address));
    }
    lines.extend(plan.real.iter().map(|address| sentences::real(*address)));
    lines.extend(plan.not_real.iter().map(|address| sentences::not_real(*address, plan.here(*address))));
    let (word, said) = match &ground.names {
        Names::Resolved => ("resolved", None),
        Names::Hosts => ("hosts", Some(sentences::NAMES_IN_HOSTS.to_owned())),
        Names::Nobody(why) => ("none", Some(sentences::no_names(why))),
    };
    lines.extend(said);
    lines.extend(calls);
    let networks: Vec<_> = plan
        .mappings
        .iter()
        .map(|mapping| json!({ "name": mapping.network.name, "site": mapping.network.subnet, "here": mapping.block }))
        .collect();
    let services: Vec<_> = plan
        .services()
        .map(|(service, address)| json!({ "name": service.name, "address": address, "port": service.port }))
        .collect();
    let event = [
        ("interface", Value::from(ground.interface.clone())),
        ("domain", plan.domain().into()),
        ("resolver", json!(plan.links.first().map(|link| link.resolver))),
        ("names", word.into()),
        ("networks", networks.into()),
        ("services", services.into()),
        ("real", json!(plan.real)),
        ("backs", told),
    ];
    let event = event.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ready { lines, event, tells_failures: false }
}
