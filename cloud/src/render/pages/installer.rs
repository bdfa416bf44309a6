//! The installer's pages: list, add in three steps, one device, its repairs.

use askama::Template;
use gatelodge_proto::{DeviceId, Timestamp, api::Presence, payload::Life};
use serde::Deserialize;

use super::{DeviceFacts, DeviceRow, HistoryRow, SessionRow, WebPageChoice, WishChoice, row::Shown as _};
use crate::{
    i18n::Phrase,
    render::{Page, Refusals},
};

/// [`DEVICES`](crate::render::paths::DEVICES) of an installer. Query: `search`, `life`, `cursor`.
#[derive(Debug, Template)]
#[template(path = "installer/devices.html")]
pub struct InstallerDevices {
    /// The frame.
    pub page: Page,
    /// What was searched for.
    pub search: String,
    /// The state that is filtered for.
    pub life: Option<Life>,
    /// States there are devices in, and how many.
    pub counts: Vec<(Life, u64)>,
    /// The devices of this page.
    pub devices: Vec<DeviceRow>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

impl InstallerDevices {
    /// The state that is filtered for, as its word, else nothing.
    pub fn life_word(&self) -> &'static str {
        self.life.map(Life::word).unwrap_or_default()
    }

    /// How many devices there are in all states.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// What the label step posts, and the customer step once more.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LabelForm {
    /// The label's text, when it was scanned or pasted whole (`GL1:...`); the other fields win where filled.
    pub label: String,
    /// ID code.
    pub id_code: String,
    /// MAC address.
    pub mac: String,
    /// On-site code or label secret: 8 or 16 characters.
    pub proof: String,
    /// Web address.
    pub web_address: String,
    /// Customer's e-mail address.
    pub email: String,
}

/// [`ADD_DEVICE`](crate::render::paths::ADD_DEVICE), step 1, and again with the reason when the check says no.
#[derive(Debug, Template)]
#[template(path = "installer/add_device.html")]
pub struct AddDevice {
    /// The frame.
    pub page: Page,
    /// What was typed.
    pub form: LabelForm,
    /// What is wrong with it.
    pub refusals: Refusals,
    /// What web addresses end in, like `.portal.example`.
    pub domain: String,
}

/// Why a check or a save says no.
impl AddDevice {
    /// ID code and MAC do not belong together, or nobody made such a device: one answer for both (field `id_code`).
    pub const fn unknown_pair() -> Phrase {
        Phrase::new("refused-pair")
    }

    /// Registered already (field `id_code`).
    pub const fn taken() -> Phrase {
        Phrase::new("refused-taken")
    }

    /// Registered already by this installer (field `id_code`).
    pub const fn yours() -> Phrase {
        Phrase::new("refused-yours")
    }

    /// The label secret is another label's (field `proof`).
    pub const fn label_secret_wrong() -> Phrase {
        Phrase::new("refused-label-secret-wrong")
    }

    /// Retired (field `id_code`).
    pub const fn retired() -> Phrase {
        Phrase::new("refused-retired")
    }

    /// Not enrolled or not seen yet, where that matters (field `id_code`).
    pub const fn not_seen() -> Phrase {
        Phrase::new("refused-not-seen")
    }

    /// The web address is in use; `proposal` is a free one (field `web_address`).
    pub fn web_address_taken(proposal: &str) -> Phrase {
        Phrase::new("refused-web-address-taken").with("proposal", proposal)
    }

    /// Neither on-site code nor label secret was typed (field `proof`).
    pub const fn proof_missing() -> Phrase {
        Phrase::new("refused-proof-missing")
    }

    /// The proof does not fit; so many tries are left (field `proof`).
    pub fn proof_wrong(left: u32) -> Phrase {
        Phrase::new("refused-proof").with("left", left)
    }

    /// More than one key claims to be the device (field `proof`).
    pub const fn proof_disputed() -> Phrase {
        Phrase::new("refused-proof-disputed")
    }

