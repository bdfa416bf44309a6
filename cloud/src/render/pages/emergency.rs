//! The vendor's emergency stop.

use askama::Template;
use gatelodge_proto::Timestamp;
use serde::Deserialize;

use crate::{
    i18n::Phrase,
    render::{Page, Refusals},
};

/// A stop in force.
#[derive(Debug, Clone)]
pub struct StopRow {
    /// Its id, as in its address.
    pub id: String,
    /// Which installer, when it is one.
    pub installer: Option<String>,
    /// Which device, when it is one.
    pub device: Option<String>,
    /// Why.
    pub reason: String,
    /// Who stopped.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// What the page posts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StopForm {
    /// `everybody`, `installer` or `device`.
    pub scope: String,
    /// The installer's id.
    pub installer: String,
    /// The device's ID code.
    pub device: String,
    /// Why.
    pub reason: String,
}

/// [`EMERGENCY_STOPS`](crate::render::paths::EMERGENCY_STOPS).
#[derive(Debug, Template)]
#[template(path = "vendor/emergency.html")]
pub struct EmergencyStops {
    /// The frame.
    pub page: Page,
    /// Stops in force, the newest first.
    pub stops: Vec<StopRow>,
    /// Installers by name, with their ids.
    pub installers: Vec<(String, String)>,
    /// What was typed.
    pub form: StopForm,
    /// What is wrong with it.
    pub refusals: Refusals,
}

impl EmergencyStops {
    /// Why nothing was stopped: no such device or installer.
    pub const fn unknown() -> Phrase {
        Phrase::new("refused-emergency-unknown")
    }
}
