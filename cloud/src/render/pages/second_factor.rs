//! Authenticator app, passkeys and recovery codes, and the pages that ask for one.

use askama::Template;
use gatelodge_proto::Timestamp;

use crate::{
    i18n::Phrase,
    render::{Page, Refusals},
};

/// A passkey.
#[derive(Debug, Clone)]
pub struct PasskeyRow {
    /// Its id, as in its address.
    pub id: String,
    /// What its user calls it.
    pub name: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// [`SECOND_FACTOR`](crate::render::paths::SECOND_FACTOR).
#[derive(Debug, Template)]
#[template(path = "accounts/second_factor.html")]
pub struct MySecondFactor {
    /// The frame.
    pub page: Page,
    /// Since when an authenticator app, and when its codes were last used.
    pub app: Option<(Timestamp, Option<Timestamp>)>,
    /// Passkeys, the oldest first.
    pub passkeys: Vec<PasskeyRow>,
    /// Recovery codes that are left.
    pub recovery_codes: u32,
    /// Whether the person needs one before they may ask for a session, and has none.
    pub needed: bool,
    /// What is wrong with a passkey or its name.
    pub refusals: Refusals,
}

impl MySecondFactor {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.app.is_some() || !self.passkeys.is_empty()
    }
}

/// [`ADD_APP`](crate::render::paths::ADD_APP): posts `ceremony` and `code`.
#[derive(Debug, Template)]
#[template(path = "accounts/add_app.html")]
pub struct AddApp {
    /// The frame.
    pub page: Page,
    /// The ceremony.
    pub ceremony: String,
    /// The secret for typing.
    pub secret: String,
    /// The square code, as SVG of our own making.
    pub square: String,
    /// What is wrong with the code.
    pub refusals: Refusals,
}

/// Recovery codes, shown this once.
#[derive(Debug, Template)]
#[template(path = "accounts/recovery_codes.html")]
pub struct RecoveryCodes {
    /// The frame.
    pub page: Page,
    /// The codes.
    pub codes: Vec<String>,
}

/// [`SECOND_STEP`](crate::render::paths::SECOND_STEP): posts `code` and `next`, or shows a passkey.
#[derive(Debug, Template)]
#[template(path = "entry/second_step.html")]
pub struct SecondStep {
    /// The frame.
    pub page: Page,
    /// Whether codes of an app are taken.
    pub app: bool,
    /// Whether passkeys are.
    pub passkeys: bool,
    /// Where to go afterwards.
    pub next: String,
    /// What is wrong with the code or the passkey.
    pub refusals: Refusals,
}

/// [`CONFIRM_SELF`](crate::render::paths::CONFIRM_SELF): posts `code` or `password`, and `next`, or shows a passkey.
#[derive(Debug, Template)]
#[template(path = "accounts/confirm_self.html")]
pub struct ConfirmSelf {
    /// The frame.
    pub page: Page,
    /// Whether codes of an app are taken.
    pub app: bool,
    /// Whether passkeys are.
    pub passkeys: bool,
    /// Where to go afterwards.
    pub next: String,
    /// What is wrong with the code, the password or the passkey.
    pub refusals: Refusals,
}

impl ConfirmSelf {
    /// Whether the password is asked for: there is nothing else.
    pub fn by_password(&self) -> bool {
        !self.app && !self.passkeys
    }

    /// Why a password is not taken.
    pub const fn wrong_password() -> Phrase {
        Phrase::new("refused-password-wrong")
    }
}