    /// The device was released before, so its label's secret counts no more (field `proof`).
    pub const fn label_secret_over() -> Phrase {
        Phrase::new("refused-label-secret-over")
    }

    /// The on-site code is used up or too old (field `proof`).
    pub const fn proof_used_up() -> Phrase {
        Phrase::new("refused-proof-used-up")
    }
}

/// The customer's data. All empty is allowed when the installer saves; the customer must fill it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct CustomerForm {
    /// The person.
    pub name: String,
    /// The company, when it is not a household.
    pub company: String,
    /// A number to call.
    pub phone: String,
    /// Street and house number.
    pub address: String,
    /// Postal code.
    pub postcode: String,
    /// Town.
    pub city: String,
    /// Country.
    pub country: String,
}

/// What may be wrong with the customer's data beside lengths.
impl CustomerForm {
    /// Empty although the rest is filled.
    pub const fn missing() -> Phrase {
        Phrase::new("refused-missing-rest")
    }

    /// More than `most` characters.
    pub fn too_long(most: usize) -> Phrase {
        Phrase::new("refused-too-long").with("most", most)
    }

    /// Has characters that do not print.
    pub const fn unprintable() -> Phrase {
        Phrase::new("refused-unprintable")
    }

    /// No telephone number.
    pub const fn not_a_phone() -> Phrase {
        Phrase::new("refused-phone")
    }
}

/// Answer of [`CHECK_DEVICE`](crate::render::paths::CHECK_DEVICE), step 2: the pair fits. Posts to
/// [`SAVE_DEVICE`](crate::render::paths::SAVE_DEVICE) the fields of [`LabelForm`] (hidden) and [`CustomerForm`], and
/// `with` = `data` or `nothing` by the button pressed.
#[derive(Debug, Template)]
#[template(path = "installer/add_customer.html")]
pub struct AddCustomer {
    /// The frame.
    pub page: Page,
    /// The label step, carried along.
    pub label: LabelForm,
    /// The product's name.
    pub product: String,
    /// Whether the device is there.
    pub presence: Presence,
    /// What was typed.
    pub form: CustomerForm,
    /// What is wrong with it.
    pub refusals: Refusals,
}

/// [`DEVICE_SENT`](crate::render::paths::DEVICE_SENT), step 3.
#[derive(Debug, Template)]
#[template(path = "installer/sent.html")]
pub struct DeviceSent {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// Where the link went.
    pub email: String,
    /// Until when it is good.
    pub until: Timestamp,
}

/// The activation link on its way.
#[derive(Debug, Clone)]
pub struct LinkFacts {
    /// Where it went.
    pub email: String,
    /// When it left and until when it is good; `None` while its mail is on its way.
    pub times: Option<(Timestamp, Timestamp)>,
}

/// [`DEVICE`](crate::render::paths::DEVICE) of an installer.
#[derive(Debug, Template)]
#[template(path = "installer/device.html")]
pub struct InstallerDevice {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceFacts,
    /// The link, while the customer has not confirmed.
    pub link: Option<LinkFacts>,
    /// Web pages that may be asked for.
    pub web_page: Option<WebPageChoice>,
    /// What a look around in the portal can be asked for with.
    pub finds: Option<WishChoice>,
    /// What a terminal in the portal can be asked for with.
    pub terminal: Option<WishChoice>,
    /// Its sessions, newest first.
    pub sessions: Vec<SessionRow>,
    /// What happened, newest first.
    pub history: Vec<HistoryRow>,
}

/// [`CORRECT_EMAIL`](crate::render::paths::CORRECT_EMAIL): posts `email`.
#[derive(Debug, Template)]
#[template(path = "installer/correct_email.html")]
pub struct CorrectEmail {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// What was typed, first the address there is.
    pub email: String,
    /// What is wrong with it.
    pub refusals: Refusals,
}

/// [`CANCEL_REGISTRATION`](crate::render::paths::CANCEL_REGISTRATION): asks once more.
#[derive(Debug, Template)]
#[template(path = "installer/cancel.html")]
pub struct CancelRegistration {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// Where the link went.
    pub email: String,
}
