//! The pages before somebody is signed in.

use askama::Template;
use serde::Deserialize;

use crate::{
    i18n::Phrase,
    render::{Page, Refusals},
};

/// [`SIGN_IN`](crate::render::paths::SIGN_IN).
#[derive(Debug, Template)]
#[template(path = "entry/sign_in.html")]
pub struct SignIn {
    /// The frame.
    pub page: Page,
    /// What was typed.
    pub form: SignInForm,
    /// What is wrong with it; a wrong pair is `Refusals::one("", SignIn::wrong_pair())`, the same words whether the
    /// address is known or not.
    pub refusals: Refusals,
}

impl SignIn {
    /// Why a sign-in failed.
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

/// [`SIGN_UP`](crate::render::paths::SIGN_UP): an installer's company and first person.
#[derive(Debug, Template)]
#[template(path = "entry/sign_up.html")]
pub struct SignUp {
    /// The frame.
    pub page: Page,
    /// What was typed.
    pub form: SignUpForm,
    /// What is wrong with it.
    pub refusals: Refusals,
}

/// What the sign-up page posts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SignUpForm {
    /// The company's name.
    pub company: String,
    /// The person's name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// [`LOOK_IN_MAIL`](crate::render::paths::LOOK_IN_MAIL): the same page whether the address is known or not.
#[derive(Debug, Template)]
#[template(path = "entry/look_in_mail.html")]
pub struct LookInMail {
    /// The frame.
    pub page: Page,
}

/// [`CONFIRM_EMAIL`](crate::render::paths::CONFIRM_EMAIL): the script fills the field `token` from the fragment; a
/// person's press on the button posts it with `password` and `repeated`.
#[derive(Debug, Template)]
#[template(path = "entry/confirm_email.html")]
pub struct ConfirmEmail {
    /// The frame.
    pub page: Page,
    /// The token, when the form comes back with refusals; else empty, and the script takes it from the fragment.
    pub token: String,
    /// What is wrong with the password.
    pub refusals: Refusals,
}

/// [`ADD_ORGANISATION`](crate::render::paths::ADD_ORGANISATION): the same for an address that has an account; posts
/// `token` and `password`.
#[derive(Debug, Template)]
#[template(path = "entry/add_organisation.html")]
pub struct AddOrganisation {
    /// The frame.
    pub page: Page,
    /// The token, when the form comes back with refusals; else empty, and the script takes it from the fragment.
    pub token: String,
    /// What is wrong with the password.
    pub refusals: Refusals,
}

impl AddOrganisation {
    /// Why a password is not taken: it is not the account's.
    pub const fn not_theirs() -> Phrase {
        Phrase::new("refused-not-your-password")
    }
}

/// [`FORGOTTEN_PASSWORD`](crate::render::paths::FORGOTTEN_PASSWORD): posts `email`.
#[derive(Debug, Template)]
#[template(path = "entry/forgotten_password.html")]
pub struct ForgottenPassword {
    /// The frame.
    pub page: Page,
    /// What was typed.
    pub email: String,
    /// What is wrong with it.
    pub refusals: Refusals,
}

/// [`SET_PASSWORD`](crate::render::paths::SET_PASSWORD): posts `token`, `password`, `repeated`.
#[derive(Debug, Template)]
#[template(path = "entry/set_password.html")]
pub struct SetPassword {
    /// The frame.
    pub page: Page,
    /// The token, when the form comes back with refusals; else empty, and the script takes it from the fragment.
    pub token: String,
    /// What is wrong with the password.
    pub refusals: Refusals,
}

impl SetPassword {
    /// Why a password is not taken: too short.
    pub fn too_short(least: usize) -> Phrase {
        Phrase::new("refused-password-short").with("least", least)
    }

    /// Why a password is not taken: easily guessed.
    pub const fn guessable() -> Phrase {
        Phrase::new("refused-password-common")
    }

    /// Why a password is not taken: typed differently the second time.
    pub const fn differs() -> Phrase {
        Phrase::new("refused-password-differs")
    }
}
