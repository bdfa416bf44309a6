//! Mails: one purpose, one button, its address written out, who sends it and why, what happens if nothing is done.
//! HTML and plain text come from the same sentences, so they cannot differ. Never sends, never makes a link.
//!
//! ```ignore
//! let mail = Mail::activation_link(&facts, &paths::with_token(&public_url, paths::ACTIVATE, &token), life);
//! let Letter { subject, html, plain } = mail.render(language, vendor_name);
//! ```

mod accounts;
mod devices;
#[cfg(test)]
mod tests;

use std::time::Duration;

use askama::Template;

use crate::i18n::{Argument, Language, Phrase, days, say, span};

pub use devices::{DeviceNamed, KeyNews, SessionAsked};
#[cfg(test)]
pub(super) use tests::samples;

/// A mail's content, in no language yet.
#[derive(Debug, Clone)]
pub struct Mail {
    subject: Phrase,
    /// Whom it greets; nobody by name while no name is known.
    name: Option<String>,
    what: Vec<Phrase>,
    /// Label key and text.
    facts: Vec<(&'static str, String)>,
    button: Phrase,
    url: String,
    /// How long the link is good for.
    life: Option<Duration>,
    /// What happens if nothing is done.
    nothing: Phrase,
    /// Why this person gets it.
    why: Phrase,
}

/// A mail, rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is about.
    pub subject: String,
    /// For programs that show HTML.
    pub html: String,
    /// The same in plain text.
    pub plain: String,
}

impl Mail {
    /// The mail in a language, sent in the name of `sender`, the vendor.
    pub fn render(&self, language: Language, sender: &str) -> Letter {
        let said = |phrase: &Phrase| phrase.say(language);
        let words = Words {
            language,
            subject: said(&self.subject),
            greeting: match &self.name {
                Some(name) => Phrase::new("mail-hello-name").with("name", name).say(language),
                None => say(language, "mail-hello"),
            },
            what: self.what.iter().map(said).collect(),
            facts: self.facts.iter().map(|(label, text)| (say(language, label), text.clone())).collect(),
            button: said(&self.button),
            url: self.url.clone(),
            or_copy: say(language, "mail-or-copy"),
            life: self.life.map(|life| Phrase::new("mail-life").with("life", length(language, life)).say(language)),
            nothing: said(&self.nothing),
            why: said(&self.why),
            sender: Phrase::new("mail-sender").with("sender", sender).say(language),
        };
        // Rendering writes into a string, which cannot fail; the templates call nothing else.
        let html = MailHtml { mail: &words }.render().unwrap_or_default();
        let plain = MailText { mail: &words }.render().unwrap_or_default();
        Letter { subject: words.subject, html, plain }
    }
}

fn length(language: Language, life: Duration) -> Argument {
    let whole_days = life.as_secs() >= 86_400 && life.as_secs().is_multiple_of(86_400);
    Argument::Text(if whole_days { days(language, life) } else { span(language, life) })
}

struct Words {
    language: Language,
    subject: String,
    greeting: String,
    what: Vec<String>,
    facts: Vec<(String, String)>,
    button: String,
    url: String,
    or_copy: String,
    life: Option<String>,
    nothing: String,
    why: String,
    sender: String,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct MailHtml<'a> {
    mail: &'a Words,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct MailText<'a> {
    mail: &'a Words,
}
