//! The pages of registration and activation.

mod add;
mod customer;
mod installer;

use axum::{
    Router,
    extract::{FromRequestParts, Path},
    routing::{get, post},
};
use gatelodge_proto::{DeviceId, api::Presence, identity::WebAddress};
use http::request::Parts;

use super::model::{CustomerForm, Fault as FieldFault, InvalidCustomerData, RegistrationView, State};
use crate::{
    i18n::Phrase,
    kits::Kits,
    render::{
        Refusals,
        pages::{self, DeviceRow},
        paths,
    },
    web::Fault,
};

/// The routes.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::DEVICES, get(installer::devices))
        .route(paths::ADD_DEVICE, get(add::form))
        .route(paths::CHECK_DEVICE, post(add::check))
        .route(paths::SAVE_DEVICE, post(add::save))
        .route(paths::DEVICE_SENT, get(add::sent))
        .route(paths::RESEND_LINK, post(installer::resend))
        .route(paths::CORRECT_EMAIL, get(installer::correct_form).post(installer::correct))
        .route(paths::CANCEL_REGISTRATION, get(installer::cancel_form).post(installer::cancel))
        .route(paths::ACTIVATE, get(customer::landing).post(customer::open))
        .route(paths::ACTIVATE_CONFIRM, get(customer::confirm_form).post(customer::confirm))
        .route(paths::ACTIVATED, get(customer::activated))
        .route(paths::CONSENT, post(customer::set_consent))
        .route(paths::RELEASE, get(customer::release_form).post(customer::release))
}

/// The device named in the path; what names no device is no device.
pub(crate) struct Named(pub(crate) DeviceId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Fault::not_found())?;
        text.parse().map(Self).map_err(|_| Fault::not_found())
    }
}

/// A registration as a row of a list.
pub(crate) fn row(view: RegistrationView) -> DeviceRow {
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
pub(crate) fn domain(kits: &Kits) -> String {
    format!(".{}", kits.config.public_url.host_str().unwrap_or("localhost"))
}

/// Another name close to the one in use.
pub(crate) fn proposal(web_address: &str) -> String {
    let wanted = web_address.trim().to_ascii_lowercase();
    let longer = format!("{wanted}-2");
    longer.parse::<WebAddress>().map_or(wanted, |address| address.to_string())
}

fn typed(form: &pages::CustomerForm) -> CustomerForm {
    let form = form.clone();
    CustomerForm {
        name: form.name,
        company: form.company,
        phone: form.phone,
        address: form.address,
        postcode: form.postcode,
        city: form.city,
        country: form.country,
    }
}

fn shown(form: CustomerForm) -> pages::CustomerForm {
    pages::CustomerForm {
        name: form.name,
        company: form.company,
        phone: form.phone,
        address: form.address,
        postcode: form.postcode,
        city: form.city,
        country: form.country,
    }
}

fn refusals(invalid: &InvalidCustomerData) -> Refusals {
    let mut refusals = Refusals::none();
    for fault in &invalid.0 {
        let why: Phrase = match fault.fault {
            FieldFault::Missing => pages::CustomerForm::missing(),
            FieldFault::TooLong(most) => pages::CustomerForm::too_long(most),
            FieldFault::Unprintable => pages::CustomerForm::unprintable(),
            FieldFault::Phone => pages::CustomerForm::not_a_phone(),
        };
        refusals.add(fault.field, why);
    }
    refusals
}
