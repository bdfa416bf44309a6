//! Mails about logins.

use std::time::Duration;

use super::Mail;
use crate::i18n::Phrase;

impl Mail {
    /// To an installer who signs up: is this address yours?
    pub fn confirm_email(name: &str, company: &str, url: &str, life: Duration) -> Self {
        Self {
            subject: Phrase::new("mail-confirm-email-subject"),
            name: Some(name.to_owned()),
            what: vec![Phrase::new("mail-confirm-email-what").with("company", company)],
            facts: Vec::new(),
            button: Phrase::new("confirm-email-title"),
            url: url.to_owned(),
            life: Some(life),
            nothing: Phrase::new("mail-confirm-email-nothing"),
            why: Phrase::new("mail-why-sign-up"),
        }
    }

    /// To somebody with an account, in whose name an installer's organisation signs up: does it belong to you?
    pub fn add_organisation(name: &str, company: &str, url: &str, life: Duration) -> Self {
        Self {
            subject: Phrase::new("mail-add-organisation-subject").with("company", company),
            name: Some(name.to_owned()),
            what: vec![Phrase::new("mail-add-organisation-what").with("company", company)],
            facts: Vec::new(),
            button: Phrase::new("add-organisation-button"),
            url: url.to_owned(),
            life: Some(life),
            nothing: Phrase::new("mail-add-organisation-nothing"),
            why: Phrase::new("mail-why-sign-up"),
        }
    }

    /// To somebody who signs up with an address that has an account already; `url` is the sign-in page.
    pub fn account_exists(name: &str, url: &str) -> Self {
        Self {
            subject: Phrase::new("mail-account-exists-subject"),
            name: Some(name.to_owned()),
            what: vec![Phrase::new("mail-account-exists-what"), Phrase::new("mail-account-exists-forgotten")],
            facts: Vec::new(),
            button: Phrase::new("sign-in-title"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-account-exists-nothing"),
            why: Phrase::new("mail-why-sign-up"),
        }
    }

    /// To somebody whose account has one more second factor.
    pub fn second_factor_added(name: &str, url: &str) -> Self {
        Self::second_factor(name, url, "mail-second-factor-added-subject", "mail-second-factor-added-what")
    }

    /// To somebody whose account has one second factor less.
    pub fn second_factor_removed(name: &str, url: &str) -> Self {
        Self::second_factor(name, url, "mail-second-factor-removed-subject", "mail-second-factor-removed-what")
    }

    /// To somebody whose recovery codes are new ones.
    pub fn recovery_codes_made(name: &str, url: &str) -> Self {
        Self::second_factor(name, url, "mail-recovery-codes-subject", "mail-recovery-codes-what")
    }

    fn second_factor(name: &str, url: &str, subject: &'static str, what: &'static str) -> Self {
        Self {
            subject: Phrase::new(subject),
            name: Some(name.to_owned()),
            what: vec![Phrase::new(what)],
            facts: Vec::new(),
            button: Phrase::new("second-factor-title"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-second-factor-nothing"),
            why: Phrase::new("mail-why-account"),
        }
    }

    /// To somebody who has forgotten the password.
    pub fn set_password(name: &str, email: &str, url: &str, life: Duration) -> Self {
        Self {
            subject: Phrase::new("mail-set-password-subject"),
            name: Some(name.to_owned()),
            what: vec![Phrase::new("mail-set-password-what")],
            facts: vec![("mail-login", email.to_owned())],
            button: Phrase::new("set-password-title"),
            url: url.to_owned(),
            life: Some(life),
            nothing: Phrase::new("mail-set-password-nothing"),
            why: Phrase::new("mail-why-forgotten"),
        }
    }

    /// To a customer who is new here: the login, and the link to choose a password. `name` is what the installer
    /// entered, when anything.
    pub fn welcome(name: Option<&str>, email: &str, installer: &str, url: &str, life: Duration) -> Self {
        Self {
            subject: Phrase::new("mail-welcome-subject"),
            name: name.map(ToOwned::to_owned),
            what: vec![Phrase::new("mail-welcome-what").with("installer", installer), Phrase::new("mail-welcome-next")],
            facts: vec![("mail-login", email.to_owned())],
            button: Phrase::new("set-password-title"),
            url: url.to_owned(),
            life: Some(life),
            nothing: Phrase::new("mail-welcome-nothing"),
            why: Phrase::new("mail-why-registered"),
        }
    }
}
