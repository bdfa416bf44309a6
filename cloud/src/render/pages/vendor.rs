//! The vendor's desk: inventory, one device, quarantine, mailbox, audit.

use askama::Template;
use axum::response::{IntoResponse, Response};
use gatelodge_proto::{
    DeviceId, EnrolmentId, Timestamp,
    api::Presence,
    identity::{IdCode, MacAddress, SerialNumber},
    payload::Life,
};
use http::header;

use super::{DeviceFacts, HistoryRow, row::Shown as _};
use crate::{
    i18n::Phrase,
    render::{Page, Refusals},
};

/// One device of the inventory.
#[derive(Debug, Clone)]
pub struct InventoryRow {
    /// Its id.
    pub id: DeviceId,
    /// Its ID code.
    pub id_code: IdCode,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Its serial number.
    pub serial: SerialNumber,
    /// The product's name.
    pub product: String,
    /// Where it stands.
    pub life: Life,
    /// Whether it is there.
    pub presence: Presence,
}

/// [`INVENTORY`](crate::render::paths::INVENTORY). Query: `search`, `life`, `cursor`.
#[derive(Debug, Template)]
#[template(path = "vendor/inventory.html")]
pub struct Inventory {
    /// The frame.
    pub page: Page,
    /// What was searched for.
    pub search: String,
    /// The state that is filtered for.
    pub life: Option<Life>,
    /// States there are devices in, and how many.
    pub counts: Vec<(Life, u64)>,
    /// The devices of this page.
    pub devices: Vec<InventoryRow>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

impl Inventory {
    /// The state that is filtered for, as its word, else nothing.
    pub fn life_word(&self) -> &'static str {
        self.life.map(Life::word).unwrap_or_default()
    }

    /// How many devices there are in all states.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// [`VENDOR_DEVICE`](crate::render::paths::VENDOR_DEVICE).
#[derive(Debug, Template)]
#[template(path = "vendor/device.html")]
pub struct VendorDevice {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceFacts,
    /// Purchase date as in the inventory.
    pub purchased_on: Option<String>,
    /// How it proves itself, as the stable word (`factory_secret`, `on_site_code`).
    pub proof: String,
    /// Its current certificate's serial number and end.
    pub certificate: Option<(String, Timestamp)>,
    /// What happened, newest first.
    pub history: Vec<HistoryRow>,
}

/// [`RETIRE`](crate::render::paths::RETIRE): posts `typed`, which must be the ID code.
#[derive(Debug, Template)]
#[template(path = "vendor/retire.html")]
pub struct Retire {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// Its ID code; what must be typed.
    pub id_code: IdCode,
    /// What was typed.
    pub typed: String,
    /// What is wrong with it.
    pub refusals: Refusals,
}

/// Hardware that asked for a certificate and may not have one.
#[derive(Debug, Clone)]
pub struct QuarantineRow {
    /// The enrolment.
    pub id: EnrolmentId,
    /// The ID code it named.
    pub id_code: Option<IdCode>,
    /// The MAC address it named.
    pub mac: MacAddress,
    /// The serial number it named.
    pub serial: SerialNumber,
    /// The model it named.
    pub model: String,
    /// The network it came from.
    pub network: String,
    /// Why it is here, in a sentence.
    pub why: Phrase,
    /// When it first asked.
    pub first_seen: Timestamp,
    /// When it last asked.
    pub last_seen: Timestamp,
    /// Whether the vendor may let this key take the place of the device's present one.
    pub may_approve: bool,
}

impl QuarantineRow {
    /// Why: not in the inventory.
    pub const fn unknown() -> Phrase {
        Phrase::new("quarantine-unknown")
    }

    /// Why: another key holds this identity.
    pub const fn conflict() -> Phrase {
        Phrase::new("quarantine-conflict")
    }

    /// Why: several keys wait for this identity.
    pub const fn several() -> Phrase {
        Phrase::new("quarantine-several")
    }

    /// Why: ID code, MAC and serial do not belong together.
    pub const fn mismatch() -> Phrase {
        Phrase::new("quarantine-mismatch")
    }
}

/// [`QUARANTINE`](crate::render::paths::QUARANTINE).
#[derive(Debug, Template)]
#[template(path = "vendor/quarantine.html")]
pub struct Quarantine {
    /// The frame.
    pub page: Page,
    /// The entries, newest first.
    pub entries: Vec<QuarantineRow>,
}

/// One mail in the mailbox.
#[derive(Debug, Clone)]
pub struct MailRow {
    /// Its id, as in its address.
    pub id: String,
    /// To whom.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// When.
    pub at: Timestamp,
}

/// [`MAILBOX`](crate::render::paths::MAILBOX); exists only while no mail server is set.
#[derive(Debug, Template)]
#[template(path = "vendor/mailbox.html")]
pub struct Mailbox {
    /// The frame.
    pub page: Page,
    /// The mails, newest first.
    pub mails: Vec<MailRow>,
}

/// [`MAIL`](crate::render::paths::MAIL).
#[derive(Debug, Template)]
#[template(path = "vendor/mail.html")]
pub struct Mail {
    /// The frame.
    pub page: Page,
    /// The mail.
    pub mail: MailRow,
    /// Its plain text.
    pub plain: String,
}

impl Mail {
    /// The plain text in pieces, with whether each is a link.
    pub fn pieces(&self) -> Vec<(bool, &str)> {
        let mut pieces = Vec::new();
        for line in self.plain.split_inclusive('\n') {
            let text = line.trim_end();
            if text.starts_with("https://") || text.starts_with("http://") {
                pieces.push((true, text));
                pieces.push((false, &line[text.len()..]));
            } else {
                pieces.push((false, line));
            }
        }
        pieces
    }
}

/// [`MAIL_HTML`](crate::render::paths::MAIL_HTML): the mail as a mail program shows it, inside a frame of [`Mail`].
#[derive(Debug)]
pub struct MailHtml(pub String);

impl IntoResponse for MailHtml {
    fn into_response(self) -> Response {
        const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; \
                              sandbox allow-top-navigation-by-user-activation";
        let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CONTENT_TYPE, "text/html; charset=utf-8")];
        (headers, self.0).into_response()
    }
}

/// [`AUDIT`](crate::render::paths::AUDIT).
#[derive(Debug, Template)]
#[template(path = "vendor/audit.html")]
pub struct Audit {
    /// The frame.
    pub page: Page,
    /// What happened, newest first.
    pub rows: Vec<HistoryRow>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}
