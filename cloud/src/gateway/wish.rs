//! What a technician posts beside what they want: why, under which number, for how long.

use gatelodge_proto::{
    DeviceId,
    api::SessionRequest,
    payload::{Feature, ServiceName, TicketNumber},
};
use serde::Deserialize;

use crate::{accounts::model::Network, render::flashes};

/// The form of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WishForm {
    reason: String,
    ticket_number: String,
    break_glass: Option<String>,
    minutes: u32,
    /// Where to look around; everywhere when empty.
    network: String,
}

/// A technician's wish to be let in.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) device: DeviceId,
    /// Why; the customer reads it.
    reason: Option<String>,
    ticket_number: Option<TicketNumber>,
    break_glass: bool,
    minutes: u32,
    /// The one network that is meant, by its name.
    pub(super) network: Option<String>,
    pub(super) from: Network,
}

impl WishForm {
    /// The wish; or what the person reads.
    pub(super) fn read(self, device: DeviceId, from: Network) -> Result<Wish, &'static str> {
        let Self { reason, ticket_number, break_glass, minutes, network } = self;
        let number = Some(ticket_number.trim()).filter(|number| !number.is_empty());
        let ticket_number = number.map(str::parse).transpose().map_err(|_| flashes::TICKET_NUMBER)?;
        let (reason, break_glass) = (Some(reason), break_glass.is_some());
        let network = Some(network).filter(|network| !network.is_empty());
        Ok(Wish { device, reason, ticket_number, break_glass, minutes, network, from })
    }
}

impl Wish {
    /// The request for it.
    pub(super) fn request(self, networks: Vec<ServiceName>, features: Vec<Feature>, csr: String) -> SessionRequest {
        SessionRequest {
            device: self.device,
            services: Vec::new(),
            networks,
            listens: Vec::new(),
            features,
            reason: self.reason,
            ticket_number: self.ticket_number,
            break_glass: self.break_glass,
            minutes: self.minutes,
            csr,
        }
    }
}
