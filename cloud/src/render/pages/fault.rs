//! The page for what cannot be answered.

use askama::Template;

use crate::render::Page;

/// What happened and what to do next. Made by the web kit from a [`Fault`](crate::web::Fault).
#[derive(Debug, Template)]
#[template(path = "fault.html")]
pub struct FaultPage {
    /// The frame.
    pub page: Page,
    /// The HTTP status.
    pub status: u16,
    /// In a few words.
    pub title: String,
    /// What happened.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The request's id, to name when asking for help.
    pub request: Option<String>,
}
