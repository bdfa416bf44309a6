//! `discover`: what there is on the networks of a device, and opening some of it in the same session.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr};

use clap::Args;
use gatelodge_proto::{
    api::DeviceView,
    payload::{Feature, Host, Protocol, ServiceName},
    session::{
        finds::Find,
        look::{NoFinds, Watch, look_around},
    },
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    SignedIn,
    session::{self, Asking, Reach, Twice},
};
use crate::{
    forward::{self, Flows, Forward, Update, Wanted, bind},
    output::{Exit, Failure, Output},
    pick, sentences,
};

#[derive(Debug, Args)]
pub(super) struct DiscoverArguments {
    /// The device: its name, web address or ID code
    device: String,
    /// Which of its networks, as many as wanted; all of them when left out
    #[arg(long = "network", value_name = "NAME")]
    networks: Vec<ServiceName>,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn discover(arguments: DiscoverArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    let networks = networks(device, arguments.networks)?;
    let asked = arguments.asking.ask(Twice::Exits, output).await?;
    let reach = Reach { services: Vec::new(), networks, backs: Vec::new(), features: vec![Feature::Discovery] };
    let failed = RefCell::new(None);
    session::hold(by, device, reach, asked, output, async |ours, interrupted| {
        let (updates, told) = mpsc::unbounded_channel();
        let over = CancellationToken::new();
        let work = async |flows: Flows| {
            if let Err(error) = look(&flows, device, output).await {
                failed.replace(Some(error));
            }
            over.cancel();
        };
        let stop = async {
            tokio::select! {
                () = interrupted.cancelled() => {}
                () = over.cancelled() => {}
            }
        };
        let running = forward::run_with(ours, work, stop, updates);
        let (ending, ()) = tokio::join!(running, follow(told, output));
        ending
    })
    .await?;
    match failed.into_inner() {
        None => Ok(()),
        Some(error) => Err(Failure::new(Exit::Refused, error.to_string(), sentences::NEXT_DISCOVER)
            .about("device", format!("{} ({})", device.name, device.id_code))),
    }
}

fn networks(device: &DeviceView, named: Vec<ServiceName>) -> Result<Vec<ServiceName>, Failure> {
    if !device.features.contains(&Feature::Discovery) {
        let what = sentences::no_discovery(&device.name);
        return Err(Failure::new(Exit::Refused, what, sentences::NEXT_OFFER_DISCOVERY));
    }
    let known: Vec<_> = device.networks.iter().map(|network| network.name.clone()).collect();
    if let Some(name) = named.iter().find(|name| !known.contains(name)) {
        let known: Vec<_> = known.iter().map(ToString::to_string).collect();
        return Err(Failure::new(
            Exit::Usage,
            sentences::no_network(&device.name, name),
            sentences::NEXT_WHICH_NETWORK,
        )
        .about("networks", sentences::offers(&known)));
    }
    if known.is_empty() {
        let what = sentences::no_networks(&device.name);
        return Err(Failure::new(Exit::Refused, what, sentences::NEXT_OFFER_NETWORK));
    }
    Ok(if named.is_empty() { known } else { named })
}

/// Looks around, shows what there is, and opens what is picked.
async fn look(flows: &Flows, device: &DeviceView, output: Output) -> Result<(), NoFinds> {
    let mut shows = Shows::new(output);
    let cut = look_around(&flows.handle, flows.id(), &mut shows).await;
    let finds = shows.end();
    let cut = cut?;
    output.value(&json!({ "event": "looked", "finds": finds.len(), "cut": cut }));
    if output.json {
        return Ok(());
    }
    if finds.is_empty() {
        output.note(sentences::NOTHING_FOUND);
        return Ok(());
    }
    output.table(["", "Address", "Port", "Name", "What", "Found by", "Hardware"], rows(&finds));
    if cut {
        output.note(sentences::MORE_THAN_TOLD);
    }
    let Some(example) = finds.iter().find_map(place) else { return Ok(()) };
    if !output.is_watched() {
        output.note(&sentences::open_with_forward(&device.name, &example.to_string()));
        return Ok(());
    }
    pick_some(flows, &finds, output).await;
    Ok(())
}

/// Opens the port of each number that is typed, until none is.
async fn pick_some(flows: &Flows, finds: &[Find], output: Output) {
    // What listens ends with the picking; its senders would else keep the program waiting for more to show.
    let mut listens = JoinSet::new();
    while let Some(typed) = output.ask(sentences::WHICH_TO_OPEN).await {
        let typed = typed.trim();
        if typed.is_empty() {
            return;
        }
        let number = typed.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let Some(wanted) = number.and_then(|number| finds.get(number)).and_then(place) else {
            output.note(sentences::NO_SUCH_NUMBER);
            continue;
        };
        match bind(&Forward { local: None, wanted }, &[]).await {
            Ok(listener) => {
                output.say(&format!("{}\t{}", listener.local, listener.wanted));
                let flows = flows.clone();
                listens.spawn(async move { flows.serve(&[listener]).await });
            }
            Err(error) => output.note(&error.to_string()),
        }
    }
}

fn place(find: &Find) -> Option<Wanted> {
    let (protocol, port) = find.port?;
    Some(Wanted::Place { protocol, host: Host::Address(find.address), port })
}

fn rows(finds: &[Find]) -> Vec<[String; 7]> {
    let row = |(place, find): (usize, &Find)| {
        let port = find.port.map(|(protocol, port)| match protocol {
            Protocol::Tcp => port.to_string(),
            Protocol::Udp => format!("{port}/udp"),
        });
        [
            (place + 1).to_string(),
            find.address.to_string(),
            port.unwrap_or_default(),
            find.name.to_string(),
            find.what.to_string(),
            sentences::found_by(find.by).to_owned(),
            find.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        ]
    };
    finds.iter().enumerate().map(row).collect()
}

fn told(find: &Find) -> Value {
    json!({
        "event": "found",
        "address": find.address,
        "port": find.port.map(|(_, port)| port),
        "protocol": find.port.map(|(protocol, _)| protocol.word()),
        "name": find.name.as_str(),
        "what": find.what.as_str(),
        "by": find.by.word(),
        "mac": find.mac,
    })
}

/// Where something is: address, and protocol and port where one is known.
type Spot = (IpAddr, Option<(&'static str, u16)>);

/// What is shown while the device looks around, and what is kept of it.
struct Shows {
    finds: BTreeMap<Spot, Find>,
    bar: Option<ProgressBar>,
    output: Output,
}

impl Shows {
    fn new(output: Output) -> Self {
        let bar = output.is_watched().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{msg}  {wide_bar} {pos}/{len}") {
                bar.set_style(style);
            }
            bar.set_message(sentences::found_so_far(0));
            bar
        });
        Self { finds: BTreeMap::new(), bar, output }
    }

