//! What pages of several features need of registrations: a row of a list, web addresses.

use gatelodge_proto::{api::Presence, identity::WebAddress};

use super::model::{RegistrationView, State};
use crate::{kits::Kits, render::pages::DeviceRow};

/// A registration as a row of a list.
pub fn row(view: RegistrationView) -> DeviceRow {
    let confirmed = view.state == State::Active;
    DeviceRow {
        id: view.device,
        name: view.web_address.to_string(),
        id_code: view.id_code,
        product: view.product,
        life: view.life,
        presence: Presence { online: view.online, since: view.presence_since },
        customer: if confirmed { view.customer_name } else { Some(view.email.to_string()) },
        installer: Some(view.installer_name),
    }
}

/// What web addresses end in.
pub fn domain(kits: &Kits) -> String {
    let names = kits.config.gateway.names().or_else(|| kits.config.public_url.host_str());
    format!(".{}", names.unwrap_or("localhost"))
}

/// Another name close to the one in use.
pub fn proposal(web_address: &str) -> String {
    let wanted = web_address.trim().to_ascii_lowercase();
    let longer = format!("{wanted}-2");
    longer.parse::<WebAddress>().map_or(wanted, |address| address.to_string())
}
