//! The pages before somebody is signed in.

use askama::Template;
use serde::Deserialize;

use crate::{
    i18n::Phrase,
    render::{Page, Refusals},
};

/// [`SIGN_IN`](crate::render::paths::SIGN_IN). A wrong pair is a refusal of the whole form (empty field name), the
/// same words whether the address is known or not.
#[derive(Debug, Template)]
#[template(path = "entry/sign_in.html")]
pub struct SignIn {
    /// The frame.
    pub page: Page,
    /// What was typed.
    pub form: SignInForm,
    /// What is wrong with it.
    pub refusals: Refusals,
}

impl SignIn {
    /// Why a sign-in failed: as a refusal of the whole form, `Refusals::one("", SignIn::wrong_pair())`.
    pub const fn wrong_pair() -> Phrase {
        Phrase::new("sign-in-refused")
    }
}

/// What the sign-in page posts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SignInForm {
    /// E-mail address.
    pub email: String,
    /// Password; never shown again.
    pub password: String,
    /// Where to go afterwards; pass it through [`own_or_home`](crate::render::paths::own_or_home).
    pub next: String,
}
