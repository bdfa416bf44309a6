//! The customer's pages: activation, devices, requests, sessions, own data, history.

use askama::Template;
use gatelodge_proto::{
    DeviceId, OrganisationId, Timestamp,
    identity::IdCode,
    opening::{BreakGlass, Day, Opening, Zone},
    payload::Consent,
};
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
    /// Whether the device's own page can be opened.
    pub own_page: bool,
    /// To whom the rule is said.
    pub installer: OrganisationId,
    /// What the rule says beside the consent.
    pub opening: Opening,
    /// Whether the customer's key is pinned on the device, or waits to be.
    pub key: KeyStanding,
    /// The rule that the pinned key has signed last.
    pub signed: Option<SignedRuleShown>,
    /// What is wrong with the field `web_address`.
    pub refusals: Refusals,
}

/// A row of hours in the form of the rule.
#[derive(Debug)]
pub struct HoursRow {
    /// Its number, part of its fields' names.
    pub number: usize,
    /// All days, and whether each is ticked.
    pub days: Vec<(Day, bool)>,
    /// From then.
    pub from: String,
    /// Until then.
    pub until: String,
}

/// How many rows of hours the form has.
const HOURS_ROWS: usize = 3;

impl CustomerDevice {
    /// The rows of hours, those in force first.
    pub fn hours(&self) -> Vec<HoursRow> {
        let known = self.opening.hours.as_ref().map_or(&[][..], |hours| &hours.windows);
        let row = |number: usize| {
            let window = known.get(number);
            let ticked = |day: Day| window.is_some_and(|window| window.days.contains(&day));
            HoursRow {
                number,
                days: Day::ALL.into_iter().map(|day| (day, ticked(day))).collect(),
                from: window.map_or_else(|| "08:00".to_owned(), |window| window.from.to_string()),
                until: window.map_or_else(|| "18:00".to_owned(), |window| window.until.to_string()),
            }
        };
        (0..HOURS_ROWS.max(known.len())).map(row).collect()
    }

    /// Every zone, and whether it is in force.
    pub fn zones(&self) -> Vec<(String, bool)> {
        let known = self.opening.hours.as_ref().map(|hours| hours.zone.as_str());
        let usual = match self.page.language {
            Language::En => "Europe/London",
            Language::Fr => "Europe/Paris",
        };
        let chosen = known.unwrap_or(usual);
        Zone::all().into_iter().map(|zone| (zone.clone(), zone == chosen)).collect()
    }

    /// Who may be let in for emergencies.
    pub const fn roles(&self) -> [BreakGlass; 3] {
        BreakGlass::ALL
    }

    /// Whether the customer's key decides on the device, so that it has to sign what opens it.
    pub fn is_pinned(&self) -> bool {
        self.key == KeyStanding::Pinned
    }

    /// Whether what the device holds signed is another rule than the portal keeps.
    pub fn must_sign(&self) -> bool {
        self.signed.map_or_else(|| self.opens(), |rule| !rule.stands)
    }

    /// Whether the rule lets anybody in without asking.
    pub fn opens(&self) -> bool {
        let opening = &self.opening;
        self.device.consent == Some(Consent::Always) || self.open_until().is_some() || opening.break_glass.is_some()
    }

    /// Until when the device is open whatever the rule says.
    pub fn open_until(&self) -> Option<Timestamp> {
        self.opening.open_until.filter(|until| self.page.now < *until)
    }

    /// All consents, for the choice, and whether each is in force.
    pub fn consents(&self) -> [(Consent, bool); 3] {
        Consent::ALL.map(|consent| (consent, self.device.consent == Some(consent)))
    }
}

/// A rule that the pinned key has signed.
#[derive(Debug, Clone, Copy)]
pub struct SignedRuleShown {
    /// Whether it is the rule that the portal keeps.
    pub stands: bool,
    /// When it was signed.
    pub at: Timestamp,
    /// Until when it is good.
    pub until: Timestamp,
}

/// How it stands with the customer's key of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStanding {
    /// None.
    None,
    /// Shown on the device.
    Offered,
    /// Pinned.
    Pinned,
}

impl KeyStanding {
    /// The word in locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Offered => "offered",
            Self::Pinned => "pinned",
        }
    }
}

/// A key as people know it again.
#[derive(Debug, Clone)]
pub struct KeyShown {
    /// Six groups of five digits, the same on the device.
    pub digits: String,
    /// Since when it is offered or pinned.
    pub at: Timestamp,
}

/// [`DEVICE_KEY`](crate::render::paths::DEVICE_KEY).
#[derive(Debug, Template)]
#[template(path = "customer/device_key.html")]
pub struct DeviceKey {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// Whether it is there now.
    pub online: bool,
    /// Whether the reader may offer and release.
    pub decides: bool,
    /// The key that waits for somebody at the device.
    pub offered: Option<KeyShown>,
    /// The key that is pinned.
    pub pinned: Option<KeyShown>,
    /// What did not work.
    pub refusals: Refusals,
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

/// A target that was opened in a session, or refused.
#[derive(Debug)]
pub struct Target {
    /// Like `tcp panel.local:80`.
    pub target: String,
    /// When.
    pub opened_at: Timestamp,
    /// Bytes in both directions.
    pub bytes: u64,
    /// Whether it was refused.
    pub refused: bool,
    /// Whether it is open now.
    pub open: bool,
}

/// [`SESSION`](crate::render::paths::SESSION): of customers and installers.
#[derive(Debug, Template)]
#[template(path = "customer/session.html")]
pub struct SessionPage {
    /// The frame.
    pub page: Page,
    /// The session.
    pub shown: SessionRow,
    /// What was opened, the newest first.
    pub flows: Vec<Target>,
}

impl SessionPage {
    /// The session as lists have them, for the card that they share.
    pub const fn only(&self) -> [&SessionRow; 1] {
        [&self.shown]
    }
}
