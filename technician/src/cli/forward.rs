//! `forward`: opens local ports and carries each connection to them to a service of the device, or to a place in one of
//! its networks.

use clap::Args;
use gatelodge_proto::{
    api::DeviceView,
    payload::{Host, Network, ServiceName},
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    SignedIn,
    live_line::{LiveLine, Ready},
    session::{self, Asking, Reach, Twice},
};
use crate::{
    forward::{self, Back, Forward, Listener, Wanted, bind},
    output::{Exit, Failure, Output},
    pick, sentences,
};

#[derive(Debug, Args)]
pub(super) struct ForwardArguments {
    /// The device: its name, web address or ID code
    device: String,
    /// What to reach, as many as wanted: what the device has to pick (programming, web-page), a service (panel-web), a place in a network of the device (192.168.1.50:80, and
    /// with /udp for datagrams), each after a local port or address:port where it shall be open (8080:panel-web); or
    /// socks5:1080 for a SOCKS 5 port to the whole network; or, the other way round, back:event-receiver=9000 for a panel
    /// that calls: what connects to that port of the device reaches port 9000 of this computer
    #[arg(required = true, value_name = "[LOCAL:]SERVICE|HOST:PORT")]
    forwards: Vec<Forward>,
    /// Which network a name or SOCKS 5 is for, when the device has several; the customer is asked for it as a whole
    #[arg(long = "network", value_name = "NAME")]
    networks: Vec<ServiceName>,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn forward(arguments: ForwardArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    // Everything that can fail on this computer does so before a customer is asked.
    let forwards = picked(device, arguments.forwards)?;
    let reach = reach(device, &forwards, arguments.networks)?;
    let listeners = open_ports(device, &forwards).await?;
    let backs = reach.backs.clone();
    let asked = arguments.asking.ask(Twice::Exits, output).await?;
    session::hold(by, device, reach, asked, output, async |ours, interrupted| {
        let line = LiveLine::new(device, ready(device, &listeners, &backs), ours.join.until, by.clock.clone(), output);
        let (updates, told) = mpsc::unbounded_channel();
        let running = forward::run(ours, listeners, interrupted.cancelled(), updates);
        let (ending, ()) = tokio::join!(running, line.follow(told));
        ending
    })
    .await
}

/// The services behind a preset, in its place. A service's own name stands before a preset's.
fn picked(device: &DeviceView, forwards: Vec<Forward>) -> Result<Vec<Forward>, Failure> {
    let mut each = Vec::with_capacity(forwards.len());
    for forward in forwards {
        let preset = match &forward.wanted {
            Wanted::Service(name) if !device.services.iter().any(|service| service.name == *name) => {
                device.presets.iter().find(|preset| preset.name.typed() == name.as_str())
            }
            Wanted::Service(_) | Wanted::Place { .. } | Wanted::Socks5 | Wanted::Back(_) => None,
        };
        match preset.map(|preset| (preset, &preset.services[..], forward.local)) {
            None => each.push(forward),
            Some((preset, [_, _, ..], Some(local))) => {
                let services: Vec<_> = preset.services.iter().map(ToString::to_string).collect();
                let what = sentences::several_at(&preset.name, local);
                return Err(
                    Failure::new(Exit::Usage, what, sentences::NEXT_EACH_ALONE).about("services", services.join(", "))
                );
            }
            Some((_, services, local)) => {
                let one = |name: &ServiceName| Forward { local, wanted: Wanted::Service(name.clone()) };
                each.extend(services.iter().map(one));
            }
        }
    }
    Ok(each)
}

/// What the customer is to be asked for: the services, and the smallest network that each address is in. A name's
/// address is the device's to find, and a SOCKS 5 port's places are not known yet: these take the networks that are
/// named, else the only one there is.
fn reach(device: &DeviceView, forwards: &[Forward], named: Vec<ServiceName>) -> Result<Reach, Failure> {
    for name in &named {
        if !device.networks.iter().any(|network| network.name == *name) {
            return Err(no_network(device, sentences::no_network(&device.name, name), sentences::NEXT_WHICH_NETWORK));
        }
    }
    let calls: Vec<_> = forwards.iter().filter_map(Forward::calls).collect();
    let mut reach =
        Reach { services: Vec::new(), networks: named, backs: session::backs(device, &calls)?, features: Vec::new() };
    for forward in forwards {
        match &forward.wanted {
            Wanted::Service(name) if device.services.iter().any(|service| service.name == *name) => {
                reach.services.push(name.clone());
            }
            Wanted::Service(name) => {
                let presets = device.presets.iter().map(|preset| preset.name.typed()).filter(|name| !name.is_empty());
                let mut names: Vec<_> = presets.collect();
                names.extend(device.services.iter().map(|service| service.name.to_string()));
                names.dedup();
                let what = sentences::no_service(&device.name, name);
                let failure = Failure::new(Exit::Usage, what, sentences::NEXT_NAME_SERVICE);
                return Err(failure.about("services", sentences::offers(&names)));
            }
            Wanted::Place { host: Host::Address(address), .. } => {
                let holding = device.networks.iter().filter(|network| network.subnet.contains(*address));
                let Some(smallest) = holding.max_by_key(|network| network.subnet.prefix()) else {
                    let what = sentences::in_no_network(&device.name, &forward.wanted);
                    return Err(no_network(device, what, sentences::NEXT_OTHER_ADDRESS));
                };
                reach.networks.push(smallest.name.clone());
            }
            Wanted::Back(_) => {}
            Wanted::Place { host: Host::Name(_), .. } | Wanted::Socks5 => {
                if let [only] = &device.networks[..] {
                    reach.networks.push(only.name.clone());
                } else if reach.networks.is_empty() {
                    let what = sentences::which_network(&device.name, &forward.wanted);
                    return Err(no_network(device, what, sentences::NEXT_WHICH_NETWORK));
                }
            }
        }
    }
    reach.networks.sort();
    reach.networks.dedup();
    Ok(reach)
}

fn no_network(device: &DeviceView, what: String, next: &'static str) -> Failure {
    let named = |network: &Network| format!("{} ({})", network.name, network.subnet);
    let known: Vec<_> = device.networks.iter().map(named).collect();
    let next = if known.is_empty() { sentences::NEXT_OFFER_NETWORK } else { next };
    Failure::new(Exit::Usage, what, next).about("networks", sentences::offers(&known))
}

fn ready(device: &DeviceView, listeners: &[Listener], backs: &[Back]) -> Ready {
    let forward = |listener: &Listener| match &listener.wanted {
        Wanted::Service(name) => json!({ "local": listener.local, "service": name }),
        wanted @ (Wanted::Place { .. } | Wanted::Socks5 | Wanted::Back(_)) => {
            json!({ "local": listener.local, "target": wanted.to_string() })
        }
    };
    let forwards: Vec<_> = listeners.iter().map(forward).collect();
    let (calls, told) = session::told(device, backs);
    let lines =
        listeners.iter().map(|listener| format!("{}\t{}", listener.local, listener.wanted)).chain(calls).collect();
    let event = [("forwards".to_owned(), forwards.into()), ("backs".to_owned(), told)].into_iter().collect();
    Ready { lines, event, tells_failures: true }
}

async fn open_ports(device: &DeviceView, forwards: &[Forward]) -> Result<Vec<Listener>, Failure> {
    let mut listeners = Vec::with_capacity(forwards.len());
    for forward in forwards.iter().filter(|forward| forward.calls().is_none()) {
        let listener = bind(forward, &device.services).await;
        listeners
            .push(listener.map_err(|error| Failure::new(Exit::Failed, error.to_string(), sentences::NEXT_OTHER_PORT))?);
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        DeviceId, Random, Timestamp,
        api::Presence,
        identity::IdCode,
        payload::{Life, Listen, Preset, Protocol, Service},
    };

    use super::*;

    fn device(networks: &[(&str, &str)]) -> DeviceView {
        let random = Random::seeded(1);
        let network =
            |(name, subnet): &(&str, &str)| Network { name: name.parse().unwrap(), subnet: subnet.parse().unwrap() };
        DeviceView {
            id: DeviceId::make(Timestamp::from_seconds(1), &random),
            id_code: IdCode::make(&random),
            name: "villa-rosa".into(),
            product: "Alarm server".into(),
            life: Life::Active,
            presence: Presence { online: true, since: None },
            web_address: None,
            customer: None,
            consent: None,
            opening: gatelodge_proto::opening::Opening::default(),
            services: vec![Service {
                name: "panel-web".parse().unwrap(),
                protocol: Protocol::Tcp,
                host: "192.168.1.50".into(),
                port: 80,
            }],
            networks: networks.iter().map(network).collect(),
            listens: vec![Listen {
                name: "event-receiver".parse().unwrap(),
                protocol: Protocol::Tcp,
                port: 9000,
                from: "192.168.1.0/24".parse().unwrap(),
            }],
            features: Vec::new(),
            presets: Vec::new(),
        }
    }

    fn asked(networks: &[(&str, &str)], forwards: &[&str], named: &[&str]) -> Result<Vec<String>, String> {
        let forwards: Vec<Forward> = forwards.iter().map(|text| text.parse().unwrap()).collect();
        let named = named.iter().map(|name| name.parse().unwrap()).collect();
        match reach(&device(networks), &forwards, named) {
            Ok(reach) => Ok(reach.services.iter().chain(&reach.networks).map(ToString::to_string).collect()),
            Err(failure) => Err(failure.lines()),
        }
    }

    #[test]
    fn the_customer_is_asked_for_no_more_than_what_is_needed() {
        let two = [("all", "192.168.0.0/16"), ("lan", "192.168.1.0/24")];
        let all = |forwards: &[&str], named: &[&str]| asked(&two, forwards, named).unwrap();
        assert_eq!(all(&["panel-web"], &[]), ["panel-web"]);
        assert_eq!(all(&["192.168.1.50:80", "8080:192.168.1.51:80", "panel-web"], &[]), ["panel-web", "lan"]);
        assert_eq!(all(&["192.168.2.50:80/udp"], &[]), ["all"]);
        assert_eq!(all(&["panel.local:80", "socks5:1080"], &["lan"]), ["lan"]);
        assert_eq!(asked(&two[1..], &["socks5:1080", "panel:80"], &[]).unwrap(), ["lan"]);
    }

    #[test]
    fn calls_go_to_the_program_that_is_named_else_to_the_ports_own_number() {
        let backs = |texts: &[&str]| {
            let forwards: Vec<Forward> = texts.iter().map(|text| text.parse().unwrap()).collect();
            let reach = reach(&device(&[]), &forwards, Vec::new()).map_err(|failure| failure.lines())?;
            Ok::<_, String>(reach.backs.into_iter().map(|back| back.local.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(backs(&["back:event-receiver", "panel-web"]).unwrap(), ["127.0.0.1:9000"]);
        assert_eq!(backs(&["back:event-receiver", "back:event-receiver=[::1]:7"]).unwrap(), ["[::1]:7"]);
        let refused = backs(&["back:panel-web"]).unwrap_err();
        assert!(refused.contains("calls at no port `panel-web`") && refused.contains("event-receiver"), "{refused}");
    }

    #[test]
    fn a_preset_is_its_services_and_a_services_own_name_stands_before_it() {
        let preset = |name: &str, services: &[&str]| Preset {
            name: name.parse().unwrap(),
            kind: None,
            services: services.iter().map(|name| name.parse().unwrap()).collect(),
        };
        let mut device = device(&[]);
        device.presets = vec![
            preset("Web page", &["panel-web"]),
            preset("Set up", &["panel-web", "bus"]),
            preset("Panel web", &["bus"]),
        ];
        let picked = |text: &str| {
            let picked = picked(&device, vec![text.parse().unwrap()]).map_err(|failure| failure.lines())?;
            let one = |forward: Forward| (forward.wanted.to_string(), forward.local.map(|local| local.port()));
            Ok::<_, String>(picked.into_iter().map(one).collect::<Vec<_>>())
        };
        assert_eq!(picked("8080:web-page").unwrap(), [("panel-web".to_owned(), Some(8080))]);
        assert_eq!(picked("set-up").unwrap(), [("panel-web".to_owned(), None), ("bus".to_owned(), None)]);
        assert_eq!(picked("panel-web").unwrap(), [("panel-web".to_owned(), None)]);
        assert_eq!(picked("video").unwrap(), [("video".to_owned(), None)], "what there is not is refused later");
        let refused = picked("8080:set-up").unwrap_err();
        assert!(refused.contains("cannot all be at 127.0.0.1:8080") && refused.contains("panel-web, bus"), "{refused}");
    }

    #[test]
    fn what_no_network_covers_is_said_with_the_networks_there_are() {
        let two = [("bus", "10.0.0.0/24"), ("lan", "192.168.1.0/24")];
        let (which, other) = (sentences::NEXT_WHICH_NETWORK, sentences::NEXT_OTHER_ADDRESS);
        for (networks, forward, named, words, next) in [
            (&two[..], "192.168.2.50:80", &[][..], "tcp 192.168.2.50:80 is in no network of villa-rosa", other),
            (&two[..], "panel.local:80", &[][..], "say in which network of villa-rosa tcp panel.local:80 is", which),
            (&two[..], "socks5:1080", &[][..], "say in which network of villa-rosa socks5 is", which),
            (&two[..], "panel-web", &["wan"][..], "villa-rosa has no network `wan`", which),
            (&[][..], "192.168.2.50:80", &[][..], "is in no network of villa-rosa", sentences::NEXT_OFFER_NETWORK),
        ] {
            let refused = asked(networks, &[forward], named).unwrap_err();
            assert!(refused.contains(words) && refused.contains(next), "{refused}");
            let known = if networks.is_empty() { "it offers none" } else { "bus (10.0.0.0/24), lan (192.168.1.0/24)" };
            assert!(refused.contains(known), "{refused}");
        }
    }
}
