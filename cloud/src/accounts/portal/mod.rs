//! The pages of accounts: signing up, in and out, passwords, own data, programs that ask, and the vendor's mailbox.

mod approve;
mod confirm_self;
mod entry;
mod mailbox;
mod own;
mod second_factor;

use axum::{
    Router,
    routing::{get, post},
};

use super::{
    password, password::PasswordRefusal, second_factor::FactorRefusal, throttle::Throttled, tokens::TokenRefusal,
};
use crate::{
    i18n::{Explain, Phrase},
    kits::Kits,
    render::{pages, paths},
    web::Fault,
};

/// The portal's routes of this feature.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::SIGN_IN, get(entry::sign_in_page).post(entry::sign_in))
        .route(paths::SIGN_IN_PASSKEY_BEGIN, post(confirm_self::begin_sign_in))
        .route(paths::SIGN_IN_PASSKEY, post(confirm_self::sign_in))
        .route(paths::SECOND_STEP, get(confirm_self::second_step_page).post(confirm_self::second_step))
        .route(paths::SECOND_STEP_PASSKEY_BEGIN, post(confirm_self::begin_second_step_passkey))
        .route(paths::SECOND_STEP_PASSKEY, post(confirm_self::second_step_passkey))
        .route(paths::CONFIRM_SELF, get(confirm_self::page).post(confirm_self::confirm))
        .route(paths::CONFIRM_SELF_PASSKEY_BEGIN, post(confirm_self::begin_passkey))
        .route(paths::CONFIRM_SELF_PASSKEY, post(confirm_self::passkey))
        .route(paths::SIGN_OUT, post(entry::sign_out))
        .route(paths::SIGN_UP, get(entry::sign_up_page).post(entry::sign_up))
        .route(paths::LOOK_IN_MAIL, get(entry::look_in_mail))
        .route(paths::CONFIRM_EMAIL, get(entry::confirm_email_page).post(entry::confirm_email))
        .route(paths::ADD_ORGANISATION, get(entry::add_organisation_page).post(entry::add_organisation))
        .route(paths::FORGOTTEN_PASSWORD, get(entry::forgotten_page).post(entry::forgotten))
        .route(paths::SET_PASSWORD, get(entry::set_password_page).post(entry::set_password))
        .route(paths::APPROVE, get(approve::ask).post(approve::decide))
        .route(paths::MY_DATA, get(own::page).post(own::save))
        .route(paths::MY_ORGANISATION, get(own::organisation_page).post(own::save_organisation))
        .route(paths::SWITCH_ORGANISATION, post(own::switch))
        .route(paths::MY_SIGN_INS, get(own::sign_ins))
        .route(paths::END_OTHER_SIGN_INS, post(own::end_others))
        .route(paths::END_SIGN_IN, post(own::end_one))
        .route(paths::REVOKE_PROGRAM, post(own::revoke))
        .route(paths::SECOND_FACTOR, get(second_factor::page))
        .route(paths::ADD_APP, post(second_factor::add_app))
        .route(paths::CONFIRM_APP, post(second_factor::confirm_app))
        .route(paths::REMOVE_APP, post(second_factor::remove_app))
        .route(paths::RECOVERY_CODES, post(second_factor::recovery_codes))
        .route(paths::ADD_PASSKEY_BEGIN, post(second_factor::begin_passkey))
        .route(paths::ADD_PASSKEY, post(second_factor::add_passkey))
        .route(paths::RENAME_PASSKEY, post(second_factor::rename_passkey))
        .route(paths::REMOVE_PASSKEY, post(second_factor::remove_passkey))
        .route(paths::MAILBOX, get(mailbox::list))
        .route(paths::MAIL, get(mailbox::read))
        .route(paths::MAIL_HTML, get(mailbox::html))
}

impl Explain for PasswordRefusal {
    fn explain(&self) -> Phrase {
        match self {
            Self::TooShort => pages::SetPassword::too_short(password::SHORTEST),
            Self::TooLong => Phrase::new("refused-too-long").with("most", password::LONGEST),
            Self::Guessable => pages::SetPassword::guessable(),
        }
    }
}

impl Explain for FactorRefusal {
    fn explain(&self) -> Phrase {
        match self {
            Self::WrongCode => Phrase::new("refused-second-factor-code"),
            Self::Stale => Phrase::new("refused-second-factor-stale"),
            Self::Passkey => Phrase::new("refused-passkey"),
            Self::Known => Phrase::new("refused-passkey-known"),
            Self::TooMany(most) => Phrase::new("refused-passkeys-many").with("most", *most),
            Self::NoName => Phrase::new("refused-passkey-no-name"),
            Self::Unknown => Phrase::new("refused-second-factor-unknown"),
            Self::Throttled(throttled) => {
                Phrase::new("refused-second-factor-wait").with("seconds", throttled.seconds())
            }
        }
    }
}

impl From<FactorRefusal> for Fault {
    /// What a script is told that began a ceremony.
    fn from(refusal: FactorRefusal) -> Self {
        match refusal {
            FactorRefusal::Throttled(throttled) => throttled.into(),
            FactorRefusal::Unknown => Self::not_found(),
            FactorRefusal::WrongCode
            | FactorRefusal::Stale
            | FactorRefusal::Passkey
            | FactorRefusal::Known
            | FactorRefusal::TooMany(_)
            | FactorRefusal::NoName => Self::changed().because(refusal.explain()),
        }
    }
}

impl Explain for TokenRefusal {
    fn explain(&self) -> Phrase {
        Phrase::new(match self {
            Self::Unknown => "link-refused-unknown",
            Self::Expired => "link-refused-expired",
            Self::Used => "link-refused-used",
            Self::Superseded => "link-refused-superseded",
        })
    }
}

impl From<TokenRefusal> for Fault {
    fn from(refusal: TokenRefusal) -> Self {
        Self::stale_link().because(refusal.explain())
    }
}

impl From<Throttled> for Fault {
    fn from(throttled: Throttled) -> Self {
        Self::throttled(throttled.seconds())
    }
}
