//! `devices`: what there is to reach.

use clap::Args;
use gatelodge_proto::{
    api::DeviceView,
    payload::{Life, Preset, Service},
};

use super::SignedIn;
use crate::{
    output::{Exit, Failure, Output},
    sentences,
};

/// Which devices are shown.
#[derive(Debug, Args)]
pub(super) struct DevicesArguments {
    /// Only those with this in their name, ID code, MAC, serial or customer's name
    search: Option<String>,
    /// Only those in this state: registered (the customer has not confirmed yet) or active
    #[arg(long, value_parser = life)]
    state: Option<Life>,
    /// Only those that are online
    #[arg(long, conflicts_with = "offline")]
    online: bool,
    /// Only those that are not
    #[arg(long)]
    offline: bool,
}

fn life(word: &str) -> Result<Life, String> {
    let known = || Life::ALL.map(Life::word).join(", ");
    Life::from_word(word).ok_or_else(|| format!("there is no state `{word}`; a device is {}", known()))
}

/// What is typed after `gatelodge forward`: presets, and the services that no preset has.
fn to_pick(device: &DeviceView) -> Vec<String> {
    let typed = |preset: &Preset| Some(preset.name.typed()).filter(|typed| !typed.is_empty());
    let presets = || device.presets.iter().filter_map(|preset| Some((typed(preset)?, preset)));
    let in_one = |service: &&Service| presets().any(|(_, preset)| preset.services.contains(&service.name));
    let alone = device.services.iter().filter(|service| !in_one(service)).map(|service| service.name.to_string());
    presets().map(|(typed, _)| typed).chain(alone).collect()
}

pub(super) async fn devices(arguments: DevicesArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let DevicesArguments { search, state, online, offline } = arguments;
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    wanted.extend(search.as_deref().map(|text| ("search", text)));
    wanted.extend(state.map(|state| ("life", state.word())));
    wanted.extend((online || offline).then_some(("online", if online { "true" } else { "false" })));
    let devices = by.cloud.devices_with(&wanted).await?;
    if devices.is_empty() && !wanted.is_empty() && !output.json {
        return Err(Failure::new(Exit::Refused, sentences::NO_SUCH_DEVICES, sentences::NEXT_LIST_DEVICES));
    }
    output.value(&devices);
    let now = by.clock.now();
    let rows = devices.into_iter().map(|device| {
        let services = to_pick(&device);
        [
            device.name,
            device.id_code.to_string(),
            device.product,
            sentences::life(device.life).to_owned(),
            sentences::presence(device.presence, now),
            device.customer.unwrap_or_default(),
            sentences::consent(device.consent).to_owned(),
            services.join(", "),
        ]
    });
    output.table(["Name", "ID code", "Product", "State", "Presence", "Customer", "Access", "Services"], rows);
    Ok(())
}
