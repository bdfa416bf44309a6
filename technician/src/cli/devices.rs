//! `devices`: what there is to reach.

use super::SignedIn;
use crate::{
    output::{Failure, Output},
    sentences,
};

pub(super) async fn devices(by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    output.value(&devices);
    let rows = devices.into_iter().map(|device| {
        let services: Vec<_> = device.services.iter().map(|service| service.name.to_string()).collect();
        [
            device.name,
            device.id_code.to_string(),
            device.product,
            sentences::life(device.life).to_owned(),
            sentences::presence(device.presence),
            device.customer.unwrap_or_default(),
            sentences::consent(device.consent).to_owned(),
            services.join(", "),
        ]
    });
    output.table(["Name", "ID code", "Product", "State", "Presence", "Customer", "Access", "Services"], rows);
    Ok(())
}
