//! The customer changes installer: their page, and those of whom they ask.

use askama::Template;
use gatelodge_proto::{DeviceId, Timestamp, identity::IdCode};

use crate::render::{Page, Refusals};

/// [`CHANGE_INSTALLER`](crate::render::paths::CHANGE_INSTALLER): posts `email`.
#[derive(Debug, Template)]
#[template(path = "customer/change_installer.html")]
pub struct ChangeInstaller {
    /// The frame.
    pub page: Page,
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// Who the installer is.
    pub installer: String,
    /// Who has been asked, and when, while they have not taken over.
    pub offered: Option<(String, Timestamp)>,
    /// What was typed.
    pub email: String,
    /// What is wrong with it.
    pub refusals: Refusals,
}

/// [`TAKE_OVER`](crate::render::paths::TAKE_OVER): posts `token`. Changes nothing by being opened.
#[derive(Debug, Template)]
#[template(path = "installer/take_over_landing.html")]
pub struct TakeOverLanding {
    /// The frame.
    pub page: Page,
}

/// [`TAKE_OVER_CONFIRM`](crate::render::paths::TAKE_OVER_CONFIRM).
#[derive(Debug, Template)]
#[template(path = "installer/take_over.html")]
pub struct TakeOver {
    /// The frame.
    pub page: Page,
    /// What the device is called.
    pub name: String,
    /// The product's name.
    pub product: String,
    /// Its ID code.
    pub id_code: IdCode,
    /// Who asks.
    pub customer: String,
    /// For whom the reader acts.
    pub organisation: String,
    /// Whether that is an installer and the reader's role allows it.
    pub may: bool,
}
