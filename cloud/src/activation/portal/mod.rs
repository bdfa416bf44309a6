//! The pages of registration and activation.

mod add;
mod customer;
mod hand_over;
mod installer;

use axum::{
    Router,
    routing::{get, post},
};

use super::model::{CustomerForm, Fault as FieldFault, InvalidCustomerData};
use crate::{
    i18n::Phrase,
    kits::Kits,
    render::{Refusals, pages, paths},
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
        .route(paths::CHANGE_INSTALLER, get(hand_over::form).post(hand_over::offer))
        .route(paths::KEEP_INSTALLER, post(hand_over::keep))
        .route(paths::TAKE_OVER, get(hand_over::landing).post(hand_over::open))
        .route(paths::TAKE_OVER_CONFIRM, get(hand_over::take_over_form).post(hand_over::take_over))
        .route(paths::CONSENT, post(customer::set_consent))
        .route(paths::OPEN_DEVICE, post(customer::open_device))
        .route(paths::BREAK_GLASS, post(customer::set_break_glass))
        .route(paths::RELEASE, get(customer::release_form).post(customer::release))
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
        refusals.add(fault.field, why(fault.fault));
    }
    refusals
}

fn why(fault: FieldFault) -> Phrase {
    match fault {
        FieldFault::Missing => pages::CustomerForm::missing(),
        FieldFault::TooLong(most) => pages::CustomerForm::too_long(most),
        FieldFault::Unprintable => pages::CustomerForm::unprintable(),
        FieldFault::Phone => pages::CustomerForm::not_a_phone(),
    }
}