    fn end(self) -> Vec<Find> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        // That somebody is there is said by what is there.
        let with_port: Vec<_> =
            self.finds.keys().filter(|(_, port)| port.is_some()).map(|(address, _)| *address).collect();
        let is_said = |find: &Find| find.port.is_none() && find.name.is_empty() && with_port.contains(&find.address);
        self.finds.into_values().filter(|find| !is_said(find)).collect()
    }
}

impl Watch for Shows {
    fn found(&mut self, find: Find) {
        self.output.value(&told(&find));
        self.finds.insert((find.address, find.port.map(|(protocol, port)| (protocol.word(), port))), find);
        if let Some(bar) = &self.bar {
            bar.set_message(sentences::found_so_far(self.finds.len()));
        }
    }

    fn at(&mut self, done: u32, of: u32) {
        if let Some(bar) = &self.bar {
            bar.set_length(of.into());
            bar.set_position(done.into());
        }
    }
}

/// What a person has to know of the session meanwhile.
async fn follow(mut told: mpsc::UnboundedReceiver<Update>, output: Output) {
    while let Some(update) = told.recv().await {
        match update {
            Update::ExpiryWarn(seconds) => output.note(&sentences::left(u64::from(seconds))),
            Update::FlowFailed { target, failure, .. } => {
                output.note(&format!("{}: {failure}", sentences::target(&target)));
            }
            Update::Meeting
            | Update::Joined { .. }
            | Update::Deaf(_)
            | Update::FlowOpened { .. }
            | Update::FlowClosed { .. }
            | Update::Line(_) => {}
        }
    }
}
