//! `forward`: opens local ports and carries each connection to them to a service of the device.

use clap::Args;
use gatelodge_proto::api::DeviceView;
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    SignedIn,
    live_line::{LiveLine, Ready},
    session::{self, Asking, Reach},
};
use crate::{
    forward::{self, Forward, Listener, bind},
    output::{Exit, Failure, Output},
    pick, sentences,
};

#[derive(Debug, Args)]
pub(super) struct ForwardArguments {
    /// The device: its name, web address or ID code
    device: String,
    /// What to reach: a service, or a local port or address:port with it, like 8080:panel-web
    #[arg(required = true, value_name = "[LOCAL:]SERVICE")]
    forwards: Vec<Forward>,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn forward(arguments: ForwardArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    // Everything that can fail on this computer does so before a customer is asked.
    let listeners = open_ports(device, &arguments.forwards).await?;
    let services = arguments.forwards.into_iter().map(|forward| forward.service).collect();
    let reach = Reach { services, networks: Vec::new() };
    session::hold(by, device, reach, arguments.asking, output, async |ours, interrupted| {
        let line = LiveLine::new(device, ready(&listeners), ours.join.until, by.clock.clone(), output);
        let (updates, told) = mpsc::unbounded_channel();
        let running = forward::run(ours, listeners, interrupted.cancelled(), updates);
        let (ending, ()) = tokio::join!(running, line.follow(told));
        ending
    })
    .await
}

fn ready(listeners: &[Listener]) -> Ready {
    let forwards: Vec<_> =
        listeners.iter().map(|listener| json!({ "local": listener.local, "service": listener.service })).collect();
    let lines = listeners.iter().map(|listener| format!("{}\t{}", listener.local, listener.service)).collect();
    let event = [("forwards".to_owned(), forwards.into())].into_iter().collect();
    Ready { lines, event, tells_failures: true }
}

async fn open_ports(device: &DeviceView, forwards: &[Forward]) -> Result<Vec<Listener>, Failure> {
    let mut listeners = Vec::with_capacity(forwards.len());
    for forward in forwards {
        if !device.services.iter().any(|service| service.name == forward.service) {
            let names: Vec<_> = device.services.iter().map(|service| service.name.to_string()).collect();
            let what = sentences::no_service(&device.name, &forward.service);
            let failure = Failure::new(Exit::Usage, what, sentences::NEXT_NAME_SERVICE);
            return Err(failure.about("services", sentences::offers(&names)));
        }
        let listener = bind(forward, &device.services).await;
        listeners
            .push(listener.map_err(|error| Failure::new(Exit::Failed, error.to_string(), sentences::NEXT_OTHER_PORT))?);
    }
    Ok(listeners)
}
