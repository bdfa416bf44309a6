//! The customer's pages: activation, devices, requests, sessions, own data, history.

use askama::Template;
use gatelodge_proto::{DeviceId, Timestamp, identity::IdCode, payload::Consent};
use serde::Deserialize;

use super::{CustomerForm, DeviceFacts, DeviceRow, HistoryRow, SessionRow, row::Shown as _};
use crate::{
    i18n::{Language, Phrase},
    render::{Page, Refusals},
};

/// [`DEVICES`](crate::render::paths::DEVICES) of a customer.
#[derive(Debug, Template)]
#[template(path = "customer/devices.html")]
pub struct MyDevices {
    /// The frame.
    pub page: Page,
    /// The devices.
    pub devices: Vec<DeviceRow>,
}

/// [`ACTIVATE`](crate::render::paths::ACTIVATE): posts `token`. Changes nothing by being opened.
#[derive(Debug, Template)]
#[template(path = "customer/activation_landing.html")]
pub struct ActivationLanding {
    /// The frame.
    pub page: Page,
}

/// What the confirmation posts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ActivationForm {
    /// The customer's data.
    #[serde(flatten)]
    pub customer: CustomerForm,
    /// `ask`, `always` or `never`.
    pub consent: String,
    /// The id of one's own organisation, or [`ConfirmActivation::ANOTHER`]; empty where there was no choice.
    pub owner: String,
    /// What another organisation is called.
    pub organisation_name: String,
}

/// An organisation that may own the device.
#[derive(Debug, Clone)]
pub struct OwnerChoice {
    /// Its id, as the form posts it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its town.
    pub place: String,
}

/// [`ACTIVATE_CONFIRM`](crate::render::paths::ACTIVATE_CONFIRM).
#[derive(Debug, Template)]
#[template(path = "customer/confirm.html")]
pub struct ConfirmActivation {
    /// The frame.
    pub page: Page,
    /// What the device is called.
    pub name: String,
    /// The product's name.
    pub product: String,
    /// Its ID code, to compare with the label.
    pub id_code: IdCode,
    /// Who registered it.
    pub installer: String,
    /// The customer's organisations; without any there is no choice.
    pub owners: Vec<OwnerChoice>,
    /// Which is chosen: its id, or [`ConfirmActivation::ANOTHER`].
    pub owner: String,
    /// What another one is called.
    pub organisation_name: String,
    /// What the installer entered, or what was typed.
    pub form: CustomerForm,
    /// The consent chosen; `None` until one is.
    pub consent: Option<Consent>,
    /// What is wrong with it; the fields of [`CustomerForm`], `owner`, `organisation_name` and `consent`.
    pub refusals: Refusals,
}

impl ConfirmActivation {
    /// What the form posts as owner for an organisation that is not there yet.
    pub const ANOTHER: &str = "another";

    /// Whether that is chosen.
    pub fn is_another(&self) -> bool {
        self.owner == Self::ANOTHER
    }

    /// Why the form is refused without an owner.
    pub const fn owner_missing() -> Phrase {
        Phrase::new("refused-owner-missing")
    }

    /// Why the form is refused without a name for another owner.
    pub const fn name_missing() -> Phrase {
        Phrase::new("refused-organisation-name-missing")
    }

    /// All consents, for the choice, and whether each is chosen.
    pub fn consents(&self) -> [(Consent, bool); 3] {
        Consent::ALL.map(|consent| (consent, self.consent == Some(consent)))
    }

    /// Why the form is refused without a consent.
    pub const fn consent_missing() -> Phrase {
        Phrase::new("refused-consent-missing")
    }
}

/// [`ACTIVATED`](crate::render::paths::ACTIVATED).
#[derive(Debug, Template)]
#[template(path = "customer/activated.html")]
pub struct Activated {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// Who registered it.
    pub installer: String,
    /// The consent chosen.
    pub consent: Consent,
}

/// [`DEVICE`](crate::render::paths::DEVICE) of a customer.
#[derive(Debug, Template)]
#[template(path = "customer/device.html")]
pub struct CustomerDevice {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceFacts,
    /// Sessions that wait for the customer's word.
    pub requests: Vec<SessionRow>,
    /// Sessions open now.
    pub live: Vec<SessionRow>,
    /// Sessions that are over, newest first.
    pub past: Vec<SessionRow>,
    /// What happened, newest first.
    pub history: Vec<HistoryRow>,
    /// What web addresses end in, like `.portal.example`.
    pub domain: String,
    /// What is wrong with the field `web_address`.
    pub refusals: Refusals,
}

impl CustomerDevice {
    /// All consents, for the choice, and whether each is in force.
    pub fn consents(&self) -> [(Consent, bool); 3] {
        Consent::ALL.map(|consent| (consent, self.device.consent == Some(consent)))
    }
}

/// [`RELEASE`](crate::render::paths::RELEASE): posts `typed`, which must be the device's name or ID code.
#[derive(Debug, Template)]
#[template(path = "customer/release.html")]
pub struct Release {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called; what must be typed.
    pub name: String,
    /// What was typed.
    pub typed: String,
    /// What is wrong with it.
    pub refusals: Refusals,
}

impl Release {
    /// Why the release is refused when something else was typed.
    pub fn not_the_name(name: &str) -> Phrase {
        Phrase::new("refused-not-the-name").with("name", name)
    }
}

/// [`REQUESTS`](crate::render::paths::REQUESTS).
#[derive(Debug, Template)]
#[template(path = "customer/requests.html")]
pub struct Requests {
    /// The frame.
    pub page: Page,
    /// Sessions that wait for the customer's word.
    pub requests: Vec<SessionRow>,
}

/// [`SESSIONS`](crate::render::paths::SESSIONS) of a customer or an installer.
#[derive(Debug, Template)]
#[template(path = "customer/sessions.html")]
pub struct Sessions {
    /// The frame.
    pub page: Page,
    /// Open or waiting now.
    pub live: Vec<SessionRow>,
    /// Over, newest first.
    pub past: Vec<SessionRow>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

/// What the page of own data posts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MyDataForm {
    /// The person.
    pub name: String,
    /// A number to call.
    pub phone: String,
    /// Language of mails: `en`, `fr`.
    pub mail_language: String,
}

/// [`MY_DATA`](crate::render::paths::MY_DATA).
#[derive(Debug, Template)]
#[template(path = "customer/my_data.html")]
pub struct MyData {
    /// The frame.
    pub page: Page,
    /// What is known, or what was typed.
    pub form: MyDataForm,
    /// What is wrong with it.
    pub refusals: Refusals,
    /// The organisation's address in lines, when it has one.
    pub organisation_lines: Vec<String>,
    /// How often the person has signed in.
    pub sign_ins: u64,
    /// Since when they are here.
    pub created_at: Timestamp,
}

impl MyData {
    /// All languages, for the choice.
    pub const fn mail_languages(&self) -> [Language; Language::ALL.len()] {
        Language::ALL
    }
}

/// [`HISTORY`](crate::render::paths::HISTORY).
#[derive(Debug, Template)]
#[template(path = "customer/history.html")]
pub struct History {
    /// The frame.
    pub page: Page,
    /// What happened, newest first.
    pub rows: Vec<HistoryRow>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}
