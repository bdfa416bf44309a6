//! Home, by side.

use askama::Template;

use super::{DeviceRow, SessionRow, row::Shown as _};
use crate::render::Page;

/// An installer's [`HOME`](crate::render::paths::HOME).
#[derive(Debug, Template)]
#[template(path = "home/installer.html")]
pub struct InstallerHome {
    /// The frame.
    pub page: Page,
    /// Devices of this installer.
    pub devices: u64,
    /// Of these, waiting for their customer.
    pub waiting: u64,
    /// Of these, active and not there.
    pub offline: u64,
    /// Sessions open now.
    pub live: u64,
    /// The latest devices.
    pub recent: Vec<DeviceRow>,
}

/// A customer's [`HOME`](crate::render::paths::HOME).
#[derive(Debug, Template)]
#[template(path = "home/customer.html")]
pub struct CustomerHome {
    /// The frame.
    pub page: Page,
    /// Sessions that wait for the customer's word.
    pub requests: Vec<SessionRow>,
    /// Sessions open now.
    pub live: Vec<SessionRow>,
    /// The customer's devices.
    pub devices: Vec<DeviceRow>,
}

/// The vendor's [`HOME`](crate::render::paths::HOME).
#[derive(Debug, Template)]
#[template(path = "home/vendor.html")]
pub struct VendorHome {
    /// The frame.
    pub page: Page,
    /// Devices made.
    pub devices: u64,
    /// Devices that are there now.
    pub online: u64,
    /// Devices in the hands of customers.
    pub active: u64,
    /// Hardware in quarantine.
    pub quarantined: u64,
    /// Sessions open now.
    pub live: u64,
}
