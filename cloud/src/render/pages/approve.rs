//! A technician's program asks to sign in (RFC 8628); a person compares codes.

use askama::Template;
use gatelodge_proto::Timestamp;

use crate::{
    i18n::Phrase,
    render::{Page, Refusals},
};

/// What asked to sign in.
#[derive(Debug, Clone)]
pub struct AskedSignIn {
    /// The code to compare, like `WDJB-MJHT`.
    pub user_code: String,
    /// The network it came from.
    pub network: String,
    /// When.
    pub asked_at: Timestamp,
}

/// [`APPROVE`](crate::render::paths::APPROVE): without a code that is known it asks for one (`GET ?code=`), with one
/// it posts `user_code` and `decision`.
#[derive(Debug, Template)]
#[template(path = "approve/ask.html")]
pub struct ApproveSignIn {
    /// The frame.
    pub page: Page,
    /// What asked, once the code is known.
    pub asked: Option<AskedSignIn>,
    /// The code that was typed.
    pub typed: String,
    /// What is wrong with it (field `code`).
    pub refusals: Refusals,
}

impl ApproveSignIn {
    /// Why a code is refused: unknown, used or expired.
    pub const fn unknown_code() -> Phrase {
        Phrase::new("refused-user-code")
    }
}

/// The decision is made.
#[derive(Debug, Template)]
#[template(path = "approve/done.html")]
pub struct ApproveDone {
    /// The frame.
    pub page: Page,
    /// Whether the sign-in was approved.
    pub approved: bool,
}
