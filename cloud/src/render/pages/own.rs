//! Where somebody is signed in, what they act for, and their organisation's data.

use askama::Template;
use gatelodge_proto::Timestamp;
use serde::Deserialize;

use crate::render::{Page, Refusals, Role, Side};

/// A browser that is signed in.
#[derive(Debug, Clone)]
pub struct BrowserRow {
    /// Its id, as in its address.
    pub id: String,
    /// Whether it is the one that asks.
    pub is_this: bool,
    /// What it calls itself.
    pub user_agent: String,
    /// The network it was last seen in.
    pub network: String,
    /// For which organisation.
    pub organisation: String,
    /// When it was last seen.
    pub seen_at: Timestamp,
}

/// A program that may speak for somebody.
#[derive(Debug, Clone)]
pub struct ProgramRow {
    /// Its id, as in its address.
    pub id: String,
    /// What it is.
    pub label: String,
    /// For which organisation.
    pub organisation: String,
    /// When it last did.
    pub used_at: Option<Timestamp>,
    /// Until when it may.
    pub expires_at: Timestamp,
}

/// An organisation somebody is in.
#[derive(Debug, Clone)]
pub struct MembershipRow {
    /// The organisation.
    pub id: String,
    /// Whether they act for it now.
    pub is_this: bool,
    /// Its name.
    pub name: String,
    /// What it is.
    pub side: Side,
    /// What they may do in it.
    pub role: Role,
}

/// [`MY_SIGN_INS`](crate::render::paths::MY_SIGN_INS).
#[derive(Debug, Template)]
#[template(path = "accounts/sign_ins.html")]
pub struct MySignIns {
    /// The frame.
    pub page: Page,
    /// Browsers, the one seen last first.
    pub browsers: Vec<BrowserRow>,
    /// Programs, the newest first.
    pub programs: Vec<ProgramRow>,
    /// Organisations, the oldest membership first.
    pub memberships: Vec<MembershipRow>,
}

impl MySignIns {
    /// Whether the person could sign up as an installer: they are a customer and nothing else yet.
    pub fn may_install(&self) -> bool {
        self.memberships.iter().all(|membership| membership.side == Side::Customer)
    }
}

/// What the page of the organisation posts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MyOrganisationForm {
    /// Its name.
    pub name: String,
    /// Street and number.
    pub address: String,
    /// Postcode.
    pub postcode: String,
    /// Town.
    pub city: String,
    /// Country.
    pub country: String,
}

/// [`MY_ORGANISATION`](crate::render::paths::MY_ORGANISATION), for its administrators.
#[derive(Debug, Template)]
#[template(path = "accounts/organisation.html")]
pub struct MyOrganisation {
    /// The frame.
    pub page: Page,
    /// What is known, or what was typed.
    pub form: MyOrganisationForm,
    /// What is wrong with it.
    pub refusals: Refusals,
}
